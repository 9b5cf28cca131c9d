"""Native UDP over real sockets: hits, misses, everything that must be refused, and silence where it belongs."""

import asyncio
import socket
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.listeners.udp import UdpListener
from node.native.office import USE_TCP
from protocols.handle.administration import HandleRequest
from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import DEFAULT_REQUEST_FLAGS, PUBL, RRDG, OpCode, ResponseCode
from protocols.handle.envelope import ENCRYPTED, TRUNCATED
from protocols.handle.failures import ErrorAnswer
from protocols.handle.fast import plain_question
from protocols.handle.replies import error_reply
from protocols.handle.resolution import ResolveAnswer, ResolveRequest
from protocols.handle.site_info import SiteAnswer
from protocols.message import Operation
from protocols.values.value import Value
from tests.node.parts import (
    PREFIX,
    RECORDS,
    SITE,
    STRANGER,
    ask,
    make_config,
    make_parts,
    put,
    udp_node,
)

WAIT_S = 5.0


async def exchange(port: int, *requests: bytes) -> list[Message]:
    """Send all, then one heartbeat; whatever arrived before the heartbeat's answer was the answer."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        for request in (*requests, ask("0", request_id=0xFEED)):
            await loop.sock_sendall(sock, request)
        answers: list[Message] = []
        async with asyncio.timeout(WAIT_S):
            while True:
                answer = decode(await loop.sock_recv(sock, 65_536))
                if answer.envelope.request_id == 0xFEED:
                    return answers
                answers.append(answer)


async def one(*requests: bytes) -> list[Message]:
    async with udp_node(make_parts()) as (_, port):
        return await exchange(port, *requests)


async def test_a_stored_record_is_answered_with_its_public_values_in_the_asked_spelling() -> None:
    (answer,) = await one(ask(f"{PREFIX}/SmAlL"))
    assert answer.header.response_code == ResponseCode.SUCCESS
    assert isinstance(answer.body, ResolveAnswer)
    assert answer.body.handle == b"88.118/SmAlL"
    assert [v._replace(timestamp=0) for v in answer.body.values] == [*RECORDS["small"]]
    assert answer.header.site_serial == 7


async def test_a_secret_beside_public_values_never_leaves() -> None:
    (answer,) = await one(ask(f"{PREFIX}/mixed"))
    assert isinstance(answer.body, ResolveAnswer)
    assert [value.index for value in answer.body.values] == [1]


@pytest.mark.parametrize(
    ("handle", "code"),
    [
        (f"{PREFIX}/absent", ResponseCode.HANDLE_NOT_FOUND),
        (f"{PREFIX}/gone", ResponseCode.HANDLE_NOT_FOUND),
        (f"{PREFIX}/secret", ResponseCode.VALUES_NOT_FOUND),
        ("99.999/x", ResponseCode.NOT_RESPONSIBLE),
        ("0", ResponseCode.HANDLE_NOT_FOUND),
        (b"88.118/\xff", ResponseCode.INVALID_HANDLE),
        (b"", ResponseCode.INVALID_HANDLE),
    ],
)
async def test_what_cannot_be_answered_says_why(handle: str | bytes, code: int) -> None:
    (answer,) = await one(ask(handle))
    assert answer.header.response_code == code


async def test_get_site_info_answers_the_prefix_records_site() -> None:
    (answer,) = await one(ask("", op_code=OpCode.GET_SITE_INFO, body=HandleRequest(b"/")))
    assert answer.body == SiteAnswer(SITE)


@pytest.mark.parametrize("op_code", [77, 402, 1000, 1001, 1002, 1003])
async def test_operations_that_are_not_offered_get_rc_5(op_code: int) -> None:
    (answer,) = await one(ask("x", op_code=op_code, body=HandleRequest(b"/")))
    assert answer.header.op_code == op_code
    assert answer.header.response_code in {4, 5}  # 4: the body is none of that operation


@pytest.mark.parametrize(
    "op_code", [100, 101, 102, 103, 104, 105, 106, 200, 201, 300, 301, 302, 400, 401, 2001]
)
async def test_operations_of_administrators_never_succeed_for_nobody(op_code: int) -> None:
    (answer,) = await one(ask("x", op_code=op_code))
    assert answer.header.op_code == op_code
    assert answer.header.response_code != ResponseCode.SUCCESS


async def test_the_first_fragment_of_a_request_gets_rc_2_and_later_ones_silence() -> None:
    whole = ask(f"{PREFIX}/small")
    first = whole[:2] + bytes([whole[2] | TRUNCATED]) + whole[3:]
    later = first[:12] + b"\0\0\0\1" + first[16:]
    (answer,) = await one(first, later)
    assert answer.header.response_code == ResponseCode.ERROR


async def test_a_response_in_the_request_direction_gets_silence() -> None:
    request = decode(ask(f"{PREFIX}/small"))
    response = encode(error_reply(request, ResponseCode.ERROR, "x", serial=1, expiration_s=1))
    assert await one(response, b"", b"short", bytes(19), bytes(43)) == []


async def test_a_lying_length_is_a_protocol_error() -> None:
    whole = bytearray(ask(f"{PREFIX}/small"))
    whole[16:20] = (2**31 - 1).to_bytes(4)
    body = bytearray(ask(f"{PREFIX}/small"))
    body[40:44] = (2**31 - 1).to_bytes(4)
    answers = await one(bytes(whole), bytes(body))
    assert [a.header.response_code for a in answers] == [ResponseCode.PROTOCOL_ERROR] * 2


async def test_an_encrypted_request_without_session_gets_rc_500() -> None:
    whole = ask(f"{PREFIX}/small")
    sealed = whole[:2] + bytes([whole[2] | ENCRYPTED]) + whole[3:]
    (answer,) = await one(sealed)
    assert answer.header.response_code == ResponseCode.SESSION_TIMEOUT


async def test_an_answer_above_512_bytes_becomes_rc_2_so_that_clients_go_to_tcp() -> None:
    (answer,) = await one(ask(f"{PREFIX}/large"))
    assert answer.header.response_code == ResponseCode.ERROR
    assert answer.body == ErrorAnswer(USE_TCP.encode())


async def test_an_unproved_address_gets_three_times_what_it_sent_and_a_proved_one_all_of_it() -> (
    None
):
    parts = make_parts()
    async with udp_node(parts) as (_, port):
        (before,) = await exchange(port, ask(f"{PREFIX}/middle"))
        parts.proven.prove("127.0.0.1", parts.service.monotonic_s)
        (proved,) = await exchange(port, ask(f"{PREFIX}/middle"))
        parts.service.monotonic_s += parts.config.limits.proven_s + 1
        (later,) = await exchange(port, ask(f"{PREFIX}/middle"))
    assert before.header.response_code == later.header.response_code == ResponseCode.ERROR
    assert proved.header.response_code == ResponseCode.SUCCESS


async def test_more_datagrams_than_one_batch_are_all_answered() -> None:
    parts = make_parts()
    async with udp_node(parts) as (listener, port):
        asked = [ask(f"{PREFIX}/small", request_id=n) for n in range(1, 201)]
        answers = await exchange(port, *asked)
        assert sorted(a.envelope.request_id for a in answers) == list(range(1, 201))
        assert listener.hits == 200


async def test_a_change_is_seen_by_the_next_question() -> None:
    parts = make_parts()
    async with udp_node(parts) as (_, port):
        await exchange(port, ask(f"{PREFIX}/small"))
        put(parts.store, f"{PREFIX}/small", [Value(1, "URL", b"https://new")], Operation.PUT)
        (answer,) = await exchange(port, ask(f"{PREFIX}/small"))
    assert isinstance(answer.body, ResolveAnswer)
    assert answer.body.values[0].data == b"https://new"


PARTS = make_parts()
HANDLES = st.sampled_from(
    [*(f"{PREFIX}/{s}" for s in RECORDS), PREFIX, "0.NA/88.118", "9/x", "0", ""]
)
REQUESTS = st.builds(
    lambda handle, op, flags, indexes, types, token: ask(
        handle,
        op_code=op,
        flags=flags,
        body=HandleRequest(handle.encode())
        if op != 1
        else ResolveRequest(handle.encode(), tuple(indexes), tuple(types), token),
    ),
    HANDLES,
    st.sampled_from([1, 1, 1, 2, 100, 105, 200, 400, 999]),
    st.sampled_from([DEFAULT_REQUEST_FLAGS, PUBL, 0, DEFAULT_REQUEST_FLAGS | RRDG, 0xFFFF_FFFF]),
    st.lists(st.integers(0, 400), max_size=3),
    st.lists(st.sampled_from(["URL", "HS_SECKEY", "TEXT"]), max_size=2),
    st.binary(max_size=8),
)


@given(REQUESTS, st.data())
def test_no_request_gets_more_than_three_times_its_bytes_from_an_unproved_address(
    request: bytes, data: st.DataObject
) -> None:
    if data.draw(st.booleans()):  # half of them damaged somewhere
        at = data.draw(st.integers(0, len(request) - 1))
        request = request[:at] + data.draw(st.binary(max_size=4)) + request[at + 1 :]
    answers = asyncio.run(_all_answers(request))
    assert sum(map(len, answers)) <= 3 * len(request)
    assert len(answers) <= 1


async def _all_answers(request: bytes) -> list[bytes]:
    """What goes out for one datagram, at once and later."""
    listener, sent = _listener(), []
    listener._socket = SimpleNamespace(sendto=lambda data, _: sent.append(data))
    answers = listener._answers([(request, ("192.0.2.7", 5353))])
    while listener._late:
        await asyncio.sleep(0)
    return [*sent, *(answer for answer, _ in answers)]


def test_a_source_over_its_rate_gets_silence_and_rc_2_in_turn_and_never_more_than_it_sent() -> None:
    parts = make_parts(make_config(udp_burst=3.0, udp_answers_per_s=1.0))
    listener = UdpListener(
        None, parts.service, parts.speaker, parts.site, parts.proven, parts.rate, parts.config.limits,  # type: ignore[arg-type]
    )  # fmt: skip
    question = ask(f"{PREFIX}/small")
    source = ("192.0.2.77", 5353)
    answers = listener._answers([(question, source)] * 9)
    codes = [decode(answer).header.response_code for answer, _ in answers]
    assert codes == [ResponseCode.SUCCESS] * 3 + [ResponseCode.ERROR] * 3
    assert all(len(answer) <= len(question) for answer, _ in answers[3:])
    assert listener.refused == 6
    assert listener._answers([(question, ("192.0.2.78", 5353))]), "another source is served"


def test_a_network_whose_addresses_are_believed_has_no_rate() -> None:
    config = make_config(udp_burst=3.0, udp_answers_per_s=1.0)
    config = replace(config, access=replace(config.access, proven_networks=("192.0.2.0/24",)))
    parts = make_parts(config)
    listener = UdpListener(
        None, parts.service, parts.speaker, parts.site, parts.proven, parts.rate, config.limits,  # type: ignore[arg-type]
    )  # fmt: skip
    question = ask(f"{PREFIX}/small")
    assert len(listener._answers([(question, ("192.0.2.77", 5353))] * 20)) == 20
    assert listener.refused == 0


@given(HANDLES, st.binary(max_size=6))
def test_the_hot_path_says_what_the_long_way_says(handle: str, tail: bytes) -> None:
    request = ask(handle.encode() + tail.replace(b"/", b""))
    if plain_question(request) is None:
        return
    PARTS.proven.prove("192.0.2.8", PARTS.service.monotonic_s)
    hot = _listener()._answers([(request, ("192.0.2.8", 5353))])
    slow = PARTS.speaker.answer(request, STRANGER, PARTS.service.now(), 512)
    assert slow is not None
    assert [_undated(answer) for answer, _ in hot] == [_undated(slow)]


def _undated(answer: bytes) -> bytes:
    """Without the expiration second, which may turn between two calls."""
    return answer[:36] + answer[40:]


def _listener() -> UdpListener:
    return UdpListener(
        None,
        PARTS.service,
        PARTS.speaker,
        PARTS.site,
        PARTS.proven,
        PARTS.rate,
        PARTS.config.limits,  # type: ignore[arg-type]
    )
