"""Kinds of setting: what a single value may be, and the nearest valid one when it is not.

Each kind stands in an ``Annotated`` type in ``node/config.py``; ``explain`` says what is wrong with a value in one
clause, "" when it is fine.
"""

import difflib
import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from protocols.errors import ProtocolError
from protocols.rest.dates import parse_date

_PREFIX = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*(\.[0-9A-Za-z][0-9A-Za-z_-]*)*")
_ADMIN = re.compile(r"(\d{1,10}):([^\s/]+/\S+)")
_PIN = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(
    r"[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?(\.[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?)*\.?"
)
SERVER_SCHEMES = ("udp", "tcp", "http", "https")
NATIVE_PORT = 2641
"""Registered for the Handle protocol; only used in advice."""


class Bounds(NamedTuple):
    """A number within limits, both included."""

    least: float
    most: float

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        if isinstance(value, int | float) and not self.least <= value <= self.most:
            nearest = min(max(value, self.least), self.most)
            return f"must be from {self.least:g} to {self.most:g}; the nearest valid value is {nearest:g}"
        return ""


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        if value in self.words:
            return ""
        near = difflib.get_close_matches(str(value), self.words, 1, 0.3) or [self.words[0]]
        return f'must be one of {", ".join(self.words)}; the nearest valid value is "{near[0]}"'


class AddressList:
    """One or more IP addresses; names are refused, because what they mean changes outside this file."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            try:
                ipaddress.ip_address(item)
            except ValueError:
                hint = "127.0.0.1" if item == "localhost" else "192.0.2.7"
                return f'"{item}" is not an IP address; write for example "{hint}"'
        return ""


class NetworkList:
    """Networks in address/bits form."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            try:
                ipaddress.ip_network(item)
            except ValueError:
                try:
                    nearest = str(ipaddress.ip_network(item, strict=False))
                except ValueError:
                    nearest = "192.168.0.0/16"
                return f'"{item}" is not a network; the nearest valid value is "{nearest}"'
        return ""


class AdminList:
    """``index:handle`` names of administrators."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            match = _ADMIN.fullmatch(item)
            if not match:
                return f'"{item}" is not index:handle; write for example "300:0.NA/88.118"'
            if int(match[1]) > 0xFFFFFFFF:
                return f'"{item}": the index is above 4294967295'
        return ""


class Place(NamedTuple):
    """Where a server is: what ``tcp://[2001:db8::1]:2641`` says."""

    scheme: str
    """One of ``SERVER_SCHEMES``."""
    host: str
    """IP address text, or a name in lower case."""
    port: int


def read_place(text: str) -> Place:
    """The parts of a server's address. Raises ``ValueError`` with one clause that says what is wrong."""
    try:
        parts: SplitResult = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(_advice(text)) from None
    host = (parts.hostname or "").lower()
    is_bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in SERVER_SCHEMES or not host or not port or not is_bare:
        raise ValueError(_advice(text))
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host) or len(host) > 253 or host.replace(".", "").isdecimal():
            raise ValueError(_advice(text)) from None
    return Place(parts.scheme, host, port)


def _advice(text: str) -> str:
    host = re.sub(r"^[a-z]*:?/*|[:/].*$", "", text) or "192.0.2.1"
    return (
        f'"{text}" is not a server: udp, tcp, http or https, "://", host, ":" and port; '
        f'write for example "tcp://{host}:{NATIVE_PORT}"'
    )


class ServerList:
    """Servers as ``scheme://host:port``."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            try:
                read_place(item)
            except ValueError as error:
                return str(error)
        return ""


class PinList:
    """Digests of public keys, ``sha256:`` and 64 hexadecimal digits."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            if not _PIN.fullmatch(item):
                shown = "sha256:" + "0" * 64
                return f'"{item}" is not the digest of a public key (SPKI, DER); it looks like "{shown}", in lower case'
        return ""


class DateText:
    """A moment with its time zone (RFC 3339), or "" for none."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        if value == "":
            return ""
        try:
            parse_date(str(value))
        except ProtocolError as error:
            return error.reason
        return ""


class PrefixText:
    """A Handle prefix: labels of letters and digits joined by dots."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        if value == "" or _PREFIX.fullmatch(str(value)):
            return ""
        nearest = re.sub(r"[^0-9A-Za-z.]+", "", str(value)).strip(".") or "88.118"
        return f'is not a prefix (labels of letters and digits joined by dots); the nearest valid value is "{nearest}"'


def _items(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, tuple) else [str(value)]
