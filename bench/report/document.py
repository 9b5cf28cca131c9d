"""Reading and writing result documents: JSON <-> ``Result``, checked field by field."""

import dataclasses
import types
import typing
from functools import cache

import orjson

from bench.report.result import FORMAT, Result

MAX_DOCUMENT_BYTES = 64 * 1_048_576
"""A result of an hour with curves and timeline is below 1 MiB."""


class NotAResult(ValueError):
    """What was read is no result document; ``str()`` says where and why."""


def encode_result(result: Result) -> bytes:
    """Indented UTF-8 JSON with a final newline; fields in the order of ``result.py``."""
    return orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def decode_result(data: bytes) -> Result:
    """The inverse. Unknown fields are skipped, missing ones must have a default. Raises ``NotAResult``."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise NotAResult(f"{len(data)} bytes; at most {MAX_DOCUMENT_BYTES} are read")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotAResult(f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise NotAResult(f'not a result of `biaojie bench --json`: no "format": "{FORMAT}"')
    result = _read(Result, document, "")
    assert isinstance(result, Result)
    return result


def _read(kind: object, found: object, path: str) -> object:
    """``found``, an outcome of JSON, as ``kind``: a dataclass, list, dict, union or plain type."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_fields(kind, found, path)
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


def _read_fields(kind: type, found: object, path: str) -> object:
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


def _read_one_of(kinds: tuple[object, ...], found: object, path: str) -> object:
    if found is None and type(None) in kinds:
        return None
    for kind in kinds:
        if type(found) is kind:
            return found
    if float in kinds and type(found) is int:
        return float(found)
    raise NotAResult(f"{path}: not {' or '.join(_name(kind) for kind in kinds)}")


@cache
def _hints(kind: type) -> dict[str, object]:
    return dict(typing.get_type_hints(kind))


def _name(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
