"""The node as processes: what happens when they are started, killed, reloaded, stopped or started twice."""

import concurrent.futures
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.child import EXIT_CONFIG, EXIT_LOCKED
from node.config import load_config
from node.free_ports import free_ports
from node.store import open_store
from protocols.handle.resolution import ResolveAnswer
from protocols.message import Outcome
from registry.stores.writer_lock import writer_pid
from tests.node.parts import ask
from tests.node.processes import (
    PREFIX,
    SERVE,
    RunningNode,
    is_alive,
    make_node,
    put,
    until,
)

pytestmark = pytest.mark.process

REGISTRAR, WORKER, OPERATIONS, SEARCH = "registrar", "worker-0", "operations", "search"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return make_node(tmp_path / "node")


@pytest.fixture
def node(settings: Path, tmp_path: Path) -> Iterator[RunningNode]:
    with RunningNode(settings, tmp_path / "log") as running:
        yield running.await_ready()


def url_of(node: RunningNode, suffix: str) -> bytes:
    answer = node.udp(f"{PREFIX}/{suffix}")
    assert answer is not None
    assert isinstance(answer.body, ResolveAnswer), answer
    return answer.body.values[0].data


def test_what_was_registered_is_resolved_over_udp_and_tcp(node: RunningNode) -> None:
    receipt = node.put("a", b"https://a")
    assert (receipt.outcome, receipt.version, receipt.was_created) == (Outcome.SUCCESS, 1, True)
    assert url_of(node, "A") == b"https://a"
    assert isinstance(node.tcp(f"{PREFIX}/a").body, ResolveAnswer)
    assert node.get("/health")[0] == 200
    metrics = node.get("/metrics")[1]
    assert 'biaojie_hot_answers_total{transport="udp"} 1.0' in metrics
    assert "biaojie_commits_total 1.0" in metrics
    assert "biaojie_feed_head 2.0" in metrics
    assert '"name": "biaojie"' in node.get("/version")[1]


def test_a_registrar_killed_is_replaced_with_every_write_intact_and_reads_never_stop(
    node: RunningNode,
) -> None:
    for number in range(20):
        assert node.put(f"r{number}", b"https://r").outcome is Outcome.SUCCESS
    victim = node.children()[REGISTRAR]
    os.kill(victim, signal.SIGKILL)
    assert url_of(node, "r19") == b"https://r", "reads go on without a registrar"
    until(lambda: node.children().get(REGISTRAR, victim) != victim)
    until(lambda: node.get("/health")[0] == 200)
    assert node.put("after", b"https://after").seq == 22
    assert url_of(node, "after") == b"https://after"
    assert [url_of(node, f"r{number}") for number in range(20)] == [b"https://r"] * 20


def test_a_worker_killed_is_replaced_on_the_same_sockets(node: RunningNode) -> None:
    node.put("w", b"https://w")
    victim = node.children()[WORKER]
    os.kill(victim, signal.SIGKILL)
    with socket.create_connection(("127.0.0.1", node.config.listen.port), timeout=10):
        pass  # the supervisor's socket keeps accepting: nobody is refused meanwhile
    until(lambda: node.children().get(WORKER, victim) != victim)
    until(lambda: node.get("/ready")[0] == 200)
    assert url_of(node, "w") == b"https://w"


