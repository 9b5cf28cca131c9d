"""Sessions as the classic Java resolver uses them: a key is agreed, messages carry its MAC, nothing counts twice."""

import hashlib

import pytest

from conformance.native_messages import Exchange, Fields, read_answer, request_bytes
from node.native.link import Link
from node.native.sessions import IDLE_S, LASTS_S, MOST_PER_SOURCE, ReplayWindow, Sessions
from node.slots import new_id
from protocols.handle.administration import HandleRequest, RemoveRequest, ValuesRequest
from protocols.handle.authentication import LoginRequest
from protocols.handle.codec import decode, encode, encode_payload
from protocols.handle.codes import (
    CERT,
    DEFAULT_REQUEST_FLAGS,
    ENCR,
    PUBL,
    RRDG,
    OpCode,
    ResponseCode,
)
from protocols.handle.encryption import decrypt, encrypt, session_key, shared_secret
from protocols.handle.resolution import ResolveRequest
from protocols.handle.sessions import CIPHER_AES, KeyMode, SessionSetupRequest, read_dh_answer
from protocols.handle.signing import mac_is_right, make_mac, signature_is_right
from protocols.values.keys import DhKey, decode_public_key, encode_public_key
from protocols.values.value import SECRET_PERMISSIONS, Value
from tests.node.native.room import (
    ADMIN,
    GUEST,
    HIDDEN,
    OWN,
    PREFIX,
    SERVER_KEY,
    STRANGER,
    TCP_PEER,
    UDP_PEER,
    answer_to,
    make_room,
    url,
)

OAKLEY = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)
"""The group of 1,024 bits of RFC 2409 §6.2, as long as what Java clients make."""
GROUP = DhKey(0, int(OAKLEY, 16), 2)
PRIVATE = 0x1234567890ABCDEF << 400
NEW = ValuesRequest(f"{PREFIX}/new".encode(), (url("https://a/"),))
SETUP_FLAGS = DEFAULT_REQUEST_FLAGS | CERT | RRDG


def setup_body(
    p: int = GROUP.p, g: int = GROUP.g, y: int | None = None, mode: int = KeyMode.DIFFIE_HELLMAN
):
    own = encode_public_key(DhKey(pow(g, PRIVATE, p) if y is None else y, p, g))
    return SessionSetupRequest(mode, 86_400, b"", 0, own)


class Client:
    """One session of one client."""

    def __init__(self, room) -> None:
        self.room, self.counter = room, 0

    async def open(self) -> Exchange:
        told = await self.room.ask(OpCode.SESSION_SETUP, setup_body(), Fields(SETUP_FLAGS))
        assert told.code == ResponseCode.SUCCESS, told.answer
        cipher, blob = read_dh_answer(told.answer.body.data)
        assert cipher == CIPHER_AES
        theirs = decode_public_key(blob)
        assert (theirs.p, theirs.g) == (GROUP.p, GROUP.g)
        self.key = session_key(shared_secret(GROUP.p, PRIVATE, theirs.y))
        self.id = told.answer.envelope.session_id
        return told

    def message(
        self,
        op_code,
        body,
        flags=DEFAULT_REQUEST_FLAGS,
        *,
        counter=None,
        key=None,
        request_id=None,
        is_encrypted=False,
    ):
        self.counter += counter is None
        fields = Fields(flags, session_id=self.id, request_id=request_id)
        plain = decode(request_bytes(op_code, body, fields))
        number = self.counter if counter is None else counter
        credential = make_mac(key or self.key, plain.envelope, number, encode_payload(plain))
        data = encode(plain._replace(credential=credential))
        return encrypt(data, self.key, bytes(range(16))) if is_encrypted else data

    async def ask(self, op_code, body, *args, peer=TCP_PEER, link=None, **how) -> Exchange:
        sent = self.message(op_code, body, *args, **how)
        raw = await self.room.say(sent, peer=peer, link=link)
        return Exchange(sent, read_answer(raw), raw)

    async def log_in(self, account=ADMIN) -> None:
        """As the Java resolver: its first request is challenged, the answer carries no credential."""
        first = await self.ask(OpCode.CREATE, NEW)
        assert (first.code, first.answer.envelope.session_id) == (402, self.id)
        last = await self.room.ask(*answer_to(first, account))
        assert (last.code, last.answer.header.op_code) == (1, OpCode.CREATE)


