"""Target: the node under test, and who we may say we are."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

NATIVE_PORT = 2641
"""Registered for the Handle protocol (RFC 3652 §2.1.2)."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can prove who he is; at least one of ``secret`` and ``key`` is there."""

    handle: bytes
    index: int
    secret: bytes | None = None
    """The data of the HS_SECKEY value at ``handle``, ``index``."""
    key: RSAPrivateKey | None = None
    """Belongs to the HS_PUBKEY value at ``handle``, ``index``."""

    @property
    def reference(self) -> str:
        """``300:0.NA/88.118``."""
        return f"{self.index}:{self.handle.decode()}"


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses, and what the run may use. None = was not named."""

    host: str
    native_port: int | None = NATIVE_PORT
    http_url: str | None = None
    """Without a slash at the end, e.g. ``http://127.0.0.1:8000``."""
    prefix: str | None = None
    """Hosted by the node; everything that is made is made below it, and removed."""
    administrator: Account | None = None
    """May create, delete and list below ``prefix``."""
    has_udp: bool = True
    has_tcp: bool = True
    answer_s: float = 5.0
    """How long an answer may take."""
    silence_s: float = 0.4
    """How long nothing must come where silence is promised."""
    ca_file: str | None = None
    """Certificates to trust over HTTPS; None = the system's."""
