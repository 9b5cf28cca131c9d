"""The compiled UDP lane against the Python it repeats: same bytes for any bytes, same verdicts for any sources."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.config_sections import LimitsSection
from node.lane.extension import load
from node.lane.udp import SOURCE_IS_FREE, SOURCE_IS_PROVEN, SOURCE_MAY_RECURSE
from protocols.handle.fast import (
    MAX_PLAIN_BYTES,
    OPERATIONS,
    REMEMBERED_OPERATIONS,
    VERSIONS,
    plain_answer,
    plain_question,
    remembered_question,
)
from protocols.record import DELETED, NO_VALUES, public_offset
from resolver.policies.ratelimit import RateLimit
from tests.node.parts import PREFIX, RECORDS, ask, make_store

pytestmark = pytest.mark.skipif(load() is None, reason="the compiled part is not built")

SERIAL, EXPIRATION_S, NOW_S = 7, 123_456, 100.0
REMEMBERED = {b"88.200/VALVE": RECORDS["small"]}
FREE = SOURCE_IS_FREE | SOURCE_MAY_RECURSE | SOURCE_IS_PROVEN
REMEMBERED_PUBLIC = bytes.fromhex("00000001") + bytes(30)


def remembered(spelling: bytes, now_s: float) -> bytes | None:
    assert now_s == NOW_S
    return REMEMBERED_PUBLIC if spelling == b"88.200/VALVE" else None


class Desk:
    """A lane on a socket of its own, and clients at any loopback address."""

    def __init__(
        self,
        know=lambda _host: FREE,
        rate_per_s=1e9,
        burst=1e9,
        most_sources=64,
        most_bytes=512,
        memo=None,
    ):
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("127.0.0.1", 0))
        self.server.setblocking(False)
        self.place = self.server.getsockname()
        self.lane = load().Udp(
            self.server.fileno(), VERSIONS, OPERATIONS, REMEMBERED_OPERATIONS, MAX_PLAIN_BYTES, know,
            rate_per_s, burst, most_sources, 0x0123456789ABCDEF, most_bytes, 3.0, memo,
        )  # fmt: skip
        self.reader = make_store().reader()
        self.clients: dict[str, socket.socket] = {}

    def client(self, host: str = "127.0.0.1") -> socket.socket:
        if host not in self.clients:
            one = self.clients[host] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((host, 0))
            one.connect(self.place)
            one.setblocking(False)
        return self.clients[host]

    def serve(self, now_s: float = NOW_S, remembered=remembered):
        hosted, get, number = self.reader.at_hand()
        return self.lane.serve(hosted, get, number, remembered, now_s, SERIAL, EXPIRATION_S)

    def answers(self, host: str = "127.0.0.1") -> list[bytes]:
        got = []
        try:
            while True:
                got.append(self.client(host).recv(65_536))
        except BlockingIOError:
            return got

    def close(self) -> None:
        for one in (self.server, *self.clients.values()):
            one.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    one = Desk()
    yield one
    one.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Desk]:
    """For properties: nothing of one example is left for the next."""
    one = Desk(most_bytes=65_507)
    yield one
    one.close()


def in_python(desk: Desk, datagram: bytes) -> bytes | None:
    """The answer of the Python hot path; None = it has to look further."""
    question = plain_question(datagram)
    if question is None:
        return None
    stored = desk.reader.stored(question[0])
    if stored is None:
        values, asked = remembered(question[0], NOW_S), remembered_question(datagram, question)
        return plain_answer(asked, values, SERIAL, EXPIRATION_S) if values and asked else None
    public = stored[public_offset(stored) :]
    if stored[1] & DELETED or public == NO_VALUES:
        return None
    answer = plain_answer(question, public, SERIAL, EXPIRATION_S)
    return answer if len(answer) <= 65_507 else None


HANDLES = st.sampled_from(
    [*(f"{PREFIX}/{name}" for name in (*RECORDS, "absent", "gone", "SMALL", "é", "", "x" * 441)),
     f"0.NA/{PREFIX}", f"0.na/{PREFIX}", "nothing", "", "/", "88.200/VALVE", "88.200/valve", "9" * 300 + "/x"]
)  # fmt: skip


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    """Questions, mostly plain, some with bytes changed, cut off or put behind."""
    data = bytearray(ask(draw(HANDLES), request_id=draw(st.integers(0, 2**31 - 1))))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 5]))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    ending = draw(st.sampled_from(["whole", "whole", "whole", "cut", "longer", "sdk"]))
    if ending == "cut":
        del data[draw(st.integers(0, len(data))) :]
    elif ending == "longer":
        data += draw(st.binary(max_size=20))
    elif ending == "sdk":
        data += bytes(4)
        data[16:20] = (len(data) - 20).to_bytes(4)
        data[40:44] = (len(data) - 48).to_bytes(4)
    return bytes(data)


@settings(max_examples=300, deadline=None)
@given(st.lists(datagrams(), min_size=1, max_size=8))
def test_any_datagrams_get_the_bytes_that_python_gives_or_are_handed_back_whole(shared: Desk, sent):
    client = shared.client()
    for datagram in sent:
        client.send(datagram)
    left = shared.serve()
    expected = [in_python(shared, datagram) for datagram in sent]
    assert shared.answers() == [one for one in expected if one is not None]
    handed_back = [
        (d, client.getsockname()) for d, e in zip(sent, expected, strict=True) if e is None
    ]
    assert (left or ([], [])) == (handed_back, [])


def test_every_plain_spelling_of_version_and_flags_is_answered_as_python_does(shared: Desk):
    for version in VERSIONS:
        for operation in list(OPERATIONS)[:: 1 + len(VERSIONS) % 7]:
            data = bytearray(ask(f"{PREFIX}/small"))
            data[:4], data[20:32] = version, operation
            shared.client().send(data)
            assert shared.serve() is None
            assert shared.answers() == [in_python(shared, bytes(data))]


def test_what_is_larger_than_a_datagram_may_be_is_handed_back(desk: Desk):
    question = ask(f"{PREFIX}/large")
    desk.client().send(question)
    assert desk.serve() == ([(question, desk.client().getsockname())], [])
    assert desk.answers() == []


def test_an_unproven_address_gets_three_bytes_for_one_and_python_is_asked_for_more():
    desk = Desk(know=lambda _host: SOURCE_IS_FREE, most_bytes=4096)
    question = ask(f"{PREFIX}/middle")
    desk.client().send(question)
    assert desk.serve() == ([(question, desk.client().getsockname())], [])
    desk.client().send(ask(f"{PREFIX}/small"))
    assert desk.serve() is None
    (answer,) = desk.answers()
    assert len(answer) <= 3 * len(ask(f"{PREFIX}/small"))
    desk.close()


def test_who_may_not_have_others_asked_gets_nothing_they_told():
    desk = Desk(know=lambda _host: SOURCE_IS_FREE | SOURCE_IS_PROVEN)
    question = ask("88.200/VALVE")
    desk.client().send(question)
    assert desk.serve() == ([(question, desk.client().getsockname())], [])
    desk.close()


def test_what_is_known_of_an_address_is_asked_once():
    asked = []
    desk = Desk(know=lambda host: asked.append(host) or FREE)
    for _ in range(3):
        desk.client("127.0.0.2").send(ask(f"{PREFIX}/small"))
        desk.client("127.0.0.3").send(ask(f"{PREFIX}/small"))
        desk.serve()
    assert asked == ["127.0.0.2", "127.0.0.3"]
    desk.close()


def test_an_error_in_python_is_handed_on_and_the_next_datagrams_are_served(desk: Desk):
    def broken(spelling: bytes, now_s: float) -> bytes | None:
        raise LookupError("no answers today")

    desk.client().send(ask("88.200/VALVE"))
    with pytest.raises(LookupError, match="no answers today"):
        desk.serve(remembered=broken)
    desk.client().send(ask(f"{PREFIX}/small"))
    assert desk.serve() is None
    assert len(desk.answers()) == 1


def test_what_is_counted_are_hits_remembered_and_refusals(desk: Desk):
    for handle in (f"{PREFIX}/small", f"{PREFIX}/mixed", "88.200/VALVE", f"{PREFIX}/absent"):
        desk.client().send(ask(handle))
    desk.serve()
    lane = desk.lane
    assert (lane.hits, lane.remembered, lane.refused, lane.unsent) == (2, 1, 0, 0)


STEPS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([0.0, 0.001, 0.2, 1.0, 30.0])), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from([1.0, 3.0, 10.0]), st.sampled_from([1, 2, 4, 64]))
def test_any_sequence_of_sources_meets_the_verdicts_of_the_python_limit(steps, burst, most_sources):
    limit = RateLimit(5.0, burst, exempt=(), max_sources=most_sources)
    desk = Desk(
        know=lambda _host: SOURCE_IS_PROVEN, rate_per_s=5.0, burst=burst, most_sources=most_sources
    )
    now_s, expected, answered = 0.0, [], []
    try:
        for last, later_s in steps:
            now_s += later_s
            host = f"127.0.0.{last}"
            expected.append(limit.take(host, now_s))
            desk.client(host).send(ask(f"{PREFIX}/small"))
            left = desk.serve(now_s)
            assert left is None or not left[0]
            answered.append(bool(desk.answers(host)))
        assert answered == expected
        assert desk.lane.refused == expected.count(False)
    finally:
        desk.close()


def test_every_second_refusal_is_to_be_told():
    desk = Desk(know=lambda _host: 0, rate_per_s=1.0, burst=1.0)
    told = []
    for _ in range(5):
        desk.client().send(ask(f"{PREFIX}/small"))
        left = desk.serve()
        told.append(bool(left and left[1]))
    assert told == [False, False, True, False, True]
    desk.close()


def test_sources_beyond_the_table_are_forgotten_and_begin_anew():
    desk = Desk(know=lambda _host: SOURCE_IS_PROVEN, rate_per_s=0.001, burst=1.0, most_sources=8)
    for round_ in range(2):
        for last in range(1, 60):
            host = f"127.0.1.{last}"
            desk.client(host).send(ask(f"{PREFIX}/small"))
            desk.serve()
            assert desk.answers(host), (round_, host)
    desk.close()


def test_the_defaults_of_the_settings_are_within_what_the_lane_takes():
    limits = LimitsSection()
    Desk(most_bytes=limits.udp_answer_bytes, most_sources=RateLimit().max_sources).close()


@pytest.mark.parametrize("wrong", [{"most_bytes": 10}, {"most_bytes": 70_000}, {"most_sources": 0}])
def test_impossible_numbers_are_refused(wrong):
    numbers = {"most_sources": 64, "most_bytes": 512} | wrong
    with pytest.raises(ValueError, match="out of range"):
        load().Udp(
            0, VERSIONS, OPERATIONS, REMEMBERED_OPERATIONS, MAX_PLAIN_BYTES, lambda _host: FREE,
            1.0, 1.0, numbers["most_sources"], 1, numbers["most_bytes"], 3.0, None,
        )  # fmt: skip