async def opened():
    client = Client(make_room())
    await client.open()
    return client


async def test_the_answer_to_a_set_up_is_signed_with_the_server_key():
    client = Client(make_room())
    told = await client.open()
    credential = told.answer.credential
    assert credential.type == "HS_SIGNED"
    payload = told.answer.received
    assert signature_is_right(credential, SERVER_KEY.public_key(), told.answer.envelope, payload)
    assert told.answer.digest.value == hashlib.sha256(told.sent_payload).digest()


async def test_one_challenge_is_enough_for_a_session():
    client = await opened()
    await client.log_in()
    deleted = await client.ask(OpCode.DELETE, HandleRequest(NEW.handle))
    assert (deleted.code, deleted.answer.envelope.session_id) == (1, client.id)
    assert deleted.answer.credential is None  # no CERT, no MAC


async def test_who_asks_for_proof_in_a_session_gets_its_mac():
    client = await opened()
    told = await client.ask(
        OpCode.RESOLVE, ResolveRequest(b"88.118/small"), DEFAULT_REQUEST_FLAGS | CERT
    )
    assert mac_is_right(
        told.answer.credential, client.key, told.answer.envelope, told.answer.received
    )
    assert told.answer.header.op_flags & CERT


async def test_a_message_seen_before_is_refused_and_changes_nothing():
    client = await opened()
    await client.log_in()
    count, link = client.room.writer.count, client.room.link
    message = client.message(OpCode.DELETE, HandleRequest(NEW.handle))
    assert decode(await client.room.say(message, link=link)).header.response_code == 1
    assert decode(await client.room.say(message, link=link)).header.response_code == 505
    assert (
        decode(await client.room.say(message, peer=STRANGER, link=Link())).header.response_code
        == 505
    )
    assert client.room.writer.count == count + 1


async def test_whoever_has_not_heard_the_answer_may_ask_again_on_another_connection():
    client = await opened()
    await client.log_in()
    message = client.message(OpCode.DELETE, HandleRequest(NEW.handle))
    first = await client.room.say(message)
    count = client.room.writer.count
    assert await client.room.say(message, link=Link()) == first
    assert await client.room.say(message, peer=UDP_PEER) == first
    client.room.service.monotonic_s += 61
    assert decode(await client.room.say(message, link=Link())).header.response_code == 505
    assert client.room.writer.count == count


async def test_a_wrong_mac_is_no_session():
    client = await opened()
    await client.log_in()
    refused = await client.ask(OpCode.DELETE, HandleRequest(NEW.handle), key=bytes(32))
    assert refused.code == ResponseCode.INVALID_CREDENTIAL
    assert (await client.ask(OpCode.DELETE, HandleRequest(NEW.handle))).code == 1


async def test_a_stolen_session_id_is_worth_nothing():
    client = await opened()
    await client.log_in()
    stolen = Fields(session_id=client.id)
    told = await client.room.ask(
        OpCode.DELETE, HandleRequest(NEW.handle), stolen, peer=STRANGER, link=Link()
    )
    assert told.code == ResponseCode.AUTHENTICATION_NEEDED
    assert told.answer.envelope.session_id != client.id
    question = ResolveRequest(f"{PREFIX}/mixed".encode())
    fields = stolen._replace(flags=DEFAULT_REQUEST_FLAGS & ~PUBL)
    told = await client.room.ask(OpCode.RESOLVE, question, fields, peer=STRANGER, link=Link())
    assert HIDDEN not in told.raw


async def test_a_pending_challenge_of_a_session_is_answered_from_its_address_only():
    client = await opened()
    first = await client.ask(OpCode.CREATE, NEW)
    assert (await client.room.ask(*answer_to(first, ADMIN), peer=STRANGER, link=Link())).code == 405
    assert (await client.room.ask(*answer_to(first, ADMIN))).code == 1


