"""Attacks over UDP: what a stranger, a liar or a broken client may send, and what it gets."""

import hashlib
import json
import struct
import time
from pathlib import Path
from random import Random

import pytest

from tests.attacks.attacked_node import BIG, GOOD, HIDDEN, PREFIX, AttackedNode
from tests.attacks.honest import HonestClient
from tests.attacks.wire import (
    CERT,
    RRDG,
    ask_tcp,
    ask_udp,
    connect,
    message,
    question,
    question_body,
    read_reply,
    text,
    udp_socket,
)
from tests.fuzz.mutations import mutate, with_right_length

HAS_NODE = True
pytestmark = pytest.mark.process

ERROR, PROTOCOL_ERROR, NOT_SUPPORTED, NOT_FOUND, BAD_HANDLE, NO_VALUES, NOT_HERE, NO_SESSION = (
    2, 4, 5, 100, 102, 200, 301, 500,
)  # fmt: skip


@pytest.fixture
def udp(node: AttackedNode):
    with udp_socket(node.native_port) as sock:
        yield sock


@pytest.mark.parametrize("size", [0, 1, 19, 20, 43])
def test_what_is_too_short_to_be_a_request_gets_silence(udp, size):
    assert ask_udp(udp, question(GOOD)[:size]) is None


@pytest.mark.parametrize("response_code", [1, 2, 100, 402, 0xFFFFFFFF])
def test_an_answer_sent_as_a_question_gets_silence(udp, response_code):
    assert ask_udp(udp, question(GOOD, response_code=response_code)) is None


@pytest.mark.parametrize("length", [492, 493, 5000, 262_144, 0x7FFFFFFF, 0xFFFFFFFF])
def test_the_first_fragment_gets_rc_2_whatever_it_announces_and_nothing_is_kept(node, udp, length):
    before = node.descriptor_count
    for number in range(50):
        datagram = question(GOOD, envelope_flags=0x20, length=length, request_id=number + 1)
        reply = ask_udp(udp, datagram)
        assert reply is not None
        assert (reply.response_code, reply.request_id) == (ERROR, number + 1)
    assert node.descriptor_count == before


@pytest.mark.parametrize("flags", [0, 0x20])
@pytest.mark.parametrize("sequence", [1, 2, 533, 0xFFFFFFFF])
def test_a_later_fragment_gets_silence(udp, sequence, flags):
    datagram = question(GOOD, envelope_flags=flags, sequence=sequence, length=2000)
    assert ask_udp(udp, datagram) is None


@pytest.mark.parametrize("size", [513, 1500, 4000])
def test_a_request_above_512_bytes_is_answered_within_the_bound(udp, size):
    datagram = message(question_body(GOOD.encode(), tail=b"T" * (size - 71)))
    assert len(datagram) == size
    reply = ask_udp(udp, datagram)
    assert reply is not None
    assert reply.response_code == 1
    assert reply.size <= 512


@pytest.mark.parametrize("size", [4096, 9000, 60_000])
def test_an_oversize_datagram_is_sent_to_tcp(udp, size):
    reply = ask_udp(udp, message(question_body(GOOD.encode(), [], [b"T" * size])))
    assert reply is not None
    assert reply.response_code == ERROR


@pytest.mark.parametrize("major", [0, 1, 4, 31, 255])
def test_another_major_version_gets_silence(udp, major):
    datagram = bytes([major]) + question(GOOD)[1:]
    assert ask_udp(udp, datagram) is None


def test_version_2_0_is_refused_politely(udp):
    reply = ask_udp(udp, question(GOOD, version=(2, 0)))
    assert reply is not None
    assert reply.response_code == PROTOCOL_ERROR


@pytest.mark.parametrize("version", [(2, 1), (2, 11), (3, 0)])
def test_the_versions_of_the_table_are_answered(udp, version):
    reply = ask_udp(udp, question(GOOD, version=version))
    assert reply is not None
    assert reply.response_code == 1


@pytest.mark.parametrize(
    ("flag", "code"), [(0x40, NO_SESSION), (0x80, PROTOCOL_ERROR), (0xC0, PROTOCOL_ERROR)]
)
def test_an_encrypted_or_compressed_message_is_refused_without_being_opened(udp, flag, code):
    reply = ask_udp(udp, question(GOOD, envelope_flags=flag, session_id=99))
    assert reply is not None
    assert reply.response_code == code


