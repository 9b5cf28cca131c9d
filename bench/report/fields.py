"""JSON -> dataclasses, checked field by field: what came over a pipe or out of a file is what its type says."""

import dataclasses
import types
import typing
from functools import cache


class NotAResult(ValueError):
    """A document that is not what it should be; ``str()`` says where and why."""


def read_fields(kind: type, found: object, path: str = "") -> object:
    """``found``, an outcome of JSON, as the dataclass ``kind``. Unknown fields are skipped. Raises ``NotAResult``."""
    if not isinstance(found, dict):
        raise NotAResult(f"{path or 'document'}: not an object")
    given = {}
    for each in dataclasses.fields(kind):
        place = f"{path}.{each.name}".lstrip(".")
        if each.name in found:
            given[each.name] = _read(_hints(kind)[each.name], found[each.name], place)
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            raise NotAResult(f"{place}: missing")
    made: object = kind(**given)
    return made


def _read(kind: object, found: object, path: str) -> object:
    """``found``, an outcome of JSON, as ``kind``: a dataclass, list, dict, union or plain type."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return read_fields(kind, found, path)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return _read_one_of(parts, found, path)
    if origin is list and isinstance(found, list):
        return [_read(parts[0], each, f"{path}[{place}]") for place, each in enumerate(found)]
    if origin is dict and isinstance(found, dict):
        return {str(key): _read(parts[1], each, f"{path}.{key}") for key, each in found.items()}
    if kind is float and type(found) is int:
        return float(found)
    if isinstance(kind, type) and type(found) is kind:
        return found
    raise NotAResult(f"{path or 'document'}: not {_name(kind)}")


def _read_one_of(kinds: tuple[object, ...], found: object, path: str) -> object:
    if found is None and type(None) in kinds:
        return None
    for kind in kinds:
        if type(found) is kind:
            return found
        if isinstance(found, dict) and dataclasses.is_dataclass(kind) and isinstance(kind, type):
            return read_fields(kind, found, path)
    if float in kinds and type(found) is int:
        return float(found)
    raise NotAResult(f"{path}: not {' or '.join(_name(kind) for kind in kinds)}")


@cache
def _hints(kind: type) -> dict[str, object]:
    return dict(typing.get_type_hints(kind))


def _name(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
