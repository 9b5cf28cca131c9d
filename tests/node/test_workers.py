"""Several workers as one node: rolled, killed, stopped and hung under load, and what they do for each other."""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.child import name_of
from node.relay import ANSWER_S
from node.slots import new_id
from protocols.handle.codec import Message, decode
from protocols.handle.codes import ResponseCode
from protocols.handle.resolution import ResolveAnswer
from tests.node.load import Load
from tests.node.parts import ask
from tests.node.processes import PREFIX, RunningNode, is_alive, make_node, until

pytestmark = pytest.mark.process

URL = b"https://example.org/1"


def settings_with(directory: Path, workers: int, **others: str) -> Path:
    settings = make_node(directory)
    change(settings, "workers = 1", f"workers = {workers}")
    change(settings, "reload_watch_s = 2.0", "reload_watch_s = 0.3")
    change(settings, "unlimited_networks = []", 'unlimited_networks = ["127.0.0.0/8"]')
    for key, value in others.items():
        before = next(
            line for line in settings.read_text().splitlines() if line.startswith(f"{key} = ")
        )
        change(settings, before, f"{key} = {value}")
    return settings


def change(settings: Path, before: str, after: str) -> None:
    text = settings.read_text()
    assert text.count(before) == 1, before
    settings.write_text(text.replace(before, after))


def workers_of(node: RunningNode) -> list[int]:
    tasks = Path(f"/proc/{node.process.pid}/task").glob("*/children")
    pids = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in pids if name_of(pid).startswith("worker-") and is_alive(pid)]


def health(node: RunningNode) -> dict[str, object]:
    return json.loads(node.get("/health")[1] or "{}")


def slots(node: RunningNode) -> dict[int, int]:
    """Slot -> process id, as the node says."""
    return {row["worker"]: row["pid"] for row in health(node).get("workers", [])}  # type: ignore[attr-defined]


def all_well(node: RunningNode) -> bool:
    return node.get("/health")[0] == 200


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return settings_with(tmp_path / "node", 2)


@pytest.fixture
def node(settings: Path, tmp_path: Path) -> Iterator[RunningNode]:
    with RunningNode(settings, tmp_path / "log") as running:
        running.await_ready()
        until(lambda: all_well(running))
        running.put("a", URL)
        yield running


def reload_and_wait(node: RunningNode) -> None:
    before = node.said().count("settings reloaded")
    node.process.send_signal(signal.SIGHUP)
    until(lambda: node.said().count("settings reloaded") > before)


def test_three_reloads_under_load_fail_no_request(node: RunningNode) -> None:
    first = set(slots(node).values())
    with Load(node, f"{PREFIX}/a") as load:
        until(lambda: all(load.asked[kind] > 20 for kind in ("native kept", "http new")))
        for _ in range(3):
            before = set(workers_of(node))
            reload_and_wait(node)
            until(lambda before=before: not before & set(workers_of(node)))  # drained, too
    assert load.failures == []
    asked = load.asked
    assert min(count for kind, count in asked.items() if kind != "udp again") > 50, asked
    until(lambda: not first & set(slots(node).values()))


def test_the_number_of_workers_changes_under_load_and_fails_no_request(
    node: RunningNode, settings: Path
) -> None:
    with Load(node, f"{PREFIX}/a") as load:
        for before, after in ((2, 3), (3, 1), (1, 2)):
            change(settings, f"workers = {before}", f"workers = {after}")
            reload_and_wait(node)
            until(lambda after=after: sorted(slots(node)) == list(range(after)) and all_well(node))
            until(lambda after=after: len(workers_of(node)) == after)
    assert load.failures == []


def unanswered(node: RunningNode, count: int = 100) -> int:
    """Of so many datagrams, each from another port."""
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in clients:
        one.connect(("127.0.0.1", node.config.listen.port))
        one.send(ask(f"{PREFIX}/a"))
    until_s = time.monotonic() + 5.0
    lost = 0
    for one in clients:
        with one:
            one.settimeout(max(0.001, until_s - time.monotonic()))
            try:
                one.recv(4096)
            except TimeoutError:
                lost += 1
    return lost