async def test_a_wrong_proof_leaves_the_session_without_a_name():
    client = await opened()
    first = await client.ask(OpCode.CREATE, NEW)
    wrong = GUEST.__class__(ADMIN.handle, ADMIN.index, secret=b"wrong")
    assert (await client.room.ask(*answer_to(first, wrong))).code == 403
    again = await client.ask(OpCode.CREATE, NEW, DEFAULT_REQUEST_FLAGS | CERT)
    op_code, body, fields = answer_to(again, wrong)
    told = await client.room.ask(op_code, body, fields._replace(flags=fields.flags | CERT))
    assert told.code == 403
    assert mac_is_right(
        told.answer.credential, client.key, told.answer.envelope, told.answer.received
    ), "a client in a session believes nothing else"
    assert (await client.ask(OpCode.CREATE, NEW)).code == 402


@pytest.mark.parametrize("peer", [TCP_PEER, UDP_PEER], ids=["tcp", "udp"])
async def test_unknown_sessions_are_over(peer):
    client = await opened()
    client.id = new_id(0)
    assert (await client.ask(OpCode.DELETE, HandleRequest(b"88.118/x"), peer=peer)).code == 500
    plain = await client.room.ask(
        OpCode.DELETE, HandleRequest(b"88.118/x"), Fields(session_id=client.id), peer=peer
    )
    assert plain.code == (500 if peer is UDP_PEER else 400)


async def test_a_session_ends_by_itself_and_by_a_message_that_carries_its_mac():
    client = await opened()
    bare = await client.room.ask(
        OpCode.SESSION_TERMINATE, HandleRequest(), Fields(session_id=client.id)
    )
    assert bare.code != 1
    assert (await client.ask(OpCode.SESSION_TERMINATE, HandleRequest())).code == 1
    assert (await client.ask(OpCode.RESOLVE, ResolveRequest(b"88.118/small"))).code == 500
    other = await opened()
    other.room.service.monotonic_s += IDLE_S
    assert (await other.ask(OpCode.RESOLVE, ResolveRequest(b"88.118/small"))).code == 500


async def test_encrypted_messages_are_read_and_answered_encrypted():
    client = await opened()
    await client.log_in()
    question = ResolveRequest(f"{PREFIX}/mixed".encode())
    sent = client.message(
        OpCode.RESOLVE, question, DEFAULT_REQUEST_FLAGS & ~PUBL, is_encrypted=True
    )
    raw = await client.room.say(sent)
    assert HIDDEN not in raw
    answer = decode(decrypt(raw, client.key))
    assert [value.data for value in answer.body.values][1] == HIDDEN
    wanted = await client.room.say(
        client.message(OpCode.RESOLVE, question, DEFAULT_REQUEST_FLAGS | ENCR)
    )
    assert decode(decrypt(wanted, client.key)).header.response_code == 1


async def test_bad_ciphertexts_get_one_and_the_same_answer():
    client = await opened()
    good = client.message(
        OpCode.RESOLVE, ResolveRequest(b"88.118/small"), is_encrypted=True, request_id=5
    )
    answers = set()
    for at in (20, 40, len(good) - 1):
        bad = bytearray(good)
        bad[at] ^= 1
        answer = decode(await client.room.say(bytes(bad)))
        answers.add((answer.header.response_code, answer.body))
    assert {code for code, _ in answers} <= {
        ResponseCode.PROTOCOL_ERROR,
        ResponseCode.INVALID_CREDENTIAL,
    }
    nobody = good[:4] + new_id(0).to_bytes(4) + good[8:]
    assert (
        decode(await client.room.say(nobody)).header.response_code == ResponseCode.SESSION_TIMEOUT
    )


def sealed(client: Client, op_code, body, flags=DEFAULT_REQUEST_FLAGS) -> bytes:
    """Encrypted with the session's key, but without its MAC."""
    plain = request_bytes(op_code, body, Fields(flags, session_id=client.id))
    return encrypt(plain, client.key, bytes(16))


