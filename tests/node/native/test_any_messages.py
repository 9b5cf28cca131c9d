"""Whatever two strangers and a guest send, in any order: an answer for each request, no bug met, nothing changed."""

import asyncio
import logging

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conformance.native_messages import Exchange, Fields, request_bytes, sign_challenge
from node.native.link import Link
from protocols.handle.administration import HandleRequest, RemoveRequest, ValuesRequest
from protocols.handle.authentication import Challenge, LoginRequest, VerifyRequest
from protocols.handle.codec import decode
from protocols.handle.codes import CERT, ENCR, MINT, PUBL, RECU, RRDG, OpCode
from protocols.handle.credential import MAC_TYPE, SIGNED_TYPE, Credential
from protocols.handle.resolution import ResolveRequest
from protocols.handle.sessions import SessionSetupAnswer
from protocols.values.value import Value
from resolver.source import Peer
from tests.node.native.room import (
    ADMIN,
    GUEST,
    HIDDEN,
    OWN,
    PREFIX,
    STRANGER,
    TCP_PEER,
    UDP_PEER,
    Room,
    make_room,
)
from tests.node.native.test_sessions import setup_body

FAR_UDP = Peer(STRANGER.address, 5353, "udp", is_loopback=False)
THIEF = ADMIN.__class__(ADMIN.handle, ADMIN.index, secret=b"guessed")
NAMES = tuple(
    name.encode()
    for name in (
        f"{PREFIX}/small",
        f"{PREFIX}/mixed",
        f"{PREFIX}/new",
        OWN,
        PREFIX,
        "0",
        "",
        "x",
        "9.9/z",
        f"{PREFIX}.1",
        "/",
    )
)
names = st.sampled_from(NAMES)


def made(kind: type, **parts: st.SearchStrategy) -> st.SearchStrategy:
    """These fields, all others as they are by themselves."""
    return st.fixed_dictionaries(parts).map(lambda found: kind(**found))


values = st.lists(
    made(
        Value,
        index=st.integers(0, 400),
        type=st.sampled_from(["URL", "HS_ADMIN", "HS_SECKEY", ""]),
        data=st.binary(max_size=20),
    ),
    max_size=3,
).map(tuple)
indexes = st.lists(st.integers(0, 2**31), max_size=3).map(tuple)
asked = st.one_of(
    st.tuples(st.just(OpCode.RESOLVE), made(ResolveRequest, handle=names, indexes=indexes)),
    st.tuples(
        st.sampled_from([OpCode.CREATE, OpCode.ADD_VALUE, OpCode.MODIFY_VALUE]),
        made(ValuesRequest, handle=names, values=values),
    ),
    st.tuples(st.just(OpCode.REMOVE_VALUE), made(RemoveRequest, handle=names, indexes=indexes)),
    st.tuples(
        st.sampled_from(
            [
                OpCode.DELETE,
                OpCode.LIST_HANDLES,
                OpCode.LIST_DERIVED_PREFIXES,
                OpCode.HOME_PREFIX,
                OpCode.UNHOME_PREFIX,
                OpCode.LIST_HOMED_PREFIXES,
                OpCode.SESSION_TERMINATE,
            ]
        ),
        made(HandleRequest, handle=names),
    ),
    st.tuples(
        st.just(OpCode.SDK_LOGIN),
        st.sampled_from([LoginRequest(ADMIN.handle, 300), LoginRequest(GUEST.handle, 302)]),
    ),
    st.tuples(
        st.just(OpCode.VERIFY_CHALLENGE),
        made(
            VerifyRequest,
            user_handle=names,
            user_index=st.integers(0, 303),
            nonce=st.just(bytes(16)),
            digest=st.just(bytes(32)),
            signed_response=st.binary(max_size=40),
        ),
    ),
    st.tuples(st.just(OpCode.SESSION_SETUP), st.just(setup_body())),
)
fields = made(
    Fields,
    flags=st.lists(st.sampled_from([CERT, ENCR, MINT, PUBL, RECU, RRDG]), max_size=4).map(
        lambda many: sum(set(many))
    ),
    session_id=st.sampled_from([0, 10_001, 0x7FFF_FFFF, -1]),
    request_id=st.integers(0, 3),
    version=st.sampled_from([(2, 1), (2, 4), (2, 6), (2, 7), (2, 10), (2, 11), (3, 0)]),
    suggested=st.sampled_from([(0, 0), (2, 1), (2, 6), (2, 11), (3, 0)]),
    credential=st.none()
    | made(
        Credential,
        type=st.sampled_from([MAC_TYPE, SIGNED_TYPE, ""]),
        algorithm=st.just(b"HMAC-SHA256"),
        signature=st.binary(max_size=32),
        counter=st.integers(0, 3),
    ),
)
steps = st.tuples(
    st.sampled_from(["one", "two", "udp", "far udp"]),
    st.sampled_from(["ask", "ask", "ask", "answer", "repeat", "spoil"]),
    asked,
    fields,
    st.integers(0, 1_000_000),
)


