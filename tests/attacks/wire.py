"""Bytes as an attacker writes them: native messages and HTTP requests with anything wrong in them, and raw sockets.

Written from the published layouts (RFC 3652 §2.2, §3.2), without the codec of the node, so that both can be wrong in
different ways only.
"""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

PUBL, RRDG, CERT = 0x0100_0000, 0x0080_0000, 0x4000_0000
USUAL_FLAGS = 0x1900_0000
ENVELOPE_BYTES, HEADER_BYTES = 20, 24
PATIENCE_S = 5.0
BUSY = b"more to do than it can do in time"
"""What a node whose loop comes late says; a machine full of tests makes it so."""
BUSY_PAUSE_S = 0.3
MOST_RETURNS = 20
"""To a node that is too busy at the moment, as any client."""


class Reply(NamedTuple):
    """The fields of an answer that tests look at."""

    version: bytes
    request_id: int
    op_code: int
    response_code: int
    op_flags: int
    body: bytes
    size: int

    @property
    def message(self) -> bytes:
        """Of an error answer without digest."""
        (size,) = struct.unpack_from(">I", self.body)
        return self.body[4 : 4 + size]


def text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def question_body(
    handle: bytes, indexes: Iterable[int] = (), types: Iterable[bytes] = (), tail: bytes = b""
) -> bytes:
    indexes, types = list(indexes), list(types)
    body = text(handle) + struct.pack(f">I{len(indexes)}I", len(indexes), *indexes)
    return body + struct.pack(">I", len(types)) + b"".join(map(text, types)) + tail


def message(
    body: bytes,
    *,
    op_code: int = 1,
    request_id: int = 7,
    version: tuple[int, int] = (2, 11),
    envelope_flags: int = 0,
    sequence: int = 0,
    length: int | None = None,
    response_code: int = 0,
    op_flags: int = USUAL_FLAGS,
    body_length: int | None = None,
    session_id: int = 0,
) -> bytes:
    """A request; what is not named is as it should be."""
    size = len(body) if body_length is None else body_length
    header = struct.pack(">IIIHBBII", op_code, response_code, op_flags, 0xFFFF, 0, 0, 0, size)
    after = header + body + bytes(4)
    envelope = struct.pack(
        ">BBBBIIII", *version, envelope_flags | version[0], version[1], session_id, request_id,
        sequence, len(after) if length is None else length,
    )  # fmt: skip
    return envelope + after


def question(handle: str | bytes, **fields: object) -> bytes:
    raw = handle.encode() if isinstance(handle, str) else handle
    return message(question_body(raw), **fields)  # type: ignore[arg-type]


def read_reply(data: bytes) -> Reply:
    """Strict about lengths: what does not add up is the node's fault."""
    *_, request_id, sequence, length = struct.unpack_from(">BBBBIIII", data)
    assert sequence == 0
    assert length == len(data) - ENVELOPE_BYTES, "the envelope's length is wrong"
    op_code, code, op_flags, _, _, _, expiration, size = struct.unpack_from(
        ">IIIHBBII", data, ENVELOPE_BYTES
    )
    assert code != 0, "an answer without response code"
    assert expiration > 1_700_000_000, "an answer that has expired"
    start = ENVELOPE_BYTES + HEADER_BYTES
    assert start + size + 4 <= len(data), "the body is longer than the message"
    return Reply(
        data[:4], request_id, op_code, code, op_flags, data[start : start + size], len(data)
    )


# ------------------------------------------------------------------------------------------- sockets


