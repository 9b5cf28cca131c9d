"""Clients that mean harm: other people's challenges, floods from forged addresses, answers hoarded, old layouts."""

import asyncio

import pytest

from conformance.native_messages import Fields, read_answer, request_bytes
from node.native.asked import Deed
from node.native.challenges import MOST_PER_SOURCE as MOST_CHALLENGES
from node.native.challenges import Challenges
from node.native.kept import MOST_LARGE_BYTES, MOST_SMALL_BYTES, Kept
from node.native.key_exchange import SETUP_BURST
from node.native.link import Link
from node.native.sessions import MOST, MOST_PER_SOURCE, UNUSED_S, Login, Sessions, told_to
from node.slots import new_id
from protocols.handle.administration import CreateAnswer, HandleRequest, ValuesRequest
from protocols.handle.authentication import LoginRequest, VerifyRequest
from protocols.handle.codec import decode, encode, encode_payload
from protocols.handle.codes import (
    DEFAULT_REQUEST_FLAGS,
    MINT,
    PUBL,
    OpCode,
    ResponseCode,
)
from protocols.handle.encryption import decrypt, encrypt
from protocols.handle.proof import prove_secret
from protocols.handle.resolution import ResolveRequest
from protocols.handle.signing import make_mac
from protocols.message import Principal
from tests.node.native.room import (
    ADMIN,
    GUEST,
    HIDDEN,
    KEYED,
    OWN,
    PREFIX,
    STRANGER,
    TCP_PEER,
    UDP_PEER,
    Room,
    answer_to,
    make_room,
    url,
)
from tests.node.native.test_challenges import make_challenge
from tests.node.native.test_sdk_login import LOGIN
from tests.node.native.test_sessions import Client, setup_body

BIG = ResolveRequest(f"{PREFIX}/big".encode())
NEW = ValuesRequest(f"{PREFIX}/new".encode(), (url("https://a/"),))


async def opened(room: Room | None = None) -> Client:
    client = Client(room or make_room())
    await client.open()
    return client


# ------------------------------------------------------------------------------ whose challenge it is


@pytest.mark.parametrize("peer", [TCP_PEER, UDP_PEER], ids=["another connection", "none"])
async def test_a_login_is_not_completed_elsewhere_by_the_id_of_its_challenge(peer):
    room, first = make_room(), Link()
    asked = await room.ask(
        OpCode.SDK_LOGIN, LoginRequest(KEYED.handle, KEYED.index), LOGIN, link=first
    )
    (id_,) = first.pending.values()
    op_code, body, fields = answer_to(asked, KEYED)
    other = Link() if peer is TCP_PEER else None
    for _ in range(2):
        told = await room.ask(op_code, body, fields._replace(session_id=id_), peer=peer, link=other)
        assert told.code == ResponseCode.AUTHENTICATION_TIMEOUT
    assert other is None or not other.logins
    assert (await room.ask(op_code, body, fields, link=first)).code == ResponseCode.SUCCESS


async def test_an_account_hears_nothing_of_what_another_did_with_the_same_request():
    room, fields = make_room(), Fields(request_id=5)
    refused = await room.ask_as(GUEST, OpCode.CREATE, NEW, fields)
    assert refused.code == ResponseCode.NOT_ADMINISTRATOR
    assert (await room.ask_as(ADMIN, OpCode.CREATE, NEW, fields)).code == ResponseCode.SUCCESS
    again = await room.ask_as(GUEST, OpCode.CREATE, NEW, fields)
    assert again.code == ResponseCode.NOT_ADMINISTRATOR


# -------------------------------------------------------------------------------- from forged addresses


def test_forged_datagrams_do_not_push_out_the_challenges_of_the_address_they_name():
    table = Challenges(lambda: new_id(0))
    own = table.add(make_challenge(), 100.0)
    ids = [table.add(make_challenge(is_udp=True), 100.0) for _ in range(MOST_CHALLENGES + 1)]
    assert table.find(own, "192.0.2.1", 100.0) is not None
    assert table.find(ids[0], "192.0.2.1", 100.0) is None
    assert len(table) == MOST_CHALLENGES + 1


