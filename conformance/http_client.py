"""HTTP client: one connection at a time over a blocking socket, strict about what comes back (RFC 9112).

Not a library's client on purpose: checks look at framing, ask in pieces, several times at once, and wrongly.
"""

import json
import re
import socket
import ssl
import urllib.parse
from collections.abc import Sequence
from typing import NamedTuple

from conformance.clock import monotonic_s
from conformance.outcome import Failed, Unable, show

READ_BYTES = 65_536
MOST_HEAD_BYTES = 65_536
NO_BODY = frozenset({204, 304})
HUNG_UP = "the connection was closed"
"""What ``Failed`` says came, when nothing did but the end."""
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")
FieldList = Sequence[tuple[str, str]]


class Untrusted(Unable):
    """The node's certificate is not believed, by the code of OpenSSL (X509_V_ERR_…)."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class HttpAnswer(NamedTuple):
    """One final answer (RFC 9110 §6)."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...] = ()
    """Statuses below 200 that came before it."""

    def field(self, name: str) -> str:
        """All fields of that name as one, "" without any (RFC 9110 §5.2)."""
        return ", ".join(value for key, value in self.fields if key.lower() == name.lower())

    def all(self, name: str) -> list[str]:
        """Every field of that name."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def document(self) -> dict[str, object]:
        """The body as a JSON object. Raises ``Failed``."""
        document = self.json
        if not isinstance(document, dict):
            raise Failed("a JSON object", self.told)
        return document

    @property
    def json(self) -> object:
        """The body as JSON (RFC 8259). Raises ``Failed``."""
        try:
            parsed: object = json.loads(self.body.decode("utf-8"))
        except ValueError:
            raise Failed("a JSON body", self.told) from None
        return parsed

    @property
    def told(self) -> str:
        """Status and the beginning of the body, for a report."""
        text = self.body[:120].decode("utf-8", "replace")
        return f"status {self.status}" + (f": {text}" if text else "")


class HttpClient:
    """Opens a connection when there is none; the node may close it after any answer."""

    def __init__(self, url: str, answer_s: float, ca_file: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        self.answer_s = answer_s
        self.is_tls = parts.scheme == "https"
        self.authority = parts.netloc
        """What stands in Host."""
        self.path = parts.path.rstrip("/")
        """Of the interface's root, e.g. behind a gateway."""
        self.opened = 0
        """Connections so far."""
        self._address = (parts.hostname or "", parts.port or (443 if self.is_tls else 80))
        self._ca_file = ca_file
        self._socket: socket.socket | None = None
        self._buffer = b""

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        fields: FieldList = (),
        *,
        answer_s: float | None = None,
    ) -> HttpAnswer:
        """One request, one answer; once more when a kept connection turns out to be closed (RFC 9112 §9.3.1).

        Raises ``Failed`` and ``Unable``.
        """
        request, is_head, was_kept = (
            self.request(method, target, body, fields),
            method == "HEAD",
            self.is_open,
        )
        self.send(request)
        try:
            return self.read_answer(is_head=is_head, answer_s=answer_s)
        except Failed as failed:
            if not was_kept or failed.came != HUNG_UP:
                raise
        self.send(request)
        return self.read_answer(is_head=is_head, answer_s=answer_s)

    def request(
        self, method: str, target: str, body: bytes | None = None, fields: FieldList = ()
    ) -> bytes:
        """The bytes of a request; ``target`` without the root's path."""
        lines = [f"{method} {self.path}{target} HTTP/1.1", f"Host: {self.authority}"]
        lines += [f"{name}: {value}" for name, value in fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")

    def send(self, data: bytes) -> None:
        """Bytes as they are. A node that hangs up meanwhile is noticed when its answer is read."""
        try:
            self._open().sendall(data)
        except (ConnectionError, ssl.SSLError):
            return
        except TimeoutError:
            raise Failed("a node that reads what it is sent", "a full pipe") from None

    def read_answer(self, *, is_head: bool = False, answer_s: float | None = None) -> HttpAnswer:
        """The next final answer. Raises ``Failed`` when it is late, cut off or malformed."""
        until_s = monotonic_s() + (answer_s or self.answer_s)
        interim: list[int] = []
        while True:
            status, fields = self._read_head(until_s)
            if status >= 200:
                break
            interim.append(status)
        answer = HttpAnswer(status, fields, b"", tuple(interim))
        if not (is_head or status in NO_BODY):
            answer = answer._replace(body=self._read_body(answer, until_s))
        if "close" in answer.field("Connection").lower():
            self.close()
        return answer

    def read_interim(self) -> int:
        """The status of the next answer, which has no body, e.g. 100. Raises ``Failed``."""
        return self._read_head(monotonic_s() + self.answer_s)[0]

    def is_closed(self, within_s: float) -> bool:
        """Whether the node hangs up in that time without saying more."""
        if self._socket is None:
            return True
        if self._buffer:
            return False
        try:
            return not self._receive(monotonic_s() + within_s)
        except Failed:
            return False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known here."""
        return self._socket is not None

    @property
    def has_more(self) -> bool:
        """Whether bytes have come that no answer was made of yet."""
        return bool(self._buffer)

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._buffer = b""

    def _open(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        try:
            plain = socket.create_connection(self._address, timeout=self.answer_s)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = plain
            if self.is_tls:
                context = ssl.create_default_context(cafile=self._ca_file)
                self._socket = context.wrap_socket(plain, server_hostname=self._address[0])
        except ssl.SSLCertVerificationError as error:
            self.close()
            reason = f"{self.authority}: its certificate is not trusted: {error.verify_message}"
            raise Untrusted(reason, error.verify_code) from None
        except OSError as error:
            self.close()
            raise Unable(f"no connection to {self.authority}: {error}") from None
        self.opened += 1
        return self._socket

    def _receive(self, until_s: float) -> bool:
        """More bytes into the buffer; False at the end. Raises ``Failed`` when none come in time."""
        if self._socket is None:
            return False
        self._socket.settimeout(max(until_s - monotonic_s(), 0.001))
        try:
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            raise Failed(f"an HTTP answer within {self.answer_s:g} s", "silence") from None
        except OSError:
            data = b""
        self._buffer += data
        if not data:
            self._socket.close()
            self._socket = None
        return bool(data)

    def _read_head(self, until_s: float) -> tuple[int, tuple[tuple[str, str], ...]]:
        text = self._read_to(b"\r\n\r\n", until_s).decode("latin-1")
        line, *lines = text.split("\r\n")
        version, _, rest = line.partition(" ")
        status = rest.partition(" ")[0]
        if version not in {"HTTP/1.1", "HTTP/1.0"} or not (status.isdecimal() and len(status) == 3):
            raise Failed("a status line (RFC 9112 §4)", line)
        fields: list[tuple[str, str]] = []
        for each in lines:
            name, colon, value = each.partition(":")
            if not colon or not name or name != name.strip():
                raise Failed("header fields 'name: value' (RFC 9112 §5)", each)
            fields.append((name, value.strip()))
        return int(status), tuple(fields)

    def _read_body(self, answer: HttpAnswer, until_s: float) -> bytes:
        if answer.field("Transfer-Encoding"):
            return self._read_chunks(until_s)
        lengths = set(answer.all("Content-Length"))
        if not lengths:
            while self._receive(until_s):
                pass
            body, self._buffer = self._buffer, b""
            return body
        if len(lengths) > 1 or not (length := lengths.pop()).isdecimal():
            raise Failed("one Content-Length that is a number", answer.field("Content-Length"))
        return self._read_exactly(int(length), until_s)

    def _read_chunks(self, until_s: float) -> bytes:
        body = b""
        while True:
            text = self._read_to(b"\r\n", until_s).partition(b";")[0]
            if not _HEX.fullmatch(text.strip()):
                raise Failed("a chunk size (RFC 9112 §7.1)", show(text))
            size = int(text, 16)
            if not size:
                break
            body += self._read_exactly(size + 2, until_s)[:-2]
        while self._read_to(b"\r\n", until_s):
            pass
        return body

    def _read_to(self, end: bytes, until_s: float) -> bytes:
        while end not in self._buffer:
            if len(self._buffer) > MOST_HEAD_BYTES:
                raise Failed(f"a head of at most {MOST_HEAD_BYTES} bytes", show(self._buffer[:80]))
            if not self._receive(until_s):
                came = show(self._buffer[:80]) or HUNG_UP
                raise Failed("an HTTP answer", came)
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _read_exactly(self, size: int, until_s: float) -> bytes:
        while len(self._buffer) < size:
            if not self._receive(until_s):
                raise Failed(f"a body of {size} bytes", f"{len(self._buffer)} and the end")
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body
