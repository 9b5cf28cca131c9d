"""The asking side of the Handle protocol, against servers that misbehave: strangers' answers do not count."""

import socket
import threading

import pytest

from node.asking.native import Manner, Server, ask, resolve_question
from protocols.handle.codec import decode, encode
from protocols.handle.codes import AUTH, CACR, PUBL, RECU, ResponseCode
from protocols.handle.replies import error_reply, reply
from protocols.handle.resolution import Referral, ResolveAnswer
from protocols.handle.via import Via, read_via, write_trail
from protocols.trail import Leg, Trail, Verdict
from protocols.values.value import Value

NAME = b"88.118/x"
FUTURE_S = 2_000_000_000
TRAIL = Trail("88.118", Verdict.ASKED, (Leg("tcp://192.0.2.1:2641", "88.200/x", 0.004, "success"),))


def right(question: bytes) -> bytes:
    body = ResolveAnswer(NAME, (Value(1, "URL", b"https://example.org/"),))
    return encode(
        reply(decode(question), ResponseCode.SUCCESS, body, serial=1, expiration_s=FUTURE_S)
    )


def error(question: bytes) -> bytes:
    return encode(
        error_reply(
            decode(question), ResponseCode.ERROR, "too big", serial=1, expiration_s=FUTURE_S
        )
    )


def stranger(question: bytes) -> bytes:
    other = bytearray(right(question))
    other[8:12] = (int.from_bytes(other[8:12]) ^ 1).to_bytes(4)
    return bytes(other)


def with_trail(question: bytes) -> bytes:
    body = ResolveAnswer(NAME, (Value(1, "URL", b"https://example.org/"),), write_trail(TRAIL))
    return encode(
        reply(decode(question), ResponseCode.SUCCESS, body, serial=1, expiration_s=FUTURE_S)
    )


def absent_with_trail(question: bytes) -> bytes:
    answer = decode(
        encode(
            error_reply(
                decode(question),
                ResponseCode.HANDLE_NOT_FOUND,
                "no",
                serial=1,
                expiration_s=FUTURE_S,
            )
        )
    )
    body = answer.body._replace(surplus=write_trail(TRAIL))
    return encode(answer._replace(body=body))


def referral(question: bytes) -> bytes:
    body = Referral(b"", (Value(1, "HS_SITE", b"?"),))
    return encode(
        reply(
            decode(question), ResponseCode.SERVICE_REFERRAL, body, serial=1, expiration_s=FUTURE_S
        )
    )


def udp_server(*answers):
    """Sends these answers, in order, to the first datagram that comes."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def serve():
        question, address = sock.recvfrom(2048)
        for answer in answers:
            sock.sendto(answer(question), address)
        sock.close()

    threading.Thread(target=serve, daemon=True).start()
    return Server(*sock.getsockname())


def tcp_server(*pieces):
    sock = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = sock.accept()
        question = connection.recv(2048)
        for piece in pieces:
            connection.sendall(piece(question))
        connection.close()
        sock.close()

    threading.Thread(target=serve, daemon=True).start()
    return Server(*sock.getsockname()[:2])


@pytest.fixture
def question():
    return resolve_question(NAME, (), (), 1_700_000_000)


def test_two_questions_never_share_a_request_id():
    ids = {resolve_question(NAME, (), (), 0)[8:12] for _ in range(200)}
    assert len(ids) == 200


def test_an_answer_with_another_request_id_is_not_taken(question):
    server = udp_server(stranger, lambda _: b"garbage", lambda asked: asked, right)
    result = ask(server, question, ("udp",))
    assert result.response_code == ResponseCode.SUCCESS
    assert result.values[0].data == b"https://example.org/"
    assert len(result.hops) == 1


def test_rc_2_over_udp_is_final_only_when_there_is_no_tcp_to_try(question):
    result = ask(udp_server(error), question, ("udp",))
    assert result.response_code == ResponseCode.ERROR
    assert result.message == "too big"


def test_rc_2_over_tcp_is_final_whatever_else_could_be_tried(question):
    result = ask(tcp_server(error), question, ("tcp", "udp"))
    assert result.message == "too big"
    assert [hop.transport for hop in result.hops] == ["tcp"]


def test_a_tcp_answer_may_come_byte_by_byte(question):
    pieces = [lambda asked, at=at: right(asked)[at : at + 1] for at in range(len(right(question)))]
    result = ask(tcp_server(*pieces), question, ("tcp",))
    assert result.values[0].type == "URL"


@pytest.mark.parametrize(
    ("piece", "note"),
    [
        (lambda _: b"", "closed"),
        (lambda asked: right(asked)[:30], "closed"),
        (lambda _: b"\xff" * 64, "version"),
    ],
)
def test_a_broken_tcp_answer_is_no_answer_and_says_why(question, piece, note):
    result = ask(tcp_server(piece), question, ("tcp",))
    assert result.answer is None
    assert note in result.hops[-1].note


def test_a_port_where_nobody_listens_is_told_at_once(question):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = ask(Server("127.0.0.1", port), question, ("tcp",))
    assert result.answer is None
    assert "refused" in result.hops[-1].note.lower()


@pytest.mark.parametrize(
    ("manner", "flags", "via"),
    [
        (Manner(), RECU | CACR | PUBL, Via()),
        (Manner(may_recurse=False), CACR | PUBL, Via()),
        (Manner(is_authoritative=True), AUTH | RECU | CACR | PUBL, Via()),
        (Manner(wants_trail=True), RECU | CACR | PUBL, Via(wants_trail=True)),
    ],
)
def test_the_question_says_how_it_may_be_answered(manner, flags, via):
    asked = decode(resolve_question(NAME, (3,), ("URL",), 0, manner))
    assert asked.header.op_flags == flags
    assert read_via(asked.body.surplus) == via
    assert (asked.body.indexes, asked.body.types) == ((3,), ("URL",))


@pytest.mark.parametrize("answer", [with_trail, absent_with_trail])
def test_the_trail_behind_an_answer_is_read_whatever_the_answer(question, answer):
    assert ask(udp_server(answer), question, ("udp",)).trail == TRAIL


def test_an_answer_without_a_trail_has_none(question):
    assert ask(udp_server(right), question, ("udp",)).trail is None


def test_a_referral_is_told_from_an_answer_and_from_an_error(question):
    result = ask(udp_server(referral), question, ("udp",))
    assert result.referral.values[0].type == "HS_SITE"
    assert result.values == ()
    assert ask(udp_server(right), question, ("udp",)).referral is None
    assert ask(udp_server(error), question, ("udp",)).referral is None
