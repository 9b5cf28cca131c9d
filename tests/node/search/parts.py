"""An LMDB store with a registrar in this process, an indexer on it and a view of what it made."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from node.search.cells import Scope, Term, are_met, cells_of
from node.search.finding import Asked
from node.search.indexer import Indexer
from node.search.patterns import read_pattern
from node.search.view import View
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.value import Value
from registry.registrar import Registrar, Submission
from registry.sealing import Sealer
from registry.stores.lmdb import LmdbStore, create_store, open_writer
from registry.stores.lmdb_environment import LmdbSettings

PREFIX = "88.118"
SEALER = Sealer(bytes(64))
SETTINGS = LmdbSettings(1 << 28, 16)
LONG_S = 30.0


class Bench(NamedTuple):
    """What a test may want to touch."""

    directory: Path
    store: LmdbStore
    registrar: Registrar
    scope: Scope

    def do(self, operation: Operation, handle: str, values: Sequence[Value] = ()) -> None:
        command = Command(operation, parse_identifier(handle), tuple(values))
        (receipt,) = self.registrar.commit([Submission(OPERATOR, command, "test")], 1_000_000)
        assert receipt.outcome is Outcome.SUCCESS, receipt

    def put(self, handle: str, *values: Value) -> None:
        self.do(Operation.PUT, handle, values)

    def indexer(self, scope: Scope | None = None, rows_at_once: int = 4000) -> Indexer:
        scope = scope or self.scope
        return Indexer(self.directory, self.store.reader(), scope, lambda: None, rows_at_once)

    def index(self) -> None:
        """Bring the index up to date, as a process that starts and ends."""
        indexer = self.indexer()
        finish(indexer)
        indexer.close()

    def find(self, *terms: Term, **more: object) -> list[str]:
        return found(self.directory, *terms, **more)

    def scan(self, *terms: Term) -> list[str]:
        """What must be found: one record after the other, by the definition."""
        reader = self.store.reader()
        reader.refresh()
        prefixes = [b"0.NA", *(one.prefix for one in reader.authorities())]
        records = [one for prefix in prefixes for one in reader.list_records(prefix, limit=100_000)]
        reader.close()
        chosen = [one for one in records if are_met(terms, cells_of(one.public, self.scope))]
        return [one.spelling.decode() for one in sorted(chosen, key=lambda one: one.key)]


def found(directory: Path, *terms: Term, **more: object) -> list[str]:
    view = View(directory)
    asked = Asked(terms, **{"limit": 100_000, **more})  # type: ignore[arg-type]
    try:
        return [hit.spelling for hit in view.find(asked, LONG_S).hits]
    finally:
        view.close()


def finish(indexer: Indexer) -> None:
    while indexer.step():
        pass


def term(type_: str, *patterns: str) -> Term:
    return Term(type_, tuple(read_pattern(one) for one in patterns))


@contextmanager
def bench(directory: Path | None = None, scope: Scope = Scope()) -> Iterator[Bench]:  # noqa: B008
    """With one prefix; a new directory unless one is given."""
    with tempfile.TemporaryDirectory() as made:
        place = directory or Path(made)
        create_store(place, bytes(range(16)), SETTINGS)
        store = open_writer(place, SETTINGS)
        one = Bench(place, store, Registrar(store, SEALER), scope)
        try:
            one.do(Operation.HOST, f"0.NA/{PREFIX}")
            yield one
        finally:
            store.close()
