"""The node a command works on: that of a settings file (``OwnNode``), or one behind a URL (``FarNode``).

Both take and give the JSON API's documents, so that a command prints the same whichever it was. The own node is read
straight from its store and written through its registrar, running or not; it needs no login, because whoever may open
the 0600 socket and the node key is the operator.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

import orjson

from node.asking.searching import Wanted, search_far, search_own
from node.asking.web import WebServer, handle_target
from node.change_json import change_to_json
from node.clock import read_clocks
from node.config import Config
from node.keys import read_node_key
from node.registrar_client import open_registrar
from node.store import open_view
from protocols.identifier import Identifier
from protocols.message import OPERATOR, Command, Operation, Outcome, Query, Receipt
from protocols.rest.codes import response_code
from protocols.rest.json_reader import JsonReader
from protocols.rest.record_json import render_no_values, render_outcome, render_record
from protocols.rest.value_json import read_values_json, value_to_json
from protocols.values.value import Value
from registry.holdings import Holdings
from registry.registrar import Submission
from registry.sealing import Sealer
from resolver.answering import answer_now
from resolver.source import Peer

_NOTHING = (response_code(Outcome.NOT_FOUND), response_code(Outcome.VALUES_NOT_FOUND))
CREATED = 201
"""HTTP's status when the record is new."""
_BY_HTTP = {Operation.PUT, Operation.ADD, Operation.DELETE, Operation.REMOVE}
_LOCAL = Peer("127.0.0.1", 0, "command", is_loopback=True)


class Selection(NamedTuple):
    """Which values of a record are wanted; both lists empty = all."""

    indexes: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    public_only: bool = True


class Kept(NamedTuple):
    """A record as values, for commands that work on them."""

    values: tuple[Value, ...] = ()
    version: int = 0
    """0 = there is none."""


class Node(Protocol):
    """What a command can ask of a node."""

    def read(self, identifier: Identifier, *, public_only: bool = False) -> Kept:
        """The record, empty when there is none; other refusals raise ``Refused``."""

    def get(self, identifier: Identifier, selection: Selection) -> dict[str, Any]:
        """``{"responseCode", "handle", "values"}`` or an error document."""

    def send(self, command: Command) -> dict[str, Any]:
        """``{"responseCode", "handle", "version", "seq", "created", "unchanged"}`` or an error document."""

    def changes(self, after: int, limit: int) -> dict[str, Any]:
        """``{"head", "next", "changes": [...]}``, never with values. Raises ``Gone``."""

    def search(self, wanted: Wanted) -> dict[str, Any]:
        """``{"responseCode", "found": {handle: values}, "behind"}`` or an error document."""


