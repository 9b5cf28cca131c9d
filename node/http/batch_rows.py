"""Batch rows: one line of a batch to a command, one receipt to a line of the answer.

A row::

    {"handle": "88.118/1", "values": [...], "operation": "put", "overwrite": true, "ifVersion": 3, "indexes": [1, 2]}

Only ``handle`` is always needed; ``operation`` is put (as if absent), add, modify, remove or delete. A receipt::

    {"line": 1, "handle": "88.118/1", "status": "registered", "responseCode": 1, "version": 1, "seq": 42}

``status`` is registered, updated, unchanged, deleted or rejected; rejected rows say ``message`` and ``field``.
"""

from typing import NamedTuple

import orjson

from node.http.ndjson import MAX_LINE_BYTES, Line
from protocols.errors import Malformed, ProtocolError, TooLarge
from protocols.identifier import MAX_IDENTIFIER_BYTES, parse_identifier
from protocols.message import Command, Operation, Outcome, Receipt
from protocols.rest.codes import CODES
from protocols.rest.json_reader import JsonReader, parse_json
from protocols.rest.record_json import read_record
from protocols.values.value import MAX_INDEX
from protocols.values.value_list import MAX_VALUES

STATUSES = ("registered", "updated", "unchanged", "deleted", "rejected")
_OPERATIONS = {
    operation.value: operation
    for operation in (
        Operation.PUT,
        Operation.ADD,
        Operation.MODIFY,
        Operation.REMOVE,
        Operation.DELETE,
    )
}
_MAX_VERSION = 0xFFFF_FFFF
_MEMBERS = {"identifier": "handle", "expect_version": "ifVersion", "request_id": "Idempotency-Key"}
"""What the fields of a command are called in the row that made it."""


class Row(NamedTuple):
    """One line: its command, or what is wrong with it."""

    line: int
    handle: str
    command: Command | None
    refusal: Receipt | None = None


def read_row(line: Line, batch_key: str) -> Row:
    """Never raises: a bad row is a row with a refusal."""
    handle = ""
    try:
        if line.is_too_long:
            raise TooLarge(f"the line is longer than {MAX_LINE_BYTES} bytes")
        reader = parse_json(line.text)
        if not reader.is_object:
            reader.refuse("an object expected, one on each line")
        handle = reader.need("handle").read_text(4 * MAX_IDENTIFIER_BYTES)
        request_id = f"{batch_key}:{line.number}" if batch_key else ""
        return Row(line.number, handle, _read_command(reader, handle, request_id))
    except ProtocolError as error:
        outcome = Outcome.INVALID_IDENTIFIER if error.field == "handle" else Outcome.PROTOCOL_ERROR
        return Row(
            line.number, handle, None, Receipt(outcome, reason=str(error), field=error.field)
        )


def _read_command(reader: JsonReader, handle: str, request_id: str) -> Command:
    try:
        identifier = parse_identifier(handle)
    except ProtocolError as error:
        raise type(error)(error.reason, field="handle") from None
    operation = _read_operation(reader)
    overwrite, version, indexes = (
        reader.get(name) for name in ("overwrite", "ifVersion", "indexes")
    )
    command = Command(
        operation,
        identifier,
        overwrite=True if overwrite is None else overwrite.read_bool(),
        expect_version=None if version is None else version.read_int(0, _MAX_VERSION),
        request_id=request_id,
    )
    if operation is Operation.DELETE:
        return command
    if operation is Operation.REMOVE:
        if indexes is None:
            raise Malformed("indexes: needed to remove values", field="indexes")
        return command._replace(
            indexes=tuple(item.read_int(1, MAX_INDEX) for item in indexes.items(MAX_VALUES))
        )
    reader.need("values")
    return command._replace(values=read_record(reader, identifier))


def _read_operation(reader: JsonReader) -> Operation:
    named = reader.get("operation")
    if named is None:
        return Operation.PUT
    operation = _OPERATIONS.get(named.read_text(20))
    if operation is None:
        named.refuse(f"one of {', '.join(_OPERATIONS)} expected")
    return operation


def status_of(row: Row, receipt: Receipt) -> str:
    """One of ``STATUSES``."""
    if receipt.outcome is not Outcome.SUCCESS:
        return "rejected"
    if receipt.is_unchanged:
        return "unchanged"
    if row.command is not None and row.command.operation is Operation.DELETE:
        return "deleted"
    return "registered" if receipt.was_created else "updated"


def receipt_line(row: Row, receipt: Receipt, status: str) -> bytes:
    """One line of the answer."""
    content: dict[str, object] = {
        "line": row.line,
        "handle": row.handle,
        "status": status,
        "responseCode": CODES[receipt.outcome].response_code,
    }
    if receipt.outcome is Outcome.SUCCESS:
        content["version"] = receipt.version
        content["seq"] = receipt.seq
    else:
        content["message"] = receipt.reason
        if receipt.field:
            content["field"] = _MEMBERS.get(receipt.field, receipt.field)
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
