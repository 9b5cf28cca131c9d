"""Both load generators, the compiled one and the one in Python, against servers that answer rightly and wrongly."""

import os
import shutil
import signal
import socket
import threading

import pytest

from bench.compare.fallback import PythonGenerator
from bench.compare.generator import CompiledGenerator, GeneratorFailed, Target
from bench.compare.requests import (
    Request,
    dns_requests,
    handle_requests,
    http_requests,
    redis_requests,
    write_requests,
)
from bench.compare.tools import compile_tools
from bench.slices import LoadFailed
from protocols.handle.fast import plain_answer, plain_error, plain_question

SLICE_S = 0.1
NOT_FOUND = (100).to_bytes(4)


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return compile_tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture(params=["compiled", "python"])
def generator_of(request, tools):
    if request.param == "compiled" and not shutil.which("cc"):
        pytest.skip("there is no compiler")
    made = []

    def make(kind, port, path):
        target = Target(kind, port, path)
        compiled = request.param == "compiled"
        made.append(CompiledGenerator(tools.load, target) if compiled else PythonGenerator(target))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def datagrams():
    """Serves ``answer(datagram) -> bytes | None`` until the test ends; returns port and everything that was asked."""
    sockets, threads = [], []

    def serve(answer):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        sockets.append(sock)
        asked = []

        def loop():
            while sock.fileno() >= 0:
                try:
                    data, sender = sock.recvfrom(2048)
                except TimeoutError:
                    continue
                except OSError:
                    return
                asked.append(data)
                if (said := answer(data)) is not None:
                    sock.sendto(said, sender)

        threads.append(threading.Thread(target=loop))
        threads[-1].start()
        return sock.getsockname()[1], asked

    yield serve
    for sock in sockets:
        sock.close()
    for thread in threads:
        thread.join()


@pytest.fixture
def streams():
    """The same over TCP, a request at a time: ``answer(data) -> bytes | None``, None closes the connection."""
    listeners, threads = [], []

    def talk(connection, answer):
        with connection:
            while data := connection.recv(65536):
                said = answer(data)
                if said is None:
                    return
                connection.sendall(said)

    def serve(answer):
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        listeners.append(listener)

        def loop():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=talk, args=(connection, answer)))
                threads[-1].start()

        threads.append(threading.Thread(target=loop))
        threads[-1].start()
        return listener.getsockname()[1]

    yield serve
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def handle_file(tmp_path):
    return write_requests(tmp_path / "handle", handle_requests(range(20), 1.8e9))


def found(data: bytes) -> bytes:
    question = plain_question(data)
    assert question is not None
    return plain_answer(question, bytes(4), 1, 0)


def test_right_answers_are_counted_and_come_from_many_requests(
    generator_of, datagrams, handle_file
):
    port, asked = datagrams(found)
    loaded = generator_of("handle-udp", port, handle_file).run(SLICE_S)
    assert loaded.answers > 50
    assert (loaded.lost, loaded.wrong) == (0, 0)
    assert len({plain_question(data)[0] for data in asked}) == 20
    assert loaded.client_cpu_ns > 0
    assert loaded.wall_ns >= SLICE_S * 1e9


def test_every_request_of_a_slice_has_an_id_of_its_own(generator_of, datagrams, handle_file):
    port, asked = datagrams(found)
    generator_of("handle-udp", port, handle_file).run(SLICE_S)
    ids = [data[8:12] for data in asked]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: found(data).replace(b"SN-", b"sn-"),  # about another identifier
        lambda data: plain_error(plain_question(data), NOT_FOUND, b"", 1, 0),
    ],
    ids=["another identifier", "another response code"],
)
def test_an_answer_that_is_not_as_asked_is_wrong(generator_of, datagrams, handle_file, spoil):
    port, _ = datagrams(spoil)
    loaded = generator_of("handle-udp", port, handle_file).run(SLICE_S)
    assert loaded.answers == 0
    assert loaded.wrong > 50


def test_an_answer_with_another_id_is_no_answer(generator_of, datagrams, handle_file):
    port, _ = datagrams(lambda data: found(data)[:8] + b"\x7f\xff\xff\xff" + found(data)[12:])
    loaded = generator_of("handle-udp", port, handle_file).run(SLICE_S)
    assert loaded.answers == loaded.wrong == 0
    assert loaded.lost > 0


def test_a_server_that_drops_every_second_question_loses_and_the_load_goes_on(
    generator_of, datagrams, handle_file
):
    port, asked = datagrams(lambda data: found(data) if len(asked) % 2 else None)
    loaded = generator_of("handle-udp", port, handle_file).run(0.6)
    dropped = len(asked) // 2
    assert 0 < loaded.answers <= len(asked) - dropped
    assert loaded.lost >= dropped > 0  # what came too late on a busy machine is lost besides


def test_misses_are_right_when_they_are_what_is_expected(generator_of, datagrams, tmp_path):
    path = write_requests(tmp_path / "absent", handle_requests(range(5), 1.8e9, is_echo=True))
    port, _ = datagrams(lambda data: plain_error(plain_question(data), NOT_FOUND, b"", 1, 0))
    generator = generator_of("handle-udp", port, path)
    assert generator.run(SLICE_S).answers == 0
    generator.expect_code(100)
    assert generator.run(SLICE_S).wrong == 0


