"""Targets: whom a load may go to. Loopback is always allowed; any other host only when the operator names it twice.

A wrong address in a load generator is an attack on a stranger, so leaving the machine takes a second, deliberate word.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from bench.load.plan import Target

NATIVE_PORT, HTTP_PORT = 2641, 8000
TRANSPORTS = ("udp", "tcp", "http", "redirect")
_WEB = frozenset({"http", "redirect"})


class BadTarget(ValueError):
    """No load goes there; ``str()`` says why."""


class Forbidden(BadTarget):
    """Not on this machine, and no consent."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} ({address}) is not this machine")
        self.host = host


def parse_target(server: str, transport: str | None, consent: str | None) -> Target:
    """``HOST[:PORT]``, ``udp://…``, ``tcp://…`` or ``http://…``; ``transport`` goes before the scheme.

    ``consent``: the host that may be loaded though it is elsewhere, in the same spelling. Raises ``BadTarget``.
    """
    scheme, mark, rest = server.partition("://")
    if not mark:
        scheme, rest = "", server
    if scheme == "https":
        raise BadTarget("https is not spoken here: measure behind the proxy, over http")
    if scheme and scheme not in TRANSPORTS:
        raise BadTarget(f"{server}: not udp://, tcp:// or http://")
    if transport and scheme and (transport in _WEB) != (scheme in _WEB):
        raise BadTarget(f"{server} with --{transport}")
    chosen = transport or scheme or "udp"
    host, port = _host_and_port(rest.rstrip("/"), HTTP_PORT if chosen in _WEB else NATIVE_PORT)
    address = _look_up(host, port, chosen)
    if not ipaddress.ip_address(address).is_loopback and consent != host:
        raise Forbidden(host, address)
    shown = f"[{host}]" if ":" in host else host
    return Target(chosen, address, port, f"{shown}:{port}")


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadTarget(f"{text}: not HOST:PORT") from None
    if not host or parts.path or port == 0:
        raise BadTarget(f"{text}: not HOST:PORT, for example 127.0.0.1:2641 or [::1]:2641")
    return host, port or default


def _look_up(host: str, port: int, transport: str) -> str:
    """The first address: one load goes to one address, whatever a name stands for."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        found = socket.getaddrinfo(host, port, type=kind)
    except OSError as error:
        raise BadTarget(f"{host}: {error.strerror or error}") from None
    return str(found[0][4][0])
