"""Records are made, changed and deleted over the native protocol by whoever proves that he may."""

import pytest

from conformance.native_messages import Fields, request_bytes
from node.native.link import Link
from protocols.handle.administration import (
    CreateAnswer,
    HandleRequest,
    RemoveRequest,
    ValuesRequest,
)
from protocols.handle.codec import decode
from protocols.handle.codes import DEFAULT_REQUEST_FLAGS, DNRF, MINT, OVRW, OpCode, ResponseCode
from protocols.handle.failures import ErrorAnswer
from protocols.handle.listing import NamesAnswer
from protocols.handle.resolution import ResolveRequest
from protocols.values.site import Server, Site, encode_site
from protocols.values.value import Value
from tests.node.native.room import (
    ADMIN,
    GUEST,
    KEYED,
    LOOKER,
    OWN,
    PREFIX,
    UDP_PEER,
    answer_to,
    make_room,
    url,
)

NEW = f"{PREFIX}/new".encode()


async def values_of(room, handle: bytes) -> tuple[Value, ...]:
    found = await room.ask(OpCode.RESOLVE, ResolveRequest(handle))
    return found.answer.body.values if found.code == ResponseCode.SUCCESS else ()


@pytest.mark.parametrize("account", [ADMIN, KEYED], ids=["by secret", "by key"])
async def test_a_record_is_made_changed_and_deleted(account):
    room = make_room()
    made = await room.ask_as(account, OpCode.CREATE, ValuesRequest(NEW, (url("https://a/"),)))
    assert (made.code, made.answer.body) == (ResponseCode.SUCCESS, CreateAnswer(NEW))
    assert made.answer.header.op_code == OpCode.CREATE
    steps = (
        (OpCode.ADD_VALUE, ValuesRequest(NEW, (url("https://b/", 2),)), [(1, b"https://a/"), (2, b"https://b/")]),
        (OpCode.MODIFY_VALUE, ValuesRequest(NEW, (url("https://c/"),)), [(1, b"https://c/"), (2, b"https://b/")]),
        (OpCode.REMOVE_VALUE, RemoveRequest(NEW, (2,)), [(1, b"https://c/")]),
        (OpCode.DELETE, HandleRequest(NEW), []),
    )  # fmt: skip
    for op_code, body, left in steps:
        done = await room.ask_as(account, op_code, body)
        assert (done.code, done.answer.header.op_code) == (ResponseCode.SUCCESS, op_code)
        assert [(v.index, v.data) for v in await values_of(room, NEW)] == left


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (GUEST, ResponseCode.NOT_ADMINISTRATOR),
        (LOOKER, ResponseCode.INSUFFICIENT_PERMISSIONS),
    ],
    ids=["no administrator", "without the permission"],
)
async def test_who_may_not_changes_nothing(account, code):
    room = make_room()
    refused = await room.ask_as(account, OpCode.CREATE, ValuesRequest(NEW, (url("https://a/"),)))
    assert refused.code == code
    assert await values_of(room, NEW) == ()


