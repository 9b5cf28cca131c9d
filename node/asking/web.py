"""Asking over HTTP: one request, one JSON document. The standard library is enough for a command."""

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

PATIENCE_S = 30.0
MAX_BODY_BYTES = 64 * 1_048_576
"""Far above any answer a node gives; the guard is against talking to something else."""
_UNENCODED = "-._~!$&'()*+,;=:@/"


class WebTrouble(Exception):
    """No usable answer; ``str()`` says from where and why."""


class Untrusted(WebTrouble):
    """The server's certificate is not believed, by the code of OpenSSL (X509_V_ERR_…)."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class Login(NamedTuple):
    """An administrator and the secret, for Basic authentication (``index:handle`` percent-encoded)."""

    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    handle: str
    secret: str

    @property
    def header(self) -> str:
        """The Authorization header's value."""
        user = quote(f"{self.index}:{self.handle}", safe="")
        return "Basic " + base64.b64encode(f"{user}:{self.secret}".encode()).decode()


class WebAnswer(NamedTuple):
    """Status and document; ``size_bytes`` of the body."""

    status: int
    document: dict[str, Any]
    headers: Mapping[str, str]
    size_bytes: int


class WebServer(NamedTuple):
    """A node's HTTP address, e.g. ``http://127.0.0.1:8000``, and who asks."""

    url: str
    login: Login | None = None
    ca_file: Path | None = None
    """PEM certificates that an https server is checked against; None = the system's."""

    def ask(
        self,
        method: str,
        target: str,
        document: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> WebAnswer:
        """``target`` is path and query, encoded. Raises ``WebTrouble``."""
        sent = {"Accept": "application/json", "User-Agent": "biaojie", **(headers or {})}
        if self.login:
            sent["Authorization"] = self.login.header
        body = None
        if document is not None:
            body = json.dumps(document, ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        try:
            return self._exchange(method, target, body, sent)
        except ssl.SSLCertVerificationError as error:
            reason = f"{self.url}: its certificate is not trusted: {error.verify_message}"
            raise Untrusted(reason, error.verify_code) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", "") or str(error) or type(error).__name__
            raise WebTrouble(f"{self.url}: {reason}") from None

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> WebAnswer:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("not an http:// or https:// address")
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca_file)
            connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=PATIENCE_S, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
        try:
            connection.request(method, parts.path.rstrip("/") + target, body, dict(headers))
            response = connection.getresponse()
            data = response.read(MAX_BODY_BYTES)
            answer = json.loads(data) if data else {}
            if not isinstance(answer, dict):
                raise ValueError(f"status {response.status} without a JSON document")  # noqa: TRY004  the peer's doing, not a caller's
            return WebAnswer(response.status, answer, dict(response.getheaders()), len(data))
        finally:
            connection.close()


def handle_target(identifier: str, query: str = "") -> str:
    """``/api/handles/…`` with every byte that needs it encoded."""
    return "/api/handles/" + quote(identifier, safe=_UNENCODED) + (f"?{query}" if query else "")