NEEDS_ADMIN = {
    OpCode.CREATE: NEW,
    OpCode.ADD_VALUE: NEW,
    OpCode.MODIFY_VALUE: NEW,
    OpCode.REMOVE_VALUE: RemoveRequest(NEW.handle, (1,)),
    OpCode.DELETE: HandleRequest(NEW.handle),
    OpCode.LIST_HANDLES: HandleRequest(OWN.encode()),
    OpCode.LIST_DERIVED_PREFIXES: HandleRequest(OWN.encode()),
    OpCode.HOME_PREFIX: HandleRequest(b"0.NA/88.118.7"),
    OpCode.UNHOME_PREFIX: HandleRequest(OWN.encode()),
    OpCode.LIST_HOMED_PREFIXES: HandleRequest(),
    OpCode.SDK_LOGIN: LoginRequest(ADMIN.handle, ADMIN.index),
}


async def test_what_needs_an_administrator_is_refused_if_it_is_encrypted_without_a_mac():
    client = await opened()
    await client.log_in()
    count = client.room.writer.count
    for op_code, body in NEEDS_ADMIN.items():
        answer = decode(decrypt(await client.room.say(sealed(client, op_code, body)), client.key))
        assert answer.header.response_code == ResponseCode.INVALID_CREDENTIAL, op_code
        assert b"MAC" in answer.body.message
    ended = await client.room.say(sealed(client, OpCode.SESSION_TERMINATE, HandleRequest()))
    assert decode(decrypt(ended, client.key)).header.response_code != 1
    assert client.room.writer.count == count
    assert (await client.ask(OpCode.DELETE, HandleRequest(NEW.handle))).code == 1  # goes on


async def test_questions_that_are_encrypted_without_a_mac_are_answered_as_anybodys():
    client = await opened()
    await client.log_in()
    for flags, name, code in (
        (DEFAULT_REQUEST_FLAGS, "small", 1),
        (DEFAULT_REQUEST_FLAGS, "mixed", 1),
        (DEFAULT_REQUEST_FLAGS & ~PUBL, "mixed", ResponseCode.INVALID_CREDENTIAL),
    ):
        question = ResolveRequest(f"{PREFIX}/{name}".encode())
        raw = await client.room.say(sealed(client, OpCode.RESOLVE, question, flags))
        told = decrypt(raw, client.key)
        assert decode(told).header.response_code == code
        assert HIDDEN not in told


async def test_the_challenge_of_a_session_outlasts_what_has_no_mac_and_its_answer_may_be_encrypted():
    client = await opened()
    first = await client.ask(OpCode.CREATE, NEW)
    await client.room.say(sealed(client, OpCode.DELETE, HandleRequest(b"88.118/small")))
    op_code, body, _ = answer_to(first, ADMIN)  # Java clients send it so, without a credential
    last = decode(decrypt(await client.room.say(sealed(client, op_code, body)), client.key))
    assert (last.header.op_code, last.header.response_code) == (OpCode.CREATE, 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (setup_body(p=(1 << 512) + 75), 5),
        (setup_body(p=(1 << 4200) + 1, y=5), 4),
        (setup_body(y=1), 4),
        (setup_body(y=GROUP.p - 1), 4),
        (setup_body(g=1, y=5), 4),
        (SessionSetupRequest(KeyMode.DIFFIE_HELLMAN, 60, b"", 0, b"nonsense"), 4),
        (SessionSetupRequest(KeyMode.CLIENT_KEY, 60, b"", 0, b"key"), 5),
        (SessionSetupRequest(KeyMode.SERVER_KEY, 60, b"", 0), 5),
    ],
    ids=["small group", "large group", "y = 1", "y = p - 1", "g = 1", "no key", "mode 1", "mode 2"],
)
async def test_keys_are_agreed_in_sound_groups_only(body, code):
    told = await make_room().ask(OpCode.SESSION_SETUP, body)
    assert told.code == code


