"""Bad lengths, counts and sizes: refused with an error or hung up on, never silence, and the next client is served."""

from collections.abc import Callable
from typing import NamedTuple

from conformance.asking import HEARTBEAT, resolve
from conformance.check import Check, Need, add, check
from conformance.expectations import NOTHING_THERE, describe, expect_code
from conformance.native_client import HungUp, TcpClient
from conformance.native_messages import BODY_OFFSET, Exchange, Fields, read_answer, request_bytes
from conformance.outcome import Failed, expect
from conformance.visit import Visit
from protocols.cursor import Writer
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.transactions import Private

LIMITS = "Handle.Net 9.2 decoders; RFC 3652 §2.2"
MAX_MESSAGE_BYTES = 262_144
MAX_HANDLE_BYTES = 2_048
HUGE, NEGATIVE = 0x7FFF_FFFF, 0xFFFF_FFFF
LENGTH_AT = 16
"""Of the message, in the envelope."""
REFUSALS = frozenset(
    {
        ResponseCode.ERROR,
        ResponseCode.PROTOCOL_ERROR,
        ResponseCode.INVALID_HANDLE,
        ResponseCode.INVALID_VALUE,
    }
)


class _Bad(NamedTuple):
    """A message that lies, and the sentence it belongs to."""

    name: str
    about: str
    message: Callable[[], bytes]


def _with(message: bytes, at: int, number: int) -> bytes:
    """Four bytes replaced."""
    return message[:at] + number.to_bytes(4) + message[at + 4 :]


def _question(handle_bytes: int, indexes: int, types: int) -> bytes:
    """Resolve "0" with these three numbers in place of the right ones."""
    writer = Writer()
    writer.write_u32(handle_bytes)
    writer.write_bytes(b"0")
    writer.write_u32(indexes)
    writer.write_u32(types)
    return request_bytes(OpCode.RESOLVE, Private(writer.finish()))


def _create(values: int) -> bytes:
    writer = Writer()
    writer.write_counted(b"0/conformance")
    writer.write_u32(values)
    return request_bytes(OpCode.CREATE, Private(writer.finish()))


def _value(type_bytes: int, data_bytes: int, references: int) -> bytes:
    """Create with one value, whose lengths are these instead of the right ones (1, 1, 0)."""
    writer = Writer()
    writer.write_counted(b"0/conformance")
    writer.write_u32(1)
    writer.write_bytes(bytes(3) + b"\1" + bytes(10))
    writer.write_u32(type_bytes)
    writer.write_bytes(b"T")
    writer.write_u32(data_bytes)
    writer.write_bytes(b"D")
    writer.write_u32(references)
    return request_bytes(OpCode.CREATE, Private(writer.finish()))


def _heartbeat() -> bytes:
    return request_bytes(OpCode.RESOLVE, HEARTBEAT)


def _credential(length: int) -> bytes:
    message = _heartbeat()
    return _with(message, len(message) - 4, length)


def _body_length(length: int) -> bytes:
    return _with(_heartbeat(), BODY_OFFSET - 4, length)


def _message_length(length: int) -> bytes:
    return _with(_heartbeat(), LENGTH_AT, length)


def _cut_off() -> bytes:
    return request_bytes(OpCode.RESOLVE, Private(b"\0\0\0"))


_BAD = (
    _Bad("body-length-beyond-end", "a body length that runs past the message", lambda: _body_length(5_000)),
    _Bad("body-length-negative", "a body length with the top bit set", lambda: _body_length(NEGATIVE)),
    _Bad("handle-length-beyond-end", "a handle length that runs past the body", lambda: _question(500, 0, 0)),
    _Bad("handle-length-negative", "a handle length with the top bit set", lambda: _question(NEGATIVE, 0, 0)),
    _Bad("index-count-huge", "an index list of 2,147,483,647 entries", lambda: _question(1, HUGE, 0)),
    _Bad("index-count-negative", "an index list of negative length", lambda: _question(1, NEGATIVE, 0)),
    _Bad("type-count-huge", "a type list of 2,147,483,647 entries", lambda: _question(1, 0, HUGE)),
    _Bad("type-count-negative", "a type list of negative length", lambda: _question(1, 0, NEGATIVE)),
    _Bad("body-cut-off", "a body that ends inside a field", _cut_off),
    _Bad("credential-length-beyond-end", "a credential longer than the message", lambda: _credential(5_000)),
    _Bad("credential-length-negative", "a credential of negative length", lambda: _credential(NEGATIVE)),
    _Bad("value-count-huge", "a value list of 2,147,483,647 values", lambda: _create(HUGE)),
    _Bad("value-count-negative", "a value list of negative length", lambda: _create(NEGATIVE)),
    _Bad("value-type-length-huge", "a value type longer than the message", lambda: _value(HUGE, 1, 0)),
    _Bad("value-data-length-huge", "value data longer than the message", lambda: _value(1, HUGE, 0)),
    _Bad("value-reference-count-huge", "a value with 2,147,483,647 references", lambda: _value(1, 1, HUGE)),
    _Bad("message-length-huge", "an envelope that announces 2 GiB", lambda: _message_length(HUGE)),
    _Bad("message-length-negative", "an envelope of negative length", lambda: _message_length(NEGATIVE)),
    _Bad("message-length-above-limit", "an envelope that announces 262,145 bytes",
         lambda: _message_length(MAX_MESSAGE_BYTES + 1)),
    _Bad("message-without-header", "fewer bytes than a header has", lambda: _message_length(10)[:30]),
)  # fmt: skip