@pytest.mark.parametrize(
    ("op_code", "body", "code"),
    [
        (OpCode.CREATE, ValuesRequest(b"88.118/small", (url("https://a/"),)), 101),
        (OpCode.CREATE, ValuesRequest(NEW, (url("https://a/"), url("https://b/"))), 201),
        (OpCode.CREATE, ValuesRequest(NEW, (url("https://a/", 0),)), 202),
        (OpCode.CREATE, ValuesRequest(b"88.999/x", (url("https://a/"),)), 301),
        (OpCode.CREATE, ValuesRequest(b"88.118/", (url("https://a/"),)), 102),
        (OpCode.ADD_VALUE, ValuesRequest(b"88.118/small", (url("https://a/"),)), 201),
        (OpCode.ADD_VALUE, ValuesRequest(NEW, (url("https://a/"),)), 100),
        (OpCode.MODIFY_VALUE, ValuesRequest(b"88.118/small", (url("https://a/", 9),)), 200),
        (OpCode.REMOVE_VALUE, RemoveRequest(b"88.118/small", (9,)), 200),
        (OpCode.DELETE, HandleRequest(NEW), 100),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_has_the_code_of_its_own(op_code, body, code):
    room = make_room()
    before = await values_of(room, b"88.118/small")
    refused = await room.ask_as(ADMIN, op_code, body)
    assert refused.code == code
    assert isinstance(refused.answer.body, ErrorAnswer)
    assert await values_of(room, b"88.118/small") == before


async def test_create_with_overwrite_replaces_and_add_with_overwrite_does():
    room, flags = make_room(), Fields(DEFAULT_REQUEST_FLAGS | OVRW)
    body = ValuesRequest(b"88.118/small", (url("https://new/"),))
    assert (await room.ask_as(ADMIN, OpCode.CREATE, body, flags)).code == 1
    assert [v.data for v in await values_of(room, b"88.118/small")] == [b"https://new/"]
    body = ValuesRequest(b"88.118/small", (url("https://newer/"),))
    assert (await room.ask_as(ADMIN, OpCode.ADD_VALUE, body, flags)).code == 1
    assert [v.data for v in await values_of(room, b"88.118/small")] == [b"https://newer/"]


@pytest.mark.parametrize("handle", [PREFIX, f"{PREFIX}/", OWN])
async def test_minting_makes_a_new_suffix_each_time(handle):
    room, flags = make_room(), Fields(DEFAULT_REQUEST_FLAGS | MINT)
    names = set()
    for _ in range(2):
        body = ValuesRequest(handle.encode(), (url("https://a/"),))
        made = await room.ask_as(ADMIN, OpCode.CREATE, body, flags)
        assert made.code == ResponseCode.SUCCESS
        names.add(made.answer.body.handle)
        assert len(await values_of(room, made.answer.body.handle)) == 1
    assert len(names) == 2
    assert all(name.startswith(f"{PREFIX}/".encode()) for name in names)


async def test_the_same_request_again_gets_the_receipt_of_the_first_for_a_minute():
    room = make_room()
    fields, body = (
        Fields(request_id=77, expiration_s=2_000_000_000),
        ValuesRequest(NEW, (url("https://a/"),)),
    )
    for _ in range(2):
        assert (await room.ask_as(ADMIN, OpCode.CREATE, body, fields)).code == 1
    room.service.monotonic_s += 61
    assert (await room.ask_as(ADMIN, OpCode.CREATE, body, fields)).code == 101


async def test_strangers_are_asked_who_they_are_before_anything_is_queued():
    room = make_room()
    for _ in range(3):
        asked = await room.ask(OpCode.CREATE, ValuesRequest(NEW, (url("https://a/"),)))
        assert asked.code == ResponseCode.AUTHENTICATION_NEEDED
    assert room.writer.count == 0


async def test_a_derived_prefix_is_made_homed_and_given_up():
    room, record = make_room(), b"0.NA/88.118.7"
    below = ValuesRequest(b"88.118.7/x", (url("https://a/"),))
    assert (await room.ask_as(ADMIN, OpCode.CREATE, below)).code == ResponseCode.NOT_RESPONSIBLE
    made = await room.ask_as(ADMIN, OpCode.CREATE, ValuesRequest(record, (url("https://site/"),)))
    assert made.code == ResponseCode.SUCCESS
    assert (await room.ask_as(ADMIN, OpCode.HOME_PREFIX, HandleRequest(record))).code == 1
    assert [v.data for v in await values_of(room, record)] == [b"https://site/"]
    homed = await room.ask_as(ADMIN, OpCode.LIST_HOMED_PREFIXES, HandleRequest())
    assert homed.answer.body.names == (OWN.encode(),)  # below the other, nobody may list yet
    derived = await room.ask_as(ADMIN, OpCode.LIST_DERIVED_PREFIXES, HandleRequest(OWN.encode()))
    assert derived.answer.body.names == (record,)
    assert (await room.ask_as(ADMIN, OpCode.UNHOME_PREFIX, HandleRequest(record))).code == 1
    assert (await room.ask_as(ADMIN, OpCode.CREATE, below)).code == ResponseCode.NOT_RESPONSIBLE


async def test_lists_come_in_messages_of_fifty_names():
    room = make_room()
    wanted = {b"88.118/small", b"88.118/mixed"}
    for number in range(119):
        name = f"{PREFIX}/list-{number:03}".encode()
        wanted.add(name)
        made = await room.ask_as(ADMIN, OpCode.CREATE, ValuesRequest(name, (url("https://a/"),)))
        assert made.code == 1
    first = await room.ask(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()))
    assert first.code == ResponseCode.AUTHENTICATION_NEEDED
    sent = await room.ask_raw_answers(*answer_to(first, ADMIN))
    assert [len(part.body.names) for part in sent] == [50, 50, 21]
    assert [bool(part.header.op_flags & 0x0400_0000) for part in sent] == [True, True, False]
    assert {name for part in sent for name in part.body.names} == wanted


async def test_long_lists_are_sent_as_they_are_looked_up():
    room, parts = make_room(), []

    async def send_part(part: bytes) -> None:
        parts.append(part)

    for number in range(150):
        room.put(f"{PREFIX}/list-{number:03}", url("https://a/"))
    link = Link(send_part)
    first = await room.ask(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()), link=link)
    message = request_bytes(*answer_to(first, ADMIN))
    last = decode(await room.say(message, link=link))
    told = [*map(decode, parts), last]
    assert [len(one.body.names) for one in told] == [50, 50, 50, 2]
    assert len({name for one in told for name in one.body.names}) == 152
    again = decode(await room.say(message, link=link))
    assert again.header.response_code == 403  # the beginning is not kept for a repetition