def connected_to_second(node: RunningNode) -> list[socket.socket]:
    """Connections that the worker in slot 1 has."""
    address = ("127.0.0.1", node.config.listen.port)
    other = slots(node)[0]
    os.kill(other, signal.SIGSTOP)
    try:
        clients = [socket.create_connection(address, timeout=10) for _ in range(20)]
        for one in clients:
            one.sendall(ask(f"{PREFIX}/a"))
        answered = select.select(clients, [], [], 10)[0]
        while more := select.select([c for c in clients if c not in answered], [], [], 0.5)[0]:
            answered += more
    finally:
        os.kill(other, signal.SIGCONT)
    for one in clients:
        assert len(one.recv(4096)) > 20
        if one not in answered:
            one.close()
    return answered


def test_datagrams_are_led_past_a_worker_that_was_given_up_and_still_drains(tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "node", 2, drain_s="6.0", tcp_request_s="60.0")
    with RunningNode(settings, tmp_path / "log") as node, contextlib.ExitStack() as held:
        node.await_ready()
        until(lambda: all_well(node))
        node.put("a", URL)
        given_up = slots(node)[1]
        for one in connected_to_second(node):
            held.enter_context(one)
            one.sendall(ask(f"{PREFIX}/a")[:30])  # not whole: its worker waits for the rest
        change(settings, "workers = 2", "workers = 1")
        reload_and_wait(node)
        assert is_alive(given_up)
        assert unanswered(node) == 0
        reload_and_wait(node)
        assert unanswered(node) == 0
        assert not is_alive(given_up), "a reload waits for those the last one gave up"


def test_a_worker_killed_under_load_costs_only_its_own_connections(node: RunningNode) -> None:
    with Load(node, f"{PREFIX}/a") as load:
        until(lambda: load.asked["native kept"] > 20)
        for _ in range(2):
            victim = slots(node)[1]
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim: slots(node).get(1, victim) != victim and all_well(node))
    # Each client has one connection at a time, and a kill can cost it no more than that.
    assert len(load.failures) <= 2 * 15, load.failures
    assert not [told for told in load.failures if "TimeoutError" in told]
    assert not [told for told in load.failures if "ConnectionRefused" in told]
    assert sum(load.asked.values()) > 100


def test_what_waits_for_a_dead_worker_is_answered_by_its_successor(node: RunningNode) -> None:
    supervisor, victim = node.process.pid, slots(node)[1]
    soft, hard = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (3, hard))  # no successor for now
    try:
        os.kill(victim, signal.SIGKILL)
        until(lambda: not is_alive(victim))
        waiting, answered = ask_of_all(node)
    finally:
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (soft, hard))
    assert answered, "the living worker answers its share at once"
    assert waiting, "and the others wait"
    for one in waiting:
        assert len(one.recv(4096)) > 20
        one.close()


def ask_of_all(node: RunningNode) -> tuple[list[socket.socket], int]:
    """Many connections with a question each: those not answered at once, and how many were."""
    address = ("127.0.0.1", node.config.listen.port)
    waiting = [socket.create_connection(address, timeout=10) for _ in range(300)]
    for one in waiting:
        one.sendall(ask(f"{PREFIX}/a"))
    assert node.get("/ready")[0] == 200
    left = []
    for one in waiting:
        one.settimeout(0.002)
        try:
            assert len(one.recv(4096)) > 20
            one.close()
        except TimeoutError:
            one.settimeout(30)
            left.append(one)
    return left, len(waiting) - len(left)


def test_a_worker_killed_in_its_first_moments_does_not_end_the_node(
    settings: Path, tmp_path: Path
) -> None:
    with RunningNode(settings, tmp_path / "log") as node:
        until(lambda: len(workers_of(node)) == 2)
        victims = workers_of(node)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        node.await_ready()
        until(lambda: all_well(node))
        assert not set(victims) & set(workers_of(node))
        assert node.udp("0") is not None