@pytest.mark.parametrize(
    ("op_code", "body"),
    [
        (OpCode.SESSION_SETUP, setup_body()),
        (OpCode.VERIFY_CHALLENGE, VerifyRequest(OWN.encode(), 300, bytes(16), bytes(32),
                                                prove_secret((2, 11), b"x", bytes(48), bytes(16)))),
    ],
    ids=["session", "verification"],
)  # fmt: skip
async def test_what_costs_a_computation_or_counts_as_a_guess_is_not_begun_by_a_datagram(
    op_code, body
):
    room = make_room()
    now = room.service.now()
    sent = request_bytes(op_code, body)
    answer = room.speaker.answer_here(sent, UDP_PEER, now, 512)
    assert isinstance(answer, bytes), "at once"
    assert decode(answer).header.response_code == ResponseCode.ERROR
    assert len(room.office.sessions) == 0


# ------------------------------------------------------------------------------------ hoarding and floods


def big_room() -> Room:
    room = make_room()
    room.put(f"{PREFIX}/big", *(url("x" * 60_000, index) for index in (1, 2, 3)))
    return room


async def test_large_answers_are_kept_for_repetitions_within_a_budget():
    room, messages = big_room(), []
    for _ in range(6):
        client = await opened(room)
        for _ in range(10):
            messages.append(client.message(OpCode.RESOLVE, BIG))
            assert len(await room.say(messages[-1])) > 180_000
    assert 0 < room.office.kept.used_bytes <= MOST_LARGE_BYTES + MOST_SMALL_BYTES
    assert len(await room.say(messages[-1], link=Link())) > 180_000
    assert decode(await room.say(messages[0], link=Link())).header.response_code == 505


def test_large_answers_do_not_push_out_small_ones():
    kept, gone = Kept(), []
    kept.keep(100, lambda: gone.append("small"), 0.0)
    for number in range(100):
        kept.keep(250_000, lambda number=number: gone.append(number), 1.0)
    assert gone == list(range(len(gone)))
    assert 0 < len(gone) < 100
    assert kept.used_bytes <= MOST_LARGE_BYTES + 1000
    kept.keep(100, lambda: None, 61.0)
    assert "small" in gone
    assert kept.used_bytes < 1000


async def test_who_opens_sessions_and_leaves_them_loses_the_oldest_of_his_own():
    sessions = Sessions(lambda: new_id(0))
    first = [sessions.open(bytes(32), "192.0.2.1", 0.0, 0.0) for _ in range(MOST_PER_SOURCE)]
    assert sessions.open(bytes(32), "192.0.2.1", 0.0, 1.0) is None, "these may be about to be used"
    sessions.touch(first[0], UNUSED_S)
    assert sessions.open(bytes(32), "192.0.2.1", 0.0, UNUSED_S) is not None
    assert sessions.find(first[0].id, UNUSED_S) is first[0]
    assert sessions.find(first[1].id, UNUSED_S) is None
    assert len(sessions) == MOST_PER_SOURCE


async def test_sessions_that_nobody_logged_in_on_make_room_and_others_stay():
    sessions = Sessions(lambda: new_id(0))
    opened_ = [sessions.open(bytes(32), f"10.0.{n >> 8}.{n & 255}", 0.0, 0.0) for n in range(MOST)]
    opened_[0].login = Login(Principal(OWN, 300), b"print")
    assert sessions.open(bytes(32), "192.0.2.1", 0.0, 1.0) is None
    assert sessions.open(bytes(32), "192.0.2.1", 0.0, UNUSED_S) is not None
    assert sessions.find(opened_[0].id, UNUSED_S) is opened_[0]
    assert sessions.find(opened_[1].id, UNUSED_S) is None


async def test_key_agreements_cost_their_source_by_the_size_of_the_group():
    room, codes = make_room(), []
    p = (1 << 4095) + 15
    for _ in range(20):
        codes.append((await room.ask(OpCode.SESSION_SETUP, setup_body(p=p, y=5))).code)
        if codes[-1] != 1:
            break
    assert codes[-1] == ResponseCode.TOO_BUSY
    assert len(codes) <= SETUP_BURST / 16 + 1
    other = await room.ask(OpCode.SESSION_SETUP, setup_body(), peer=STRANGER, link=Link())
    assert other.code == 1
    room.service.monotonic_s += 60
    assert (await room.ask(OpCode.SESSION_SETUP, setup_body())).code == 1


async def test_strangers_do_not_push_out_the_names_minted_for_others():
    room = make_room()
    mint = ValuesRequest(f"{PREFIX}/".encode(), (url("https://a/"),))
    fields = Fields(DEFAULT_REQUEST_FLAGS | MINT, request_id=77, expiration_s=2_000_000_000)
    made = await room.ask_as(ADMIN, OpCode.CREATE, mint, fields)
    assert isinstance(made.answer.body, CreateAnswer)
    for number in range(4200):
        sent = request_bytes(OpCode.CREATE, mint, fields._replace(request_id=number + 1000))
        room.speaker.answer_here(sent, STRANGER, room.service.now(), 512)
    again = await room.ask_as(ADMIN, OpCode.CREATE, mint, fields)
    assert again.answer.body == made.answer.body


