"""What the resolver says to the node that does the asking, and what it hears back. No bytes, no sockets.

The node turns a ``Send`` into a message of whatever protocol the target speaks, and what comes back into a ``Reply`` or
a ``Trouble``. It has checked by then that the reply comes from the asked server and carries the asked request id.
"""

from enum import Enum
from typing import NamedTuple

from protocols.message import Answer, Outcome
from protocols.trail import Trail
from protocols.values.site import PROTOCOL_NAMES, TCP
from protocols.values.value import Value


class Role(Enum):
    """How this node knows a server; also a metric label."""

    UPSTREAM = "upstream"
    """Configured by the operator: a top-level or recursive node. Pinned keys are its."""
    DELEGATED = "delegated"
    """In the HS_SITE of a prefix that was delegated here."""
    LEARNED = "learned"
    """In an HS_SITE that another node told."""


class Target(NamedTuple):
    """One interface of one server."""

    protocol: int
    """``protocols.values.site``: UDP, TCP, HTTP, HTTPS."""
    address: str
    """IP address text; a host name only for configured upstreams."""
    port: int
    role: Role = Role.LEARNED
    public_key: bytes = b""
    """HS_PUBKEY data from its site, empty when the site tells none."""

    @property
    def name(self) -> str:
        """``tcp://192.0.2.7:2641``."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        known = self.protocol < len(PROTOCOL_NAMES)
        scheme = PROTOCOL_NAMES[self.protocol].lower() if known else "unknown"
        return f"{scheme}://{host}:{self.port}"

    @property
    def place(self) -> tuple[str, int]:
        """Where it is, whatever is spoken there."""
        return self.address, self.port

    def over_tcp(self) -> "Target":
        """The same server by TCP: where UDP answers look forged or do not fit."""
        return self._replace(protocol=TCP)


class Question(NamedTuple):
    """What is asked of a server: the whole public record of one identifier."""

    spelling: bytes
    """As the client spelled it; ``0.NA/88.200`` in a prefix look-up."""
    may_recurse: bool = False
    """Whether the server may ask others in turn (RECU)."""
    authoritative: bool = False
    """Whether it may not answer from a cache (AUTH)."""
    hop_count: int = 0
    via: tuple[str, ...] = ()
    """Ids of the nodes that forwarded it, ours last."""
    wants_trail: bool = False


class Reply(NamedTuple):
    """What a server said."""

    outcome: Outcome
    spelling: bytes = b""
    """The identifier it answers for; empty where its protocol does not repeat it (errors, referrals)."""
    values: tuple[Value, ...] = ()
    """Public values of the record; with REFERRAL, the HS_SITE values to go on with."""
    referral: bytes = b""
    """With REFERRAL and no values: the handle whose service is to be asked."""
    expires_s: int = 0
    """Seconds since 1970 after which the answer is not to be believed; 0 = not told."""
    is_signed: bool = False
    """Signed with the server's key, and the signature is right."""
    reason: str = ""
    trail: Trail | None = None


class Trouble(Enum):
    """Why a question got no usable answer; the word goes into trails, logs and metrics."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    """Nobody listens there, or there is no way there."""
    CLOSED = "closed"
    """The connection ended before the answer did."""
    GARBAGE = "garbage"
    """What came is no message of its protocol, or longer than one may be."""
    NEAR_MISS = "near-miss"
    """Over UDP something came from the right address that does not answer the question: somebody may be guessing."""
    TOO_LARGE = "too-large"
    """The answer does not fit UDP (RC 2): ask over TCP."""
    UNTRUSTED = "untrusted"
    """Wrong or missing signature, or a key that is not the pinned one."""
    CROWDED = "crowded"
    """No connection was free in time: our own bound, not the server's fault."""
    LEFT_ALONE = "left-alone"
    """It failed so often of late that it is not asked for a while."""
    WRONG_IDENTIFIER = "wrong-identifier"
    """The reply is for another identifier."""
    EXPIRED = "expired"
    """The reply's expiration lies in the past."""
    OUT_OF_BAILIWICK = "out-of-bailiwick"
    """It tells about a prefix that its sender is not responsible for."""
    ASTRAY = "astray"
    """It answered, but said it could not: error, busy, not responsible, not supported."""


class Send(NamedTuple):
    """Ask ``target``. Report ``received`` or ``failed`` with the number; TIMEOUT at ``until_s`` at the latest."""

    number: int
    target: Target
    question: Question
    until_s: float
    """Monotonic."""


class Cancel(NamedTuple):
    """Nobody waits for ``number`` any more; what is still told about it is ignored."""

    number: int


class Tell(NamedTuple):
    """The end of a ticket: give the answer to who waits; None = silence (too late for UDP)."""

    ticket: int
    answer: Answer | None


Action = Send | Cancel | Tell