def test_a_reload_whose_first_worker_cannot_start_changes_nothing(
    node: RunningNode, settings: Path
) -> None:
    before = slots(node)
    key = node.config.node.key_file
    hidden = key.with_name("hidden")
    key.rename(hidden)
    settings.write_text(settings.read_text().replace("drain_s = 10.0", "drain_s = 9.0"))
    node.process.send_signal(signal.SIGHUP)
    until(lambda: "settings not reloaded" in node.said())
    assert slots(node) == before
    assert node.udp(f"{PREFIX}/a") is not None
    hidden.rename(key)
    reload_and_wait(node)
    until(lambda: all_well(node) and not set(before.values()) & set(slots(node).values()))


def test_a_hung_worker_is_named_within_a_tenth_of_a_second_while_the_other_answers(
    node: RunningNode,
) -> None:
    hung = slots(node)[1]
    os.kill(hung, signal.SIGSTOP)
    try:
        until(lambda: "worker 1 has not answered" in node.get("/health")[1])
        took_s = []
        for path in ("/health", "/ready", "/metrics", "/upstreams") * 3:
            started_s = time.monotonic()
            status, _ = node.get(path)
            took_s.append(time.monotonic() - started_s)
            assert status == (503 if path == "/health" else 200)
        assert statistics.median(took_s) < 0.1, took_s
    finally:
        os.kill(hung, signal.SIGCONT)
    until(lambda: all_well(node))
    assert slots(node)[1] == hung


def test_counters_survive_the_worker_that_counted(node: RunningNode) -> None:
    def total() -> float:
        name = 'biaojie_native_answers_total{outcome="handle-not-found",transport="tcp"} '
        lines = [line for line in node.get("/metrics")[1].splitlines() if line.startswith(name)]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    before = total()
    for _ in range(20):
        node.tcp("0")
    until(lambda: total() == before + 20)
    for victim in slots(node).values():
        os.kill(victim, signal.SIGKILL)
    until(lambda: all_well(node))
    assert total() == before + 20
    reload_and_wait(node)
    until(lambda: all_well(node))
    assert total() == before + 20


def in_session(handle: str, session_id: int) -> bytes:
    """A question that only the worker with the session answers: not plain (no PUBL), so it is looked at."""
    message = bytearray(ask(handle, flags=0))
    message[4:8] = session_id.to_bytes(4)
    return bytes(message)


def over_udp(node: RunningNode, request: bytes) -> Message:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", node.config.listen.port))  # answers from elsewhere are not heard
        sock.send(request)
        return decode(sock.recv(65_536))


def over_tcp(node: RunningNode, request: bytes) -> Message:
    address = ("127.0.0.1", node.config.listen.port)
    with socket.create_connection(address, timeout=10) as sock, sock.makefile("rb") as file:
        sock.sendall(request)
        head = file.read(20)
        return decode(head + file.read(int.from_bytes(head[16:20])))


def relayed(node: RunningNode) -> float:
    lines = node.get("/metrics")[1].splitlines()
    told = [line for line in lines if line.startswith('biaojie_relayed_total{event="passed"}')]
    return sum(float(line.rpartition(" ")[2]) for line in told)


def test_a_message_reaches_the_worker_of_its_session_whoever_gets_it(node: RunningNode) -> None:
    for say in (over_udp, over_tcp):
        before = relayed(node)
        for number in range(32):
            answer = say(node, in_session(f"{PREFIX}/a", new_id(number % 2)))
            assert isinstance(answer.body, ResolveAnswer), answer
            assert answer.body.values[0].data == URL
        passed = relayed(node) - before
        assert 0 < passed < 32, (
            "the kernel gives some to the right worker, the others are passed on"
        )