def stack_of(pid: int) -> str:
    """Where the system put it: "begin-end"."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return next(line.split()[0] for line in lines if line.endswith("[stack]"))


def test_a_worker_that_died_of_a_fault_of_memory_is_followed_by_one_with_another_layout(
    node: RunningNode,
) -> None:
    node.put("w", b"https://w")
    victim = node.children()[WORKER]
    layout = stack_of(victim)
    os.kill(victim, signal.SIGSEGV)
    until(lambda: node.children().get(WORKER, victim) != victim)
    until(lambda: node.get("/ready")[0] == 200)
    assert stack_of(node.children()[WORKER]) != layout
    assert url_of(node, "w") == b"https://w"


def test_the_children_end_when_the_supervisor_is_killed(node: RunningNode) -> None:
    until(lambda: SEARCH in node.children())  # it is started last
    children = node.children()
    assert set(children) == {REGISTRAR, OPERATIONS, SEARCH, WORKER}
    node.process.kill()
    node.process.wait()
    until(lambda: not any(is_alive(pid) for pid in children.values()))


def test_term_drains_and_ends_with_status_0_and_a_new_start_has_everything(
    settings: Path, tmp_path: Path
) -> None:
    with RunningNode(settings, tmp_path / "log") as node:
        node.await_ready()
        node.put("t", b"https://t")
        children = node.children()
        node.process.terminate()
        assert node.process.wait(30) == 0, node.said()
        assert not any(is_alive(pid) for pid in children.values())
    with RunningNode(settings, tmp_path / "log2") as again:
        assert url_of(again.await_ready(), "t") == b"https://t"


def test_a_request_begun_before_term_is_finished(node: RunningNode) -> None:
    request = ask("0")
    with socket.create_connection(("127.0.0.1", node.config.listen.port), timeout=10) as sock:
        sock.sendall(request + request[:30])
        assert len(sock.recv(4096)) > 20
        node.process.terminate()
        until(lambda: node.get("/ready")[0] != 200)
        sock.sendall(request[30:])
        assert len(sock.recv(4096)) > 20
        assert sock.recv(4096) == b""
    assert node.process.wait(30) == 0


def test_hup_with_wrong_settings_is_reported_and_the_old_ones_keep_serving(
    node: RunningNode, settings: Path
) -> None:
    worker = node.children()[WORKER]
    good = settings.read_text()
    settings.write_text(good.replace("tcp_idle_s", "x").replace("drain_s = 10.0", "drain_s = -1"))
    node.process.send_signal(signal.SIGHUP)
    until(lambda: "settings not reloaded" in node.said())
    assert "node.drain_s" in node.said()
    assert node.children()[WORKER] == worker
    assert node.udp("0") is not None


def test_hup_with_good_settings_rolls_the_worker_without_a_gap(
    node: RunningNode, settings: Path
) -> None:
    node.put("h", b"https://h/" + b"h" * 100)
    worker = node.children()[WORKER]
    settings.write_text(
        settings.read_text().replace("udp_answer_bytes = 512", "udp_answer_bytes = 128")
    )
    node.process.send_signal(signal.SIGHUP)
    until(lambda: "settings reloaded" in node.said())
    until(lambda: not is_alive(worker))
    answer = node.udp(f"{PREFIX}/h")
    assert answer is not None
    assert answer.header.response_code == 2, "the new limit holds"


def test_hup_with_other_administrators_renews_the_registrar_and_alarms_nobody(
    node: RunningNode, settings: Path
) -> None:
    registrar = node.children()[REGISTRAR]
    known, more = f'["300:0.NA/{PREFIX}"]', f'["300:0.NA/{PREFIX}", "301:0.NA/{PREFIX}"]'
    settings.write_text(settings.read_text().replace(known, more))
    node.process.send_signal(signal.SIGHUP)
    until(lambda: node.children().get(REGISTRAR) not in {registrar, None})
    until(lambda: node.get("/ready")[0] == 200)
    assert "a process ended as it was told" in node.said()
    assert '"level": "error"' not in node.said()


def test_a_port_given_up_in_a_reload_is_held_by_nobody(node: RunningNode, settings: Path) -> None:
    old = node.config.http.port
    (new,) = free_ports(1)
    settings.write_text(settings.read_text().replace(f"port = {old}", f"port = {new}"))
    node.process.send_signal(signal.SIGHUP)
    until(lambda: is_listening(new))
    until(lambda: not is_listening(old))


def test_a_supervisor_that_cannot_start_a_child_now_goes_on_and_starts_it_later(
    node: RunningNode,
) -> None:
    supervisor, victim = node.process.pid, node.children()[WORKER]
    soft, hard = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (3, hard))  # no pipe can be made
    os.kill(victim, signal.SIGKILL)
    until(lambda: "cannot be started" in node.said())
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: node.get("/ready")[0] == 200)
    assert node.children()[WORKER] != victim


def test_a_draining_node_takes_no_connections_and_its_supervisor_sleeps(node: RunningNode) -> None:
    with socket.create_connection(("127.0.0.1", node.config.listen.port), timeout=10) as sock:
        sock.sendall(ask("0") + ask("0")[:30])
        assert len(sock.recv(4096)) > 20
        node.process.terminate()
        until(lambda: not is_listening(node.config.listen.port))
        started_s, used_s = time.monotonic(), cpu_s(node.process.pid)
        until(lambda: time.monotonic() - started_s > 2.0)  # long enough for beats nobody reads
        assert cpu_s(node.process.pid) - used_s < 0.5
        sock.sendall(ask("0")[30:])
        assert len(sock.recv(4096)) > 20


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


def cpu_s(pid: int) -> float:
    """Processor time a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_two_nodes_on_one_data_directory_are_refused_with_the_holder_named(
    node: RunningNode, settings: Path, tmp_path: Path
) -> None:
    other = tmp_path / "node" / "other.toml"
    text = settings.read_text()
    for key in ("listen", "http", "operations"):
        text = text.replace(f"port = {getattr(node.config, key).port}", "port = 0")
    other.write_text(text.replace('addresses = ["127.0.0.1"]', "addresses = []"))
    with RunningNode(other, tmp_path / "other-log") as second:
        assert second.process.wait(30) == EXIT_LOCKED, second.said()
        assert str(node.children()[REGISTRAR]) in second.said()
    assert node.udp("0") is not None


