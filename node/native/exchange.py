"""Exchange: one native request and everything its answer depends on."""

from typing import NamedTuple

from node.native.link import Link
from node.native.sessions import Session
from protocols.handle.codec import Body, Head, Message
from protocols.handle.codes import CERT, RRDG, OpCode, ResponseCode
from protocols.message import ANONYMOUS, Principal
from resolver.source import Peer


class Speaking(NamedTuple):
    """Who is speaking, and how far that is proved."""

    principal: Principal = ANONYMOUS
    session: Session | None = None
    """Whose key the message was made with."""
    counter: int = 0
    """The message's number in the session."""
    is_encrypted: bool = False
    has_own_id: bool = False
    """The client chose a session id itself and is not logged in under it: such clients (the national SDK) take a
    challenge to an administrative request for success."""


class Exchange(NamedTuple):
    """One request under way."""

    request: Message
    """What is asked for."""
    reply_to: Head
    """What is answered: the request, or the challenge answer that let it pass."""
    speaking: Speaking
    peer: Peer
    link: Link | None

    @property
    def op_code(self) -> int:
        """What it is about."""
        return self.request.header.op_code

    @property
    def wants_proof(self) -> bool:
        """Whether the client wants an answer that is signed, or has the session's MAC (RFC 3652 §2.2.2.3)."""
        return bool((self.request.header.op_flags | self.reply_to.header.op_flags) & CERT)

    @property
    def is_plain(self) -> bool:
        """Whether the answer goes out as it is: no signature, no MAC, no cipher, and nothing to remember it for."""
        return not self.wants_proof and self.speaking.session is None

    def proved(self, answer: Message, speaking: Speaking) -> "Exchange":
        """The same request, carried out for whoever has proved to be there with ``answer`` (op 200).

        What the client hears repeats the op code of the request and the ids of the answer. A login's end carries no
        request digest: so it was when the national SDK took it.
        """
        head = answer.header._replace(op_code=self.op_code)
        if self.op_code == OpCode.SDK_LOGIN:
            head = head._replace(op_flags=head.op_flags & ~RRDG)
        reply_to = Head(answer.envelope, head, answer.received)
        return self._replace(reply_to=reply_to, speaking=speaking)


class Said(NamedTuple):
    """What a request comes to, before it is a message."""

    code: int
    body: Body
    is_authoritative: bool = True
    has_more: bool = False
    """More messages of this answer follow (op flag CONT)."""


class Refusal(NamedTuple):
    """An error answer in the making."""

    code: ResponseCode
    text: str
