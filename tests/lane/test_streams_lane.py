"""The compiled streams: plain hits whatever the pieces they come in, and everything else handed back whole."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.lane.extension import load
from node.lane.udp import SOURCE_MAY_RECURSE
from protocols.handle.fast import (
    MAX_PLAIN_BYTES,
    OPERATIONS,
    REMEMBERED_OPERATIONS,
    VERSIONS,
    plain_answer,
    plain_question,
    remembered_question,
)
from protocols.record import public_offset
from tests.node.parts import PREFIX, ask, make_store

pytestmark = pytest.mark.skipif(load() is None, reason="the compiled part is not built")

SERIAL, EXPIRATION_S, NOW_S = 7, 123_456, 100.0
REMEMBERED_PUBLIC = bytes.fromhex("00000001") + bytes(30)
HEAD = b" HTTP/1.1\r\nHost: node\r\n\r\n"
ODD_HEAD = b" HTTP/1.1\r\nHost: node\r\nX: 1\r\n\r\n"


def remembered(spelling: bytes, now_s: float) -> bytes | None:
    assert now_s == NOW_S
    return REMEMBERED_PUBLIC if spelling == b"88.200/VALVE" else None


class Desk:
    """The compiled part, and connections to it."""

    def __init__(self, memo=None) -> None:
        self.streams = load().Streams(
            VERSIONS, OPERATIONS, REMEMBERED_OPERATIONS, MAX_PLAIN_BYTES, memo
        )
        self.reader = make_store().reader()
        self.ends: dict[int, tuple[socket.socket, socket.socket]] = {}

    def connect(self, flags: int = SOURCE_MAY_RECURSE, peer: object = "peer") -> socket.socket:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client = socket.create_connection(listening.getsockname())
            server, _ = listening.accept()
        for one in (client, server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.streams.add(server.fileno(), peer, flags, NOW_S)
        self.ends[server.fileno()] = (client, server)
        return client

    def native(self, remembered=remembered):
        hosted, get, number = self.reader.at_hand()
        return self.streams.serve_native(
            hosted, get, number, remembered, NOW_S, SERIAL, EXPIRATION_S
        )

    def close(self) -> None:
        for client, server in self.ends.values():
            self.streams.remove(server.fileno())
            client.close()
            server.close()
        self.ends.clear()

    def plain(self, handle: str) -> bytes:
        question = plain_question(ask(handle))
        stored = self.reader.stored(question[0])
        public = stored[public_offset(stored) :]
        return plain_answer(question, public, SERIAL, EXPIRATION_S)


@pytest.fixture
def desk() -> Iterator[Desk]:
    one = Desk()
    yield one
    one.close()


def received(client: socket.socket) -> bytes:
    got = b""
    try:
        while True:
            data = client.recv(1_000_000)
            if not data:
                return got
            got += data
    except BlockingIOError:
        return got


SMALL = f"{PREFIX}/small"


def test_pipelined_questions_are_answered_in_order_with_one_piece(desk: Desk):
    client = desk.connect()
    client.send(ask(SMALL) + ask(f"{PREFIX}/mixed") + ask(SMALL))
    assert desk.native() is None
    assert received(client) == desk.plain(SMALL) + desk.plain(f"{PREFIX}/mixed") + desk.plain(SMALL)
    assert desk.streams.hits == 3


def test_what_another_node_told_is_told_to_those_who_may_hear_it(desk: Desk):
    question = ask("88.200/VALVE")
    client = desk.connect()
    client.send(question)
    assert desk.native() is None
    asked = remembered_question(question, plain_question(question))
    assert received(client) == plain_answer(asked, REMEMBERED_PUBLIC, SERIAL, EXPIRATION_S)
    stranger = desk.connect(flags=0)
    stranger.send(question)
    ((_, data, unsent),) = desk.native()
    assert (data, unsent, received(stranger)) == (question, b"", b"")


def test_the_first_other_message_hands_the_connection_back_behind_its_answers(desk: Desk):
    client = desk.connect()
    rest = ask(f"{PREFIX}/absent") + ask(SMALL)
    client.send(ask(SMALL) + rest)
    ((descriptor, data, unsent),) = desk.native()
    assert (data, unsent) == (rest, b"")
    assert received(client) == desk.plain(SMALL)
    assert desk.streams.count == 0
    assert not desk.streams.remove(descriptor)
    client.send(ask(SMALL))
    assert desk.native() is None, "nobody watches it any more"


MESSAGES = st.lists(
    st.sampled_from([SMALL, f"{PREFIX}/mixed", f"{PREFIX}/absent", f"{PREFIX}/large"]), max_size=6
)


@settings(max_examples=150, deadline=None)
@given(MESSAGES, st.binary(max_size=120), st.data())
def test_whatever_comes_is_answered_or_handed_back_and_no_byte_is_lost(handles, noise, data):
    desk = Desk()
    try:
        client = desk.connect()
        sent = b"".join(ask(handle) for handle in handles) + noise
        cut = data.draw(st.integers(0, len(sent)))
        left = None
        for piece in (sent[:cut], sent[cut:]):
            if piece and left is None:
                client.send(piece)
                left = desk.native()
        answers = received(client)
        hits = 0
        expected = b""
        for handle in handles:
            if expected == answers:
                break
            expected += desk.plain(handle)
            hits += 1
        assert expected == answers
        assert desk.streams.hits == hits
        rest = sent[sum(len(ask(handle)) for handle in handles[:hits]) :]
        if left is None:
            assert rest == b""
        else:
            ((_, handed, unsent),) = left
            assert unsent == b""
            assert rest.startswith(handed)
            assert handed == rest or len(rest) - len(handed) == len(sent) - cut
    finally:
        desk.close()


def test_an_answer_larger_than_the_buffer_is_left_to_asyncio(desk: Desk):
    client = desk.connect()
    client.send(ask(SMALL) + ask(f"{PREFIX}/large"))
    ((_, data, unsent),) = desk.native()
    assert (data, unsent) == (ask(f"{PREFIX}/large"), b"")
    assert received(client) == desk.plain(SMALL)


def test_what_the_kernel_does_not_take_is_handed_back_with_the_connection(desk: Desk):
    client = desk.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ((_, server),) = desk.ends.values()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    questions = 0
    left = None
    while left is None:
        client.send(ask(f"{PREFIX}/middle") * 50)
        questions += 50
        left = desk.native()
        assert questions < 100_000
    ((_, data, unsent),) = left
    assert unsent
    expected = desk.plain(f"{PREFIX}/middle")
    client.setblocking(True)
    client.settimeout(10)
    got = b""
    asked_again = len(data) // len(ask(f"{PREFIX}/middle"))
    whole = expected * (questions - asked_again)
    while len(got) < len(whole) - len(unsent):
        got += client.recv(65_536)
    assert got + unsent == whole


def test_a_peer_that_is_gone_is_reported_once(desk: Desk):
    client = desk.connect()
    client.close()
    ((_, data, unsent),) = desk.native()
    assert (data, unsent) == (None, b"")
    assert desk.native() is None
    assert desk.streams.count == 0


def test_questions_before_the_end_of_a_peer_are_answered(desk: Desk):
    client = desk.connect()
    client.send(ask(SMALL))
    client.shutdown(socket.SHUT_WR)
    assert desk.native() is None
    assert received(client) == desk.plain(SMALL)
    assert desk.native()[0][1] is None


def test_who_has_been_silent_is_found(desk: Desk):
    first, second = desk.connect(), desk.connect()
    descriptors = list(desk.ends)
    assert desk.streams.silent_since(NOW_S - 1) == []
    assert desk.streams.silent_since(NOW_S) == descriptors
    hosted, get, number = desk.reader.at_hand()
    second.send(ask(SMALL))
    desk.streams.serve_native(hosted, get, number, remembered, NOW_S + 5, SERIAL, EXPIRATION_S)
    assert desk.streams.silent_since(NOW_S + 1) == [descriptors[0]]
    assert received(first) == b""


def test_a_descriptor_is_watched_once_and_nonsense_is_refused(desk: Desk):
    desk.connect()
    (descriptor,) = desk.ends
    for wrong in (descriptor, -1, 1 << 21):
        with pytest.raises(ValueError, match="watched already"):
            desk.streams.add(wrong, "peer", 0, NOW_S)
    assert not desk.streams.remove(-1)
    assert not desk.streams.remove(1 << 20)
    with pytest.raises(OSError, match="descriptor"):
        desk.streams.add(9_999, "peer", 0, NOW_S)
    assert desk.streams.count == 1


# HTTP: what is a hit, what is asked of Python, what is handed back


class Answers:
    """In the place of ``node.http.plain.PlainHttp``."""

    def __init__(self, rendered: dict[bytes, bytes], whole: dict[bytes, bytes]) -> None:
        self.heads = {HEAD: True}
        self.rendered, self.whole = rendered, whole
        self.asked: list[tuple[bytes, object]] = []

    def hit(self, target: bytes) -> bytes | None:
        return self.rendered.get(target)

    def answer(self, data: bytes, peer: object) -> bytes | None:
        self.asked.append((data, peer))
        return self.whole.get(data)

    def serve(self, desk: Desk):
        return desk.streams.serve_http(self.heads, self.hit, self.answer, NOW_S)


def test_a_get_with_a_head_that_means_nothing_is_a_hit_by_its_target(desk: Desk):
    answers = Answers({b"/1": b"one", b"/2": b"two"}, {})
    client = desk.connect()
    client.send(b"GET /1" + HEAD + b"GET /2" + HEAD)
    assert answers.serve(desk) is None
    assert (received(client), answers.asked, desk.streams.hits) == (b"onetwo", [], 2)


@pytest.mark.parametrize(
    "request_",
    [b"GET /1" + ODD_HEAD, b"HEAD /1" + HEAD, b"GET /3" + HEAD, b"GET /1 HTTP/1.1\r\nHost", b"GET", b"\x16\x03\x01"],
)  # fmt: skip
def test_everything_else_is_asked_of_python_with_its_peer_and_answered_or_handed_back(
    desk: Desk, request_
):
    answers = Answers({b"/1": b"one"}, {request_: b"made"})
    client = desk.connect(peer="who")
    client.send(b"GET /1" + HEAD + request_)
    assert answers.serve(desk) is None
    assert (received(client), answers.asked) == (b"onemade", [(request_, "who")])
    answers.whole.clear()
    client.send(b"GET /1" + HEAD + request_)
    ((_, data, unsent),) = answers.serve(desk)
    assert (received(client), data, unsent) == (b"one", request_, b"")


def test_a_rendered_answer_larger_than_the_buffer_goes_out_behind_the_others(desk: Desk):
    large = b"x" * 300_000
    answers = Answers({b"/1": b"one", b"/large": large}, {})
    client = desk.connect()
    client.send(b"GET /1" + HEAD + b"GET /large" + HEAD + b"GET /1" + HEAD)
    ((_, data, unsent),) = answers.serve(desk)
    assert received(client) == b"one"
    assert (data, unsent) == (b"GET /1" + HEAD, large)


def test_an_error_in_python_is_handed_on(desk: Desk):
    def broken(*_: object) -> None:
        raise LookupError("no answers today")

    client = desk.connect()
    client.send(b"GET /1" + HEAD)
    with pytest.raises(LookupError, match="no answers today"):
        desk.streams.serve_http({HEAD: True}, broken, broken, NOW_S)
    assert received(client) == b""


def test_an_error_in_python_forgets_nobody_and_loses_no_byte(desk: Desk):
    def broken(*_: object) -> None:
        raise LookupError("no answers today")

    def nothing(*_: object) -> None:
        return None

    def answer(data: bytes, _peer: object) -> bytes | None:
        return None if data == b"PUT /" else broken()

    fine, gone = desk.connect(), desk.connect()
    fine.send(b"PUT /")
    gone.send(b"GET /1" + HEAD)
    with pytest.raises(LookupError, match="no answers today"):
        desk.streams.serve_http({}, nothing, answer, NOW_S)
    first, second = desk.ends
    left = desk.streams.serve_http({}, nothing, nothing, NOW_S)
    assert left == [(first, b"PUT /", b""), (second, b"GET /1" + HEAD, b"")]
    assert desk.streams.count == 0


def test_what_was_answered_before_an_error_goes_out_and_the_rest_is_handed_back(desk: Desk):
    def broken(_spelling: bytes, _now_s: float) -> bytes | None:
        raise LookupError("no answers today")

    client = desk.connect()
    client.send(ask(SMALL) + ask("88.200/VALVE") + ask(SMALL))
    with pytest.raises(LookupError, match="no answers today"):
        desk.native(broken)
    assert received(client) == desk.plain(SMALL)
    ((_, data, unsent),) = desk.native()
    assert (data, unsent) == (ask("88.200/VALVE") + ask(SMALL), b"")