async def test_a_list_too_long_to_be_told_in_one_piece_is_refused():
    room = make_room()
    for number in range(400):
        room.put(f"{PREFIX}/{number:0400}", url("https://a/"))
    refused = await room.ask_as(ADMIN, OpCode.LIST_HANDLES, HandleRequest(OWN.encode()))
    assert refused.code == ResponseCode.ERROR
    assert b"GET /api/handles" in refused.answer.body.message


async def test_whoever_leaves_in_the_middle_of_a_list_costs_no_more():
    room = make_room()

    async def nobody(_: bytes) -> None:
        raise ConnectionResetError

    for number in range(60):
        room.put(f"{PREFIX}/list-{number:03}", url("https://a/"))
    link = Link(nobody)
    first = await room.ask(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()), link=link)
    left = await room.ask(*answer_to(first, ADMIN), link=link)
    assert left.code == ResponseCode.TOO_BUSY  # to nobody


async def test_lists_are_for_who_may_list_and_not_for_udp():
    room = make_room()
    refused = await room.ask_as(GUEST, OpCode.LIST_HANDLES, HandleRequest(OWN.encode()))
    assert refused.code == ResponseCode.NOT_ADMINISTRATOR
    refused = await room.ask_as(LOOKER, OpCode.LIST_HANDLES, HandleRequest(OWN.encode()))
    assert refused.code == ResponseCode.INSUFFICIENT_PERMISSIONS
    over_udp = await room.ask(OpCode.LIST_HANDLES, HandleRequest(OWN.encode()), peer=UDP_PEER)
    assert over_udp.code == ResponseCode.ERROR
    elsewhere = await room.ask_as(ADMIN, OpCode.LIST_HANDLES, HandleRequest(b"0.NA/88.999"))
    assert elsewhere.code == ResponseCode.NOT_RESPONSIBLE
    assert NamesAnswer(()) not in (refused.answer.body, elsewhere.answer.body)


DELEGATES = Value(5, "HS_SITE.PREFIX", encode_site(Site((Server(1, "192.0.2.9", ()),), serial=1)))


async def test_records_of_prefixes_that_others_keep_are_referred_to_them():
    room, record = make_room(), b"0.NA/88.118.7.3"
    added = await room.ask_as(ADMIN, OpCode.ADD_VALUE, ValuesRequest(OWN.encode(), (DELEGATES,)))
    assert added.code == 1
    create = ValuesRequest(record, (url("https://a/"),))
    told = await room.ask(OpCode.CREATE, create)
    assert told.code == ResponseCode.PREFIX_REFERRAL
    assert [(v.type, v.data) for v in told.answer.body.values] == [(DELEGATES.type, DELEGATES.data)]
    for fields in (Fields(DEFAULT_REQUEST_FLAGS | DNRF), Fields(version=(2, 9), suggested=(2, 9))):
        assert (await room.ask(OpCode.CREATE, create, fields)).code == 402
    assert (await room.ask(OpCode.HOME_PREFIX, HandleRequest(record))).code == 402
    assert (await room.ask(OpCode.DELETE, HandleRequest(OWN.encode()))).code == 402  # our own
