"""The lines of an export: one JSON object each (UTF-8, no blanks), every line ended by LF; README.md tells the whole.

=========== ====================================================================================================
line        fields, in this order
=========== ====================================================================================================
first       format "biaojie-export", version 1, log_id (hex), seq, digest (hex): the head of the feed at this state
authorities authority (as first given), case_sensitive, created_s, delegated, unhosted, private (each of the last
            three present only when true); in order of the folded prefix
records     handle (as first registered), version, seq, modified_s, least_ttl_s (absent when no value has one),
            absolute_ttl, deleted (present only when true), sealed (base64, only when there is any), values
last        authorities, records, deleted (counts), sha256 (hex, over every byte before this line)
=========== ====================================================================================================

A value has index, type, data, ttl, absolute (only when true), permissions, timestamp, references (only when there are
any; pairs of handle and index). Data that is UTF-8 is a string, other data ``{"base64": …}``. Records come in the order
of the store: those of 0.NA, then authority by authority, each by the bytes of its store key. Equal content gives equal
bytes: what reads a line writes it again and compares.
"""

import base64
from typing import Final, NamedTuple

import orjson

from protocols.errors import ProtocolError
from protocols.identifier import read_identifier
from protocols.record import Record
from protocols.values.value import TTL_ABSOLUTE, TTL_RELATIVE, Reference, Value
from protocols.values.value_list import decode_values, encode_values
from registry.errors import DamagedExport, StoreFailed, WrongFormat
from registry.snapshots.fields import Fields
from registry.stores.keys import folded_suffix
from registry.stores.store import Authority, Head

FORMAT: Final = "biaojie-export"
VERSION: Final = 1
NO_TTL_S = 0xFFFFFFFF
MAX_LINE_BYTES = 4 << 20
"""A record of 250,000 bytes, should every one of them need a six-character escape, and its sealed part in base64."""


class Trailer(NamedTuple):
    """The last line."""

    authorities: int
    records: int
    deleted: int
    sha256: str


def encode_header(head: Head) -> bytes:
    """The first line."""
    return _line(
        {
            "format": FORMAT,
            "version": VERSION,
            "log_id": head.log_id.hex(),
            "seq": head.seq,
            "digest": head.digest.hex(),
        }
    )


def encode_authority(authority: Authority) -> bytes:
    """An authority's line."""
    line: dict[str, object] = {
        "authority": authority.spelling.decode(),
        "case_sensitive": authority.is_case_sensitive,
        "created_s": authority.created_s,
    }
    if authority.is_delegated:
        line["delegated"] = True
    if authority.is_unhosted:
        line["unhosted"] = True
    if authority.is_private:
        line["private"] = True
    return _line(line)


def encode_record(record: Record) -> bytes:
    """A record's line. Raises ``StoreFailed`` when the record is damaged."""
    try:
        return _record_line(record, decode_values(record.public))
    except (UnicodeDecodeError, ProtocolError) as error:
        raise StoreFailed(f"damaged record {record.key!r} cannot be exported: {error}") from None


def encode_trailer(trailer: Trailer) -> bytes:
    """The last line."""
    return _line(trailer._asdict())


