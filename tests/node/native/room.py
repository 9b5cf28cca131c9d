"""A worker's native speaker without sockets: bytes in, bytes out, the clock in the test's hand."""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from conformance.native_messages import Exchange, Fields, read_answer, request_bytes, sign_challenge
from conformance.target import Account
from node.follower import Follower
from node.listeners.native import NativeSpeaker
from node.native.asked import Asked
from node.native.link import Link
from node.native.office import Office
from node.proving.authenticator import Authenticator
from node.server_keys import ServerKeys
from node.site import SiteInfo
from node.slots import new_id
from protocols.handle.authentication import Challenge
from protocols.handle.codec import Body, Message, decode
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.proof import challenge_content
from protocols.handle.stream import MessageStream
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Answer, Command, Operation, Outcome, Receipt
from protocols.values.admin import ALL_PERMISSIONS, LIST_DERIVED_PREFIXES, Admin, encode_admin
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.holdings import Holdings
from registry.registrar import Registrar, Submission
from registry.stores.memory import MemoryStore
from resolver.source import Peer
from tests.node.parts import SEALER, HandClock

PREFIX = "88.118"
OWN = f"0.NA/{PREFIX}"
USER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
SERVER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
ADMIN = Account(OWN.encode(), 300, secret=b"s3cret")
KEYED = Account(OWN.encode(), 301, key=USER_KEY)
"""The same rights, proved by a key."""
GUEST = Account(OWN.encode(), 302, secret=b"guest")
"""No administrator of anything."""
LOOKER = Account(OWN.encode(), 303, secret=b"looker")
"""An administrator without any permission."""
HIDDEN = b"HIDDEN-FROM-EVERYBODY"
TCP_PEER = Peer("198.51.100.7", 40_000, "tcp", is_loopback=False)
UDP_PEER = Peer("198.51.100.7", 40_001, "udp", is_loopback=False)
STRANGER = Peer("203.0.113.9", 40_002, "tcp", is_loopback=False)
MOST = 1_000_000


class Writer:
    """The registrar without its process."""

    def __init__(self, registrar: Registrar, service: "list[HandClock]") -> None:
        self.registrar, self._service = registrar, service
        self.count = 0
        self.may_commit = asyncio.Event()
        """Clear it, and the registrar takes its time."""
        self.may_commit.set()

    async def submit(self, submissions: Sequence[Submission]) -> list[Receipt]:
        await asyncio.sleep(0)
        await self.may_commit.wait()
        self.count += len(submissions)
        now_ms = 1_700_000_000_000 + int(self._service[0].monotonic_s * 1000)
        return self.registrar.commit(submissions, now_ms)


@dataclass
class Room:
    store: MemoryStore
    service: HandClock
    speaker: NativeSpeaker
    office: Office
    writer: Writer
    link: Link = field(default_factory=Link)

    def put(self, text: str, *values: Value) -> None:
        """Register as the operator."""
        command = Command(Operation.PUT, parse_identifier(text), values)
        (receipt,) = self.writer.registrar.commit(
            [Submission(OPERATOR, command, "test")], 1_000_000
        )
        assert receipt.outcome is Outcome.SUCCESS, receipt

    async def say(
        self, message: bytes, peer: Peer = TCP_PEER, link: Link | None = None, most: int = MOST
    ) -> bytes | None:
        """One message; its answer, however long it takes to make."""
        self.service.refresh()
        link = link or (self.link if peer.transport == "tcp" else None)
        now = self.service.now()
        answer = self.speaker.answer_here(message, peer, now, most, link)
        if not isinstance(answer, Asked):
            return answer
        told: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self.speaker.ask(answer, now, lambda found: told.done() or told.set_result(found))
        found = await asyncio.wait_for(told, 10)
        return self.speaker.finish(answer, found, self.service.now(), most)

    async def ask(
        self, op_code: int, body: Body, fields: Fields | None = None, **how: object
    ) -> Exchange:
        sent = request_bytes(op_code, body, fields or Fields())
        raw = await self.say(sent, **how)
        assert raw is not None, "an answer is due"
        return Exchange(sent, read_answer(raw), raw)

    async def ask_raw_answers(self, op_code: int, body: Body, fields: Fields) -> list[Message]:
        """All messages of one answer."""
        raw = await self.say(request_bytes(op_code, body, fields))
        stream = MessageStream({})
        return [decode(part) for part in stream.receive(raw)]

    async def ask_as(
        self, account: Account, op_code: int, body: Body, fields: Fields | None = None, **how
    ) -> Exchange:
        """With the answer to the challenge; what came last."""
        first = await self.ask(op_code, body, fields, **how)
        if first.code != ResponseCode.AUTHENTICATION_NEEDED:
            return first
        return await self.ask(*answer_to(first, account), **how)


