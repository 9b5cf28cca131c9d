"""TLS of the HTTP port: the certificate that new connections are shown, renewed when its files change.

Connections that are there keep what they have. New ones get the newest certificate that could be loaded: files that do
not fit each other, or cannot be read, are told once in the log and change nothing.

Clients may show certificates of their own (``http.client_certificates``), self-signed ones as a rule (Handle.Net
manual, client-side certificates). Whose key it is, is looked up in HS_PUBKEY values later
(``node/http/certificates.py``); the handshake proves only that the client has the private key. OpenSSL would refuse a
certificate that no authority vouches for before anybody could look it up, so the one that arrives is made its own
authority, for its own connection alone: the handshake then checks the signature and nothing else.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography import x509

from node.config_sections import Config
from node.logs import get_log
from node.metrics import TLS_CERTIFICATE_ENDS

LOOK_EVERY_S = 2.0
"""How soon a renewed certificate is shown without a reload; looking costs two calls of the system."""
MAX_CERTIFICATE_BYTES = 16_384
"""Of one client's certificate; with an RSA key of 8,192 bits it has some 2,500."""

_ACCEPTED_AS_IT_IS: Final = ssl.VERIFY_X509_PARTIAL_CHAIN | 0x200000
"""A certificate may be its own authority, and its dates are looked at later, where more can be said than an alert
(X509_V_FLAG_NO_CHECK_TIME, which Python has no name for)."""
_HANDSHAKE, _CERTIFICATE = 22, 11
"""Content type and handshake type (RFC 8446 §4, RFC 5246 §7.4)."""

_Stamp = tuple[tuple[int, int, int], ...]
_Watch = Callable[[ssl.SSLObject, str, int, int, int, bytes], None]

log = get_log("tls")


class Certificates:
    """``context`` is what a server is made with; every handshake takes its certificate from ``_shown``."""

    def __init__(self, certificate: Path, key: Path | None, *, asks_clients: bool = False) -> None:
        """``asks_clients``: whether clients are asked for certificates. Raises ``OSError`` or ``ssl.SSLError``."""
        self._files = (certificate, key)
        self._asks_clients = asks_clients
        self._stamp = self._read_stamp()
        self._shown = self._load()
        self._looked_s = 0.0
        self.loaded_count = 1
        self.refused_count = 0
        """Changed files that could not be used."""
        self.context = _new_context()
        if asks_clients:
            self.context.verify_mode = ssl.CERT_OPTIONAL
            self.context.verify_flags |= _ACCEPTED_AS_IT_IS
        self.context.sni_callback = self._show  # called for every handshake, with a name or without

    def look(self, now_s: float) -> None:
        """Load the files if they have changed; cheap, call it as often as you like."""
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._shown = self._load()
        except (OSError, ssl.SSLError) as trouble:
            self.refused_count += 1
            log.error(  # noqa: TRY400  # the reason is all there is to say
                "the changed certificate cannot be used; the one before stays",
                extra={"file": str(self._files[0]), "reason": str(trouble)},
            )
            return
        self.loaded_count += 1
        log.info("certificate renewed", extra={"file": str(self._files[0])})

    def _read_stamp(self) -> _Stamp:
        """What a change of the files changes; a file that is missing has none."""
        stamps = []
        for path in self._files:
            try:
                seen = path.stat() if path is not None else None
            except OSError:
                seen = None
            stamps.append((seen.st_mtime_ns, seen.st_size, seen.st_ino) if seen else (0, 0, 0))
        return tuple(stamps)

    def _load(self) -> ssl.SSLContext:
        context = _new_context()
        context.load_cert_chain(*self._files)
        if self._asks_clients:
            _watch(context, _admit)
        TLS_CERTIFICATE_ENDS.set(ends_at_s(self._files[0].read_bytes()))
        return context

    def _show(self, connection: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._shown


def make_certificates(config: Config) -> Certificates | None:
    """As configured, None for plain HTTP. Raises ``OSError`` or ``ssl.SSLError``."""
    http = config.http
    if http.tls_cert_file is None:
        return None
    return Certificates(
        http.tls_cert_file, http.tls_key_file, asks_clients=http.client_certificates
    )


def ends_at_s(chain: bytes) -> float:
    """When the first certificate of a chain (PEM) expires, seconds since 1970; 0 when it cannot be told."""
    try:
        return x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()
    except ValueError:
        return 0.0


def client_certificate(message: bytes, *, is_tls13: bool) -> bytes:
    """The first certificate (DER) of a Certificate message, b"" when there is none (RFC 8446 §4.4.2, RFC 5246 §7.4.6).

    u8 type · u24 length · TLS 1.3: u8 + context · u24 length of the list · u24 + certificate · …
    """
    at = 4
    if is_tls13:
        at += 1 + int.from_bytes(message[at : at + 1])
    at += 3
    size = int.from_bytes(message[at : at + 3])
    der = message[at + 3 : at + 3 + size]
    return der if len(der) == size <= MAX_CERTIFICATE_BYTES else b""


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _watch(context: ssl.SSLContext, watch: _Watch) -> None:
    """Have handshake messages shown to ``watch``: what the standard library's own debugging uses, and its tests.

    No documented way does it. Python 3.8 to 3.14 have this one; ``node/config_check.py`` refuses the setting elsewhere.
    """
    context._msg_callback = watch  # type: ignore[attr-defined]  # noqa: SLF001


def _admit(
    connection: ssl.SSLObject, direction: str, version: int, content: int, kind: int, data: bytes
) -> None:
    """Make the certificate that a client shows its own authority, in a context that only this connection has.

    The key exchange is done by then, so that context needs no certificate of ours.
    """
    if direction != "read" or (content, kind) != (_HANDSHAKE, _CERTIFICATE):
        return
    der = client_certificate(data, is_tls13=version == ssl.TLSVersion.TLSv1_3)
    if not der:
        return
    own = _new_context()
    try:
        own.load_verify_locations(cadata=der)
    except ssl.SSLError:
        return  # no certificate: the handshake will say so
    connection.context = own
