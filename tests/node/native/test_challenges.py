"""Challenges: one answer, from the address they went to, in time; the rest is refused."""

import hashlib

import pytest

from conformance.native_messages import Fields, request_bytes
from node.metrics import NATIVE_WAITING, POOL_WAITING
from node.native import challenges as module
from node.native.challenges import MOST_PER_SOURCE, Challenge, Challenges
from node.slots import new_id, slot_of
from protocols.handle.administration import HandleRequest, ValuesRequest
from protocols.handle.authentication import ChallengeAnswer, VerifyRequest
from protocols.handle.codec import decode
from protocols.handle.codes import DEFAULT_REQUEST_FLAGS, PUBL, OpCode, ResponseCode
from protocols.handle.digest import SHA256, Digest
from protocols.handle.macs import HMAC_SHA1, HMAC_SHA256, MD5, PBKDF2_HMAC_SHA1, SHA1, mac
from protocols.handle.macs import SHA256 as SANDWICH
from protocols.handle.proof import Derivation, SecretProof, encode_secret_proof, prove_secret
from protocols.handle.resolution import ResolveRequest
from tests.node.native.room import (
    ADMIN,
    GUEST,
    HIDDEN,
    OWN,
    PREFIX,
    STRANGER,
    TCP_PEER,
    UDP_PEER,
    answer_to,
    make_room,
    url,
)

NEW = ValuesRequest(f"{PREFIX}/new".encode(), (url("https://a/"),))
NOT_PUBLIC = Fields(DEFAULT_REQUEST_FLAGS & ~PUBL)


@pytest.mark.parametrize("code", [SHA1, SANDWICH, HMAC_SHA1, HMAC_SHA256, PBKDF2_HMAC_SHA1])
async def test_every_algorithm_but_md5_proves_a_secret(code):
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW)
    assert (await room.ask(*answer_to(first, ADMIN, mac_code=code))).code == 1


async def test_md5_is_refused():
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW)
    assert (await room.ask(*answer_to(first, ADMIN, mac_code=MD5))).code == 403


async def test_a_derivation_that_costs_too_much_is_refused_unseen():
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW)
    proof = SecretProof(PBKDF2_HMAC_SHA1, bytes(20), Derivation(bytes(16), 10_000_000, 160))
    body = ChallengeAnswer("HS_SECKEY", ADMIN.handle, ADMIN.index, encode_secret_proof(proof))
    fields = Fields(session_id=first.answer.envelope.session_id)
    assert (await room.ask(OpCode.CHALLENGE_ANSWER, body, fields)).code == 403


async def test_a_challenge_names_its_request_and_says_whose_it_is():
    room = make_room(slot=5)
    first = await room.ask(OpCode.CREATE, NEW, Fields(request_id=99))
    assert len(first.answer.body.nonce) == 16
    assert first.answer.digest == Digest(SHA256, hashlib.sha256(first.sent_payload).digest())
    assert first.answer.envelope.request_id == 99
    assert slot_of(first.answer.envelope.session_id) == 5


async def test_the_end_has_the_op_code_of_the_request_and_the_ids_of_the_answer():
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW)
    op_code, body, fields = answer_to(first, ADMIN)
    last = await room.ask(op_code, body, fields._replace(request_id=123))
    assert last.answer.header.op_code == OpCode.CREATE
    assert last.answer.envelope.request_id == 123


@pytest.mark.parametrize("peer", [TCP_PEER, UDP_PEER], ids=["tcp", "udp"])
async def test_the_same_answer_again_gets_the_same_word_and_changes_nothing(peer):
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW, peer=peer)
    message = request_bytes(*answer_to(first, ADMIN))
    one = await room.say(message, peer=peer)
    assert decode(one).header.response_code == 1
    count = room.writer.count
    assert await room.say(message, peer=peer) == one
    assert room.writer.count == count


async def test_another_answer_to_an_answered_challenge_is_refused():
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW)
    assert (await room.ask(*answer_to(first, GUEST))).code == 400
    assert (await room.ask(*answer_to(first, ADMIN))).code == 403


async def test_a_challenge_is_no_good_from_another_address_or_too_late():
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW)
    assert (await room.ask(*answer_to(first, ADMIN), peer=STRANGER)).code == 405
    room.service.monotonic_s += 60
    assert (await room.ask(*answer_to(first, ADMIN))).code == 405


