"""What most breakages of native messages are made of, beside the plain changes of ``edits.py``."""

from collections.abc import Callable, Sequence
from typing import Any

from protocols.handle.administration import Done
from protocols.handle.codec import BODY_OFFSET, Body, Message, decode, encode
from protocols.handle.codes import RECU, OpCode, ResponseCode
from protocols.handle.digest import Digest
from protocols.handle.envelope import ENVELOPE_BYTES
from protocols.handle.failures import ErrorAnswer
from protocols.handle.header import decode_header, encode_header
from protocols.handle.resolution import ResolveAnswer
from protocols.handle.site_info import SiteAnswer
from protocols.values.site import Site, decode_site, encode_site
from protocols.values.value import Value
from tests.broken_nodes.breakage import (
    CLOSED,
    Breakage,
    NativeAnswer,
    NativeAsk,
    Question,
    Told,
    native,
)
from tests.broken_nodes.edits import always, edit, when

LATER_S = 2_000_000_000
"""An expiration that lies in the future."""


def says(code: int, instead_of: int | None = None, op_code: int | None = None) -> NativeAnswer:
    """This response code instead of another one, or of any, to requests of this op code, or to all."""

    def answer(_: Question, message: bytes) -> bytes:
        decoded = decode(message)
        header = decoded.header._replace(response_code=code)
        body = Done() if code == ResponseCode.SUCCESS else ErrorAnswer(b"broken")
        return encode(decoded._replace(header=header, body=body, credential=None))

    return when(answer, op_code=op_code, code=instead_of)


def always_closed(wrong: str) -> Breakage:
    """A node that hangs up instead of answering."""
    return native(wrong, always(CLOSED))


def flags(*, clear: int = 0, add: int = 0) -> NativeAnswer:
    """Flags taken away or added, whatever else is in the message."""

    def answer(_: Question, message: bytes) -> bytes:
        header, length = decode_header(message, ENVELOPE_BYTES)
        changed = encode_header(header._replace(op_flags=header.op_flags & ~clear | add), length)
        return message[:ENVELOPE_BYTES] + changed + message[BODY_OFFSET:]

    return answer


def digest(make: Callable[[Question, Message], Digest]) -> NativeAnswer:
    """Another digest where there is one."""

    def answer(question: Question, message: bytes) -> bytes:
        decoded = decode(message)
        if decoded.digest is None:
            return message
        return encode(decoded._replace(digest=make(question, decoded)))

    return answer


def values(change: Callable[[Sequence[Value]], Sequence[Value]]) -> NativeAnswer:
    """Other values in the answers to questions; all other answers stay."""

    def each(message: Message) -> Message:
        body = message.body
        if not isinstance(body, ResolveAnswer):
            return message
        return message._replace(body=body._replace(values=tuple(change(body.values))))

    return edit(each)


def each_value(**fields: Any) -> NativeAnswer:
    """Every value of the answers to questions with other fields."""
    return values(lambda found: [value._replace(**fields) for value in found])


def site_bytes(change: Callable[[bytes], bytes]) -> NativeAnswer:
    """Another record in the answers to get-site-info."""

    def each(message: Message) -> Message:
        body = message.body
        if not isinstance(body, SiteAnswer):
            return message
        return message._replace(body=SiteAnswer(change(body.site)))

    return edit(each)


def site(change: Callable[[Site], Site]) -> NativeAnswer:
    """Another site in the answers to get-site-info."""
    return site_bytes(lambda data: encode_site(change(decode_site(data))))


def unsigned(message: Message) -> Message:
    """Without its credential."""
    return message._replace(credential=None)


def where(is_meant: Callable[[Question], object], change: NativeAnswer) -> NativeAnswer:
    """Only answers to such questions."""

    def answer(question: Question, message: bytes) -> Any:
        return change(question, message) if is_meant(question) else message

    return answer


def over_udp(change: NativeAnswer) -> NativeAnswer:
    """Only answers over UDP."""
    return where(lambda question: question.is_udp, change)


def once_asked(op_code: int, change: NativeAnswer) -> NativeAnswer:
    """Only answers to messages of this op code, whatever op code the answers have."""
    return where(lambda question: question.header.op_code == op_code, change)


def after(sound: int, change: NativeAnswer) -> NativeAnswer:
    """So many answers are sound, the later ones are not."""

    def answer(question: Question, message: bytes) -> Any:
        seen = question.scene.memory.get("answers", 0)
        assert isinstance(seen, int)
        question.scene.memory["answers"] = seen + 1
        return message if seen < sound else change(question, message)

    return answer


def told(question: Question, code: int, body: Body | None = None) -> Told:
    """An answer that the sound node knows nothing of."""
    header = question.header._replace(
        response_code=code, op_flags=RECU, site_serial=1, expiration_s=LATER_S
    )
    envelope = question.envelope._replace(major=2, minor=11, flags=0, suggested_major=2)
    return Told(encode(Message(envelope, header, body or ErrorAnswer(b"broken"))))


def ask_bytes(change: Callable[[bytes], bytes]) -> NativeAsk:
    """The sound node is asked other bytes."""
    return lambda question: change(question.data)


def ask_body(op_code: int = OpCode.RESOLVE, **fields: Any) -> NativeAsk:
    """Requests of this op code with other fields in their body."""

    def ask(question: Question) -> bytes:
        if question.header.op_code != op_code:
            return question.data
        body: Any = question.message.body
        return encode(question.message._replace(body=body._replace(**fields)))

    return ask


def ask_without(flag: int) -> NativeAsk:
    """Requests without this flag, as by a node that does not know it."""

    def ask(question: Question) -> bytes:
        header, length = decode_header(question.data, ENVELOPE_BYTES)
        changed = encode_header(header._replace(op_flags=header.op_flags & ~flag), length)
        return question.data[:ENVELOPE_BYTES] + changed + question.data[BODY_OFFSET:]

    return ask