def test_messages_on_one_connection_are_answered_in_order_whoever_owns_their_sessions(
    node: RunningNode,
) -> None:
    requests = []
    for number in range(16):
        message = bytearray(in_session(f"{PREFIX}/a", new_id(number % 2)))
        message[8:12] = number.to_bytes(4)
        requests.append(bytes(message))
    with socket.create_connection(("127.0.0.1", node.config.listen.port), timeout=10) as sock:
        sock.sendall(b"".join(requests))
        with sock.makefile("rb") as file:
            for number in range(16):
                head = file.read(20)
                file.read(int.from_bytes(head[16:20]))
                assert int.from_bytes(head[8:12]) == number


def test_a_session_whose_worker_does_not_answer_is_over(node: RunningNode) -> None:
    owner = slots(node)[1]
    os.kill(owner, signal.SIGSTOP)
    address = ("127.0.0.1", node.config.listen.port)
    try:
        with contextlib.ExitStack() as stack:
            # Of so many the kernel gives hardly all to the one that hangs.
            socks = [
                stack.enter_context(socket.create_connection(address, timeout=10))
                for _ in range(12)
            ]
            for sock in socks:
                sock.sendall(in_session(f"{PREFIX}/a", new_id(1)))
            codes = set()
            deadline_s = time.monotonic() + 2 * ANSWER_S
            while not codes and time.monotonic() < deadline_s:
                told, _, _ = select.select(socks, [], [], 1)
                codes |= {decode(sock.recv(65_536)).header.response_code for sock in told}
        assert codes == {ResponseCode.SESSION_TIMEOUT}
    finally:
        os.kill(owner, signal.SIGCONT)


def test_ids_that_clients_choose_are_nobodys(node: RunningNode) -> None:
    before = relayed(node)
    for number in range(8):
        assert isinstance(
            over_tcp(node, in_session(f"{PREFIX}/a", 10_001 + number)).body, ResolveAnswer
        )
    assert relayed(node) == before


def test_a_write_is_read_on_every_worker_within_a_second(tmp_path: Path) -> None:
    settings = settings_with(tmp_path / "node", 3)
    waited_s = []
    with RunningNode(settings, tmp_path / "log") as node:
        node.await_ready()
        until(lambda: all_well(node))
        for number in range(10):
            url = f"https://example.org/{number}".encode()
            node.put("w", url)
            written_s = time.monotonic()
            for slot in range(3):
                request = in_session(f"{PREFIX}/w", new_id(slot))
                while over_udp(node, request).body.values[0].data != url:  # type: ignore[union-attr]
                    assert time.monotonic() - written_s < 1.0
            waited_s.append(time.monotonic() - written_s)
    assert statistics.median(waited_s) < 0.1, waited_s
    assert max(waited_s) < 1.0


def test_a_stop_answers_what_was_on_its_way(node: RunningNode) -> None:
    request = ask(f"{PREFIX}/a")
    get = f"GET /api/handles/{PREFIX}/a HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    native = [
        socket.create_connection(("127.0.0.1", node.config.listen.port), timeout=10)
        for _ in range(20)
    ]
    web = [
        socket.create_connection(("127.0.0.1", node.config.http.port), timeout=10)
        for _ in range(20)
    ]
    for one in native[:10]:
        one.sendall(request[:30])
    for one in web[:10]:
        one.sendall(get[:30])
    node.process.terminate()
    for one in native[10:]:
        one.sendall(request)  # connected before, asked after
    for one in web[10:]:
        one.sendall(get)
    until(lambda: node.get("/ready")[0] != 200)
    for one in native[:10]:
        one.sendall(request[30:])
    for one in web[:10]:
        one.sendall(get[30:])
    for one in native:
        assert len(one.recv(4096)) > 20
        one.close()
    for number, one in enumerate(web):
        answer = one.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        if number < 10:  # the others may have been answered before the worker heard of the end
            assert b"connection: close" in answer.lower()
        assert one.recv(4096) == b""
        one.close()
    assert node.process.wait(30) == 0
    assert "did not end" not in node.said()
