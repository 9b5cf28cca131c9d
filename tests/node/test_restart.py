"""A node that is restarted, as processes: what others told is answered at once, though they are gone."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.config import load_config
from node.free_ports import free_ports
from node.hot_keys import FILE_NAME
from protocols.handle.resolution import ResolveAnswer
from protocols.message import Operation
from protocols.values.value import Value
from tests.node.processes import RunningNode, descendants, until
from tests.node.test_two_nodes import data_of, make, submit

pytestmark = pytest.mark.process

KEYS = [f"88/key-{number}" for number in range(5)]
TTL_S = 3600
AT_ONCE_S = 0.3
"""Less than the 400 ms after which a stale answer would stand in for one that does not come."""


def kill(node: RunningNode) -> None:
    """The whole node, as by a power cut."""
    pids = [node.process.pid, *descendants(node.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    node.process.wait(30)


def again(settings: Path, log: Path) -> RunningNode:
    """The same node, on other ports: somebody else may have been given the former ones meanwhile."""
    config, text = load_config(settings), settings.read_text()
    for section, port in zip(
        (config.listen, config.http, config.operations), free_ports(3), strict=True
    ):
        assert f"port = {section.port}\n" in text
        text = text.replace(f"port = {section.port}\n", f"port = {port}\n")
    settings.write_text(text)
    return RunningNode(settings, log)


@pytest.fixture
def learned(tmp_path: Path) -> Iterator[tuple[RunningNode, Path]]:
    """A node that has asked for ``KEYS``, and the settings it can be started with again; nobody else lives."""
    top = make(tmp_path / "top", "88")
    server = f"tcp://127.0.0.1:{top.native}"
    low = make(tmp_path / "low", "77", servers=[server], mode="recurse")
    with (
        RunningNode(top.settings, tmp_path / "top.log") as above,
        RunningNode(low.settings, tmp_path / "low.log") as below,
    ):
        above.await_ready()
        below.await_ready()
        for key in KEYS:
            submit(above, Operation.PUT, key, Value(1, "URL", key.encode(), ttl=TTL_S))
            assert data_of(below.tcp(key)) == [key.encode()]
        kill(above)
        yield below, low.settings


def assert_known(node: RunningNode, keys: list[str] = KEYS) -> None:
    """Each is answered at once, with a TTL that has gone on running."""
    for key in keys:
        began_s = time.monotonic()
        answer = node.tcp(key)
        assert time.monotonic() - began_s < AT_ONCE_S
        assert data_of(answer) == [key.encode()]
        assert isinstance(answer.body, ResolveAnswer)
        assert TTL_S - 120 < answer.body.values[0].ttl <= TTL_S


def test_after_a_stop_and_a_start_what_was_known_is_answered_at_once_without_the_node_above(
    learned: tuple[RunningNode, Path], tmp_path: Path
) -> None:
    node, settings = learned
    node.process.terminate()
    assert node.process.wait(30) == 0
    file = node.config.node.data_dir / FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    with again(settings, tmp_path / "again.log") as anew:
        anew.await_ready()
        assert_known(anew)
        assert 'biaojie_kept_keys{what="loaded"' in anew.get("/metrics")[1]
        assert "hot keys loaded" in anew.said()


def test_what_changed_here_while_the_worker_was_away_is_not_answered_from_the_file(
    learned: tuple[RunningNode, Path], tmp_path: Path
) -> None:
    node, settings = learned
    node.process.terminate()
    node.process.wait(30)
    with again(settings, tmp_path / "again.log") as anew:
        anew.await_ready()
        submit(anew, Operation.HOST, "0.NA/88")
        until(lambda: anew.tcp(KEYS[0]).header.response_code == 100)
        anew.process.terminate()
        anew.process.wait(30)
    with again(settings, tmp_path / "third.log") as third:
        third.await_ready()
        assert third.tcp(KEYS[0]).header.response_code == 100


def test_after_kill_9_what_was_saved_a_moment_before_is_known(
    learned: tuple[RunningNode, Path], tmp_path: Path
) -> None:
    node, settings = learned
    file = node.config.node.data_dir / FILE_NAME
    until(file.exists)
    kill(node)
    with again(settings, tmp_path / "again.log") as anew:
        anew.await_ready()
        saved = [key for key in KEYS if key.encode() in file.read_bytes()]
        assert saved
        assert_known(anew, saved)


def test_a_reload_keeps_what_was_saved(learned: tuple[RunningNode, Path]) -> None:
    node, _ = learned
    file = node.config.node.data_dir / FILE_NAME
    until(lambda: file.exists() and all(key.encode() in file.read_bytes() for key in KEYS))
    node.process.send_signal(signal.SIGHUP)
    until(lambda: "settings reloaded" in node.said())
    assert_known(node)


def test_a_damaged_file_costs_one_line_in_the_log_and_nothing_else(
    learned: tuple[RunningNode, Path], tmp_path: Path
) -> None:
    node, settings = learned
    node.process.terminate()
    node.process.wait(30)
    file = node.config.node.data_dir / FILE_NAME
    file.write_bytes(file.read_bytes()[:-1])
    with again(settings, tmp_path / "again.log") as anew:
        anew.await_ready()
        assert anew.said().count("hot keys are ignored") == 1
        assert anew.udp("77/absent") is not None