def decode_line(number: int, line: bytes) -> Fields:
    """The line's fields. Raises ``DamagedExport``."""
    if len(line) > MAX_LINE_BYTES:
        raise DamagedExport(number, "", f"longer than {MAX_LINE_BYTES} bytes")
    if not line.endswith(b"\n"):
        raise DamagedExport(number, "", "the file ends in the middle of this line")
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DamagedExport(number, "", f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise DamagedExport(number, "", "not a JSON object")
    return Fields(number, found)


def decode_header(number: int, line: bytes) -> Head:
    """Raises ``WrongFormat`` for another program's or a newer file, ``DamagedExport``."""
    try:
        fields = decode_line(number, line)
    except DamagedExport:
        raise WrongFormat("not an export: the first line is not the header of one") from None
    if fields.found.get("format") != FORMAT:
        raise WrongFormat(f'not an export: the first line has no format "{FORMAT}"')
    if fields.found.get("version") != VERSION:
        version = fields.found.get("version")
        raise WrongFormat(f"export version {version}, this program reads version {VERSION}")
    seq = fields.number("seq", 0, 2**64 - 2)
    head = Head(fields.hexadecimal("log_id", 16), seq, fields.hexadecimal("digest", 32), seq + 1)
    _same(number, line, encode_header(head))
    return head


def decode_authority(fields: Fields, line: bytes) -> Authority:
    """An authority without a number (0)."""
    spelling = fields.text("authority").encode()
    authority = Authority(
        0,
        spelling.upper(),
        spelling,
        fields.flag("case_sensitive"),
        fields.number("created_s", 0, 2**32 - 1),
        fields.flag("delegated", missing=False),
        fields.flag("unhosted", missing=False),
        fields.flag("private", missing=False),
    )
    _same(fields.line, line, encode_authority(authority))
    return authority


def decode_record(fields: Fields, line: bytes, authorities: dict[bytes, Authority]) -> Record:
    """``authorities`` by folded prefix, 0.NA among them. Raises ``DamagedExport``."""
    try:
        identifier = read_identifier(fields.text("handle").encode())
    except ProtocolError as error:
        raise DamagedExport(fields.line, "handle", str(error)) from None
    authority = authorities.get(identifier.prefix)
    if authority is None:
        raise DamagedExport(fields.line, "handle", "its prefix is not among the authorities above")
    values = tuple(_read_value(value) for value in fields.objects("values"))
    indexes = [value.index for value in values]
    if sorted(set(indexes)) != indexes:
        raise DamagedExport(fields.line, "values", "not in order of index, or an index twice")
    record = Record(
        identifier.prefix + b"/" + folded_suffix(authority, identifier.suffix),
        identifier.spelling,
        fields.number("version", 1, 2**32 - 1),
        fields.number("seq", 1, 2**64 - 2),
        fields.number("modified_s", 0, 2**32 - 1),
        fields.number("least_ttl_s", 0, NO_TTL_S, NO_TTL_S),
        encode_values(values),
        fields.base64("sealed", b""),
        fields.flag("deleted", missing=False),
        fields.flag("absolute_ttl", missing=False),
    )
    _same(fields.line, line, _record_line(record, values))
    return record


def decode_trailer(fields: Fields, line: bytes) -> Trailer:
    """Raises ``DamagedExport``."""
    most = 2**63 - 1
    trailer = Trailer(
        fields.number("authorities", 0, most),
        fields.number("records", 0, most),
        fields.number("deleted", 0, most),
        fields.hexadecimal("sha256", 32).hex(),
    )
    _same(fields.line, line, encode_trailer(trailer))
    return trailer


def _record_line(record: Record, values: tuple[Value, ...]) -> bytes:
    line: dict[str, object] = {"handle": record.spelling.decode()}
    line |= {"version": record.version, "seq": record.seq, "modified_s": record.modified_s}
    if record.least_ttl_s != NO_TTL_S:
        line["least_ttl_s"] = record.least_ttl_s
    if record.has_absolute_ttl:
        line["absolute_ttl"] = True
    if record.is_deleted:
        line["deleted"] = True
    if record.sealed:
        line["sealed"] = base64.b64encode(record.sealed).decode()
    line["values"] = [_value(value) for value in values]
    return _line(line)


def _value(value: Value) -> dict[str, object]:
    out: dict[str, object] = {"index": value.index, "type": value.type}
    try:
        out["data"] = value.data.decode()
    except UnicodeDecodeError:
        out["data"] = {"base64": base64.b64encode(value.data).decode()}
    out["ttl"] = value.ttl
    if value.ttl_type == TTL_ABSOLUTE:
        out["absolute"] = True
    out |= {"permissions": value.permissions, "timestamp": value.timestamp}
    if value.references:
        out["references"] = [list(reference) for reference in value.references]
    return out


def _read_value(fields: Fields) -> Value:
    return Value(
        fields.number("index", 1, 2**31 - 1),
        fields.text("type"),
        _read_data(fields),
        fields.number("ttl", 0, 2**32 - 1),
        TTL_ABSOLUTE if fields.flag("absolute", missing=False) else TTL_RELATIVE,
        fields.number("permissions", 0, 255),
        fields.number("timestamp", 0, 2**32 - 1),
        tuple(Reference(*pair) for pair in fields.pairs("references")),
    )


def _read_data(fields: Fields) -> bytes:
    if isinstance(fields.found.get("data"), dict):
        return fields.inside("data").base64("base64")
    return fields.text("data").encode()


def _same(number: int, line: bytes, again: bytes) -> None:
    """Equal content has one spelling only; anything else was not written by this program."""
    if line != again:
        raise DamagedExport(
            number, "", "not as an export writes it (unknown field, order or blanks)"
        )


def _line(fields: dict[str, object]) -> bytes:
    return orjson.dumps(fields) + b"\n"