async def test_signed_answers_are_not_told_over_udp():
    room = make_room()
    fields = Fields(DEFAULT_REQUEST_FLAGS | CERT)
    told = await room.ask(OpCode.RESOLVE, ResolveRequest(b"88.118/small"), fields, peer=UDP_PEER)
    assert told.code == ResponseCode.ERROR
    told = await room.ask(OpCode.RESOLVE, ResolveRequest(b"88.118/small"), fields)
    assert signature_is_right(
        told.answer.credential, SERVER_KEY.public_key(), told.answer.envelope, told.answer.received
    )
    told = await room.ask(OpCode.RESOLVE, ResolveRequest(b"88.118/none"), fields)
    assert (told.code, told.answer.credential.type) == (100, "HS_SIGNED")


async def test_in_a_session_the_mac_stands_for_the_signature_over_udp_as_well():
    """The Java client of Handle.Net sets up a session over TCP and goes on over UDP, with CERT on everything."""
    client = await opened()
    flags = DEFAULT_REQUEST_FLAGS | CERT
    first = await client.ask(OpCode.CREATE, NEW, flags, peer=UDP_PEER)
    assert first.code == ResponseCode.AUTHENTICATION_NEEDED
    assert mac_is_right(
        first.answer.credential, client.key, first.answer.envelope, first.answer.received
    )
    op_code, body, fields = answer_to(first, ADMIN)
    proof = op_code, body, fields._replace(flags=flags)
    made = await client.room.ask(*proof, peer=UDP_PEER)
    assert (made.code, made.answer.header.op_code) == (1, OpCode.CREATE)
    assert mac_is_right(
        made.answer.credential, client.key, made.answer.envelope, made.answer.received
    )
    told = await client.ask(OpCode.RESOLVE, ResolveRequest(b"88.118/small"), flags, peer=UDP_PEER)
    assert told.code == 1
    assert told.answer.credential.type == "HS_MAC"


async def test_an_answer_to_a_challenge_over_udp_gets_no_signature_outside_of_a_session():
    room = make_room()
    first = await room.ask(OpCode.CREATE, NEW, peer=UDP_PEER)
    assert first.code == ResponseCode.AUTHENTICATION_NEEDED
    op_code, body, fields = answer_to(first, ADMIN)
    signed = fields._replace(flags=fields.flags | CERT)
    assert (await room.ask(op_code, body, signed, peer=UDP_PEER)).code == ResponseCode.ERROR
    assert (await room.ask(op_code, body, fields, peer=UDP_PEER)).code == 1, "nothing was done yet"


def test_a_number_counts_once_within_the_window_and_never_behind_it():
    window = ReplayWindow()
    assert [window.is_new(n) for n in (1, 1, 3, 2, 2, 3)] == [True, False, True, True, False, False]
    assert window.is_new(500)
    assert window.is_new(301)
    assert not window.is_new(301)
    assert not window.is_new(300)
    assert not window.is_new(3)


def test_nobody_fills_the_table_of_sessions_alone_and_none_lasts_for_ever():
    sessions = Sessions(lambda: new_id(0))
    for _ in range(MOST_PER_SOURCE):
        assert sessions.open(bytes(32), "192.0.2.1", 86_400.0, 0.0)
    assert sessions.open(bytes(32), "192.0.2.1", 86_400.0, 0.0) is None
    other = sessions.open(bytes(32), "192.0.2.2", 86_400.0, 0.0)
    now_s = 0.0
    while now_s < LASTS_S - IDLE_S / 2:
        now_s += IDLE_S / 2
        assert sessions.find(other.id, now_s) is other
        sessions.touch(other, now_s)
    assert sessions.find(other.id, LASTS_S) is None
    assert sessions.open(bytes(32), "192.0.2.1", 60.0, now_s) is not None
    assert len(sessions) == 1


async def test_a_session_forgets_who_spoke_in_it_when_the_key_is_replaced():
    client = await opened()
    await client.log_in()
    secret = Value(300, "HS_SECKEY", b"another", permissions=SECRET_PERMISSIONS)
    changed = await client.ask(OpCode.MODIFY_VALUE, ValuesRequest(OWN.encode(), (secret,)))
    assert changed.code == 1
    assert (await client.ask(OpCode.DELETE, HandleRequest(NEW.handle))).code == 402
