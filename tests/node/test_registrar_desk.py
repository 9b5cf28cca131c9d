"""The registrar's desk: order of work, refusals, and what one bad command may not do to others."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from node.disk import DiskWatch
from node.registrar_desk import MAX_PAUSE_S, Desk, Pace, Refused
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome, Receipt
from protocols.values.value import Value
from registry.chunks import Chunk, ChunkReceipt
from registry.errors import StoreFailed
from registry.loading import Load, LoadReceipt
from registry.registrar import Registrar, Submission
from registry.stores.memory import MemoryStore
from registry.stores.store import Head, Store, Write
from tests.node.parts import PREFIX, SEALER, make_store

PATIENCE_S = 10.0


class Recording(Registrar):
    """A registrar that notes what it was given, and meets a bug at the identifier "bug"."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, SEALER)
        self.done: list[object] = []

    def commit(self, batch: Sequence[Submission], now_ms: int) -> list[Receipt]:
        self.done.append(len(batch))
        if any(s.command.identifier.suffix == b"bug" for s in batch):
            raise ZeroDivisionError
        return super().commit(batch, now_ms)

    def load(self, load: Load, now_ms: int) -> LoadReceipt:
        self.done.append("load")
        return super().load(load, now_ms)

    def carry(self, chunk: Chunk, now_ms: int) -> ChunkReceipt:
        self.done.append("chunk")
        return super().carry(chunk, now_ms)


class Office:
    """A desk with everything around it."""

    def __init__(self, tmp_path: Path, store: MemoryStore, least_percent: float = 0.0) -> None:
        self.registrar = Recording(store)
        self.heads: list[int] = []
        self.failures: list[str] = []
        self.results: dict[str, object] = {}
        self.arrived = threading.Condition()
        self.desk = Desk(
            store, self.registrar, DiskWatch(tmp_path, least_percent), lambda: True,
            self.heads.append, self.failures.append,
        )  # fmt: skip

    def note(self, name: str) -> Callable[[object], None]:
        def done(result: object) -> None:
            with self.arrived:
                self.results[name] = result
                self.arrived.notify_all()

        return done

    def finish(self) -> dict[str, object]:
        self.desk.start()
        self.desk.stop()
        return self.results


def put(suffix: str, count: int = 1) -> list[Submission]:
    return [
        Submission(
            OPERATOR,
            Command(
                Operation.PUT, parse_identifier(f"{PREFIX}/{suffix}"), (Value(1, "T", bytes([n])),)
            ),
            "test",
        )
        for n in range(count)
    ]


def load(suffix: bytes) -> Load:
    public = (
        b"\0\0\0\1" + bytes.fromhex("00000001 00000000 00 00015180 0e 00000001") + b"T" + bytes(8)
    )
    return Load(OPERATOR, "f.csv", PREFIX.encode(), [(suffix, public)], (1,))


def chunk(*suffixes: str) -> Chunk:
    head = bytes.fromhex("00000001 00000000 00 00015180 0e 00000001") + b"T"
    rows = [(f"{PREFIX}/{suffix}".encode(), 0, b"x") for suffix in suffixes]
    return Chunk(OPERATOR, "test", [(head,)], rows, {}, [])


def test_commands_that_wait_share_one_commit_and_go_before_loads(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store())
    office.desk.call(load(b"row"), office.note("load"))
    for name in "abc":
        office.desk.submit(put(name), office.note(name))
    results = office.finish()
    assert office.registrar.done == [3, "load"]
    assert all(results[name][0].outcome is Outcome.SUCCESS for name in "abc")  # type: ignore[index]
    assert results["load"].statuses == b"r"  # type: ignore[attr-defined]


def test_a_batch_never_holds_more_than_the_registrar_takes(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store())
    for name in "abcd":
        office.desk.submit(put(name, 100), office.note(name))
    results = office.finish()
    assert office.registrar.done == [200, 200]
    assert {len(r) for r in results.values()} == {100}  # type: ignore[arg-type]


def test_one_command_that_meets_a_bug_does_not_take_its_neighbours_down(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store())
    office.desk.submit(put("good"), office.note("good"))
    office.desk.submit(put("bug"), office.note("bug"))
    office.desk.submit(put("fine"), office.note("fine"))
    results = office.finish()
    outcomes = {name: result[0].outcome for name, result in results.items()}  # type: ignore[index]
    assert outcomes == {"good": Outcome.SUCCESS, "bug": Outcome.ERROR, "fine": Outcome.SUCCESS}


def test_a_nearly_full_disk_refuses_writes_with_the_reason(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store(), least_percent=100.0)
    office.desk.submit(put("a"), office.note("a"))
    office.desk.call(load(b"row"), office.note("load"))
    results = office.finish()
    (receipt,) = results["a"]  # type: ignore[misc]
    assert receipt.outcome is Outcome.READ_ONLY
    assert "store.min_free_percent" in receipt.reason
    assert isinstance(results["load"], Refused)
    assert office.registrar.done == []


