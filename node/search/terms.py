"""Terms as people and clients write them, ``TYPE=pattern``; and what was found as they read it."""

import base64
from collections.abc import Iterable, Mapping

from node.search.cells import NEVER, Scope, Term, are_met, cells_of
from node.search.finding import Hit
from node.search.patterns import Pattern, read_pattern
from protocols.errors import Malformed
from protocols.identifier import prefix_record_named, read_identifier
from protocols.record import Record
from protocols.values.value import MAX_TYPE_BYTES
from protocols.values.value_list import decode_values
from registry.errors import DamagedRecord
from registry.stores.store import Reader

MAX_PATTERNS = 32
"""Of one question; nobody names as many types."""


def read_terms(fields: Iterable[tuple[str, str]], scope: Scope) -> tuple[Term, ...]:
    """Types with their patterns; one type several times is one value that is like all of them.

    Raises ``Malformed`` or ``TooLarge``, about the type.
    """
    patterns: dict[str, list[Pattern]] = {}
    for count, (name, text) in enumerate(fields):
        type_ = name.upper()
        if count >= MAX_PATTERNS:
            raise Malformed(f"query: more than {MAX_PATTERNS} patterns")
        if type_ in NEVER:
            words = f"{name}: searching via {type_} entries is not allowed, they are secrets"
            raise Malformed(words, field=name)
        if not name or len(name.encode()) > MAX_TYPE_BYTES:
            raise Malformed(f"query: {name[:40]!r} is not the name of a value type")
        if not scope.takes(type_):
            searched = ", ".join(sorted(scope.types))
            words = f"{name}: this node searches values of these types only: {searched}"
            raise Malformed(words, field=name)
        patterns.setdefault(type_, []).append(read_pattern(text, name))
    if not patterns:
        raise Malformed("query: name a value type and a pattern, e.g. URL=*example.org*")
    return tuple(Term(type_, tuple(found)) for type_, found in patterns.items())


def read_prefix(text: bytes) -> str:
    """Folded, ``0.NA/`` in front or not; "" = all. Raises ``Malformed`` or ``TooLarge``."""
    named = text.removesuffix(b"/")
    if not named:
        return ""
    over = prefix_record_named(named)
    if b"/" in over.suffix:
        raise Malformed("prefix: an identifier was given, not a prefix", field="prefix")
    return over.responsible_prefix.decode()


def look_up(
    reader: Reader, hit: Hit, terms: tuple[Term, ...], seq: int, scope: Scope
) -> Record | None:
    """The record of a hit as it is now, unless it has changed since ``seq`` and is not like that any more."""
    try:
        record = reader.lookup(read_identifier(hit.key.encode()))
    except DamagedRecord:
        return None
    if record is None or record.seq <= seq:
        return record
    return record if are_met(terms, cells_of(record.public, scope)) else None


def public_values(record: Record) -> list[Mapping[str, str]]:
    """What anybody may read of it, as the servlet of EUDAT writes it; base64 where it is not text."""
    return [
        {"type": value.type, "value": _text(value.data)} for value in decode_values(record.public)
    ]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()
