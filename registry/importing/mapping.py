"""Mapping: how a file's columns become identifiers and values, as the operator wrote it.

``--prefix 88.118 --suffix '{barcode}' --value 'URL={image_url}' --value '7:NAME={product_name}'``. Values without an
index of their own get 1, 2, 3 … in the order given. Two runs with the same mapping of the same file are the same
import (``Mapping.digest``).
"""

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from protocols.values.value import MAX_INDEX, MAX_TYPE_BYTES
from protocols.values.value_list import MAX_VALUES
from registry.importing.checks import NamedCheck, parse_check
from registry.importing.template import MappingError, Template, parse_template

_INDEXED = re.compile(r"([0-9]+):(.+)", re.DOTALL)


class MappedValue(NamedTuple):
    """One value every row gets, unless one of its columns is empty."""

    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    type: str
    template: Template


class Mapping(NamedTuple):
    """A whole mapping. Make it with ``parse_mapping``."""

    prefix: bytes
    """Folded."""
    suffix: Template
    values: tuple[MappedValue, ...]
    """Sorted by index."""
    checks: tuple[NamedCheck, ...]

    @property
    def indexes(self) -> tuple[int, ...]:
        """The indexes a row may get, ascending."""
        return tuple(value.index for value in self.values)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it names, each once, in order of first use."""
        names = list(self.suffix.columns)
        for value in self.values:
            names += value.template.columns
        names += (check.column for check in self.checks)
        return tuple(dict.fromkeys(names))

    def digest(self) -> bytes:
        """16 bytes, the same for every spelling of the same mapping."""
        facts = [self.prefix.decode(), self.suffix.source]
        facts += (f"{v.index}:{v.type}={v.template.source}" for v in self.values)
        facts += (f"{check.name}:{check.column}" for check in self.checks)
        return hashlib.blake2b("\0".join(facts).encode(), digest_size=16).digest()


def parse_mapping(
    prefix: str, suffix: str, values: Sequence[str], checks: Sequence[str] = ()
) -> Mapping:
    """Raises ``MappingError``."""
    name = prefix.removeprefix("0.NA/").removeprefix("0.na/")
    if not name or "/" in name or not name.isprintable():
        raise MappingError(
            f"prefix {prefix!r} is not a prefix", "give it without a slash, like 88.118"
        )
    template = parse_template(suffix)
    if not template.columns:
        raise MappingError(
            f"suffix {suffix!r} names no column: every row would be the same identifier",
            "name at least one column in braces: --suffix '{barcode}'",
        )
    return Mapping(
        name.upper().encode(),
        template,
        _parse_values(values),
        tuple(parse_check(check, template) for check in checks),
    )


def _parse_values(sources: Sequence[str]) -> tuple[MappedValue, ...]:
    if not sources:
        raise MappingError(
            "nothing to register: no value is mapped", "give at least one --value 'TYPE={column}'"
        )
    if len(sources) > MAX_VALUES:
        raise MappingError(f"{len(sources)} values, a record holds at most {MAX_VALUES}")
    parsed = [_parse_value(source) for source in sources]
    taken = [index for index, _, _ in parsed if index]
    twice = {index for index in taken if taken.count(index) > 1}
    if twice:
        raise MappingError(f"index {min(twice)} is given to two values", "give each its own")
    free = (index for index in range(1, MAX_VALUES * 2 + 1) if index not in taken)
    return tuple(
        sorted(
            (
                MappedValue(index or next(free), type_, template)
                for index, type_, template in parsed
            ),
            key=lambda value: value.index,
        )
    )


def _parse_value(source: str) -> tuple[int, str, Template]:
    """``TYPE=template`` or ``INDEX:TYPE=template``; index 0 when none is given."""
    name, equals, template = source.partition("=")
    match = _INDEXED.fullmatch(name)
    index, type_ = (int(match[1]), match[2]) if match else (0, name)
    if not equals or not type_:
        raise MappingError(
            f"value {source!r} is not TYPE=template", "for example --value 'URL={image_url}'"
        )
    if match and not 1 <= index <= MAX_INDEX:
        raise MappingError(f"value {source!r}: index {index} is not within 1 … {MAX_INDEX}")
    if len(type_.encode()) > MAX_TYPE_BYTES or not type_.isprintable():
        raise MappingError(f"value {source!r}: a type is at most {MAX_TYPE_BYTES} printable bytes")
    if type_.upper().startswith("HS_"):
        raise MappingError(
            f"value {source!r}: {type_} is a type of the Handle system itself, not imported as text",
            "administrators belong in the prefix's record: biaojie put 0.NA/PREFIX",
        )
    return index, type_, parse_template(template)