# ---------------------------------------------------------------------------------- what a MAC is worth


@pytest.mark.parametrize("version", [(2, 4), (2, 5), (2, 6)])
async def test_versions_whose_macs_leave_out_the_number_have_no_sessions(version):
    room = make_room()
    fields = Fields(version=version, suggested=version)
    told = await room.ask(OpCode.SESSION_SETUP, setup_body(), fields)
    assert told.code == ResponseCode.NOT_SUPPORTED
    client = await opened(room)
    plain = decode(request_bytes(OpCode.RESOLVE, BIG, fields._replace(session_id=client.id)))
    if version < (2, 5):
        credential = make_mac(client.key, plain.envelope, 1, encode_payload(plain))
        plain = plain._replace(credential=credential)
        refused = read_answer(await room.say(encode(plain)))
        assert refused.header.response_code == ResponseCode.NOT_SUPPORTED


async def test_an_encrypted_message_without_a_mac_ends_no_session():
    client = await opened()
    sent = request_bytes(OpCode.SESSION_TERMINATE, HandleRequest(), Fields(session_id=client.id))
    raw = await client.room.say(encrypt(sent, client.key, bytes(16)))
    assert decode(decrypt(raw, client.key)).header.response_code == ResponseCode.SESSION_TIMEOUT
    assert (await client.ask(OpCode.SESSION_TERMINATE, HandleRequest())).code == 1


async def test_a_wrong_mac_inside_a_ciphertext_sounds_like_a_wrong_ciphertext():
    client, said = await opened(), set()
    good = client.message(OpCode.RESOLVE, BIG, is_encrypted=True, request_id=5)
    wrong = client.message(OpCode.RESOLVE, BIG, is_encrypted=True, request_id=5, key=bytes(32))
    for bad in (wrong, good[:-16] + bytes(16)):
        answer = decode(await client.room.say(bad))
        said.add((answer.header.response_code, answer.body, answer.header.op_code))
    assert len(said) == 1


@pytest.mark.parametrize("is_proved", [True, False], ids=["with MAC", "without"])
async def test_a_suggested_version_that_somebody_changed_gets_no_plain_answer(is_proved):
    client = await opened()
    await client.log_in()
    fields = Fields(
        DEFAULT_REQUEST_FLAGS & ~PUBL, session_id=client.id, version=(2, 7), suggested=(2, 11)
    )
    plain = decode(
        request_bytes(OpCode.RESOLVE, ResolveRequest(f"{PREFIX}/mixed".encode()), fields)
    )
    if is_proved:
        client.counter += 1
        credential = make_mac(client.key, plain.envelope, client.counter, encode_payload(plain))
        plain = plain._replace(credential=credential)
    sealed = encrypt(encode(plain), client.key, bytes(16))
    assert sealed[3] == 11, "the minor suggested version"
    changed = sealed[:3] + b"\x01" + sealed[4:]
    raw = await client.room.say(changed)
    assert HIDDEN not in raw
    assert decode(raw).header.response_code == ResponseCode.PROTOCOL_ERROR


# ------------------------------------------------------------------------------------ one after the other


async def test_an_answer_sent_twice_while_the_first_is_worked_at_gets_one_word():
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW)
    sent = request_bytes(*answer_to(first, ADMIN))
    count = room.writer.count
    one, two = await asyncio.gather(room.say(sent), room.say(sent, link=Link()))
    assert one == two
    assert decode(one).header.response_code == 1
    assert room.writer.count == count + 1


async def test_whoever_waits_for_the_answer_of_work_that_met_a_bug_does_not_wait_for_ever():
    async def meet_a_bug() -> bytes:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    with pytest.raises(ZeroDivisionError):
        await told_to(future, meet_a_bug())
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(asyncio.shield(future), 1)


async def test_what_a_client_began_and_left_is_finished_before_the_worker_ends():
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW)
    sent, now = request_bytes(*answer_to(first, ADMIN)), room.service.now()
    deed = room.speaker.answer_here(sent, TCP_PEER, now, 1000, room.link)
    assert isinstance(deed, Deed)
    forget, count = room.speaker.ask(deed, now, pytest.fail), room.writer.count
    forget()
    await room.speaker.drain(10.0)
    assert room.writer.count == count + 1
    assert decode(deed.answer).header.response_code == 1
