"""The two ends of the hot path: a plain public question read, and its answer made, in about a microsecond.

A *plain question* is a resolve request of version 2.1-2.x in one packet, public values only, without selection,
credential, encryption, signature or digest wishes; everything else goes through ``codec``. Tests hold both functions
to the codec: ``plain_question`` says yes only where decoding gives the same fields, and ``plain_answer`` equals the
encoding of the same reply byte for byte.

Layout of the question (offsets)::

    0 version 4 · 4 session id, request id 8 · 12 sequence 4 · 16 length 4 · 20 op code 4 · 24 response code 4
    28 op flags 4 · 32 serial 2, recursion count 1, reserved 1, expiration 4 · 40 body length 4
    44 handle length 4 · 48 handle · two empty lists 8 [· empty token of the national SDK 4] · no credential 4

Sequence and length, op code and response code are read as one number each: the first of the pair must be 0 or known.
"""

import struct

from protocols.handle.codes import (
    AUTH,
    CERT,
    ECHOED_FLAGS,
    ENCR,
    PUBL,
    RECU,
    RRDG,
    OpCode,
    ResponseCode,
)
from protocols.handle.versions import OWN, answer_version
from protocols.identifier import MAX_IDENTIFIER_BYTES

PlainQuestion = tuple[bytes, bytes, bytes, int]
"""(handle as spelled, version bytes of the answer, session and request id, op flags of the answer).

A bare tuple: a NamedTuple would cost another tenth of the whole path."""

HANDLE_OFFSET = 48
MAX_PLAIN_BYTES = HANDLE_OFFSET + MAX_IDENTIFIER_BYTES + 16

_QUESTION = struct.Struct(">4s8sQQI8xII")
_ANSWER = struct.Struct(">4s8sQQIHHIII")
assert _QUESTION.size == _ANSWER.size == HANDLE_OFFSET

_RESOLVE_REQUEST = OpCode.RESOLVE << 32
_RESOLVE_SUCCESS = OpCode.RESOLVE << 32 | ResponseCode.SUCCESS

_DECIDING_FLAGS = PUBL | ENCR | CERT | RRDG
_ECHOED = ECHOED_FLAGS & ~_DECIDING_FLAGS
_ALWAYS = PUBL | RECU | AUTH

_TAIL = bytes(12)
_SDK_TAIL = bytes(16)
_NO_CREDENTIAL = bytes(4)

_VERSIONS: dict[bytes, bytes] = {
    bytes((2, minor, suggested_major, suggested_minor)): bytes(
        (*answer_version((2, minor), (suggested_major, suggested_minor)), *OWN)
    )
    for minor in range(1, 16)
    for suggested_major in range(4)
    for suggested_minor in range(16)
    if suggested_major or not suggested_minor
    if answer_version((2, minor), (suggested_major, suggested_minor)) >= (2, 1)
}
"""First four bytes of a question -> those of its answer. No envelope flag can be set in a key."""


def plain_question(datagram: bytes) -> PlainQuestion | None:
    """The question in a datagram (or whole TCP message), None when the codec has to look at it. Never raises."""
    size = len(datagram)
    if size < HANDLE_OFFSET or size > MAX_PLAIN_BYTES:
        return None
    version, ids, length, operation, flags, body_length, handle_length = _QUESTION.unpack_from(
        datagram
    )
    if (
        length != size - 20
        or operation != _RESOLVE_REQUEST
        or flags & _DECIDING_FLAGS != PUBL
        or body_length != size - 48
    ):
        return None
    end = HANDLE_OFFSET + handle_length
    tail = datagram[end:]
    if tail != _TAIL and tail != _SDK_TAIL:  # noqa: PLR1714  # measured: a set costs twice as much
        return None
    answer_version_ = _VERSIONS.get(version)
    if answer_version_ is None:
        return None
    return datagram[HANDLE_OFFSET:end], answer_version_, ids, flags & _ECHOED | _ALWAYS


def plain_answer(question: PlainQuestion, public: bytes, serial: int, expiration_s: int) -> bytes:
    """The answer: ``public`` is the record's public value list as it is stored (count and values, sorted)."""
    handle, version, ids, flags = question
    size = len(handle)
    body_length = size + len(public) + 4
    head = _ANSWER.pack(
        version, ids, body_length + 28, _RESOLVE_SUCCESS, flags, serial, 0, expiration_s,
        body_length, size,
    )  # fmt: skip
    return b"".join((head, handle, public, _NO_CREDENTIAL))
