"""Sites as JSON, the form of ``siteinfo.json`` (Handle.Net manual)::

{"version": 1, "protocolVersion": "2.11", "serialNumber": 1, "primarySite": true, "multiPrimary": false,
 "hashOption": 0, "hashFilter": base64,                                 (both only when not the usual)
 "attributes": [{"name": …, "value": …}],
 "servers": [{"serverId": 1, "address": "127.0.0.1", "publicKey": {"format": "key", "value": JWK},
              "interfaces": [{"query": true, "admin": true, "protocol": "TCP", "port": 2641}]}]}
"""

from base64 import b64encode

from protocols.errors import ProtocolError
from protocols.rest.json_reader import JsonReader
from protocols.rest.key_json import key_data_to_json, read_key_data
from protocols.rest.plain_json import read_base64
from protocols.values.site import (
    ADMIN_ONLY,
    BY_PREFIX,
    BY_SUFFIX,
    BY_WHOLE,
    FORMAT,
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTES,
    MAX_HASH_FILTER_BYTES,
    MAX_INTERFACES,
    MAX_KEY_BYTES,
    MAX_SERVERS,
    MULTI_PRIMARY,
    PRIMARY,
    PROTOCOL_NAMES,
    QUERY_ONLY,
    Attribute,
    Interface,
    Server,
    Site,
    decode_address,
    encode_address,
)

_HASH_NAMES = {"prefix": BY_PREFIX, "suffix": BY_SUFFIX, "identifier": BY_WHOLE, "handle": BY_WHOLE}
"""DO-IRP writes words, Handle.Net numbers; numbers are what we write."""
_MAX_WORD_BYTES = 64


def site_to_json(site: Site) -> dict[str, object]:
    """The JSON object of a site."""
    document: dict[str, object] = {
        "version": FORMAT,
        "protocolVersion": f"{site.major}.{site.minor}",
        "serialNumber": site.serial,
        "primarySite": site.is_primary,
        "multiPrimary": site.is_multi_primary,
    }
    if site.hash_option != BY_WHOLE:
        document["hashOption"] = site.hash_option
    if site.hash_filter:
        document["hashFilter"] = b64encode(site.hash_filter).decode()
    document["attributes"] = [{"name": name, "value": value} for name, value in site.attributes]
    document["servers"] = [_server_to_json(server) for server in site.servers]
    return document


def read_site(reader: JsonReader) -> Site:
    """The inverse of ``site_to_json``; only ``servers`` must be there."""
    major, minor = _read_version(reader.get("protocolVersion"))
    version = reader.get("version")
    if version is not None:
        version.read_int(FORMAT, FORMAT)
    serial = reader.get("serialNumber")
    attributes = reader.get("attributes")
    return Site(
        tuple(_read_server(item) for item in reader.need("servers").items(MAX_SERVERS)),
        1 if serial is None else serial.read_int(0, 0xFFFF),
        _read_flag(reader, "primarySite", PRIMARY)
        | _read_flag(reader, "multiPrimary", MULTI_PRIMARY),
        _read_hash_option(reader.get("hashOption")),
        tuple(_read_attribute(item) for item in attributes.items(MAX_ATTRIBUTES))
        if attributes
        else (),
        major,
        minor,
        _read_hash_filter(reader.get("hashFilter")),
    )


def _server_to_json(server: Server) -> dict[str, object]:
    document: dict[str, object] = {"serverId": server.id, "address": server.address}
    if server.public_key:
        document["publicKey"] = key_data_to_json(server.public_key)
    document["interfaces"] = [_interface_to_json(interface) for interface in server.interfaces]
    return document


def _interface_to_json(interface: Interface) -> dict[str, object]:
    protocol = interface.protocol
    return {
        "query": interface.takes_queries,
        "admin": interface.takes_admin,
        "protocol": PROTOCOL_NAMES[protocol] if protocol < len(PROTOCOL_NAMES) else protocol,
        "port": interface.port,
    }


def _read_version(reader: JsonReader | None) -> tuple[int, int]:
    if reader is None:
        return 2, 11
    major, dot, minor = reader.read_text(_MAX_WORD_BYTES).partition(".")
    if not (dot and _is_u8(major) and _is_u8(minor)):
        reader.refuse('a version like "2.11" expected')
    return int(major), int(minor)


def _is_u8(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 0xFF


def _read_flag(reader: JsonReader, member: str, flag: int) -> int:
    value = reader.get(member)
    return flag if value is not None and value.read_bool() else 0


def _read_hash_option(reader: JsonReader | None) -> int:
    if reader is None:
        return BY_WHOLE
    if isinstance(reader.value, str) and reader.value.lower() in _HASH_NAMES:
        return _HASH_NAMES[reader.value.lower()]
    return reader.read_int(BY_PREFIX, BY_WHOLE)


def _read_hash_filter(reader: JsonReader | None) -> bytes:
    if reader is None:
        return b""
    hash_filter = read_base64(reader)
    if len(hash_filter) > MAX_HASH_FILTER_BYTES:
        reader.refuse(f"at most {MAX_HASH_FILTER_BYTES} bytes expected")
    return hash_filter


def _read_attribute(reader: JsonReader) -> Attribute:
    return Attribute(
        reader.need("name").read_text(MAX_ATTRIBUTE_BYTES),
        reader.need("value").read_text(MAX_ATTRIBUTE_BYTES),
    )


def _read_server(reader: JsonReader) -> Server:
    address = reader.need("address")
    key = reader.get("publicKey")
    interfaces = reader.need("interfaces").items(MAX_INTERFACES)
    return Server(
        reader.need("serverId").read_int(),
        _read_address(address),
        tuple(_read_interface(item) for item in interfaces),
        b"" if key is None else _read_server_key(key),
    )


def _read_address(reader: JsonReader) -> str:
    try:
        return decode_address(encode_address(reader.read_text(_MAX_WORD_BYTES)))
    except ProtocolError as error:
        raise error if error.field else reader.locate(error) from None


def _read_server_key(reader: JsonReader) -> bytes:
    key = read_key_data(reader)
    if len(key) > MAX_KEY_BYTES:
        reader.refuse(f"at most {MAX_KEY_BYTES} bytes expected")
    return key


def _read_interface(reader: JsonReader) -> Interface:
    protocol = reader.need("protocol")
    name = protocol.value
    if isinstance(name, str) and name.upper() in PROTOCOL_NAMES:
        number = PROTOCOL_NAMES.index(name.upper())
    else:
        number = protocol.read_int(0, 0xFF)
    use = _read_flag(reader, "query", QUERY_ONLY) | _read_flag(reader, "admin", ADMIN_ONLY)
    return Interface(number, reader.need("port").read_int(), use)