def udp_socket(port: int, source: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((source, 0))
    sock.connect(("127.0.0.1", port))
    sock.settimeout(PATIENCE_S)
    return sock


PROBE_ID = 0x7EAD_BEA7
PROBE = question(b"0", request_id=PROBE_ID)


def ask_udp(sock: socket.socket, datagram: bytes) -> Reply | None:
    """The answer, None for silence: a heartbeat sent behind it is answered in order, so its answer ends the wait."""
    sock.send(datagram)
    sock.send(PROBE)
    found: Reply | None = None
    while True:
        reply = read_reply(sock.recv(65_536))
        if reply.request_id == PROBE_ID:
            return found
        found = reply


def patiently(say: Callable[[], bytes]) -> bytes:
    """What is said, asked for again while the node is too busy."""
    said = say()
    for _ in range(MOST_RETURNS):
        if BUSY not in said:
            break
        time.sleep(BUSY_PAUSE_S)
        said = say()
    return said


def connect(port: int, source: str = "127.0.0.1", receive_bytes: int = 0) -> socket.socket:
    """A TCP connection; a small ``receive_bytes`` makes a client whose window is full at once."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.bind((source, 0))
    sock.settimeout(PATIENCE_S)
    sock.connect(("127.0.0.1", port))
    return sock


def read_exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        piece = sock.recv(size - len(parts))
        if not piece:
            raise EOFError(f"closed after {len(parts)} of {size} bytes")
        parts += piece
    return bytes(parts)


def read_message(sock: socket.socket) -> Reply:
    """The next native answer of a TCP connection. Raises ``EOFError`` when there is none."""
    envelope = read_exactly(sock, ENVELOPE_BYTES)
    (length,) = struct.unpack_from(">I", envelope, 16)
    assert length <= 262_144
    return read_reply(envelope + read_exactly(sock, length))


def ask_tcp(sock: socket.socket, request: bytes) -> Reply:
    sock.sendall(request)
    return read_message(sock)


def is_closed(sock: socket.socket, within_s: float = PATIENCE_S) -> bool:
    """Whether the node ends the connection; what it still says is read and thrown away."""
    sock.settimeout(within_s)
    try:
        while sock.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


# ---------------------------------------------------------------------------------------------- HTTP


class HttpReply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict:
        return json.loads(self.body)


def request(method: str, target: str | bytes, body: bytes = b"", **headers: str) -> bytes:
    """A well-formed request but for what the target and headers contain."""
    raw = target.encode() if isinstance(target, str) else target
    lines = [b"%b %b HTTP/1.1" % (method.encode(), raw), b"Host: node"]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    lines += [f"{name.replace('_', '-')}: {text_}".encode() for name, text_ in headers.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def send_http(port: int, data: bytes, source: str = "127.0.0.1") -> list[HttpReply]:
    """Everything that is answered to these bytes before the node or, half-closed, we end the connection."""
    with connect(port, source) as sock:
        sock.sendall(data)
        return list(read_http(sock))


def ask_http(
    port: int, data: bytes, *, is_head: bool = False, source: str = "127.0.0.1"
) -> HttpReply:
    """The one answer to one request; as any client we come back to a node that is too busy at the moment."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        with connect(port, source) as sock:
            sock.sendall(data)
            reply = next(read_http(sock, is_head=is_head))
        if not is_busy(reply.status, reply.body) or time.monotonic() > until_s:
            return reply
        time.sleep(BUSY_PAUSE_S)


def is_busy(status: int, body: bytes) -> bool:
    """Whether the machine, not the request, is why a request was refused: the node's loop comes late."""
    return status == 503 and BUSY in body


def read_http(sock: socket.socket, *, is_head: bool = False) -> Iterator[HttpReply]:
    """Answers as they come until the connection is closed; strict about framing."""
    data = bytearray()
    while True:
        while (end := data.find(b"\r\n\r\n")) < 0:
            piece = sock.recv(65_536)
            if not piece:
                assert not data, f"half an answer: {bytes(data[:200])!r}"
                return
            data += piece
        first, *lines = data[:end].decode("latin-1").split("\r\n")
        del data[: end + 4]
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        headers = {}
        for line in lines:
            name, colon, text_ = line.partition(": ")
            assert colon, line
            name = name.lower()
            if name == "www-authenticate":  # the one field that may come again, for another scheme
                text_ = ", ".join(filter(None, (headers.pop(name, ""), text_)))
            assert name not in headers, f"{name} twice"
            headers[name] = text_
        size = 0 if is_head or status in {"204", "304"} else int(headers["content-length"])
        while len(data) < size:
            piece = sock.recv(65_536)
            assert piece, "half a body"
            data += piece
        yield HttpReply(int(status), headers, bytes(data[:size]))
        del data[:size]