class Failing(MemoryStore):
    """An engine whose disk dies at the first commit."""

    def commit(self, writes: Sequence[Write], *_: object) -> None:
        raise StoreFailed("input/output error")


def test_a_failed_store_refuses_the_batch_and_is_reported_for_a_restart(tmp_path: Path) -> None:
    failing = Failing(bytes(16))
    office = Office(tmp_path, failing)
    host = Command(Operation.HOST, parse_identifier(f"0.NA/{PREFIX}"), (Value(1, "T", b""),))
    office.desk.submit([Submission(OPERATOR, host, "t")], office.note("a"))
    assert isinstance(office.finish()["a"], Refused)
    assert office.failures == ["input/output error"]


def test_followers_hear_of_every_commit_that_changed_something(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store())
    before = office.desk.head.seq
    office.desk.submit(put("a"), office.note("a"))
    office.desk.call(load(b"row"), office.note("load"))
    office.finish()
    assert office.heads == [before + 1, before + 2]


def test_upkeep_runs_on_the_desks_thread_and_its_refusal_reaches_the_client(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store())
    office.desk.call(lambda store: store.head().seq, office.note("head"))
    office.desk.call(lambda _: 1 // 0, office.note("bug"))
    results = office.finish()
    assert results["head"] == office.desk.head.seq
    assert isinstance(results["bug"], Refused)


def test_what_is_queued_when_the_desk_stops_is_finished(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store())
    office.desk.start()
    for n in range(50):
        office.desk.submit(put(f"q{n}"), office.note(str(n)))
    office.desk.stop()
    assert len(office.results) == 50


@pytest.mark.parametrize("least", [0.0, 50.0])
def test_the_disk_is_not_asked_before_every_commit(tmp_path: Path, least: float) -> None:
    watch = DiskWatch(tmp_path, least)
    first = watch.trouble(100.0)
    watch.free_percent = 100.0 if first else 0.0
    assert (watch.trouble(100.1) == "") is (watch.free_percent >= least)
    watch.trouble(101.0)
    assert watch.free_percent not in {0.0, 100.0}


def test_a_desk_that_meets_a_bug_outside_of_any_job_says_so_instead_of_dying_silently(
    tmp_path: Path,
) -> None:
    class Blind(MemoryStore):
        """Commits, and then cannot say where it stands."""

        is_blind = False

        def head(self) -> Head:
            if self.is_blind:
                raise StoreFailed("the head row is damaged")
            return super().head()

    store = Blind(bytes(16))
    office = Office(tmp_path, store)
    store.is_blind = True
    office.desk.submit(put("a"), office.note("a"))
    office.finish()
    assert office.failures == ["the head row is damaged"]


def test_chunks_come_after_commands_and_in_order(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store())
    office.desk.call(chunk("a", "b"), office.note("first"))
    office.desk.call(chunk("b", "c"), office.note("second"))
    office.desk.submit(put("c"), office.note("command"))
    results = office.finish()
    assert office.registrar.done == [1, "chunk", "chunk"]
    first, second = results["first"], results["second"]
    assert isinstance(first, ChunkReceipt)
    assert isinstance(second, ChunkReceipt)
    assert (first.others, first.last_seq) == ({}, second.before_seq)
    assert [receipt.is_unchanged for receipt in second.receipts(2)] == [True, False]


def test_a_nearly_full_disk_refuses_every_row_of_a_chunk_with_the_reason(tmp_path: Path) -> None:
    office = Office(tmp_path, make_store(), least_percent=100.0)
    office.desk.call(chunk("a", "b"), office.note("chunk"))
    receipt = office.finish()["chunk"]
    assert isinstance(receipt, ChunkReceipt)
    assert [one.outcome for one in receipt.receipts(2)] == [Outcome.READ_ONLY] * 2
    assert "store.min_free_percent" in receipt.others[0].reason
    assert office.registrar.done == []


def test_a_pace_spreads_rows_evenly_and_does_not_make_up_for_rest() -> None:
    pace = Pace(1000)
    assert pace.next_s(100.0, 100) == pytest.approx(100.1 - MAX_PAUSE_S)
    pace = Pace(1000)
    begun, now = 100.0, pace.next_s(100.0, 0)
    for _ in range(10):  # each begins a little late, as a busy machine has it
        now = pace.next_s(max(now, begun) + 0.003, 50)
    assert now == pytest.approx(begun + 0.5, abs=0.1)
    now = pace.next_s(200.0, 50)
    assert now >= 200.05 - MAX_PAUSE_S


def test_without_a_limit_a_pace_never_holds_anything_back() -> None:
    pace = Pace(0)
    assert pace.next_s(5.0, 1000) <= 5.0
