"""HS_SITE data: a service site, its servers and where they listen (RFC 3651 §3.2.4).

The same layout is used by HS_SITE.6 and HS_SITE.PREFIX, and is the whole body of a get-site-info answer::

    i2 format (1) · i1 major · i1 minor · i2 serial · i1 flags (0x80 primary, 0x40 multi-primary)
    i1 hash option (0 prefix, 1 suffix, 2 whole identifier) · counted hash filter
    i4 attributes × (counted name · counted value)
    i4 servers × (i4 id · 16-byte address · counted public key · i4 interfaces × (i1 type · i1 protocol · i4 port))

An IPv4 address stands right-aligned behind 12 zero bytes. Nothing may follow the last interface.
"""

from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed, Unsupported

FORMAT = 1
PRIMARY, MULTI_PRIMARY = 0x80, 0x40
BY_PREFIX, BY_SUFFIX, BY_WHOLE = 0, 1, 2
ADMIN_ONLY, QUERY_ONLY, ADMIN_AND_QUERY = 1, 2, 3
"""Interface types, as bits; 0 = out of service."""
UDP, TCP, HTTP, HTTPS = 0, 1, 2, 3
PROTOCOL_NAMES = ("UDP", "TCP", "HTTP", "HTTPS")
SITE_TYPES = frozenset({"HS_SITE", "HS_SITE.6"})
"""Value types that say where identifiers are kept; HS_SITE.PREFIX is about something else. Types match without case."""

MAX_ATTRIBUTES = 256
MAX_SERVERS = 1024
MAX_INTERFACES = 64
MAX_ATTRIBUTE_BYTES = 4096
MAX_KEY_BYTES = 8192
MAX_HASH_FILTER_BYTES = 1024
"""Far above any site in use (the global service has fewer than ten servers a site); they bound what a peer may send."""

ADDRESS_BYTES = 16
_IPV4_LEAD = bytes(12)
_LOOPBACK6 = IPv6Address("::1").packed


class Interface(NamedTuple):
    """One port of a server."""

    protocol: int
    """UDP, TCP, HTTP, HTTPS; other numbers are kept as they came."""
    port: int
    type: int = ADMIN_AND_QUERY

    @property
    def takes_queries(self) -> bool:
        """Answers resolution requests."""
        return bool(self.type & QUERY_ONLY)

    @property
    def takes_admin(self) -> bool:
        """Accepts changes."""
        return bool(self.type & ADMIN_ONLY)


class Server(NamedTuple):
    """One server of a site."""

    id: int
    address: str
    """IPv4 or IPv6 text, e.g. ``127.0.0.1``."""
    interfaces: tuple[Interface, ...]
    public_key: bytes = b""
    """HS_PUBKEY data (``keys.decode_public_key``), or empty."""


class Attribute(NamedTuple):
    """A named remark about the site: ``desc``, ``domain``, ``path``, ``alt_addr`` …."""

    name: str
    value: str


class Site(NamedTuple):
    """One service site."""

    servers: tuple[Server, ...]
    serial: int = 1
    flags: int = PRIMARY
    hash_option: int = BY_WHOLE
    attributes: tuple[Attribute, ...] = ()
    major: int = 2
    minor: int = 11
    hash_filter: bytes = b""

    @property
    def is_primary(self) -> bool:
        """Holds the records that changes are made to; others are mirrors."""
        return bool(self.flags & PRIMARY)

    @property
    def is_multi_primary(self) -> bool:
        """More than one site of the service accepts changes."""
        return bool(self.flags & MULTI_PRIMARY)


def decode_site(data: bytes) -> Site:
    """Raises ``Malformed``, ``TooLarge``, or ``Unsupported`` for another format number."""
    reader = Reader(data)
    format_ = reader.read_u16("site format")
    if format_ != FORMAT:
        raise Unsupported(f"site format: {format_}, only {FORMAT} is known", 0)
    major, minor = reader.read_u8("site major version"), reader.read_u8("site minor version")
    serial, flags = reader.read_u16("site serial"), reader.read_u8("site flags")
    hash_option = reader.read_u8("site hash option")
    if hash_option > BY_WHOLE:
        raise Malformed(f"site hash option: {hash_option} is not 0, 1 or 2", reader.offset - 1)
    hash_filter = reader.read_counted("site hash filter", MAX_HASH_FILTER_BYTES)
    count = reader.read_count("site attributes", 8, MAX_ATTRIBUTES)
    attributes = tuple(_read_attribute(reader) for _ in range(count))
    count = reader.read_count("site servers", 28, MAX_SERVERS)
    servers = tuple(_read_server(reader) for _ in range(count))
    if reader.remaining:
        raise Malformed("site: bytes left over", reader.offset)
    return Site(servers, serial, flags, hash_option, attributes, major, minor, hash_filter)


def encode_site(site: Site) -> bytes:
    """The exact inverse of ``decode_site``. A server address that is no IP address raises ``Malformed``."""
    writer = Writer()
    writer.write_u16(FORMAT)
    writer.write_u8(site.major)
    writer.write_u8(site.minor)
    writer.write_u16(site.serial)
    writer.write_u8(site.flags)
    writer.write_u8(site.hash_option)
    writer.write_counted(site.hash_filter)
    writer.write_u32(len(site.attributes))
    for attribute in site.attributes:
        writer.write_text(attribute.name)
        writer.write_text(attribute.value)
    writer.write_u32(len(site.servers))
    for server in site.servers:
        _write_server(writer, server)
    return writer.finish()


def decode_address(packed: bytes) -> str:
    """16 bytes to text.

    12 zero bytes announce IPv4, except in ``::1``: 0.0.0.1 is no host's address (RFC 1122 §3.2.1.3).
    """
    if packed.startswith(_IPV4_LEAD) and packed != _LOOPBACK6:
        return ".".join(map(str, packed[12:]))
    return str(IPv6Address(packed))


def encode_address(text: str) -> bytes:
    """IP address text to 16 bytes. Raises ``Malformed``."""
    try:
        if "%" not in text:  # a zone names an interface of one host, nobody else's
            return ip_address(text).packed.rjust(ADDRESS_BYTES, b"\0")
    except ValueError:
        pass
    raise Malformed(f"server address: {text[:64]!r} is not an IP address")


def _read_attribute(reader: Reader) -> Attribute:
    return Attribute(
        reader.read_text("site attribute name", MAX_ATTRIBUTE_BYTES),
        reader.read_text("site attribute value", MAX_ATTRIBUTE_BYTES),
    )


def _read_server(reader: Reader) -> Server:
    id_ = reader.read_u32("server id")
    address = decode_address(reader.read_bytes(ADDRESS_BYTES, "server address"))
    public_key = reader.read_counted("server public key", MAX_KEY_BYTES)
    count = reader.read_count("server interfaces", 6, MAX_INTERFACES)
    return Server(id_, address, tuple(_read_interface(reader) for _ in range(count)), public_key)


def _read_interface(reader: Reader) -> Interface:
    type_ = reader.read_u8("interface type")
    if type_ > ADMIN_AND_QUERY:
        raise Malformed(f"interface type: {type_} is not 0 to 3", reader.offset - 1)
    protocol = reader.read_u8("interface protocol")
    return Interface(protocol, reader.read_u32("interface port"), type_)


def _write_server(writer: Writer, server: Server) -> None:
    writer.write_u32(server.id)
    writer.write_bytes(encode_address(server.address))
    writer.write_counted(server.public_key)
    writer.write_u32(len(server.interfaces))
    for interface in server.interfaces:
        writer.write_u8(interface.type)
        writer.write_u8(interface.protocol)
        writer.write_u32(interface.port)
