"""Limits: the numbers that asking elsewhere is held to, in one place, each with the reason for it.

The defaults are the node's rules (``docs/resolution.md`` has them for operators); tests hand in others.
"""

from typing import NamedTuple


class Limits(NamedTuple):
    """Seconds, counts and shares. Everything that waits, grows or repeats is bounded by one of these."""

    # asking
    try_s: float = 0.4
    """Patience with one server before another is tried; each further try has twice as long."""
    tries: int = 3
    """Per server question: 0.4 + 0.8 + 1.6 s fill the patience of clients."""
    patience_s: float = 3.0
    """For a whole question: the reference client waits three seconds on UDP before it goes to TCP."""
    hops: int = 8
    """Referrals and service handles followed for one question; deeper than any hierarchy in use."""
    questions: int = 16
    """Questions asked on behalf of one, prefix look-ups included; counted in the question, not in the try."""
    forwards: int = 4
    """Nodes that may have forwarded a question before us: enterprise, secondary, recursive, top-level."""

    # health of servers
    breaker_failures: int = 20
    """Failures within ``breaker_window_s`` after which a server is left alone."""
    breaker_window_s: float = 5.0
    breaker_open_s: float = 5.0
    """Left alone for so long, then for twice as long, up to ``breaker_most_s``; one probe at a time in between."""
    breaker_most_s: float = 60.0
    retry_share: float = 0.1
    """Second tries of the same server, as a share of first ones: trouble must not multiply traffic."""
    in_flight: int = 256
    """Questions to one server at a time."""

    # remembering
    ttl_most_s: float = 172_800.0
    """Two days: Handle clients keep nothing longer either."""
    absent_s: float = 60.0
    """That there is no such identifier. A new product must be found within a minute."""
    failure_s: float = 5.0
    """A failure is not repeated for so long, then for twice as long, up to ``failure_most_s`` (RFC 9520 §3.2)."""
    failure_most_s: float = 300.0
    client_s: float = 0.4
    """Without an answer for so long, a stale one goes out: the reference client asks again after half a second."""
    stale_s: float = 86_400.0
    """How long past its TTL an answer may still be given when its source is silent (RFC 8767 §5)."""
    stale_ttl_s: int = 30
    """TTL told with a stale answer (RFC 8767 §4)."""
    pause_s: float = 30.0
    """After a failed refresh the stale answer is given at once, and its source left alone, for so long."""
    ahead: float = 0.1
    """When this share of the TTL is left, the next hit has the answer refreshed beside it."""
    jitter: float = 0.1
    """Share by which that moment differs between identifiers: what was learned together is not asked together."""

    # waiting
    waiters: int = 100
    """Clients that may wait for one question; more get the stale answer or "busy"."""
    waiting: int = 2048
    """Questions under way in one worker; a new one takes the place of the oldest that is slow."""
    slow_s: float = 0.2
    """Older than this a question is slow, and gives way when all places are taken."""
    waiting_per_source: int = 1000
    """Clients waiting at one address."""
    udp_late_s: float = 1.9
    """Older answers are not sent over UDP: held back and let go together they would be a weapon (CVE-2024-33655)."""

    # misses
    misses_per_prefix_s: float = 100.0
    """Questions a second to be asked elsewhere for one foreign prefix; over it one in ``trickle`` passes."""
    misses_per_source_s: float = 20.0
    """The same for one client address (IPv6: /64)."""
    trickle: int = 10
    """Over a rate one in so many passes, so that a real question among random ones is answered sooner or later …"""
    trickle_share: float = 0.05
    """… but no more than this share of the rate besides: a flood must not buy itself a way through by being larger."""
