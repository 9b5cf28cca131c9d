"""Attacks over native TCP: lengths that lie, clients that dawdle, hoard, pipeline, never read, or speak HTTP."""

import contextlib
import socket
import struct
import time

import pytest

from tests.attacks.attacked_node import BIG, GOOD, HIDDEN, HUGE, PREFIX, AttackedNode
from tests.attacks.conftest import SHORT
from tests.attacks.honest import HonestClient
from tests.attacks.wire import (
    ask_http,
    ask_tcp,
    connect,
    is_closed,
    message,
    question,
    question_body,
    read_http,
    read_message,
    request,
    text,
)

HAS_NODE = True
pytestmark = pytest.mark.process

PER_ADDRESS = 64
LOOK_S = 0.25
"""The node looks at its connections so often."""


def sources(count: int, per_address: int = PER_ADDRESS) -> list[str]:
    """Loopback addresses for ``count`` connections that no limit per address stops."""
    return [f"127.0.3.{1 + number // per_address}" for number in range(count)]


@contextlib.contextmanager
def connections(node: AttackedNode, count: int, port: int | None = None):
    with contextlib.ExitStack() as stack:
        port = port or node.native_port
        yield [stack.enter_context(connect(port, source)) for source in sources(count)]


@pytest.fixture(scope="module")
def never_reading(node):
    """20 clients that ask and never read, opened before the other attacks: being dropped takes 10 s."""
    with contextlib.ExitStack() as stack:
        socks = [
            stack.enter_context(connect(node.native_port, f"127.0.5.{n}", receive_bytes=4096))
            for n in range(1, 21)
        ]
        before = node.rss_bytes
        for sock in socks:
            sock.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                sock.sendall(question(HUGE) * 2000)
        yield socks, before


def test_a_client_that_never_reads_costs_a_bounded_buffer(node, never_reading):
    """The answers to 2,000 questions would be 400 MB."""
    _, before = never_reading
    time.sleep(0.3)
    assert node.rss_bytes - before < 20 * 600_000


def test_500_connections_announcing_two_gigabytes_each_get_none_of_it(node):
    lie = struct.pack(">BBBBIIII", 2, 11, 2, 11, 0, 1, 0, 0x7FFFFFFF)
    with connections(node, 500) as warm:  # what connections cost by themselves
        assert ask_tcp(warm[-1], question(GOOD)).response_code == 1
        descriptors, before = node.descriptor_count, node.rss_bytes
        for sock in warm:
            sock.sendall(lie)
        assert all(is_closed(sock) for sock in warm)
    assert node.rss_bytes - before <= 10_000_000
    assert node.settles_at(descriptors - 500)


def test_500_connections_that_begin_the_largest_message_hold_what_they_sent_and_end_in_time(node):
    begun = struct.pack(">BBBBIIII", 2, 11, 2, 11, 0, 1, 0, 262_144) + bytes(480)
    with connections(node, 500) as socks:
        before = node.rss_bytes
        for sock in socks:
            sock.sendall(begun)
        started_s = time.monotonic()
        assert all(is_closed(sock) for sock in socks)
        assert time.monotonic() - started_s < SHORT["tcp_request_s"] + 4 * LOOK_S + 1
    assert node.rss_bytes - before <= 10_000_000


def test_a_request_sent_byte_by_byte_is_answered_within_the_deadline(node):
    with connect(node.native_port) as sock:
        for byte in question(GOOD):
            sock.send(bytes([byte]))
        assert read_message(sock).response_code == 1


def test_a_request_that_dawdles_is_closed_at_the_deadline_although_bytes_keep_coming(node):
    with connect(node.native_port) as sock:
        started_s = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in question("x" * 200):
                sock.send(bytes([byte]))
                time.sleep(0.02)
                if time.monotonic() - started_s > 4:
                    break
        assert is_closed(sock)
        took_s = time.monotonic() - started_s
    assert SHORT["tcp_request_s"] - 0.1 <= took_s < SHORT["tcp_request_s"] + 2 * LOOK_S + 2