def test_warming_asks_each_request_so_many_times(generator_of, datagrams, handle_file):
    port, asked = datagrams(found)
    loaded = generator_of("handle-udp", port, handle_file).warm(3)
    names = [plain_question(data)[0] for data in asked]
    assert loaded.answers >= 60
    assert all(names.count(name) >= 3 for name in set(names))
    assert len(set(names)) == 20


def test_a_paced_load_asks_at_its_rate_and_tells_waits(generator_of, datagrams, handle_file):
    port, _ = datagrams(found)
    paced = generator_of("handle-udp", port, handle_file).pace(0.3, 200)
    assert paced.loaded.answers + paced.loaded.lost == 60  # a late machine asks late, but asks
    assert paced.loaded.answers > 30
    assert 0 < paced.waits_us["p50"] <= paced.waits_us["p99"] <= paced.waits_us["max"]


@pytest.mark.parametrize("generator_of", ["compiled"], indirect=True)
def test_a_generator_that_is_held_up_to_the_end_of_its_schedule_asks_all_the_same(
    generator_of, datagrams, handle_file
):
    def answer(data):
        if len(asked) == 10:
            os.kill(generator._process.pid, signal.SIGSTOP)
            threading.Event().wait(0.5)
            os.kill(generator._process.pid, signal.SIGCONT)
        return found(data)

    port, asked = datagrams(answer)
    generator = generator_of("handle-udp", port, handle_file)
    paced = generator.pace(0.2, 200)
    assert paced.loaded.answers + paced.loaded.lost == 40
    assert len(asked) > 20, "what was due when it was held up was asked afterwards"


def test_a_stalled_server_shows_in_the_waits_of_what_was_due_meanwhile(
    generator_of, datagrams, handle_file
):
    stall = threading.Event()

    def answer(data):
        if len(asked) == 10:
            stall.wait(0.15)
        return found(data)

    port, asked = datagrams(answer)
    paced = generator_of("handle-udp", port, handle_file).pace(0.4, 200)
    # At 200 a second some 30 questions were due in 150 ms: more than a tenth of 80 waited for half of it.
    assert paced.waits_us["p90"] > 50_000


def test_dns_answers_are_checked_too(generator_of, datagrams, tmp_path):
    path = write_requests(tmp_path / "dns", dns_requests(range(5)))
    good, _ = datagrams(lambda data: data[:2] + b"\x84\x00\x00\x01\x00\x01" + data[8:])
    refused, _ = datagrams(lambda data: data[:2] + b"\x84\x05\x00\x01\x00\x00" + data[8:])
    assert generator_of("dns-udp", good, path).run(SLICE_S).answers > 50
    assert generator_of("dns-udp", refused, path).run(SLICE_S).answers == 0


def http_answer(data: bytes) -> bytes:
    name = data.split(b" ")[1].rpartition(b"/")[2]
    body = b'{"handle":"88.118/' + name + b'"}'
    return b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    ("kind", "requests", "answer"),
    [
        ("http", [*http_requests(range(30))], http_answer),
        ("redis", [*redis_requests(range(5))], lambda data: b"$30\r\n" + data.split(b"\r\n")[4].ljust(30) + b"\r\n"),
        ("handle-tcp", [*handle_requests(range(5), 1.8e9)], found),
    ],
    ids=["http", "redis", "handle-tcp"],
)  # fmt: skip
def test_streams_are_cut_into_answers(generator_of, streams, tmp_path, kind, requests, answer):
    path = write_requests(tmp_path / kind, requests)
    loaded = generator_of(kind, streams(answer), path).run(SLICE_S)
    assert loaded.answers > 30
    assert (loaded.lost, loaded.wrong) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "asked", "answer"),
    [
        ("http", Request(b"GET / HTTP/1.1\r\n\r\n"), b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        ("redis", Request(b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"), b"$-1\r\n"),
    ],
    ids=["http", "redis"],
)  # fmt: skip
def test_a_refusal_in_a_stream_is_wrong(generator_of, streams, tmp_path, kind, asked, answer):
    path = write_requests(tmp_path / kind, [asked])
    loaded = generator_of(kind, streams(lambda _: answer), path).run(SLICE_S)
    assert loaded.answers == 0
    assert loaded.wrong > 30


def test_a_closed_connection_ends_the_load_and_says_so(generator_of, streams, tmp_path):
    path = write_requests(tmp_path / "http", http_requests([1]))
    generator = generator_of("http", streams(lambda _: None), path)
    with pytest.raises(LoadFailed, match=r"closed|reset|send"):
        generator.run(SLICE_S)


def test_a_generator_that_cannot_connect_says_so(tools, tmp_path):
    if tools.load is None:
        pytest.skip("there is no compiler")
    path = write_requests(tmp_path / "http", http_requests([1]))
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(GeneratorFailed, match="refused"):
        CompiledGenerator(tools.load, Target("http", port, path))
