"""File descriptors: how many one worker may need at once, and the limit that the node's processes live under.

Shells and containers often start programs with 1,024, for the sake of those that use ``select``; any other may raise it
by itself, up to the hard limit (getrlimit(2)). A worker that runs out of them can reach no further server and has to
hang up on new clients.
"""

import resource

from node.config import Config
from node.upstream.client import UpstreamSettings
from resolver.limits import Limits

OWN = 64
"""Listening sockets, the store, the registrar, pipes; besides, the mailboxes of all workers."""
_UPSTREAM = 2 * UpstreamSettings().most_connections + Limits().waiting
"""TCP and HTTP connections to other nodes, and a UDP socket for each question under way."""


def worker_descriptors(config: Config) -> int:
    """The most that one worker has open at once."""
    return 2 * config.limits.connections + _UPSTREAM + OWN + config.node.workers


def raise_limit(wanted: int) -> int:
    """Have at least ``wanted`` descriptors, or as many as the hard limit allows; returns how many of them there are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
