"""Four clients that write without end, each in its own way, and repeat what was not answered until it is.

Repeating carries the same request id (loads carry the same rows), so every command must be carried out exactly once,
however often it was sent. Between two commands a client waits while ``Clients.pause`` holds.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from node.asking.web import Login, handle_target
from node.control_socket import connect_control
from node.registrar_client import RegistrarClient, RegistrarGone, RegistrarRefused
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.value_list import encode_values
from registry.loading import Load
from registry.registrar import Submission
from registry.stores.store import Note
from tests.durability.journal import Asked, Journal, Told, values_of
from tests.durability.judge import LOAD_NOTE

PREFIX = "88.118"
PATIENCE_S = 60.0
"""A command that is not through after so long is a failure of the node, not of the network."""
ANSWER_S = 15.0
RETRY_S = 0.02
KEYS = 60
"""Names a client writes again and again, beside ever new ones."""


class Unanswered(Exception):
    """No receipt, or one that says "later": ask again."""


class Wrong(Exception):
    """The node answered what it must not."""


class Place(NamedTuple):
    """Where a node takes writes; ``url`` "" = the registrar's socket only."""

    socket_path: Path
    url: str = ""
    login: Login | None = None


class Client(threading.Thread):
    """One connection; ``step`` is one command or batch, from journal to receipt."""

    def __init__(self, name: str, place: Place, journal: Journal, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.place, self.journal = place, journal
        self.dice = random.Random(f"{seed} {name}")
        self.go, self.idle = threading.Event(), threading.Event()
        self.is_ending = False
        self.failure = ""
        self.counter = 0
        self.retries = 0
        self.kept: list[tuple[Asked, Told]] = []
        """Acknowledged commands with a request id, to be repeated."""
        self._is_there: dict[str, bool] = {}

    def run(self) -> None:
        try:
            while not self.is_ending:
                if not self.go.is_set():
                    self.idle.set()
                    self.go.wait(0.05)
                    continue
                self.idle.clear()
                self.step()
        except Exception as error:
            self.failure = f"{self.name}: {type(error).__name__}: {error}"
        finally:
            self.hang_up()
            self.idle.set()

    def step(self) -> None:
        raise AssertionError("every kind of client has its own")

    def repeat(self, asked: Asked) -> tuple[int, int]:
        """Send an acknowledged command again: the version and number told this time."""
        raise AssertionError("every kind of client has its own")

    def hang_up(self) -> None:
        """Close the connection."""

    def until_answered(self, attempt: Callable[[], Any]) -> Any:
        """Try again over a new connection until there is an answer."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return attempt()
            except (OSError, http.client.HTTPException, RegistrarGone, Unanswered) as trouble:
                self.hang_up()
                self.retries += 1
                if time.monotonic() > deadline_s:
                    raise Wrong(f"no receipt within {PATIENCE_S:g} s: {trouble}") from None
                time.sleep(RETRY_S)

    def next_key(self) -> tuple[str, bool]:
        """A key of our own, and whether the next command on it is a deletion."""
        self.counter += 1
        if self.dice.random() < 0.5:
            return f"{PREFIX}/{self.name}-{self.counter}", False
        key = f"{PREFIX}/{self.name}-again-{self.dice.randrange(KEYS)}"
        is_deleting = self._is_there.get(key, False) and self.dice.random() < 0.15
        self._is_there[key] = not is_deleting
        return key, is_deleting

    def ask_many(self, most: int, batch: str, group: str = "") -> list[Asked]:
        """Commands on different keys; the request id is the batch's name and the line."""
        asked: dict[str, Asked] = {}
        for _ in range(self.dice.randint(1, most)):
            key, is_deleting = self.next_key()
            if key in asked:
                self._is_there[key] = asked[key].token != ""
                continue
            token = "" if is_deleting else f"{self.name}.{self.counter}"
            asked[key] = self.journal.ask(key, token, f"{batch}:{len(asked) + 1}", group)
        return list(asked.values())

    def told(self, asked: Asked, version: int, seq: int = 0) -> None:
        self.kept = [*self.kept[-199:], (asked, self.journal.tell(asked, version, seq))]


class PutClient(Client):
    """HTTP PUT and DELETE with an Idempotency-Key on a kept connection."""

    connection: http.client.HTTPConnection | None = None

    def step(self) -> None:
        key, is_deleting = self.next_key()
        token = "" if is_deleting else f"{self.name}.{self.counter}"
        asked = self.journal.ask(key, token, f"{self.name}-{self.counter}")
        self.told(asked, *self.until_answered(lambda: self.repeat(asked)))

    def repeat(self, asked: Asked) -> tuple[int, int]:
        body = json.dumps({"values": [_json(v) for v in values_of(asked.token)]}).encode()
        headers = {"Idempotency-Key": asked.request_id, "Content-Type": "application/json"}
        if asked.token:
            status, got, text = self.exchange("PUT", handle_target(asked.key), body, headers)
        else:
            status, got, text = self.exchange("DELETE", handle_target(asked.key), None, headers)
        if status in {500, 503}:
            raise Unanswered(text)
        if status not in {200, 201}:
            raise Wrong(f"{asked.key}: status {status}: {text}")
        return int(got["ETag"].strip('"')), 0

    def exchange(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, str]:
        self.connect().request(method, target, body, {**headers, **self.login()})
        response = self.connect().getresponse()
        return response.status, response.headers, response.read().decode()

    def connect(self) -> http.client.HTTPConnection:
        if self.connection is None:
            parts = urlsplit(self.place.url)
            assert parts.hostname
            self.connection = http.client.HTTPConnection(
                parts.hostname, parts.port, timeout=ANSWER_S
            )
        return self.connection

    def login(self) -> dict[str, str]:
        assert self.place.login
        return {"Authorization": self.place.login.header}

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class BatchClient(PutClient):
    """HTTP NDJSON batches with an Idempotency-Key; a row's request id is the key and its line."""

    batch = 0

    def step(self) -> None:
        self.batch += 1
        key = f"{self.name}-batch-{self.batch}"
        rows = self.ask_many(60, key)
        pending = {asked.request_id: asked for asked in rows}
        self.until_answered(lambda: self._send(key, rows, pending))

    def repeat(self, asked: Asked) -> tuple[int, int]:
        """One row again, on its line."""
        key, _, line = asked.request_id.rpartition(":")
        body = b"\n" * (int(line) - 1) + _row(asked)
        (answer,) = self._receipts(key, body)
        return _row_numbers(answer)

    def _send(self, key: str, rows: Sequence[Asked], pending: dict[str, Asked]) -> None:
        is_later = False
        for answer in self._receipts(key, b"".join(map(_row, rows))):
            request_id = f"{key}:{answer['line']}"
            try:
                version, seq = _row_numbers(answer)
            except Unanswered:
                is_later = True
                continue
            if asked := pending.pop(request_id, None):
                self.told(asked, version, seq)
        if is_later:
            raise Unanswered("some rows later")
        if pending:
            raise Wrong(f"batch {key}: rows without a receipt: {sorted(pending)[:3]}")

    def _receipts(self, key: str, body: bytes) -> Any:
        headers = {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
        self.connect().request("POST", "/api/batch", body, {**headers, **self.login()})
        response = self.connect().getresponse()
        if response.status != 200:
            raise Unanswered(f"status {response.status}: {response.read()[:200]!r}")
        is_whole = False
        while line := response.readline():
            answer = json.loads(line)
            is_whole = bool(answer.get("summary"))
            if not is_whole:
                yield answer
        if not is_whole:
            raise Unanswered("the answer broke off")


class SocketClient(Client):
    """Frames of commands on the registrar's socket; a frame is one transaction."""

    registrar: RegistrarClient | None = None

    def step(self) -> None:
        frame = f"{self.name}-frame-{self.counter}"
        batch = self.ask_many(30, frame, group=frame)
        for asked, numbers in zip(
            batch, self.until_answered(lambda: self._send(batch)), strict=True
        ):
            self.told(asked, *numbers)

    def repeat(self, asked: Asked) -> tuple[int, int]:
        (numbers,) = self._send([asked])
        return numbers

    def _send(self, batch: Sequence[Asked]) -> list[tuple[int, int]]:
        try:
            receipts = self.connect().submit([_submission(asked) for asked in batch])
        except RegistrarRefused as refused:
            raise Unanswered(str(refused)) from None
        for asked, receipt in zip(batch, receipts, strict=True):
            if receipt.outcome in {Outcome.READ_ONLY, Outcome.BUSY, Outcome.ERROR}:
                raise Unanswered(receipt.reason)
            if receipt.outcome is not Outcome.SUCCESS:
                raise Wrong(f"{asked.key}: {receipt}")
        return [(receipt.version, receipt.seq) for receipt in receipts]

    def connect(self) -> RegistrarClient:
        if self.registrar is None:
            self.registrar = RegistrarClient(connect_control(self.place.socket_path, ANSWER_S))
        return self.registrar

    def hang_up(self) -> None:
        if self.registrar is not None:
            self.registrar.close()
            self.registrar = None


class LoadClient(SocketClient):
    """Bulk loads of new rows, each with its resume point in the same transaction."""

    most_rows = 80

    def step(self) -> None:
        self.counter += 1
        number = self.counter
        group = f"{self.name}#{number}"
        rows = [
            self.journal.ask(f"{PREFIX}/{self.name}-{number}-{row}", f"{self.name}.{number}.{row}", "", group)
            for row in range(self.dice.randint(1, self.most_rows))
        ]  # fmt: skip
        self.until_answered(lambda: self._load(rows, number))
        for asked in rows:
            self.journal.tell(asked)

    def _load(self, rows: Sequence[Asked], number: int) -> None:
        note = Note(LOAD_NOTE + self.name.encode(), str(number).encode())
        suffixes = [(asked.key.partition("/")[2].encode(), asked.token) for asked in rows]
        wire = [(s, encode_values(list(values_of(t, with_secret=False)))) for s, t in suffixes]
        load = Load(OPERATOR, f"load {self.name}", PREFIX.encode(), wire, (1, 2), (note,))
        try:
            receipt = self.connect().load(load)
        except RegistrarRefused as refused:
            raise Unanswered(str(refused)) from None
        if set(receipt.statuses) - set(b"r="):
            raise Wrong(f"load {number}: {receipt.statuses!r} {receipt.reasons}")


class Clients:
    """All of them together."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = clients
        for client in clients:
            client.start()

    def go(self) -> None:
        for client in self.clients:
            client.idle.clear()
            client.go.set()

    def pause(self) -> None:
        """Return when every command asked has its receipt. Raises ``Wrong``."""
        for client in self.clients:
            client.go.clear()
        for client in self.clients:
            if not client.idle.wait(PATIENCE_S + ANSWER_S):
                raise Wrong(f"{client.name} does not end its command")
        if failures := [client.failure for client in self.clients if client.failure]:
            raise Wrong("; ".join(failures))

    def repeat_some(self, count: int) -> list[str]:
        """Acknowledged commands once more, while paused: the faults are receipts that differ from the first ones."""
        faults = []
        for client in self.clients:
            for asked, told in client.dice.sample(client.kept, min(count, len(client.kept))):
                numbers = client.until_answered(lambda c=client, a=asked: c.repeat(a))
                if numbers != (told.version, told.seq):
                    faults.append(f"{asked.key} repeated: told {told[:2]}, now {numbers}")
        return faults

    def end(self) -> None:
        for client in self.clients:
            client.is_ending = True
            client.go.set()
        for client in self.clients:
            client.join(ANSWER_S)


def _submission(asked: Asked) -> Submission:
    identifier = parse_identifier(asked.key)
    operation = Operation.PUT if asked.token else Operation.DELETE
    values = values_of(asked.token) if asked.token else ()
    command = Command(operation, identifier, values, request_id=asked.request_id)
    return Submission(OPERATOR, command, "durability")


def _row(asked: Asked) -> bytes:
    row: dict[str, Any] = {"handle": asked.key}
    if asked.token:
        row["values"] = [_json(value) for value in values_of(asked.token)]
    else:
        row["operation"] = "delete"
    return json.dumps(row).encode() + b"\n"


def _row_numbers(answer: dict[str, Any]) -> tuple[int, int]:
    """Version and number of a row's receipt. Raises ``Unanswered``, ``Wrong``."""
    if answer["responseCode"] in {2, 3, 7}:
        raise Unanswered(str(answer))
    if answer["responseCode"] != 1:
        raise Wrong(str(answer))
    return answer["version"], answer["seq"]


def _json(value: Any) -> dict[str, Any]:
    shown = {
        "index": value.index,
        "type": value.type,
        "data": {"format": "string", "value": value.data.decode()},
    }
    return shown if value.index < 300 else {**shown, "permissions": "1100"}