def answer_to(
    first: Exchange, account: Account, *, mac_code: int | None = None, **fields: object
) -> tuple[int, Body, Fields]:
    """What answers a challenge."""
    assert isinstance(first.answer.body, Challenge), first.answer
    assert first.answer.digest is not None
    digest = hashlib.sha256(first.sent_payload).digest()
    assert first.answer.digest.value == digest
    content = challenge_content(first.answer.body.nonce, digest)
    body = sign_challenge(account, content, mac_code=mac_code)
    session_id = first.answer.envelope.session_id
    return OpCode.CHALLENGE_ANSWER, body, Fields(session_id=session_id)._replace(**fields)


def url(text: str, index: int = 1) -> Value:
    return Value(index, "URL", text.encode())


def _admin(index: int, of: int, permissions: int) -> Value:
    return Value(index, "HS_ADMIN", encode_admin(Admin(OWN, of, permissions)))


def make_store() -> MemoryStore:
    store = MemoryStore(bytes(16))
    registrar = Registrar(store, SEALER)
    server_key = encode_public_key(key_from_object(SERVER_KEY.public_key()))
    site = Site((Server(1, "127.0.0.1", (Interface(TCP, 2641),), server_key),), serial=7)
    public = encode_public_key(key_from_object(USER_KEY.public_key()))

    def put(text: str, *values: Value, operation: Operation = Operation.PUT) -> None:
        command = Command(operation, parse_identifier(text), values)
        (receipt,) = registrar.commit([Submission(OPERATOR, command, "test")], 1_000_000)
        assert receipt.outcome is Outcome.SUCCESS, receipt

    put(
        OWN,
        Value(1, "HS_SITE", encode_site(site)),
        _admin(100, 300, ALL_PERMISSIONS | LIST_DERIVED_PREFIXES),
        _admin(101, 301, ALL_PERMISSIONS),
        _admin(103, 303, 0),
        Value(300, "HS_SECKEY", b"s3cret", permissions=SECRET_PERMISSIONS),
        Value(301, "HS_PUBKEY", public),
        Value(302, "HS_SECKEY", b"guest", permissions=SECRET_PERMISSIONS),
        Value(303, "HS_SECKEY", b"looker", permissions=SECRET_PERMISSIONS),
        operation=Operation.HOST,
    )
    put(f"{PREFIX}/small", url("https://example.org/1"))
    put(f"{PREFIX}/mixed", url("https://example.org/2"),
        Value(2, "SECRET", HIDDEN, permissions=SECRET_PERMISSIONS))  # fmt: skip
    return store


def make_room(store: MemoryStore | None = None, slot: int = 0) -> Room:
    store = store or make_store()
    reader = store.reader()
    holdings = Holdings(reader, SEALER)
    services: list[HandClock] = []
    writer = Writer(Registrar(store, SEALER), services)
    service = HandClock(
        reader,
        holdings,
        writer,
        Follower(reader),
        Authenticator(holdings, lambda: 0.0, lambda _: asyncio.sleep(0)),
    )
    services.append(service)
    site = SiteInfo(reader, PREFIX)
    keys = ServerKeys(SERVER_KEY)
    office = Office(service, site, keys, lambda: new_id(slot), secrets.token_bytes)
    return Room(store, service, NativeSpeaker(service, site, office), office, writer)