class Crowd:
    """Those who send, and what they have heard."""

    def __init__(self, room: Room) -> None:
        self.room = room
        links = {"one": Link(), "two": Link()}
        self.ways = {
            "one": (TCP_PEER, links["one"]),
            "two": (STRANGER, links["two"]),
            "udp": (UDP_PEER, None),
            "far udp": (FAR_UDP, None),
        }
        self.heard: list[Exchange] = []
        self.session_id = 0

    async def take(self, way: str, what: str, request: tuple, fields: Fields, chance: int) -> None:
        message = self.message(what, request, fields, chance)
        peer, link = self.ways[way]
        raw = await asyncio.wait_for(
            self.room.say(message, peer, link, self.most(peer, message)), 5
        )
        if raw is None:
            assert peer.transport == "udp" or what == "spoil", "over TCP every request is answered"
            return
        assert peer.transport == "tcp" or len(raw) <= 3 * len(message)
        assert HIDDEN not in raw
        if not raw[2] & 0x40:
            told = Exchange(message, decode(raw), raw)
            if isinstance(told.answer.body, SessionSetupAnswer):
                self.session_id = told.answer.envelope.session_id
            if what != "spoil":
                assert told.answer.header.response_code != 0
                own = fields.session_id == 10_001 and what == "ask" and peer.transport == "tcp"
                assert told.code != 402 or not own or request[0] == OpCode.SDK_LOGIN
            self.heard.append(told)

    @staticmethod
    def most(peer: Peer, message: bytes) -> int:
        return 1_000_000 if peer.transport == "tcp" else min(512, 3 * len(message))

    def message(self, what: str, request: tuple, fields: Fields, chance: int) -> bytes:
        challenges = [one for one in self.heard if isinstance(one.answer.body, Challenge)]
        if what == "answer" and challenges:
            told = challenges[chance % len(challenges)]
            digest = told.answer.digest.value if told.answer.digest else b""
            body = sign_challenge((GUEST, THIEF)[chance % 2], told.answer.body.nonce + digest)
            session_id = told.answer.envelope.session_id
            flags = fields.flags & (RRDG | CERT)
            fields = Fields(flags, session_id=session_id, request_id=fields.request_id)
            return request_bytes(OpCode.CHALLENGE_ANSWER, body, fields)
        if what == "repeat" and self.heard:
            return self.heard[chance % len(self.heard)].sent
        if fields.session_id < 0:
            fields = fields._replace(session_id=self.session_id)
        message = request_bytes(*request, fields)
        if what == "spoil":
            changed = bytearray(message)
            changed[chance % len(changed)] ^= 1 << chance % 8
            changed[16:20] = (len(changed) - 20).to_bytes(4)
            return bytes(changed)
        return message


@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(steps, min_size=1, max_size=12))
def test_whoever_proves_nothing_gets_an_answer_and_changes_nothing(caplog, many):
    room = make_room()
    before = room.store.reader().head().seq

    async def all_of_it() -> None:
        crowd = Crowd(room)
        for step in many:
            await crowd.take(*step)

    with caplog.at_level(logging.ERROR):
        asyncio.run(all_of_it())
    assert room.store.reader().head().seq == before
    assert not caplog.records, caplog.text
