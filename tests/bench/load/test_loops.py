"""The loops against real sockets: every question is accounted for, whatever the server does."""

import os
import socket
import time
from collections import Counter
from itertools import count

import pytest

from bench.load.connection import HttpDialogue, NativeDialogue
from bench.load.latencies import Latencies
from bench.load.plan import Interval, Run, Setup, Target
from bench.load.questions import check_json, http_question, native_question
from bench.load.recorder import Recorder
from bench.load.stream import StreamLoad
from bench.load.udp import UdpLoad
from protocols.handle.codes import ResponseCode
from tests.bench.load.servers import (
    LATER,
    TcpServer,
    UdpServer,
    answer_about,
    refusal,
    right_answer,
)

S = 1_000_000_000
QUESTION = native_question(b"88.118/SN-1", LATER, is_miss=False)
WEB = http_question(b"88.118/SN-1", "h", [], path="/api/handles/", accept="*/*", is_miss=False)
OK = b'{"responseCode":1,"handle":"88.118/SN-1","values":[]}'
OK_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK


def setup(port: int, transport: str, connections: int = 4, in_flight: int = 1, timeout_s=10.0):
    target = Target(transport, "127.0.0.1", port, f"127.0.0.1:{port}")
    return Setup(target, 0, connections, in_flight, timeout_s, 1, LATER)


class Told:
    """All intervals of one run."""

    def __init__(self, load, run: Run) -> None:
        self.intervals: list[Interval] = []
        begin_ns = run.begin_ns + int(run.warm_up_s * S)
        span_ns = (begin_ns, begin_ns + int(run.seconds * S))
        recorder = Recorder(
            span_ns, int(run.interval_s * S), self.intervals.append, time.process_time_ns
        )
        try:
            load.run(run, recorder)
        finally:
            load.close()
        self.sent = sum(each.sent for each in self.intervals)
        self.answers = sum(each.answers for each in self.intervals)
        self.errors = sum((Counter(each.errors) for each in self.intervals), Counter())
        self.latencies, self.lags = Latencies(), Latencies()
        for each in self.intervals:
            if each.latencies:
                self.latencies.add_encoded(each.latencies)
            if each.lags:
                self.lags.add_encoded(each.lags)


def run_of(rate: float | None, seconds: float = 0.5, warm_up_s: float = 0.1) -> Run:
    return Run(time.monotonic_ns(), warm_up_s, seconds, 0.1, rate)


def udp(server: UdpServer, run: Run, **how) -> Told:
    return Told(UdpLoad(setup(server.port, "udp", **how), lambda: QUESTION), run)


def test_udp_at_a_rate_sends_what_the_schedule_says_and_measures_only_after_the_warm_up():
    with UdpServer(lambda question: [right_answer(question)]) as server:
        told = udp(server, run_of(400))
    assert told.sent == told.answers == told.lags.count == 200
    assert told.errors == {}
    assert {each.number for each in told.intervals} <= set(range(9))


def late_run() -> Run:
    """100 questions, the last of them due half a second ago."""
    return Run(time.monotonic_ns() - S, 0.0, 0.5, 0.1, 200)


def test_a_udp_loop_that_comes_late_still_asks_all_that_was_due():
    with UdpServer(lambda question: [right_answer(question)]) as server:
        told = udp(server, late_run())
    assert told.sent == told.answers == told.lags.count == 100
    assert told.errors == {}


def test_what_a_udp_loop_is_too_late_for_counts_as_unsent():
    with UdpServer(lambda question: [right_answer(question)]) as server:
        told = udp(server, late_run(), timeout_s=0.3)
    assert told.sent == told.answers == 0
    assert told.errors == {"unsent": 100}


def test_udp_in_a_closed_loop_keeps_its_window_and_no_more():
    with UdpServer(lambda question: [right_answer(question)]) as server:
        told = udp(server, run_of(None), connections=2, in_flight=3)
    assert told.answers == told.sent > 50
    assert told.errors == {}
    assert told.lags.count == 0


