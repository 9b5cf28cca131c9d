"""Kinds of setting: what a single value may be, and the nearest valid one when it is not.

Each kind stands in an ``Annotated`` type in ``node/config.py``; ``explain`` says what is wrong with a value in one
clause, "" when it is fine.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.rest.dates import parse_date
from protocols.values.value import MAX_INDEX, MAX_TYPE_BYTES, parse_reference

_PREFIX = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*(\.[0-9A-Za-z][0-9A-Za-z_-]*)*")
_FULL_HANDLE = re.compile(r"[^\s/]+/\S+")
"""What settings name: not a prefix alone, and without blanks."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}")
_HEADER = re.compile(r"[0-9A-Za-z-]{1,64}")
CODE_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "blob", "about", "view-source"})
"""A browser runs what is in these, or reads its user's own files."""
_PIN = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(
    r"[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?(\.[0-9A-Za-z]([0-9A-Za-z-]*[0-9A-Za-z])?)*\.?"
)
SERVER_SCHEMES = ("udp", "tcp", "http", "https")
_PLACE = re.compile(
    r"(?:([0-9A-Za-z+.-]*)://)?(\[[^\]]*\]|[^:/?#@\[\]]*)(?::([0-9]+))?(.*)", re.DOTALL
)
"""Scheme, host, port, and what should not be there; matches any text."""
NATIVE_PORT, HTTP_PORT = 2641, 8000
"""Registered for the Handle protocol, and what its clients expect; only used in advice."""
MOST_PORT, MOST_PORT_DIGITS = 65_535, 5
MOST_NAME = 253
"""Characters of a domain name (RFC 1035 §2.3.4, without the length octets at both ends)."""


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


class OrAuto:
    """A number, or the word "auto" for the one that ``choose`` finds here."""

    def __init__(self, choose: Callable[[], int]) -> None:
        self.choose = choose

    def explain(self, _: object) -> str:
        """Nothing is wrong with what was chosen."""
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
                    return f'"{item}" is not a network; write for example "192.168.0.0/16"'
                return f'"{item}" is not a network; the nearest valid value is "{nearest}"'
        return ""


class TypeList:
    """Names of value types that may be searched."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            if not item or " " in item or len(item.encode()) > MAX_TYPE_BYTES:
                return f'"{item[:40]}" is not the name of a value type; write for example "URL"'
            if item.upper() == "HS_SECKEY":
                return '"HS_SECKEY" is never searched; write for example "URL"'
        return ""


class AdminList:
    """``index:handle`` names of administrators."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            if not _is_name(item):
                kind = f"index:handle with an index up to {MAX_INDEX}"
                return f'"{item}" is not {kind}; write for example "300:0.NA/88.118"'
        return ""


def _is_name(text: str) -> bool:
    try:
        return bool(_FULL_HANDLE.fullmatch(parse_reference(text).handle))
    except ProtocolError:
        return False


class RootList:
    """``index:handle=file`` names of trusted keys."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            name, equals, file = item.partition("=")
            if not equals or not file.strip() or not _is_name(name.strip()):
                example = '"301:88.111.1/0.0=keys/root.pem.pub"'
                return f'"{item}" is not index:handle=file; write for example {example}'
        return ""


class Place(NamedTuple):
    """Where a server is: what ``tcp://[2001:db8::1]:2641`` says."""

    scheme: str
    """One of ``SERVER_SCHEMES``."""
    host: str
    """IP address text, or a name in lower case."""
    port: int

    @property
    def text(self) -> str:
        """As it is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class NoPlace(ValueError):
    """A text that names no server; ``str()`` is one clause with an example."""

    def __init__(self, text: str, what: str, example: Place) -> None:
        self.what, self.example = what, example.text
        super().__init__(f'"{text}" is not a server: {what}; write for example "{example.text}"')


def read_place(text: str) -> Place:
    """The parts of a server's address. Raises ``NoPlace``, which says what is wrong with which part."""
    match = _PLACE.fullmatch(text)
    assert match is not None, "every part of the pattern may be absent"
    scheme, name, digits, rest = match.groups("")
    scheme, host = scheme.lower(), _read_host(name)
    port = int(digits) if 0 < len(digits) <= MOST_PORT_DIGITS else 0
    is_port = 0 < port <= MOST_PORT
    is_scheme = scheme in SERVER_SCHEMES
    what = ""
    if not is_scheme:
        what = 'it begins with udp, tcp, http or https and "://"'
    elif not host:
        what = f'"{name or rest}" is no host, which is a name or an IP address, IPv6 in brackets'
    elif _is_nowhere(host):
        what = f"nobody can be asked at {host}"
        host = ""
    elif not is_port:
        what = f'behind the host stand ":" and a port from 1 to {MOST_PORT}'
    elif rest:
        what = "nothing stands behind the port"
    place = Place(scheme, host, port)
    if what:
        usual = HTTP_PORT if scheme.startswith("http") else NATIVE_PORT
        shown = (is_scheme and scheme) or "tcp", host or "192.0.2.1", port if is_port else usual
        raise NoPlace(text, what, Place(*shown))
    return place


def _read_host(name: str) -> str:
    """The host as it is kept, "" when it is none."""
    try:
        if name.startswith("["):
            return str(ipaddress.IPv6Address(name[1:-1]))
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        host = name.lower()
        is_name = _HOST.fullmatch(host) and len(host) <= MOST_NAME
        return host if is_name and not host.replace(".", "").isdecimal() else ""


def _is_nowhere(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_unspecified or address.is_multicast or host == "255.255.255.255"


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


class SchemeList:
    """Schemes of URLs, in lower case, that lead somewhere and run nothing."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        for item in _items(value):
            if item in CODE_SCHEMES:
                return f'"{item}" runs or shows what was registered and is never followed; write for example "https"'
            if not _SCHEME.fullmatch(item):
                return f'"{item}" is not a scheme in lower case; write for example "https"'
        return ""


class HeaderName:
    """The name of an HTTP header field, or "" for none."""

    def explain(self, value: object) -> str:
        """What is wrong with the value, or ""."""
        if value == "" or _HEADER.fullmatch(str(value)):
            return ""
        return 'is not the name of a header field; write for example "CF-IPCountry"'


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