class Refused(Exception):
    """A node did not give a record; ``document`` says why."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document.get("message", ""))
        self.document = document


class OwnNode:
    """The node of a settings file."""

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def config(self) -> Config:
        """Its settings."""
        return self._config

    def read(self, identifier: Identifier, *, public_only: bool = False) -> Kept:
        """As ``Node`` says; what is kept out of sight, too."""
        reader = open_view(self._config)
        try:
            holdings = Holdings(reader, Sealer(read_node_key(self._config.node.key_file)))
            record = reader.lookup(identifier)
            if record is None:
                return Kept()
            values = holdings.all_values(record)
        finally:
            reader.close()
        return Kept(tuple(v for v in values if v.is_public or not public_only), record.version)

    def get(self, identifier: Identifier, selection: Selection) -> dict[str, Any]:
        """As ``Node`` says."""
        reader = open_view(self._config)
        try:
            holdings = Holdings(reader, Sealer(read_node_key(self._config.node.key_file)))
            query = Query(identifier, *selection, principal=OPERATOR)
            answer = answer_now(query, holdings, _LOCAL, read_clocks())
        finally:
            reader.close()
        assert answer is not None, "the own node never has to ask another one"
        if answer.outcome is Outcome.SUCCESS:
            document = render_record(identifier.spelling, answer.values)
        elif answer.outcome is Outcome.VALUES_NOT_FOUND:
            document = render_no_values(identifier.spelling)
        else:
            document = render_outcome(answer.outcome, identifier.spelling, answer.reason)
        return {**orjson.loads(document), **({"version": answer.version} if answer.version else {})}

    def send(self, command: Command) -> dict[str, Any]:
        """As ``Node`` says."""
        return receipt_document(command, self.send_many([command])[0])

    def send_many(self, commands: Sequence[Command]) -> list[Receipt]:
        """Several commands, in order."""
        with open_registrar(self._config) as client:
            return client.submit([Submission(OPERATOR, one, "command line") for one in commands])

    def changes(self, after: int, limit: int) -> dict[str, Any]:
        """As ``Node`` says."""
        reader = open_view(self._config)
        try:
            found, head = reader.changes(after, limit), reader.head()
        finally:
            reader.close()
        return {
            "responseCode": response_code(Outcome.SUCCESS),
            "logId": head.log_id.hex(),
            "head": head.seq,
            "oldestAvailable": head.oldest_available,
            "next": found[-1].seq if found else after,
            "changes": [change_to_json(change) for change in found],
        }

    def search(self, wanted: Wanted) -> dict[str, Any]:
        """As ``Node`` says."""
        return search_own(self._config, wanted)


class FarNode:
    """A node behind its HTTP API."""

    def __init__(self, server: WebServer) -> None:
        self._server = server

    def read(self, identifier: Identifier, *, public_only: bool = False) -> Kept:
        """As ``Node`` says; non-public values come when the login may read them."""
        document = self.get(identifier, Selection(public_only=public_only))
        if document.get("responseCode") in _NOTHING:
            return Kept((), int(document.get("version", 0)))
        if document.get("responseCode") != response_code(Outcome.SUCCESS):
            raise Refused(document)
        return Kept(document_values(document), int(document.get("version", 0)))

    def get(self, identifier: Identifier, selection: Selection) -> dict[str, Any]:
        """As ``Node`` says."""
        query = [("index", str(index)) for index in selection.indexes]
        query += [("type", type_) for type_ in selection.types]
        if self._server.login:
            query.append(("publicOnly", "true" if selection.public_only else "false"))
        answer = self._server.ask("GET", handle_target(identifier.text, urlencode(query)))
        return with_version(answer.document, answer.headers)

    def send(self, command: Command) -> dict[str, Any]:
        """As ``Node`` says."""
        assert command.operation in _BY_HTTP, f"{command.operation}: has no form over HTTP here"
        query = [("index", str(index)) for index in command.indexes]
        headers = {}
        if command.expect_version == 0:
            headers["If-None-Match"] = "*"
        elif command.expect_version is not None:
            headers["If-Match"] = f'"{command.expect_version}"'
        if command.request_id:
            headers["Idempotency-Key"] = command.request_id
        method, document = "DELETE", None
        if command.operation in {Operation.PUT, Operation.ADD}:
            method = "PUT"
            document = {"values": [value_to_json(value) for value in command.values]}
            query.append(("overwrite", "true" if command.overwrite else "false"))
            if command.operation is Operation.ADD:
                query.append(("index", "various"))
        target = handle_target(command.identifier.text, urlencode(query))
        answer = self._server.ask(method, target, document, headers)
        created = {"created": True} if answer.status == CREATED else {}
        return {**with_version(answer.document, answer.headers), **created}

    def changes(self, after: int, limit: int) -> dict[str, Any]:
        """As ``Node`` says."""
        query = urlencode({"after": after, "limit": limit})
        return self._server.ask("GET", f"/api/changes?{query}").document

    def search(self, wanted: Wanted) -> dict[str, Any]:
        """As ``Node`` says."""
        return search_far(self._server, wanted)


def document_values(document: Mapping[str, Any]) -> tuple[Value, ...]:
    """The values of a record's document. Raises ``ProtocolError``."""
    return read_values_json(JsonReader(list(document.get("values", ()))))


def with_version(document: dict[str, Any], headers: Any) -> dict[str, Any]:
    """The document with the version its ETag tells."""
    etag = next((value for name, value in headers.items() if name.lower() == "etag"), "")
    digits = etag.strip('W/"').partition("-")[0]
    return {**document, "version": int(digits)} if digits.isdigit() else document


def receipt_document(command: Command, receipt: Receipt) -> dict[str, Any]:
    """A receipt as the JSON API would tell it, and what a command wants besides."""
    document: dict[str, Any] = orjson.loads(
        render_outcome(receipt.outcome, command.identifier.spelling, receipt.reason, receipt.field)
    )
    if receipt.outcome is Outcome.SUCCESS:
        document.update(
            version=receipt.version, seq=receipt.seq,
            created=receipt.was_created, unchanged=receipt.is_unchanged,
        )  # fmt: skip
    return document
