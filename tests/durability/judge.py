"""The judge: whether a store holds everything its clients were told, and nothing by halves.

Runs in a process of its own (``Judge``), because a damaged LMDB file may end the process that reads it, and because a
process opens an LMDB directory once. Orders come as JSON lines on standard input, findings go back the same way.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from node.keys import read_node_key
from protocols.identifier import parse_identifier
from protocols.record import Record
from registry.errors import Gone, StoreError
from registry.sealing import Sealer, merge
from registry.snapshots.verify import verify
from registry.stores.lmdb import LmdbStore, open_reader, open_writer
from registry.stores.lmdb_environment import LmdbSettings
from registry.stores.lmdb_reader import LmdbReader
from tests.durability.journal import Asked, Told, read_journal, values_of

ROOT = Path(__file__).parents[2]
SETTINGS = LmdbSettings(map_bytes=1 << 33, max_readers=126)
MAX_SHOWN = 20
LOAD_NOTE = b"load:"


class Verdict(NamedTuple):
    """``faults`` is empty when all is well."""

    faults: tuple[str, ...]
    records: int = 0
    acknowledged: int = 0
    head: int = 0


class Judge:
    """The judge's process, started anew when it dies; a death is a fault."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def examine(
        self, data: Path, journal: Path, node_key: Path, *, until_ns: int | None = None, as_writer: bool = False
    ) -> Verdict:  # fmt: skip
        """``as_writer`` opens the store as a registrar does and commits its epoch; else beside a quiet node."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        order = [str(data), str(journal), str(node_key), until_ns, as_writer]
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            self.close()
            return Verdict((f"reading the store ended the process: status {process.returncode}",))
        faults, *numbers = json.loads(line)
        return Verdict(tuple(faults), *numbers)

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def __enter__(self) -> "Judge":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.durability.judge"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip


def examine(
    data: Path, journal: Path, node_key: Path, until_ns: int | None, *, as_writer: bool
) -> Verdict:
    """In this process."""
    asked, told = read_journal(journal, until_ns)
    sealer = Sealer(read_node_key(node_key))
    try:
        store: LmdbReader = (open_writer if as_writer else open_reader)(data, SETTINGS)
    except (StoreError, OSError) as trouble:
        return Verdict((f"the store does not open: {trouble}",))
    with store:
        try:
            report = verify(store, sealer)
            faults = [f"verify: {f.table} {f.key!r} {f.reason}" for f in report.findings]
            faults += faults_of(store, sealer, asked, told)
            if isinstance(store, LmdbStore):
                store.refresh()
            head = store.head().seq
        except StoreError as trouble:
            return Verdict((f"the store cannot be read: {trouble}",))
    return Verdict(tuple(faults), report.rows.get("rec", 0), len(told), head)


def faults_of(
    store: LmdbReader, sealer: Sealer, asked: list[Asked], told: dict[int, Told]
) -> Iterator[str]:
    """Everything that contradicts the journal."""
    by_key: dict[str, list[Asked]] = {}
    for one in asked:
        by_key.setdefault(one.key, []).append(one)
    applied: dict[int, bool] = {}
    for key, history in by_key.items():
        record = store.lookup_any(parse_identifier(key))
        yield from _history_faults(key, history, told, record, sealer)
        applied[history[-1].number] = _token_of(record) == (history[-1].token if record else None)
    yield from _group_faults(asked, applied)
    yield from _feed_faults(store, asked, told)
    yield from _note_faults(store, asked, applied)


def _history_faults(
    key: str, history: list[Asked], told: dict[int, Told], record: Record | None, sealer: Sealer
) -> Iterator[str]:
    """One key: the record must be the last acknowledged one or a later one, and whole."""
    known = [at for at, one in enumerate(history) if one.number in told]
    last = known[-1] if known else -1
    if record is None:
        if known:
            yield f"{key}: LOST, acknowledged {len(known)} times and not there"
        return
    tokens = [one.token for one in history]
    token = _token_of(record)
    if token not in tokens:
        yield f"{key}: has {token!r}, which nobody asked for"
        return
    found = len(tokens) - 1 - tokens[::-1].index(token)
    if found < last:
        yield f"{key}: LOST, has {token!r} of request {found}, acknowledged was {last}: {tokens[last]!r}"
        return
    # One client, one command at a time, each carried out exactly once: versions count the commands.
    if record.version != found + 1:
        yield f"{key}: version {record.version} after {found + 1} commands, each to be done once"
    for at in known:
        if told[history[at].number].version not in {0, at + 1}:
            yield f"{key}: command {at + 1} was told version {told[history[at].number].version}"
    if token:
        whole = values_of(token, with_secret=bool(record.sealed))
        contents = [(v.index, v.type, v.data) for v in merge(record, sealer)]
        if contents != [(v.index, v.type, v.data) for v in whole]:
            yield f"{key}: half a record, {contents}"
    elif not record.is_deleted or record.sealed:
        yield f"{key}: half deleted"


def _token_of(record: Record | None) -> str:
    """The token in a record's first value, "" when it is deleted or absent."""
    if record is None or record.is_deleted:
        return ""
    _, found, rest = record.public.partition(b"https://example.org/")
    return rest.partition(b"\0")[0].decode(errors="replace") if found else "?"


def _group_faults(asked: list[Asked], applied: dict[int, bool]) -> Iterator[str]:
    """One transaction is there whole or not at all; only commands that nothing has followed can tell."""
    groups: dict[str, list[bool]] = {}
    for one in asked:
        if one.group and one.number in applied:
            groups.setdefault(one.group, []).append(applied[one.number])
    for group, flags in groups.items():
        if any(flags) and not all(flags):
            yield f"transaction {group}: {sum(flags)} of its {len(flags)} commands are there"


def _feed_faults(store: LmdbReader, asked: list[Asked], told: dict[int, Told]) -> Iterator[str]:
    """The change a receipt names must still be that change."""
    for one in asked:
        receipt = told.get(one.number)
        if receipt is None or not receipt.seq:
            continue
        try:
            changes = store.changes(receipt.seq - 1, 1)
        except Gone:
            continue
        if not changes:
            yield f"{one.key}: LOST, acknowledged as change {receipt.seq}, the feed is shorter"
        elif (changes[0].key, changes[0].version) != (one.key.upper().encode(), receipt.version):
            yield f"{one.key}: acknowledged as change {receipt.seq}, which is about {changes[0].key!r}"


def _note_faults(store: LmdbReader, asked: list[Asked], applied: dict[int, bool]) -> Iterator[str]:
    """A load's note says how far it got; it is committed with the rows. Groups of loads are named NOTE#NUMBER."""
    there: dict[str, int] = {}
    for one in asked:
        name, is_load, number = one.group.partition("#")
        if is_load and one.number in applied:
            done = int(number) if applied[one.number] else 0
            there[name] = max(there.get(name, 0), done)
    for name, done in there.items():
        noted = int(store.note(LOAD_NOTE + name.encode()) or b"0")
        if noted != done:
            yield f"resume point of {name}: {noted}, but rows of load {done} are there"


def main() -> None:
    for line in sys.stdin:
        data, journal, node_key, until_ns, as_writer = json.loads(line)
        verdict = examine(Path(data), Path(journal), Path(node_key), until_ns, as_writer=as_writer)
        print(json.dumps([list(verdict.faults[:MAX_SHOWN]), *verdict[1:]]), flush=True)


if __name__ == "__main__":
    main()