ADMIN_OPERATIONS = [
    100, 101, 102, 103, 104, 105, 106, 200, 201, 300, 301, 302, 400, 401, 402, 1000, 1001, 1002, 1003, 2001,
]  # fmt: skip


@pytest.mark.parametrize("op_code", ADMIN_OPERATIONS)
@pytest.mark.parametrize("session_id", [0, 10_001])
def test_administration_without_a_login_is_refused_and_challenged_under_no_id_of_the_clients_own(
    udp, op_code, session_id
):
    asked = question(f"{PREFIX}/new", op_code=op_code, session_id=session_id)
    reply = ask_udp(udp, asked)
    assert reply is not None
    assert reply.op_code == op_code
    assert reply.response_code in {2, PROTOCOL_ERROR, NOT_SUPPORTED, 102, 202, 402, 405, 500}
    assert reply.response_code != 402 or session_id == 0
    assert reply.size <= 3 * len(asked)


@pytest.mark.parametrize("op_code", [0, 3, 99, 107, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_an_unknown_operation_gets_an_error_with_its_own_op_code(udp, op_code):
    reply = ask_udp(udp, question(GOOD, op_code=op_code))
    assert reply is not None
    assert reply.response_code in {PROTOCOL_ERROR, NOT_SUPPORTED}
    assert reply.op_code == op_code


def test_the_national_sdks_login_is_for_tcp_only(udp):
    request = message(text(f"0.NA/{PREFIX}".encode()) + struct.pack(">I", 300), op_code=2001)[:-4]
    request = with_right_length(request)
    reply = ask_udp(udp, request)
    assert reply is not None
    assert (reply.response_code, reply.op_code) == (NOT_SUPPORTED, 2001)


@pytest.mark.parametrize("tail", [bytes(4), text(b"a.token.x"), bytes(7), b"\xff" * 64])
def test_surplus_bytes_behind_a_question_are_tolerated(udp, tail):
    reply = ask_udp(udp, message(question_body(GOOD.encode(), tail=tail)))
    assert reply is not None
    assert reply.response_code == 1


def test_the_heartbeat_of_connection_pools_is_answered_with_not_found(udp):
    reply = ask_udp(udp, question(b"0"))
    assert reply is not None
    assert reply.response_code == NOT_FOUND


def test_a_bare_prefix_is_its_prefix_record(udp):
    bare = ask_udp(udp, message(question_body(PREFIX.encode(), [100])))
    full = ask_udp(udp, message(question_body(f"0.NA/{PREFIX}".encode(), [100])))
    assert bare is not None
    assert full is not None
    assert bare.response_code == full.response_code == 1
    skip_bare, skip_full = 4 + len(PREFIX), 4 + len(f"0.NA/{PREFIX}")
    assert bare.body[skip_bare:] == full.body[skip_full:]


@pytest.mark.parametrize(
    "handle",
    [b"", b"\xff\xfe", PREFIX.encode() + b"/\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"88.118/" + b"x" * 2042],
    ids=["empty", "no-utf8", "no-utf8-suffix", "overlong", "surrogate", "2049-bytes"],
)  # fmt: skip
def test_a_handle_that_cannot_be_one_is_an_invalid_handle(udp, handle):
    reply = ask_udp(udp, question(handle))
    assert reply is not None
    assert reply.response_code in {BAD_HANDLE, PROTOCOL_ERROR}


@pytest.mark.parametrize(
    "handle",
    [b"/", b"//", b"88.118/", b"88.118//", b"/x", b"88.118/..", b"88.118/\0", b"88.118/%2F", b"0.NA/", b"0.NA",
     b"88.118/" + b"x" * 2041, b"0.na/0.na/0.na", b"88.118/" + "\u202e".encode()],
)  # fmt: skip
def test_a_strange_handle_is_answered_and_harms_nobody(udp, handle):
    reply = ask_udp(udp, question(handle))
    assert reply is not None
    assert reply.response_code in {NOT_FOUND, BAD_HANDLE, NOT_HERE}


def test_folding_is_ascii_only(udp):
    spelled = ask_udp(udp, question(GOOD.upper()))
    assert spelled is not None
    assert spelled.response_code == 1
    assert spelled.body[4 : 4 + len(GOOD)] == GOOD.upper().encode(), "the spelling is not echoed"
    turkish = ask_udp(udp, question(f"{PREFIX}/gıod"))
    assert turkish is not None
    assert turkish.response_code == NOT_FOUND


@pytest.mark.parametrize(
    ("indexes", "types"),
    [
        ([0], []), ([0xFFFFFFFF], []), ([0x80000000], []), (list(range(3, 503)), []), ([3] * 900, []),
        ([], [b""]), ([], [b"."]), ([], [b"\xff"]), ([], [b"URL."] * 200), ([], [b"X" * 3000]),
        ([9], [b"hs_nothing"]),
    ],
)  # fmt: skip
def test_extreme_selections_select_what_they_name_and_nothing_else(udp, indexes, types):
    reply = ask_udp(udp, message(question_body(GOOD.encode(), indexes, types)))
    assert reply is not None
    assert reply.response_code in {NO_VALUES, 1, PROTOCOL_ERROR}
    if reply.response_code == 1:
        assert types in ([b"URL."] * 200, [b"."], [b""])


@pytest.mark.parametrize("field", ["handle", "indexes", "types"])
@pytest.mark.parametrize("count", [0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000, 1000])
def test_a_count_that_lies_is_malformed_and_allocates_nothing(node, udp, field, count):
    body = bytearray(question_body(GOOD.encode()))
    at = {"handle": 0, "indexes": 4 + len(GOOD), "types": 8 + len(GOOD)}[field]
    body[at : at + 4] = struct.pack(">I", count)
    before = node.rss_bytes
    reply = ask_udp(udp, message(bytes(body)))
    assert reply is not None
    assert reply.response_code == PROTOCOL_ERROR
    assert node.rss_bytes - before < 4_000_000


@pytest.mark.parametrize("length", [0, 23, 24, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wrong_envelope_length_is_a_protocol_error(udp, length):
    reply = ask_udp(udp, question(GOOD, length=length))
    assert reply is not None
    assert reply.response_code == PROTOCOL_ERROR


@pytest.mark.parametrize("body_length", [0, 3, 1000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wrong_body_length_is_a_protocol_error(udp, body_length):
    reply = ask_udp(udp, question(GOOD, body_length=body_length))
    assert reply is not None
    assert reply.response_code == PROTOCOL_ERROR


def test_a_large_answer_becomes_rc_2_and_is_whole_over_tcp(node, udp):
    reply = ask_udp(udp, question(BIG))
    assert reply is not None
    assert reply.response_code == ERROR
    with connect(node.native_port) as tcp:
        assert ask_tcp(tcp, question(BIG)).size > 800


@pytest.mark.parametrize("flags", [RRDG, CERT, RRDG | CERT, 0xFFFFFFFF, 0x20000000])
@pytest.mark.parametrize("handle", [GOOD, BIG, HIDDEN, "88.118/none"])
def test_any_flags_give_an_answer_of_the_right_shape(udp, flags, handle):
    reply = ask_udp(udp, question(handle, op_flags=flags))
    assert reply is not None
    assert reply.size <= 512
    if reply.op_flags & RRDG:
        assert reply.body[0] in {1, 2, 3}, "a digest is announced and not there"


def test_a_hidden_value_asked_for_without_the_public_flag_is_refused(udp):
    for session_id, code in ((0, 402), (10_001, 402)):
        reply = ask_udp(udp, question(HIDDEN, op_flags=0x18000000, session_id=session_id))
        assert reply is not None
        assert reply.response_code == code
        assert b"canary" not in reply.body


def test_answers_are_never_larger_than_512_bytes_whatever_is_asked(udp):
    for handle in (GOOD, BIG, HIDDEN, f"0.NA/{PREFIX}", "x" * 450):
        for op_code in (1, 2, 100):
            reply = ask_udp(udp, question(handle, op_code=op_code))
            assert reply is not None
            assert reply.size <= 512


@pytest.mark.parametrize("tail", [b"", bytes(4), b"surplus"])
@pytest.mark.parametrize(
    ("version", "kind", "make"), [((2, 11), 3, hashlib.sha256), ((2, 6), 2, hashlib.sha1)]
)
def test_the_request_digest_is_over_the_bytes_received_surplus_included(
    udp, tail, version, kind, make
):
    asked = message(
        question_body(GOOD.encode(), tail=tail), op_flags=0x19000000 | RRDG, version=version
    )
    reply = ask_udp(udp, asked)
    assert reply is not None
    assert reply.op_flags & RRDG
    expected = make(asked[20:-4]).digest()  # header and body, without envelope and credential
    assert reply.body[: 1 + len(expected)] == bytes([kind]) + expected


def test_answers_expire_twelve_hours_from_now_and_never_in_the_past(udp):
    for handle in (GOOD, f"{PREFIX}/none", "0"):
        udp.send(question(handle))
        answer = udp.recv(2048)
        (expiration_s,) = struct.unpack_from(">I", answer, 36)
        assert abs(expiration_s - int(time.time()) - 43_200) < 60  # noqa: TID251


FLOOD_DATAGRAMS = 100_000
IN_FLIGHT = 64


def test_a_hundred_thousand_mutated_datagrams_cost_no_memory_and_no_answer_of_others(node, honest):
    vectors = json.loads((Path(__file__).parents[1] / "vectors/handle_vectors.json").read_text())
    seeds = [bytes.fromhex(hexed) for hexed in _messages(vectors)] + [question(GOOD)]
    random = Random("attacks")
    mutants = [with_right_length(mutate(random.choice(seeds), random)[:1400]) for _ in range(4000)]
    faults = len(honest.faults)
    descriptors = node.descriptor_count
    _flood(node, mutants, random, FLOOD_DATAGRAMS // 5)  # pools and caches fill once
    before, started_s = node.rss_bytes, time.monotonic()
    _flood(node, mutants, random, FLOOD_DATAGRAMS * 4 // 5)
    growth = node.rss_bytes - before
    rate = FLOOD_DATAGRAMS * 0.8 / (time.monotonic() - started_s)
    print(f"\n{FLOOD_DATAGRAMS} datagrams, {rate:.0f}/s, memory grew by {growth // 1024} KiB")
    assert growth < 5_000_000
    assert honest.faults[faults:] == []
    assert node.settles_at(descriptors)


def _messages(vectors: object) -> list[str]:
    """Every hexadecimal message in the vectors file, wherever it stands."""
    if isinstance(vectors, dict):
        return [hexed for inner in vectors.values() for hexed in _messages(inner)]
    if isinstance(vectors, list):
        return [hexed for inner in vectors for hexed in _messages(inner)]
    is_message = (
        isinstance(vectors, str)
        and len(vectors) >= 88
        and not set(vectors) - set("0123456789abcdef")
    )
    return [vectors] if is_message and len(vectors) % 2 == 0 else []


def _flood(node: AttackedNode, mutants: list[bytes], random: Random, count: int) -> None:
    """As fast as the node answers a heartbeat behind every 64: a flood that fills no socket."""
    with udp_socket(node.native_port, "127.0.0.9") as sock:
        sent = 0
        while sent < count:
            for datagram in random.sample(mutants, IN_FLIGHT):
                head = bytearray(datagram)
                if len(head) > 50:  # every one is new
                    head[random.randrange(20, len(head))] ^= 1 << random.randrange(8)
                sock.send(head)
            sent += IN_FLIGHT
            ask_udp(sock, b"\0")  # returns when the heartbeat behind them all is answered


def test_an_answer_goes_to_whoever_asked_and_to_nobody_else(node):
    with udp_socket(node.native_port) as one, udp_socket(node.native_port) as other:
        one.send(question(GOOD, request_id=1))
        other.send(question(GOOD, request_id=2))
        assert read_reply(one.recv(2048)).request_id == 1
        assert read_reply(other.recv(2048)).request_id == 2


def test_the_honest_client_was_served_all_the_while(honest: HonestClient):
    honest.assert_served()
