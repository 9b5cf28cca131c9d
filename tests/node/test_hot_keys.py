"""Hot keys: what survives a restart, what is forgotten meanwhile, and when the file is left alone."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.config_sections import Config, UpstreamSection
from node.follower import Follower
from node.forwarding import trust_digest
from node.hot_keys import FILE_NAME, HotKeys, Plan
from protocols.identifier import parse_identifier
from protocols.message import Operation, Outcome
from protocols.values.value import Value
from registry.holdings import Holdings
from registry.stores.memory import MemoryStore
from resolver.cache import Found, Rank, State
from resolver.forwarding import Forwarder, Setup
from resolver.limits import Limits
from resolver.source import Now
from tests.node.foreign import DELEGATED_SITE
from tests.node.parts import PREFIX, SEALER, make_store, put

URL = Value(1, "URL", b"https://example.org/foreign", ttl=3600)
LIMITS = Limits()
FOREIGN = ("99.1/a", "99.1/b", "99.2/c", "99.2.5/d")


class Clock:
    """Both hands are moved by the test; several nodes look at it."""

    def __init__(self) -> None:
        self.monotonic_s, self.wall_s = 5000.0, 2_000_000_000.0

    def __call__(self) -> Now:
        return Now(self.monotonic_s, self.wall_s)

    def passes(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.wall_s += seconds


class Worker:
    """What a worker has of it, over a store that outlives it."""

    def __init__(self, directory: Path, store: MemoryStore, clock: Clock, **plan: Any) -> None:
        self.store, self.clock = store, clock
        reader = store.reader()
        self.forwarder = Forwarder(Setup("77", "00" * 8), Holdings(reader, SEALER))
        self.follower = Follower(reader)
        self.follower.listen(self._on_changes)
        made = Plan(directory / FILE_NAME, 10, True, trust_digest(Config()), 0.0, 0.0)._replace(
            **plan
        )
        self.hot_keys = HotKeys(made, self.forwarder, self.follower, reader, LIMITS, clock)

    def _on_changes(self, changes: Any) -> None:
        for change in changes:
            self.forwarder.drop(change.key)

    def learn(self, *names: str, rank: Rank = Rank.TCP, ttl: int = 3600) -> None:
        for name in names:
            self.forwarder.cache.put(
                parse_identifier(name),
                Outcome.SUCCESS,
                (URL._replace(ttl=ttl),),
                rank,
                self.clock(),
            )

    def get(self, name: str) -> Found | None:
        return self.forwarder.cache.get(parse_identifier(name), self.clock())

    def known(self, *names: str) -> list[str]:
        return [name for name in names or FOREIGN if self.get(name) is not None]


class Node:
    """Workers one after the other."""

    def __init__(self, path: Path) -> None:
        self.path, self.store, self.clock = path, make_store(), Clock()

    @property
    def file(self) -> Path:
        return self.path / FILE_NAME

    def worker(self, **plan: Any) -> Worker:
        return Worker(self.path, self.store, self.clock, **plan)

    def restarted(self, **plan: Any) -> Worker:
        worker = self.worker(**plan)
        worker.hot_keys.load()
        return worker


@pytest.fixture
async def node(tmp_path: Path) -> Node:
    """One worker has learned ``FOREIGN`` and saved it at its end."""
    node = Node(tmp_path)
    worker = node.worker()
    worker.learn(*FOREIGN)
    await worker.hot_keys.close()
    return node


# ------------------------------------------------------------------------------------------------ what survives


async def test_what_was_learned_before_a_restart_is_known_after_it_and_as_old_as_it_is(
    node: Node,
) -> None:
    node.clock.passes(600)
    worker = node.restarted()
    found = worker.get("99.1/a")
    assert found is not None
    assert (found.state, found.values[0].ttl, found.held.values) == (State.FRESH, 3000, (URL,))
    assert worker.known() == list(FOREIGN)
    node.clock.passes(3000)
    found = worker.get("99.1/a")
    assert found is not None
    assert found.state is State.STALE


async def test_only_so_many_of_the_hottest_survive(tmp_path: Path) -> None:
    node = Node(tmp_path)
    worker = node.worker(most=2)
    worker.learn(*FOREIGN)
    for name in ("99.2/c", "99.1/b"):
        assert worker.get(name)
    await worker.hot_keys.save()
    assert node.restarted().known() == ["99.1/b", "99.2/c"]


async def test_a_restart_later_than_the_stale_time_finds_nothing(node: Node) -> None:
    node.clock.passes(3600 + LIMITS.stale_s + 1)
    assert node.restarted().known() == []


async def test_neither_absences_nor_failures_survive(tmp_path: Path) -> None:
    node = Node(tmp_path)
    worker = node.worker()
    worker.learn("99.1/a")
    gone, failed = parse_identifier("99.1/gone"), parse_identifier("99.1/failed")
    worker.forwarder.cache.put(gone, Outcome.NOT_FOUND, (), Rank.TCP, node.clock())
    worker.forwarder.cache.fail(failed, Outcome.UNREACHABLE, "silence", node.clock())
    await worker.hot_keys.save()
    after = node.restarted()
    assert after.known("99.1/a", "99.1/gone") == ["99.1/a"]
    assert after.forwarder.cache.failure(failed, node.clock()) is None


async def test_what_was_proved_is_still_proved_and_what_was_not_is_not(tmp_path: Path) -> None:
    node = Node(tmp_path)
    worker = node.worker()
    for name, rank in zip(FOREIGN, Rank, strict=False):
        worker.learn(name, rank=rank)
    await worker.hot_keys.save()
    after = node.restarted()
    ranks = [found.held.rank for name in FOREIGN if (found := after.get(name)) is not None]
    assert ranks == list(Rank)


async def test_what_was_believed_without_proof_is_not_kept(tmp_path: Path) -> None:
    node = Node(tmp_path)
    worker = node.worker(not_before_wall_s=node.clock.wall_s + 60)
    worker.learn("99.1/a")
    node.clock.passes(61)
    worker.learn("99.1/b")
    await worker.hot_keys.save()
    assert node.restarted().known() == ["99.1/b"]


# ------------------------------------------------------------------------------------------------ meanwhile


async def test_what_changed_meanwhile_is_forgotten_before_anybody_is_served(node: Node) -> None:
    put(node.store, "0.NA/99.2", [URL], Operation.HOST)
    assert node.restarted().known() == ["99.1/a", "99.1/b"]


async def test_a_prefix_given_away_and_taken_back_meanwhile_takes_what_was_told_below_it(
    tmp_path: Path,
) -> None:
    node = Node(tmp_path)
    worker = node.worker()
    worker.learn(f"{PREFIX}.7/x", "99.1/a")
    await worker.hot_keys.save()
    site = Value(1, "HS_SITE", DELEGATED_SITE)
    put(node.store, f"0.NA/{PREFIX}.7", [site], Operation.HOST)
    put(node.store, f"0.NA/{PREFIX}.7", [site], Operation.DELEGATE)
    assert node.restarted().known(f"{PREFIX}.7/x", "99.1/a") == ["99.1/a"]


async def test_a_change_that_comes_while_it_is_saved_is_heard_of_after_the_restart(
    tmp_path: Path,
) -> None:
    node = Node(tmp_path)
    worker = node.worker()
    worker.learn(*FOREIGN)
    saving = asyncio.get_running_loop().create_task(worker.hot_keys.save())
    await asyncio.sleep(0)  # it has begun to look
    assert not saving.done()
    put(node.store, "0.NA/99.2", [URL], Operation.HOST)
    await worker.follower.catch_up()
    await saving
    assert node.restarted().known() == ["99.1/a", "99.1/b"]


async def test_changes_after_the_start_are_heard_of_as_ever(node: Node) -> None:
    worker = node.restarted()
    put(node.store, "0.NA/99.1", [URL], Operation.HOST)
    await worker.follower.catch_up()
    assert worker.known() == ["99.2/c", "99.2.5/d"]


# ------------------------------------------------------------------------------------------------ ignored


def ignored(node: Node, caplog: pytest.LogCaptureFixture, **plan: Any) -> str:
    """The reason in the one line that says so."""
    caplog.clear()
    assert node.restarted(**plan).forwarder.cache.used_bytes == 0
    (record,) = caplog.records
    assert record.message == "hot keys are ignored"
    return str(record.reason)  # type: ignore[attr-defined]


def test_without_a_file_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Node(tmp_path).restarted().known() == []
    assert caplog.records == []


async def test_a_damaged_file_is_ignored(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    data = bytearray(node.file.read_bytes())
    data[-1] ^= 1
    node.file.write_bytes(data)
    assert "checksum" in ignored(node, caplog)
    node.file.write_bytes(b"")
    assert "magic" in ignored(node, caplog)


async def test_the_file_of_another_store_is_ignored(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.store = MemoryStore(b"another store...")
    assert "another store" in ignored(node, caplog)


async def test_a_file_from_the_future_of_a_restored_store_is_ignored(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    put(node.store, f"{PREFIX}/later", [URL], Operation.PUT)
    worker = node.worker()
    worker.learn(*FOREIGN)
    await worker.hot_keys.save()
    node.store = make_store()  # the same history, up to an earlier change
    assert "later state" in ignored(node, caplog)


@pytest.mark.parametrize(
    "upstream",
    [
        UpstreamSection(servers=("tcp://192.0.2.1:2641",)),
        UpstreamSection(mode="recurse"),
        UpstreamSection(pinned_keys=("sha256:" + "00" * 32,)),
    ],
    ids=["servers", "mode", "pins"],
)
async def test_under_other_upstream_settings_it_is_ignored(
    node: Node, caplog: pytest.LogCaptureFixture, upstream: UpstreamSection
) -> None:
    digest = trust_digest(replace(Config(), upstream=upstream))
    assert "settings" in ignored(node, caplog, trust_digest=digest)


async def test_settings_that_do_not_matter_for_trust_do_not_matter(node: Node) -> None:
    upstream = UpstreamSection(connections=7, prefer="udp", say_via=False)
    digest = trust_digest(replace(Config(), upstream=upstream))
    assert node.restarted(trust_digest=digest).known() == list(FOREIGN)


async def test_when_the_feed_since_then_is_cut_it_is_ignored(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        put(node.store, f"{PREFIX}/{number}", [URL], Operation.PUT)
    node.store.truncate_changes(node.store.head().seq)
    assert "feed" in ignored(node, caplog)


async def test_after_too_many_changes_it_is_ignored(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        put(node.store, f"{PREFIX}/{number}", [URL], Operation.PUT)
    assert node.restarted(most_changes=3).known() == list(FOREIGN)
    assert "too much" in ignored(node, caplog, most_changes=2)


async def test_a_clock_set_back_never_lengthens_a_life(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.clock.passes(1000)
    node.clock.wall_s -= 90_000
    found = node.restarted().get("99.1/a")  # the same boot: the monotonic clock knows
    assert found is not None
    assert found.values[0].ttl == 2600
    node.clock.monotonic_s = 1.0  # another boot, as far as anybody can tell
    assert "clock" in ignored(node, caplog)


async def test_a_clock_set_forward_makes_records_older(node: Node) -> None:
    node.clock.passes(10)
    node.clock.wall_s += 3000
    found = node.restarted().get("99.1/a")
    assert found is not None
    assert found.values[0].ttl == 590


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
async def test_a_file_that_others_can_touch_is_ignored(
    node: Node, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    node.file.chmod(mode)
    assert "others" in ignored(node, caplog)


# ------------------------------------------------------------------------------------------------ the file


async def test_the_file_is_this_users_alone_and_nothing_is_left_beside_it(node: Node) -> None:
    assert node.file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in node.path.iterdir()] == [FILE_NAME]


async def test_what_a_killed_worker_left_is_cleared_away_and_what_another_writes_now_is_not(
    node: Node,
) -> None:
    left, present = (node.path / f"{FILE_NAME}.{number}" for number in (1, 2))
    left.write_bytes(b"half")
    present.write_bytes(b"half")
    os.utime(left, (0, node.clock.wall_s - 3600))
    os.utime(present, (0, node.clock.wall_s))
    node.restarted()
    assert not left.exists()
    assert present.exists()


async def test_with_nothing_asked_for_since_nothing_is_written(node: Node) -> None:
    worker = node.worker()
    worker.learn("99.1/a")
    await worker.hot_keys.save()
    node.file.unlink()
    await worker.hot_keys.save()
    assert not node.file.exists()
    assert worker.get("99.1/a")
    await worker.hot_keys.save()
    assert node.file.exists()


async def test_a_worker_that_does_not_save_loads_all_the_same(node: Node) -> None:
    before = node.file.stat().st_mtime_ns
    worker = node.restarted(saves=False)
    assert worker.known() == list(FOREIGN)
    worker.learn("99.1/new")
    await worker.hot_keys.close()
    assert node.file.stat().st_mtime_ns == before


async def test_with_zero_keys_nothing_is_loaded_or_saved(node: Node) -> None:
    before = node.file.stat().st_mtime_ns
    worker = node.restarted(most=0)
    assert worker.known() == []
    worker.learn(*FOREIGN)
    await worker.hot_keys.close()
    assert node.file.stat().st_mtime_ns == before


async def test_on_a_full_disk_nothing_is_written(node: Node) -> None:
    before = node.file.stat().st_mtime_ns
    worker = node.worker(least_free_percent=100.0)
    worker.learn(*FOREIGN)
    await worker.hot_keys.close()
    assert node.file.stat().st_mtime_ns == before


async def test_a_file_that_cannot_be_written_is_said_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(tmp_path)
    worker = node.worker(path=tmp_path / "no" / "such" / "place")
    for number in range(3):
        worker.learn(f"99.1/{number}")
        await worker.hot_keys.save()
        node.clock.passes(1)
    assert [record.message for record in caplog.records] == ["hot keys cannot be saved"]
