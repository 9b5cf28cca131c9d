"""The national SDK logs in on its connection, under a session id of its own choice, and is bound to both."""

import pytest

from conformance.native_messages import Fields
from node.native.link import MOST_LOGINS, Link
from protocols.handle.administration import Done, HandleRequest, ValuesRequest
from protocols.handle.authentication import LoginRequest
from protocols.handle.codes import CACR, PUBL, RECU, RRDG, OpCode, ResponseCode
from protocols.handle.resolution import ResolveRequest
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.value import Value
from tests.node.native.room import (
    ADMIN,
    GUEST,
    HIDDEN,
    KEYED,
    OWN,
    PREFIX,
    SERVER_KEY,
    UDP_PEER,
    answer_to,
    make_room,
    url,
)

OWN_ID = 10_001
LOGIN = Fields(
    RECU | RRDG, session_id=OWN_ID, version=(2, 10), suggested=(2, 11), has_credential_length=False
)
PLAIN = Fields(RECU | CACR | PUBL, session_id=OWN_ID, version=(2, 10), suggested=(2, 11))
NEW = ValuesRequest(f"{PREFIX}/new".encode(), (url("https://a/"),))


def login_of(account):
    return LoginRequest(account.handle, account.index)


async def log_in(room, account=KEYED, fields=LOGIN, **how):
    first = await room.ask(OpCode.SDK_LOGIN, login_of(account), fields, **how)
    assert first.code == ResponseCode.AUTHENTICATION_NEEDED
    assert first.answer.envelope.session_id == fields.session_id
    assert first.answer.digest is not None
    op_code, body, answer = answer_to(first, account)
    return await room.ask(op_code, body, answer._replace(flags=RECU | RRDG), **how)


@pytest.mark.parametrize("account", [KEYED, ADMIN], ids=["by key", "by secret"])
async def test_a_login_ends_with_its_own_op_code_and_an_empty_body(account):
    room = make_room()
    last = await log_in(room, account)
    assert (last.code, last.answer.header.op_code) == (1, OpCode.SDK_LOGIN)
    assert (last.answer.body, last.answer.digest) == (Done(), None)
    assert last.answer.envelope.session_id == OWN_ID


async def test_who_is_logged_in_writes_without_another_word():
    room = make_room()
    await log_in(room)
    made = await room.ask(OpCode.CREATE, NEW, PLAIN._replace(request_id=5))
    assert (made.code, made.answer.envelope.session_id) == (1, OWN_ID)
    assert (await room.ask(OpCode.DELETE, HandleRequest(NEW.handle), PLAIN)).code == 1


async def test_a_login_counts_on_its_connection_and_id_only():
    room = make_room()
    await log_in(room)
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN, link=Link())).code == 400
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN._replace(session_id=10_002))).code == 400
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN, peer=UDP_PEER)).code == 500
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN._replace(session_id=0))).code == 402
    assert room.writer.count == 0


async def test_before_the_login_a_write_is_refused_and_never_challenged():
    room = make_room()
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN)).code == ResponseCode.NOT_ADMINISTRATOR
    question = ResolveRequest(f"{PREFIX}/mixed".encode())
    asked = await room.ask(OpCode.RESOLVE, question, PLAIN._replace(flags=RECU))
    assert asked.code == ResponseCode.NOT_ADMINISTRATOR
    assert HIDDEN not in asked.raw
    assert (await room.ask(OpCode.RESOLVE, question, PLAIN)).code == 1


async def test_a_failed_login_is_403_and_ends_the_one_before():
    room = make_room()
    await log_in(room)
    wrong = ADMIN.__class__(KEYED.handle, KEYED.index, secret=b"wrong")
    failed = await log_in(room, wrong)
    assert (failed.code, failed.answer.header.op_code) == (403, OpCode.SDK_LOGIN)
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN)).code == 400


async def test_a_login_is_answered_by_whom_it_named():
    room = make_room()
    first = await room.ask(OpCode.SDK_LOGIN, login_of(KEYED), LOGIN)
    assert (await room.ask(*answer_to(first, GUEST))).code == 403
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN)).code == 400


async def test_two_logins_live_on_one_connection_side_by_side():
    room = make_room()
    await log_in(room)
    await log_in(room, GUEST, LOGIN._replace(session_id=10_002))
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN._replace(session_id=10_002))).code == 400
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN)).code == 1


async def test_logins_of_one_connection_are_counted_and_need_one():
    room = make_room()
    for number in range(MOST_LOGINS):
        fields = LOGIN._replace(session_id=10_001 + number)
        assert (await room.ask(OpCode.SDK_LOGIN, login_of(KEYED), fields)).code == 402
    fields = LOGIN._replace(session_id=20_000)
    assert (await room.ask(OpCode.SDK_LOGIN, login_of(KEYED), fields)).code == ResponseCode.TOO_BUSY
    over_udp = await room.ask(OpCode.SDK_LOGIN, login_of(KEYED), LOGIN, peer=UDP_PEER)
    assert over_udp.code in {ResponseCode.SESSION_TIMEOUT, ResponseCode.NOT_SUPPORTED}


async def test_the_heartbeat_is_absent_and_names_nobody():
    assert (await make_room().ask(OpCode.RESOLVE, ResolveRequest(b"0"), PLAIN)).code == 100
    bare = await make_room().ask(
        OpCode.RESOLVE, ResolveRequest(PREFIX.encode(), (), ("HS_SITE",)), PLAIN
    )
    full = await make_room().ask(
        OpCode.RESOLVE, ResolveRequest(OWN.encode(), (), ("HS_SITE",)), PLAIN
    )
    assert bare.answer.body.values == full.answer.body.values
    assert len(bare.answer.body.values) == 1


async def test_a_login_ends_when_its_key_is_replaced():
    room = make_room()
    await log_in(room)
    assert (await room.ask(OpCode.CREATE, NEW, PLAIN)).code == 1
    other = Value(301, "HS_PUBKEY", encode_public_key(key_from_object(SERVER_KEY.public_key())))
    body = ValuesRequest(OWN.encode(), (other,))
    assert (await room.ask_as(ADMIN, OpCode.MODIFY_VALUE, body)).code == 1
    assert (await room.ask(OpCode.DELETE, HandleRequest(NEW.handle), PLAIN)).code == 400
