"""The asking side of the Handle protocol, against servers that misbehave: strangers' answers do not count."""

import socket
import threading

import pytest

from node.asking.native import Server, ask, resolve_question
from protocols.handle.codec import decode, encode
from protocols.handle.codes import ResponseCode
from protocols.handle.replies import error_reply, reply
from protocols.handle.resolution import ResolveAnswer
from protocols.values.value import Value

NAME = b"88.118/x"
FUTURE_S = 2_000_000_000


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
