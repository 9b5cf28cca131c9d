"""The lane of one UDP socket: what the compiled ``Udp`` is called with, as Python sees it."""

import secrets
import socket
from collections.abc import Callable
from typing import Protocol

from node.config_sections import LimitsSection
from node.lane.extension import load
from node.lane.memo import Memo
from protocols.handle.fast import MAX_PLAIN_BYTES, OPERATIONS, REMEMBERED_OPERATIONS, VERSIONS
from resolver.policies.ratelimit import RateLimit

SOURCE_IS_FREE, SOURCE_MAY_RECURSE, SOURCE_IS_PROVEN = 1, 2, 4
"""What is known of an address: never limited; may have others asked; receives what it is sent."""
_Datagram = tuple[bytes, tuple[str, int]]


class Udp(Protocol):
    """``node.lane._lane.Udp``; its counts are those of ``UdpListener``."""

    hits: int
    remembered: int
    refused: int
    unsent: int

    def serve(  # noqa: PLR0913  # everything that may change between two wake-ups
        self,
        hosted: dict[bytes, tuple[bytes, bool]],
        get: Callable[[bytes], bytes | None],
        snapshot: int,
        remembered: Callable[[bytes, float], bytes | None],
        now_s: float,
        serial: int,
        expiration_s: int,
        /,
    ) -> tuple[list[_Datagram], list[_Datagram]] | None:
        """Receive at most 64 datagrams and answer the plain hits.

        None when that was all, else the others, and those over their rate that are to be told so.
        """


def make_udp(
    sock: socket.socket,
    rate: RateLimit,
    limits: LimitsSection,
    know: Callable[[str], int],
    memo: Memo | None,
) -> Udp | None:
    """The lane of a bound socket; None without a compiled part. ``know``: IP text -> flags, asked once a source."""
    lane = load()
    if lane is None:
        return None
    made: Udp = lane.Udp(
        sock.fileno(), VERSIONS, OPERATIONS, REMEMBERED_OPERATIONS, MAX_PLAIN_BYTES, know,
        rate.rate_per_s, rate.burst, rate.max_sources, secrets.randbits(64),
        limits.udp_answer_bytes, limits.udp_amplification, memo,
    )  # fmt: skip
    return made
