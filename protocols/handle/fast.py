"""The two ends of the hot path: a plain public question read, and its answer made, in about a microsecond.

A *plain question* is a resolve request of major version 2 in one packet, public values only, without selection,
credential, encryption, signature or digest wishes; everything else goes through ``codec``. Tests hold both functions
to the codec: ``plain_question`` says yes only where decoding gives the same fields, and ``plain_answer`` equals the
encoding of the same reply byte for byte.

Layout of the question::

    0   version 4 · 4 session id, request id 8 · 12 sequence, length 8 · 20 op code, response code, op flags 12
    32  serial 2, recursion count 1, reserved 1, expiration 4 · 40 body length 4 · 44 handle length 4
    48  handle · two empty lists 8 [· empty token of the national SDK 4] · no credential 4

Refusals that a flood would ask for by the thousand have a short way, too: ``plain_error``.

A record of another node is answered from a cache, which AUTH in the answer would deny: ``remembered_question`` says
which plain questions may be answered so, and how.

Version and operation are looked up as they lie: the tables hold every plain spelling, and what the answer has there.
Sequence and length are read as one number, so that a sequence above 0 is a wrong length.
"""

import struct
from itertools import product

from protocols.handle.codes import (
    AUTH,
    CACR,
    DNRF,
    ECHOED_FLAGS,
    KPAL,
    MINT,
    OVRW,
    PUBL,
    RECU,
    OpCode,
    ResponseCode,
)
from protocols.handle.versions import OLDEST, OWN, answer_version
from protocols.identifier import MAX_IDENTIFIER_BYTES

PlainQuestion = tuple[bytes, bytes, bytes, bytes]
"""(handle as spelled, version of the answer 4, session and request id 8, operation of the answer 12).

A bare tuple: making a NamedTuple would cost another tenth of the whole path. Only ``handle`` is for others."""

HANDLE_OFFSET = 48
_TAIL = bytes(12)
_SDK_TAIL = bytes(16)
_NO_CREDENTIAL = bytes(4)
MAX_PLAIN_BYTES = HANDLE_OFFSET + MAX_IDENTIFIER_BYTES + len(_TAIL)

_read_question = struct.Struct(">4s8sQ12s8xII").unpack_from
_write_answer = struct.Struct(">4s8sQ12sHHIII").pack
_OPERATION = struct.Struct(">III")

_ASKED_VERSIONS = [(2, minor) for minor in range(OLDEST[1], 16)]
_SUGGESTIONS = [(0, 0), *product((2, 3), range(16))]
VERSIONS: dict[bytes, bytes] = {
    bytes(asked + suggested): bytes(answer_version(asked, suggested) + OWN)
    for asked, suggested in product(_ASKED_VERSIONS, _SUGGESTIONS)
}
"""Bytes 0-3 of a question -> of its answer. Envelope flags are in byte 2: none is set in any key."""

_FREE_FLAGS = (AUTH, RECU, CACR, KPAL, OVRW, MINT, DNRF)
"""May be set or not in a plain question, beside PUBL."""
OPERATIONS: dict[bytes, bytes] = {
    _OPERATION.pack(OpCode.RESOLVE, ResponseCode.REQUEST, flags): _OPERATION.pack(
        OpCode.RESOLVE, ResponseCode.SUCCESS, flags & ECHOED_FLAGS | RECU | AUTH
    )
    for flags in (PUBL | sum(chosen) for chosen in product(*((0, flag) for flag in _FREE_FLAGS)))
}
"""Bytes 20-31 of a question -> of its answer."""
REMEMBERED_OPERATIONS: dict[bytes, bytes] = {
    asked: answer[:8] + bytes([answer[8] & ~(AUTH >> 24)]) + answer[9:]
    for asked, answer in OPERATIONS.items()
    if asked[8] & (RECU >> 24) and not asked[8] & (AUTH >> 24)
}
"""The same of questions that a cache may answer (RECU, no AUTH): not authoritative."""
_RECURSION_COUNT_OFFSET = 34


def plain_question(datagram: bytes) -> PlainQuestion | None:
    """The question in a datagram or whole TCP message, None when the codec has to look at it. Never raises."""
    try:
        version, ids, length, operation, body_length, handle_length = _read_question(datagram)
        size = len(datagram)
        end = HANDLE_OFFSET + handle_length
        tail = datagram[end:]
        if (
            length != size - 20
            or body_length != size - 48
            or (tail != _TAIL and tail != _SDK_TAIL)  # noqa: PLR1714  # a set takes twice as long
            or size > MAX_PLAIN_BYTES
        ):
            return None
        return datagram[HANDLE_OFFSET:end], VERSIONS[version], ids, OPERATIONS[operation]
    except (struct.error, KeyError):  # too short, or a version or operation that is not plain
        return None


def remembered_question(datagram: bytes, question: PlainQuestion) -> PlainQuestion | None:
    """What ``plain_answer`` is to be told when a cache answers; None when none may.

    ``question`` is what ``plain_question`` made of the datagram. A cache may answer whoever allows it to ask elsewhere
    and does not insist on the responsible node; a question that was forwarded takes the long way, where its hops count.
    """
    operation = REMEMBERED_OPERATIONS.get(datagram[20:32])
    if operation is None or datagram[_RECURSION_COUNT_OFFSET]:
        return None
    return question[0], question[1], question[2], operation


def plain_answer(question: PlainQuestion, public: bytes, serial: int, expiration_s: int) -> bytes:
    """The answer: ``public`` is the record's public value list as it is stored (count and values, sorted)."""
    handle, version, ids, operation = question
    size = len(handle)
    body_length = size + len(public) + 4
    head = _write_answer(
        version, ids, body_length + 28, operation, serial, 0, expiration_s, body_length, size
    )
    return b"".join((head, handle, public, _NO_CREDENTIAL))


def plain_error(
    question: PlainQuestion, response_code: bytes, text: bytes, serial: int, expiration_s: int
) -> bytes:
    """The answer to a plain question that fails: ``response_code`` as its four bytes, ``text`` for people."""
    _, version, ids, operation = question
    size = len(text)
    operation = operation[:4] + response_code + operation[8:]
    head = _write_answer(
        version, ids, size + 32, operation, serial, 0, expiration_s, size + 4, size
    )
    return b"".join((head, text, _NO_CREDENTIAL))