def test_answers_in_between_do_not_buy_time_for_an_unfinished_request(node):
    with connect(node.native_port) as sock:
        sock.sendall(question(GOOD) + question(GOOD)[:30])
        assert read_message(sock).response_code == 1
        started_s = time.monotonic()
        assert is_closed(sock)
        assert time.monotonic() - started_s < SHORT["tcp_request_s"] + 2 * LOOK_S + 2


def test_a_thousand_requests_in_one_write_are_answered_in_order_one_each(node):
    handles = (GOOD, BIG, f"{PREFIX}/none", PREFIX)
    asked = b"".join(question(handles[n % 4], request_id=n + 1) for n in range(1000))
    with connect(node.native_port) as sock:
        sock.sendall(asked)
        replies = [read_message(sock) for _ in range(1000)]
        assert [reply.request_id for reply in replies] == list(range(1, 1001))
        assert [reply.response_code for reply in replies[:4]] == [1, 1, 100, 1]
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_a_half_closed_connection_gets_what_it_asked_for_and_then_the_end(node):
    with connect(node.native_port) as sock:
        sock.sendall(question(GOOD) * 3)
        sock.shutdown(socket.SHUT_WR)
        assert [read_message(sock).response_code for _ in range(3)] == [1, 1, 1]
        assert is_closed(sock)


def test_half_closing_behind_a_pipeline_larger_than_the_write_buffer_loses_no_answer(node):
    with connect(node.native_port, receive_bytes=4096) as sock:
        sock.sendall(question(HUGE) * 10)
        sock.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        assert [read_message(sock).size > 200_000 for _ in range(10)] == [True] * 10
        assert is_closed(sock)


def test_resets_in_the_middle_of_everything_leave_nothing_behind(node):
    descriptors = node.descriptor_count
    for number in range(200):
        sock = connect(node.native_port, f"127.0.4.{1 + number % 50}")
        sock.sendall((question(HUGE) * 3)[: 1 + number * 2])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    assert node.settles_at(descriptors)


def _is_dropped(sock: socket.socket, until_s: float) -> bool:
    """Whether the node ends the connection, seen without reading a byte of what it sent."""
    while time.monotonic() < until_s:
        # TCP_INFO's first byte is the state; 1 = established
        if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0] != 1:
            return True
        time.sleep(0.05)
    return False


def test_one_address_gets_its_64_connections_and_no_more(node):
    descriptors = node.descriptor_count
    with contextlib.ExitStack() as stack:
        socks = [
            stack.enter_context(connect(node.native_port, "127.0.6.1")) for _ in range(PER_ADDRESS)
        ]
        assert all(ask_tcp(sock, question(GOOD)).response_code == 1 for sock in socks)
        for _ in range(5):
            with connect(node.native_port, "127.0.6.1") as more:
                assert is_closed(more)
        with connect(node.native_port, "127.0.6.2") as neighbour:
            assert ask_tcp(neighbour, question(GOOD)).response_code == 1
        assert ask_tcp(socks[0], question(GOOD)).response_code == 1
    assert node.settles_at(descriptors)
    with connect(node.native_port, "127.0.6.1") as again:
        assert ask_tcp(again, question(GOOD)).response_code == 1


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),
     b"SSH-2.0-x\r\n" + bytes(40), bytes(64), b"\xff" * 64, b"\x02\x0b\x02\x0b" + b"\xff" * 40],
    ids=["http", "tls", "ssh", "zeros", "ones", "native-ones"],
)  # fmt: skip
@pytest.mark.parametrize("is_second", [False, True])
def test_garbage_ends_its_own_connection_after_the_answers_before_it(node, garbage, is_second):
    with connect(node.native_port) as sock:
        sock.sendall(question(GOOD) * is_second + garbage)
        if is_second:
            assert read_message(sock).response_code == 1
        assert is_closed(sock)


def test_garbage_is_never_resynchronised(node):
    """A message hidden behind a broken one must not be found: two readers would disagree on what was asked."""
    with connect(node.native_port) as sock:
        sock.sendall(question(GOOD, length=10) + question(GOOD, request_id=99))
        seen = bytearray()
        with contextlib.suppress(ConnectionError):
            while piece := sock.recv(4096):
                seen += piece
        assert struct.pack(">I", 99) not in seen[8:12]