def expect_refused(visit: Visit, message: bytes) -> None:
    """An error or the end of the connection; and the next client is served."""
    client = visit.tcp()
    client.send(message)
    came = _answer_or_end(client, message)
    if came is not None and came.code not in REFUSALS:
        raise Failed("RC 4, or the end of the connection", describe(came))
    expect_served(visit)


def expect_served(visit: Visit) -> None:
    """A new connection, a heartbeat, its answer."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT)
    expect_code(came, *NOTHING_THERE)


def _answer_or_end(client: TcpClient, message: bytes) -> Exchange | None:
    """None = the node hung up; silence is ``Failed``."""
    try:
        raw = client.receive_raw()
    except HungUp:
        return None
    return Exchange(message, read_answer(raw), raw)


def _add(bad: _Bad) -> None:
    add(
        Check(
            f"native.limits.{bad.name}",
            f"A request with {bad.about} is refused with an error or hung up on, never met with silence, "
            "and the next client is served.",
            LIMITS,
            frozenset({Need.TCP}),
            lambda visit: expect_refused(visit, bad.message()),
        )
    )


BAD_NAMES = tuple(each.name for each in _BAD)
"""The last words of their ids."""

for _each in _BAD:
    _add(_each)


@check("native.limits.longest-handle-taken", LIMITS, Need.TCP, Need.PREFIX)
def longest_handle_is_taken(visit: Visit) -> None:
    """A handle of 2,048 bytes is looked up like any other."""
    name = visit.free_name("-").ljust(MAX_HANDLE_BYTES, b"x")
    expect_code(resolve(visit.tcp(), name), ResponseCode.HANDLE_NOT_FOUND)


@check("native.limits.longer-handle-refused", LIMITS, Need.TCP, Need.PREFIX)
def longer_handle_is_refused(visit: Visit) -> None:
    """A handle of 2,049 bytes is refused, with RC 102 or RC 4, and the next client is served."""
    name = visit.free_name("-").ljust(MAX_HANDLE_BYTES + 1, b"x")
    try:
        came = resolve(visit.tcp(), name)
    except HungUp:
        pass
    else:
        expect_code(came, *REFUSALS)
    expect_served(visit)


@check("native.limits.other-protocol-survived", LIMITS, Need.TCP)
def another_protocol_is_survived(visit: Visit) -> None:
    """Bytes of another protocol end the connection or get an error, and the next client is served."""
    client = visit.tcp()
    client.send(b"GET / HTTP/1.1\r\nHost: conformance\r\n\r\n")
    data = client.read(visit.target.answer_s)
    expect(data is not None, "an answer, or the end of the connection", "silence")
    expect_served(visit)


@check("native.limits.many-selected-taken", LIMITS, Need.TCP)
def many_indexes_are_taken(visit: Visit) -> None:
    """A question that names 500 indexes is answered like any other."""
    came = resolve(visit.tcp(), b"0", indexes=range(1, 501))
    expect_code(came, *NOTHING_THERE)


@check("native.limits.recursion-count", "RFC 3652 §2.2.2.5", Need.TCP)
def high_recursion_count_is_answered(visit: Visit) -> None:
    """A question that has already been handed on 200 times is answered, if only with RC 6."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(recursion_count=200))
    expect_code(
        came,
        ResponseCode.RECURSION_LIMIT,
        ResponseCode.HANDLE_NOT_FOUND,
        ResponseCode.INVALID_HANDLE,
    )
