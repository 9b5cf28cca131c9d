"""Reading and writing result documents: JSON <-> ``Result``, checked field by field."""

import orjson

from bench.report.fields import NotAResult, read_fields
from bench.report.result import FORMAT, Result

MAX_DOCUMENT_BYTES = 64 * 1_048_576
"""A result of an hour with curves and timeline is below 1 MiB."""


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
    result = read_fields(Result, document)
    assert isinstance(result, Result)
    return result