def test_a_udp_server_that_stands_still_is_charged_for_all_who_would_have_asked():
    """0.4 s of 1 s: the longest wait is the stall, and about a third of all waited for 0.1 s or more."""
    began = time.monotonic()
    stalled = []

    def respond(question: bytes) -> list[bytes]:
        if not stalled and time.monotonic() - began > 0.3:
            stalled.append(True)
            server.stopping.wait(0.4)
        return [right_answer(question)]

    with UdpServer(respond) as server:
        told = udp(server, run_of(500, 1.0, 0.0), timeout_s=10.0)
    assert told.answers == 500
    assert told.latencies.percentile_ms(100) > 380
    assert told.latencies.percentile_ms(90) > 180
    assert told.latencies.percentile_ms(20) < 180


def test_udp_questions_without_an_answer_are_timeouts_and_are_not_asked_again():
    numbers = count()
    seen = []

    def respond(question: bytes) -> list[bytes]:
        seen.append(question[8:12])
        return [] if next(numbers) % 4 == 0 else [right_answer(question)]

    with UdpServer(respond) as server:
        told = udp(server, run_of(400, warm_up_s=0.0), timeout_s=1.0)
    assert told.sent == 200
    assert told.errors == {"timeout": 50}
    assert told.answers == 150
    assert len(seen) == len(set(seen)) == 200


@pytest.mark.parametrize(
    ("respond", "kind"),
    [
        (lambda q: [answer_about(q, b"88.118/other")], "wrong handle"),
        (lambda q: [refusal(q, ResponseCode.ERROR)], "RC 2"),
        (lambda q: [q[:8] + bytes(4) + right_answer(q)[12:]], "timeout"),  # another request id
        (lambda q: [os.urandom(5), os.urandom(80)], "timeout"),
    ],
    ids=["about another handle", "an error", "with another id", "noise"],
)
def test_wrong_udp_answers_are_errors(respond, kind):
    with UdpServer(respond) as server:
        told = udp(server, run_of(200, 0.2, 0.0), timeout_s=1.0)
    assert told.answers == 0
    assert told.errors == {kind: 40}


def test_a_udp_answer_that_comes_twice_counts_once():
    with UdpServer(lambda question: [right_answer(question)] * 2) as server:
        told = udp(server, run_of(200, 0.2, 0.0))
    assert told.answers == told.sent == 40


def test_nobody_listening_on_udp_is_no_endless_wait():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    load = UdpLoad(setup(port, "udp", timeout_s=0.3), lambda: QUESTION)
    told = Told(load, run_of(200, 0.2, 0.0))
    assert told.answers == 0
    assert sum(told.errors.values()) == 40
    assert set(told.errors) <= {"refused", "timeout"}


def native_talk(sock: socket.socket) -> None:
    with sock.makefile("rb") as file:
        while head := file.read(20):
            question = head + file.read(int.from_bytes(head[16:20]))
            sock.sendall(right_answer(question))


def test_native_connections_are_kept_and_shared():
    with TcpServer(native_talk) as server:
        load = StreamLoad(setup(server.port, "tcp"), lambda: QUESTION, NativeDialogue)
        told = Told(load, run_of(300))
        assert server.connections == 4
    assert told.sent == told.answers == 150
    assert told.errors == {}


@pytest.mark.parametrize(
    ("timeout_s", "answers", "errors"), [(10.0, 100, {}), (0.3, 0, {"unsent": 100})]
)
def test_connections_that_come_late_ask_all_that_was_due_or_count_it_as_unsent(
    timeout_s, answers, errors
):
    with TcpServer(native_talk) as server:
        ways = setup(server.port, "tcp", timeout_s=timeout_s)
        told = Told(StreamLoad(ways, lambda: QUESTION, NativeDialogue), late_run())
    assert told.answers == told.sent == answers
    assert told.errors == errors


