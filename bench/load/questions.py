"""Questions ready to be sent, and what makes their answers right. Pure.

A native question is a plain public resolve request (RFC 3652 §3.2), encoded once; only its request id is patched at
each send. HTTP questions are whole GET requests. An answer is right when it carries the response code that was to be
expected and names the handle that was asked, in any spelling of ASCII letters.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import quote

import orjson

from protocols.handle.codec import Message, encode
from protocols.handle.codes import DEFAULT_REQUEST_FLAGS, OpCode, ResponseCode
from protocols.handle.envelope import ENVELOPE_BYTES, HEADER_BYTES, Envelope
from protocols.handle.header import Header
from protocols.handle.resolution import ResolveRequest

REQUEST_ID_OFFSET = 8
_BODY_OFFSET = ENVELOPE_BYTES + HEADER_BYTES
_HANDLE_OFFSET = _BODY_OFFSET + 4
_CODE = slice(ENVELOPE_BYTES + 4, ENVELOPE_BYTES + 8)
_SUCCESS = int(ResponseCode.SUCCESS).to_bytes(4)
_NOT_FOUND = int(ResponseCode.HANDLE_NOT_FOUND).to_bytes(4)
UNENCODED = "-._~!$&'()*+,;=:@/"
"""What a path may hold as it is (RFC 3986 §3.3)."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
MALFORMED = "malformed"
WRONG_HANDLE = "wrong handle"
NOT_A_MISS = "found, but not registered"


class Question(NamedTuple):
    """One question; ``data`` is patched in place where it has a request id."""

    data: bytearray
    handle: bytes
    """As the answer has to repeat it: with its length in front (native), bare (HTTP)."""
    is_miss: bool = False
    """The key is not there; the right answer says so."""
    size: int = 1
    """How many answers this one counts for: the rows of a batch."""


class HttpAnswer(NamedTuple):
    """What is looked at of an HTTP answer."""

    status: int
    head: bytes
    body: bytes


Check = Callable[[Question, bytes], str]
"""(question, whole native message) -> "" when the answer is right, else the kind of error."""
HttpCheck = Callable[[Question, HttpAnswer], str]


def native_question(handle: bytes, expiration_s: int, *, is_miss: bool) -> Question:
    """``expiration_s``: seconds since 1970 until which the question may be answered."""
    header = Header(OpCode.RESOLVE, 0, DEFAULT_REQUEST_FLAGS, expiration_s=expiration_s)
    data = encode(Message(Envelope(), header, ResolveRequest(handle)))
    return Question(bytearray(data), len(handle).to_bytes(4) + handle, is_miss)


def check_native(question: Question, answer: bytes) -> str:
    """The request id has been matched already."""
    code = answer[_CODE]
    if question.is_miss:
        if code == _NOT_FOUND:
            return ""
        return NOT_A_MISS if code == _SUCCESS else _code_name(code)
    if code != _SUCCESS:
        return _code_name(code)
    if answer.startswith(question.handle, _BODY_OFFSET):
        return ""
    size = len(question.handle) - 4
    if int.from_bytes(answer[_BODY_OFFSET:_HANDLE_OFFSET]) != size:
        return WRONG_HANDLE
    found = answer[_HANDLE_OFFSET : _HANDLE_OFFSET + size]
    return "" if found.upper() == question.handle[4:].upper() else WRONG_HANDLE


def _code_name(code: bytes) -> str:
    return f"RC {int.from_bytes(code)}" if len(code) == 4 else MALFORMED


def http_question(
    handle: bytes, host: str, headers: Sequence[str], *, path: str, accept: str, is_miss: bool
) -> Question:
    """``GET path + handle``; ``headers`` are whole lines that come on top."""
    target = path + quote(handle, safe=UNENCODED)
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", f"Accept: {accept}", *headers]
    return Question(bytearray("\r\n".join([*lines, "", ""]).encode()), handle, is_miss)


def check_json(question: Question, answer: HttpAnswer) -> str:
    """An answer of the Handle JSON API."""
    if answer.status == 404 and question.is_miss:
        return "" if _read(answer.body)[0] == ResponseCode.HANDLE_NOT_FOUND else MALFORMED
    if answer.status != 200:
        return f"HTTP {answer.status}"
    code, handle = _read(answer.body)
    if code != ResponseCode.SUCCESS:
        return MALFORMED if code is None else f"RC {code}"
    if question.is_miss:
        return NOT_A_MISS
    asked = question.handle.decode(errors="replace")
    if handle == asked or (isinstance(handle, str) and _fold(handle) == _fold(asked)):
        return ""
    return WRONG_HANDLE


def check_redirect(question: Question, answer: HttpAnswer) -> str:
    """Somewhere else, named. A redirect does not repeat the handle."""
    if question.is_miss:
        return "" if answer.status == 404 else f"HTTP {answer.status}"
    if answer.status not in _REDIRECTS:
        return f"HTTP {answer.status}"
    return "" if b"\r\nlocation: " in answer.head.lower() else MALFORMED


def _read(body: bytes) -> tuple[object, object]:
    """(response code, handle); (None, None) when it is no JSON object."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None
    if not isinstance(document, dict):
        return None, None
    return document.get("responseCode"), document.get("handle")


def _fold(handle: str) -> bytes:
    return handle.encode().upper()