def test_a_taken_port_stops_the_start_with_port_and_holder(settings: Path, tmp_path: Path) -> None:
    port = load_config(settings).listen.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", port))
        with RunningNode(settings, tmp_path / "log") as second:
            assert second.process.wait(30) == 1
            assert f"UDP 127.0.0.1 port {port}: the port is taken" in second.said()
            assert f"process {os.getpid()} " in second.said()


def test_settings_that_cannot_work_stop_the_start_naming_the_key(
    settings: Path, tmp_path: Path
) -> None:
    settings.write_text(settings.read_text().replace("workers = 1", "wrokers = 1"))
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(settings)], capture_output=True, text=True, check=False
    )
    assert done.returncode == EXIT_CONFIG
    assert "did you mean workers?" in done.stderr


def test_a_command_on_a_stopped_node_starts_a_registrar_for_itself_only(settings: Path) -> None:
    config = load_config(settings)
    assert put(config, "s", b"https://s").outcome is Outcome.SUCCESS
    assert put(config, "s", b"https://s").is_unchanged
    assert writer_pid(config.node.data_dir) is None


def test_a_command_waits_for_a_holder_of_the_store_who_does_not_listen(settings: Path) -> None:
    config = load_config(settings)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with open_store(config):  # as a registrar that is ending, or has not come to listening yet
            receipt = pool.submit(put, config, "w", b"https://w")
            with pytest.raises(TimeoutError):
                receipt.result(timeout=2)
        assert receipt.result(timeout=30).outcome is Outcome.SUCCESS


def test_the_control_socket_is_its_owners_only(node: RunningNode) -> None:
    mode = node.config.socket_path.stat().st_mode & 0o777
    assert mode == 0o600


def test_a_data_directory_too_deep_for_a_socket_address_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    settings = make_node(deep)
    with RunningNode(settings, tmp_path / "log") as node:
        assert node.await_ready().put("deep", b"https://deep").outcome is Outcome.SUCCESS
        assert url_of(node, "deep") == b"https://deep"
