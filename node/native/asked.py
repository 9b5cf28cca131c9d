"""Asked: messages whose answer comes later, and why: another node is asked, another worker, or work is under way."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from node.native.link import SendPart
from protocols.handle.codec import Head, Message
from protocols.message import Query
from resolver.source import Peer


class Asked:
    """A message whose answer comes later."""

    __slots__ = ()


class Question(Asked):
    """One that another node must be asked."""

    __slots__ = ("peer", "query", "request")

    def __init__(self, request: Message, query: Query, peer: Peer) -> None:
        self.request, self.query, self.peer = request, query, peer


class Relayed(Asked):
    """One that belongs to a session of another worker, which answers it."""

    __slots__ = ("answer", "message", "owner", "peer", "send_part")

    def __init__(
        self, message: bytes, owner: int, peer: Peer, send_part: SendPart | None = None
    ) -> None:
        self.message, self.owner, self.peer = message, owner, peer
        self.send_part = send_part
        """As in ``Link``: of the connection that brought it."""
        self.answer: bytes | None = None


class Deed(Asked):
    """One that takes time here: a proof is checked, a record is changed, an answer is signed."""

    __slots__ = ("answer", "head", "most_bytes", "peer", "work")

    def __init__(
        self, work: Callable[[], Awaitable[bytes]], head: Head, peer: Peer, most_bytes: int
    ) -> None:
        self.work = work
        """Does it, and makes the encoded answer."""
        self.head, self.peer, self.most_bytes = head, peer, most_bytes
        self.answer: bytes | None = None


class Siblings(Protocol):
    """The other workers, as far as listeners need them (``node/relay.py``)."""

    def owner_of(self, session_id: int) -> int | None:
        """The slot of the living worker, other than this one, that made the id."""

    def pass_datagram(
        self, owner: int, place: int, message: bytes, peer: Peer, most_bytes: int
    ) -> bool:
        """Have it answered to the client by the owner's own socket ``place``; False when it cannot be passed on."""

    def pass_message(
        self, relayed: Relayed, then: Callable[[bytes | None], None]
    ) -> Callable[[], None] | None:
        """Have it answered to ``then``, once, None = the owner is silent; returns how to forget it. None = no room."""
