"""Edits of native messages: short words for the breakages that the tables are made of."""

from collections.abc import Callable, Sequence
from typing import Any

from protocols.handle.codec import BODY_OFFSET, Message, decode, encode
from protocols.handle.digest import Digest
from protocols.handle.envelope import ENVELOPE_BYTES, decode_envelope, encode_envelope
from protocols.handle.header import decode_header, encode_header
from protocols.handle.resolution import ResolveAnswer
from protocols.handle.site_info import SiteAnswer
from protocols.values.site import Site, decode_site, encode_site
from protocols.values.value import Value
from tests.broken_nodes.breakage import (
    CLOSED,
    Breakage,
    Cut,
    NativeAnswer,
    NativeAsk,
    Question,
    native,
)

Values = Sequence[Value]
Change = Callable[[Message], Message]


def edit(change: Change) -> NativeAnswer:
    """Another answer, made of the decoded one."""
    return lambda _question, message: encode(change(decode(message)))


def body(**fields: object) -> NativeAnswer:
    """Other fields in the answer's body."""

    def change(message: Message) -> Message:
        found: Any = message.body
        return message._replace(body=found._replace(**fields))

    return edit(change)


def header(**fields: int) -> NativeAnswer:
    """Other numbers in the answer's header; works on answers that do not decode."""

    def answer(_: Question, message: bytes) -> bytes:
        found, length = decode_header(message, ENVELOPE_BYTES)
        changed = encode_header(found._replace(**fields), length)
        return message[:ENVELOPE_BYTES] + changed + message[BODY_OFFSET:]

    return answer


def envelope(**fields: int) -> NativeAnswer:
    """Other numbers in the answer's envelope."""

    def answer(_: Question, message: bytes) -> bytes:
        changed = decode_envelope(message)._replace(**fields)
        return encode_envelope(changed) + message[ENVELOPE_BYTES:]

    return answer


def when(
    change: NativeAnswer, *, op_code: int | None = None, code: int | None = None
) -> NativeAnswer:
    """Only answers of that op code, with that response code."""

    def answer(question: Question, message: bytes) -> Any:
        found, _ = decode_header(message, ENVELOPE_BYTES)
        is_meant = op_code in {None, found.op_code} and code in {None, found.response_code}
        return change(question, message) if is_meant else message

    return answer


def says(code: int, instead_of: int | None = None, op_code: int | None = None) -> NativeAnswer:
    """Another response code; only in place of that one, only in answers of that op code."""
    return when(header(response_code=code), op_code=op_code, code=instead_of)


def flags(*, add: int = 0, clear: int = 0) -> NativeAnswer:
    """Other op flags in the answer's header."""

    def answer(question: Question, message: bytes) -> Any:
        found, _ = decode_header(message, ENVELOPE_BYTES)
        return header(op_flags=found.op_flags & ~clear | add)(question, message)

    return answer


def values(change: Callable[[Values], Values]) -> NativeAnswer:
    """Other values in answers to resolve that have some."""

    def each(message: Message) -> Message:
        if not isinstance(message.body, ResolveAnswer):
            return message
        changed = tuple(change(message.body.values))
        return message._replace(body=message.body._replace(values=changed))

    return edit(each)


def each_value(**fields: Any) -> NativeAnswer:
    """The same fields in every value."""
    return values(lambda found: [value._replace(**fields) for value in found])


def site(change: Callable[[Site], Site]) -> NativeAnswer:
    """Another site in answers to get-site-info."""
    return site_bytes(lambda data: encode_site(change(decode_site(data))))


def site_bytes(change: Callable[[bytes], bytes]) -> NativeAnswer:
    """Other bytes in answers to get-site-info."""

    def each(message: Message) -> Message:
        if not isinstance(message.body, SiteAnswer):
            return message
        return message._replace(body=SiteAnswer(change(message.body.site)))

    return edit(each)


def digest(made: Callable[[Question, Message], Digest | None]) -> NativeAnswer:
    """Another request digest."""

    def answer(question: Question, message: bytes) -> bytes:
        decoded = decode(message)
        return encode(decoded._replace(digest=made(question, decoded)))

    return answer


def after(count: int, change: NativeAnswer | Cut) -> NativeAnswer:
    """Sound for so many answers; then like this."""

    def answer(question: Question, message: bytes) -> Any:
        memory = question.scene.memory
        memory["answers"] = seen = int(str(memory.get("answers", 0))) + 1
        if seen <= count:
            return message
        return change if isinstance(change, Cut) else change(question, message)

    return answer


def where(is_meant: Callable[[Question], bool], change: NativeAnswer) -> NativeAnswer:
    """Only for some questions."""

    def answer(question: Question, message: bytes) -> Any:
        return change(question, message) if is_meant(question) else message

    return answer


def once_asked(op_code: int, change: NativeAnswer) -> NativeAnswer:
    """Only for requests of that op code."""
    return where(lambda question: question.header.op_code == op_code, change)


def over_udp(change: NativeAnswer) -> NativeAnswer:
    """Only over UDP."""
    return where(lambda question: question.is_udp, change)


def ask_bytes(change: Callable[[bytes], bytes]) -> NativeAsk:
    """The sound node is asked these bytes."""
    return lambda question: change(question.data)


def ask_edit(change: Change) -> NativeAsk:
    """The sound node is asked something else."""
    return lambda question: encode(change(question.message))


def ask_without(flag: int) -> NativeAsk:
    """A node that does not know this op flag."""

    def clear(message: Message) -> Message:
        found = message.header
        return message._replace(header=found._replace(op_flags=found.op_flags & ~flag))

    return ask_edit(clear)


def ask_body(**fields: object) -> NativeAsk:
    """The sound node is asked with other fields in the body."""

    def change(message: Message) -> Message:
        found: Any = message.body
        return message._replace(body=found._replace(**fields))

    return ask_edit(change)


def unsigned(message: Message) -> Message:
    """Without a credential."""
    return message._replace(credential=None)


def closes(wrong: str) -> Breakage:
    """A node that hangs up instead of answering."""
    return native(wrong, lambda _question, _message: CLOSED)