async def test_hidden_values_are_told_to_who_proves_that_he_may_read():
    room, question = make_room(), ResolveRequest(f"{PREFIX}/mixed".encode())
    first = await room.ask(OpCode.RESOLVE, question, NOT_PUBLIC)
    assert first.code == ResponseCode.AUTHENTICATION_NEEDED
    assert HIDDEN not in first.raw
    last = await room.ask(*answer_to(first, ADMIN))
    assert [value.data for value in last.answer.body.values][1] == HIDDEN
    first = await room.ask(OpCode.RESOLVE, question, NOT_PUBLIC)
    stranger = await room.ask(*answer_to(first, GUEST))
    assert stranger.code == ResponseCode.NOT_ADMINISTRATOR
    assert HIDDEN not in stranger.raw


async def test_public_questions_meet_no_challenge():
    room = make_room()
    found = await room.ask(OpCode.RESOLVE, ResolveRequest(f"{PREFIX}/mixed".encode()))
    assert [value.index for value in found.answer.body.values] == [1]


async def test_another_node_may_ask_whether_a_proof_is_right():
    room, nonce, digest = make_room(), bytes(16), bytes(range(32))
    for secret, verdict in ((b"s3cret", 1), (b"other", 0)):
        proof = prove_secret((2, 11), secret, nonce + digest, b"salt" * 4)
        body = VerifyRequest(OWN.encode(), 300, nonce, Digest(SHA256, digest), proof)
        told = await room.ask(OpCode.VERIFY_CHALLENGE, body)
        assert (told.code, told.answer.body.verdict) == (1, verdict)
    bad = SecretProof(HMAC_SHA256, mac(HMAC_SHA256, HIDDEN, nonce))
    body = VerifyRequest(b"88.118/none", 300, nonce, digest, encode_secret_proof(bad))
    assert (await room.ask(OpCode.VERIFY_CHALLENGE, body)).answer.body.verdict == 0


def make_challenge(address: str = "192.0.2.1", *, is_udp: bool = False, expires_s: float = 160.0):
    request = decode(request_bytes(OpCode.DELETE, HandleRequest(b"88.118/x")))
    return Challenge(request, bytes(16), bytes(32), address, expires_s, is_udp)


def test_who_asks_too_often_loses_its_own_oldest_challenge_and_nobody_elses():
    table = Challenges(lambda: new_id(0))
    other = table.add(make_challenge("192.0.2.2"), 100.0)
    ids = [table.add(make_challenge(), 100.0) for _ in range(MOST_PER_SOURCE + 1)]
    assert table.find(ids[0], "192.0.2.1", 100.0) is None
    assert table.find(ids[1], "192.0.2.1", 100.0) is not None
    assert table.find(other, "192.0.2.2", 100.0) is not None
    assert len(table) == MOST_PER_SOURCE + 1


def test_forged_addresses_fill_half_the_room_only():
    table = Challenges(lambda: new_id(0))
    for number in range(module.MOST):
        table.add(make_challenge(f"10.{number >> 8 & 255}.{number & 255}.1", is_udp=True), 100.0)
    assert len(table) == module.MOST // module.UDP_SHARE
    assert table.add(make_challenge("192.0.2.9"), 100.0) is not None
    assert table.add(make_challenge("192.0.2.9", is_udp=True), 100.0) is None


def test_what_is_over_gives_its_room_back():
    table = Challenges(lambda: new_id(0))
    for _ in range(20):
        table.add(make_challenge(), 100.0)
    last = table.add(make_challenge(expires_s=300.0), 161.0)
    assert (len(table), table.used_bytes) == (1, len(make_challenge().request.received))
    assert table.find(last, "192.0.2.1", 299.0) is not None


async def test_operators_see_how_many_challenges_and_sessions_there_are():
    room = make_room()
    for number in range(3):
        await room.ask(OpCode.CREATE, NEW, Fields(request_id=number + 1))
    room.office.sessions.open(bytes(32), "192.0.2.1", 60.0, room.service.monotonic_s)
    room.office.refresh_gauges()
    assert NATIVE_WAITING.labels("challenges")._value.get() == 3
    assert NATIVE_WAITING.labels("sessions")._value.get() == 1
    assert POOL_WAITING._value.get() == 0
