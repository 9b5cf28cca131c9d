"""Forged senders: a node that believes no address must not be worth forging one for.

Settings as on the open internet: no configured network, so loopback addresses are strangers until they have made a TCP
connection.
"""

import pytest

from tests.attacks.attacked_node import BIG, GOOD, HIDDEN, HUGE, MIDDLE, PREFIX, attacked
from tests.attacks.honest import HonestClient
from tests.attacks.wire import (
    RRDG,
    ask_tcp,
    ask_udp,
    connect,
    message,
    question,
    question_body,
    udp_socket,
)

HAS_NODE = True
pytestmark = pytest.mark.process
AMPLIFICATION = 3
ERROR = 2


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    # More questions than one stranger is answered; what happens over the rate is for listeners/test_udp.py.
    rate = {"udp_burst": 1e6, "udp_answers_per_s": 1e6}
    with attacked(tmp_path_factory.mktemp("open"), proven_networks=[], **rate) as node:
        yield node


@pytest.fixture
def stranger(node):
    with udp_socket(node.native_port, "127.0.0.50") as sock:
        yield sock


HANDLES = (
    GOOD,
    MIDDLE,
    BIG,
    HUGE,
    HIDDEN,
    f"0.NA/{PREFIX}",
    PREFIX,
    f"{PREFIX}/none",
    "99.9/x",
    "0",
    "",
)


@pytest.mark.parametrize("op_code", [1, 2, 100, 105, 2001, 77])
@pytest.mark.parametrize("op_flags", [0x19000000, 0x18000000, 0x19000000 | RRDG, 0xFFFFFFFF])
def test_no_question_of_a_stranger_draws_more_than_three_times_its_bytes(
    stranger, op_code, op_flags
):
    for handle in HANDLES:
        datagram = question(handle, op_code=op_code, op_flags=op_flags)
        reply = ask_udp(stranger, datagram)
        size = reply.size if reply is not None else 0
        assert size <= AMPLIFICATION * len(datagram)
        assert size <= 512


@pytest.mark.parametrize("envelope", [{"envelope_flags": 0x20}, {"envelope_flags": 0x40}, {"envelope_flags": 0x80},
                                      {"version": (2, 0)}, {"length": 9999}])  # fmt: skip
def test_no_refusal_draws_more_either(stranger, envelope):
    datagram = message(question_body(b""), **envelope)
    reply = ask_udp(stranger, datagram)
    assert reply is not None
    assert reply.size <= AMPLIFICATION * len(datagram)


def test_an_answer_above_three_times_the_question_is_rc_2_until_the_address_has_made_a_tcp_connection(
    node,
):
    source = "127.0.0.51"
    with udp_socket(node.native_port, source) as udp:
        before = ask_udp(udp, question(MIDDLE))
        assert before is not None
        assert before.response_code == ERROR
        with connect(node.native_port, source) as tcp:
            assert ask_tcp(tcp, question(MIDDLE)).response_code == 1
            after = ask_udp(udp, question(MIDDLE))
        assert after is not None
        assert after.response_code == 1
        assert after.size > AMPLIFICATION * len(question(MIDDLE))
        large = ask_udp(udp, question(BIG))
        assert large is not None
        assert large.response_code == ERROR, "a proved address gets 512 bytes, not more"


def test_one_address_proves_nothing_for_its_neighbour(node):
    with connect(node.native_port, "127.0.0.52"), udp_socket(node.native_port, "127.0.0.53") as udp:
        reply = ask_udp(udp, question(MIDDLE))
    assert reply is not None
    assert reply.response_code == ERROR


def test_a_padded_question_buys_no_more_than_it_pays(stranger):
    datagram = message(question_body(MIDDLE.encode(), tail=bytes(100)))
    reply = ask_udp(stranger, datagram)
    assert reply is not None
    assert reply.size <= AMPLIFICATION * len(datagram)


def test_a_fragment_flood_from_many_sources_is_answered_in_constant_memory(node):
    fragment = question(GOOD, envelope_flags=0x20, length=262_144)
    before = node.rss_bytes
    for last in range(1, 201):
        with udp_socket(node.native_port, f"127.0.7.{last}") as sock:
            for _ in range(20):
                reply = ask_udp(sock, fragment)
                assert reply is not None
                assert reply.response_code == ERROR
    assert node.rss_bytes - before < 3_000_000


def test_the_honest_client_was_served_all_the_while(honest: HonestClient):
    honest.assert_served()