def test_native_answers_may_come_in_any_order():
    def talk(sock: socket.socket) -> None:
        with sock.makefile("rb") as file:
            while True:
                questions = []
                for _ in range(2):
                    head = file.read(20)
                    if not head:
                        return
                    questions.append(head + file.read(int.from_bytes(head[16:20])))
                sock.sendall(b"".join(map(right_answer, reversed(questions))))

    with TcpServer(talk) as server:
        ways = setup(server.port, "tcp", connections=1, in_flight=2, timeout_s=0.5)
        told = Told(StreamLoad(ways, lambda: QUESTION, NativeDialogue), run_of(None, 0.3, 0.0))
    assert told.answers > 20
    assert set(told.errors) <= {"timeout"}  # the last one may wait for a partner
    assert sum(told.errors.values()) <= 1


def web(server: TcpServer, run: Run, **how) -> Told:
    ways = setup(server.port, "http", **how)
    return Told(StreamLoad(ways, lambda: WEB, lambda: HttpDialogue(check_json)), run)


def read_request(sock: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = sock.recv(4096)
        if not piece:
            return b""
        data += piece
    return data


def test_http_connections_are_kept():
    def talk(sock: socket.socket) -> None:
        while read_request(sock):
            sock.sendall(OK_ANSWER)

    with TcpServer(talk) as server:
        told = web(server, run_of(None, 0.3))
        assert server.connections == 4
    assert told.answers == told.sent > 20
    assert told.errors == {}


def test_a_server_that_closes_after_each_answer_is_asked_on_new_connections():
    def talk(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK_ANSWER.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    with TcpServer(talk) as server:
        told = web(server, run_of(100, 0.3, 0.0))
        assert server.connections >= 30
    assert told.answers == told.sent == 30
    assert told.errors == {}


def test_a_connection_that_breaks_fails_what_waits_on_it_and_nothing_else():
    numbers = count(1)

    def talk(sock: socket.socket) -> None:
        while read_request(sock):
            if next(numbers) % 10 == 0:
                return
            sock.sendall(OK_ANSWER)

    with TcpServer(talk) as server:
        told = web(server, run_of(100, 0.5, 0.0))
    assert told.sent == 50
    assert told.errors == {"closed": 5}
    assert told.answers == 45


def test_a_silent_server_costs_timeouts_and_what_found_no_connection_counts_as_unsent():
    with TcpServer(lambda sock: sock.recv(65_536) and sock.recv(1)) as server:
        told = web(server, run_of(800, 0.5, 0.0), connections=2, timeout_s=0.2)
    assert told.answers == 0
    assert sum(told.errors.values()) == 400
    assert {"timeout", "unsent"} <= set(told.errors)


def test_waiting_for_a_free_connection_is_part_of_the_latency():
    """One connection, 50 ms an answer, 40 questions a second: they queue, and the last waits longest."""

    def talk(sock: socket.socket) -> None:
        while read_request(sock):
            server.wait(0.05)
            sock.sendall(OK_ANSWER)

    with TcpServer(talk) as server:
        told = web(server, run_of(40, 0.5, 0.0), connections=1, timeout_s=5.0)
    assert told.answers == 20
    assert told.latencies.percentile_ms(100) > 400
    assert told.lags.percentile_ms(99) < 100  # it is the server that is late, not the client


def test_garbage_instead_of_http_is_malformed():
    def talk(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"\x02\x0b" + bytes(60) + b"\r\n\r\n")

    with TcpServer(talk) as server:
        told = web(server, run_of(50, 0.2, 0.0))
    assert told.answers == 0
    assert told.errors["malformed"] == 10


def test_a_run_that_is_stopped_ends_with_what_was_on_the_way():
    with UdpServer(lambda question: [right_answer(question)]) as server:
        load = UdpLoad(setup(server.port, "udp"), lambda: QUESTION)
        numbers = count()

        def next_question():
            if next(numbers) == 50:
                load.stop()
            return QUESTION

        load._next_question = next_question
        told = Told(load, run_of(500, 30.0, 0.0))
    assert told.answers == told.sent == 51