def test_a_resolve_request_above_8_kib_gets_rc_4_and_the_end(node):
    with connect(node.native_port) as sock:
        sock.sendall(message(question_body(GOOD.encode(), tail=bytes(8200))))
        assert read_message(sock).response_code == 4
        assert is_closed(sock)


def test_a_message_above_262144_bytes_is_not_read(node):
    with connect(node.native_port) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(message(bytes(262_200), op_code=100))
        assert is_closed(sock)


def test_the_largest_administrative_message_is_refused_and_the_connection_lives(node):
    with connect(node.native_port) as sock:
        reply = ask_tcp(sock, message(bytes(262_144 - 28), op_code=100))
        assert (reply.response_code, reply.op_code) == (102, 100)
        assert ask_tcp(sock, question(GOOD)).response_code == 1


def test_an_answer_sent_as_a_request_ends_the_connection(node):
    with connect(node.native_port) as sock:
        sock.sendall(question(GOOD, response_code=1))
        assert is_closed(sock)


@pytest.mark.parametrize("op_code", [100, 101, 102, 103, 104, 105, 200, 400, 402, 1000, 2001])
@pytest.mark.parametrize(
    "body",
    [
        question_body(f"{PREFIX}/new".encode()),
        question_body(HIDDEN.encode(), [1]),
        text(HIDDEN.encode()) + bytes(8),
        b"",
        b"\xff" * 60,
    ],
    ids=["a question", "indexes", "empty lists", "nothing", "nonsense"],
)
def test_administration_without_a_login_is_refused_and_never_402_under_an_id_of_the_clients_own(
    node, op_code, body
):
    with connect(node.native_port) as sock:
        for session_id in (0, 10_001):
            reply = ask_tcp(sock, message(body, op_code=op_code, session_id=session_id))
            assert reply.op_code == op_code
            assert reply.response_code in {2, 4, 5, 102, 202, 400, 402, 405, 500}
            assert reply.response_code != 402 or session_id == 0 or op_code == 2001
        assert ask_tcp(sock, question(GOOD)).response_code == 1


def test_a_connection_outlives_a_missing_keep_alive_flag_and_sessions_nobody_knows(node):
    with connect(node.native_port) as sock:
        for session_id in (0, 10_001, 0xFFFFFFFF):
            assert ask_tcp(sock, question(GOOD, session_id=session_id)).response_code == 1


def test_answers_over_tcp_never_carry_the_truncation_flag(node):
    with connect(node.native_port) as sock:
        for handle in (GOOD, BIG, HUGE):
            reply = ask_tcp(sock, question(handle))
            assert not reply.version[2] & 0xE0


def test_native_bytes_on_the_http_port_are_a_bad_request(node):
    with connect(node.http_port) as sock:
        sock.sendall(question(GOOD))
        (reply,) = list(read_http(sock))
        assert reply.status == 400


def test_hoarding_all_slots_keeps_newcomers_out_for_a_moment_only(node):
    """1,024 slots on the native port. The fuller they are the shorter a connection may rest: 0.6 s at the end."""
    descriptors = node.descriptor_count
    with connections(node, 1100):
        assert node.descriptor_count <= descriptors + 1024 + 64  # a few are about to be refused
        until_s, is_served = time.monotonic() + 5, False
        while not is_served and time.monotonic() < until_s:
            with (
                connect(node.native_port, "127.0.8.1") as newcomer,
                contextlib.suppress(OSError, EOFError),
            ):
                is_served = ask_tcp(newcomer, question(GOOD)).response_code == 1
        assert is_served
        assert ask_http(node.http_port, request("GET", f"/api/handles/{GOOD}")).status == 200
    assert node.settles_at(descriptors)


def test_clients_that_never_read_are_dropped_in_the_end(never_reading):
    socks, _ = never_reading
    until_s = time.monotonic() + 15
    assert all(_is_dropped(sock, until_s) for sock in socks)


def test_the_honest_client_was_served_all_the_while(honest: HonestClient):
    honest.assert_served()
