"""Proofs where they are used: our own node as the one that is asked for a secret, and logins with SM2 keys."""

import hashlib
import random

import pytest

from conformance.native_messages import Fields
from node.listeners.limits import ProvenAddresses
from node.proving.far_secrets import FarSecrets, Surroundings
from node.site import SiteInfo
from protocols.handle.authentication import Challenge, ChallengeAnswer, LoginRequest
from protocols.handle.codes import RECU, RRDG, OpCode, ResponseCode
from protocols.handle.proof import SM3, SignatureProof, challenge_content, encode_signature_proof
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Answer, Command, Operation, Outcome, Query
from protocols.values import sm2
from protocols.values.key_objects import key_from_object
from protocols.values.keys import PemKey, encode_public_key
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from registry.registrar import Registrar, Submission
from resolver.asking import Role, Target
from resolver.delegation import NotHere
from resolver.policies.ratelimit import RateLimit
from resolver.source import Peer
from tests.node.native.room import OWN, PREFIX, SERVER_KEY, Room, make_room, make_store
from tests.node.parts import SEALER, Parts, make_config, tcp_node
from tests.node.proving.accounts import claim, make, peer, secret_proof
from tests.node.upstream.asker import Asker

SM2_KEY = sm2.make_private_key(random.Random(1).getrandbits)
SM2_FORMS = {
    310: sm2.write_public_key(SM2_KEY.public).encode(),
    311: encode_public_key(PemKey(sm2.write_public_key(SM2_KEY.public), "SM2_PUB_KEY")),
}
UPSTREAM = Target(TCP, "127.0.0.1", 1, Role.UPSTREAM)
LOGIN = Fields(
    RECU | RRDG, session_id=10_001, version=(2, 10), suggested=(2, 11), has_credential_length=False
)


def parts_of(room: Room) -> Parts:
    config = make_config()
    return Parts(
        room.store,
        room.service,
        room.speaker,
        SiteInfo(room.store.reader(), PREFIX),
        ProvenAddresses(("127.0.0.0/8",), 60.0, 64),
        RateLimit(1e6, 1e6, ("127.0.0.0/8",)),
        config,
    )


@pytest.mark.parametrize("code", [0x02, 0x13, 0x22])
async def test_our_own_node_answers_for_the_secrets_it_keeps_and_signs_what_it_says(
    code: int,
) -> None:
    server_key = encode_public_key(key_from_object(SERVER_KEY.public_key()))
    async with tcp_node(parts_of(make_room())) as (_, port):
        site = Site((Server(1, "127.0.0.1", (Interface(TCP, port),), server_key),))
        told = Answer(Outcome.SUCCESS, (Value(1, "HS_SITE", encode_site(site)),))

        async def resolve(query: Query, peer: Peer) -> Answer:
            return told

        async with Asker() as asker:
            far = FarSecrets(Surroundings(resolve, asker.client.verify, frozenset(), UPSTREAM))
            identifier, place = parse_identifier(OWN), NotHere(PREFIX.encode(), None)
            for secret, is_right in ((b"s3cret", True), (b"guess", False)):
                proof = secret_proof(code, secret)
                content = claim(300, proof).content
                said = await far.is_right(identifier, 300, content, proof, place, peer())
                assert said is is_right
            proof = secret_proof(code)
            said = await far.is_right(identifier, 301, content, proof, place, peer())
            assert said is False  # a public key stands there
            elsewhere = claim(300, proof, "88.999/people/li")
            said = await make(far_secrets=far).prove(elsewhere, peer())
            assert said is Outcome.UNREACHABLE  # not kept by the node that is asked


# SM2


def sm2_room() -> Room:
    store = make_store()
    values = tuple(Value(index, "HS_PUBKEY", data) for index, data in SM2_FORMS.items())
    command = Command(Operation.ADD, parse_identifier(OWN), values)
    (receipt,) = Registrar(store, SEALER).commit([Submission(OPERATOR, command, "test")], 2_000_000)
    assert receipt.outcome is Outcome.SUCCESS
    return make_room(store)


async def log_in(
    room: Room, index: int, user_id: bytes, is_hashed: bool, spoil: bytes = b""
) -> int:
    """As the national SDK does (op 2001, RC 402, op 200); the last answer's code."""
    first = await room.ask(OpCode.SDK_LOGIN, LoginRequest(OWN.encode(), index), LOGIN)
    assert isinstance(first.answer.body, Challenge)
    digest = hashlib.sha256(first.sent_payload).digest()
    content = challenge_content(first.answer.body.nonce, digest) + spoil
    signed = sm2.sm3(content) if is_hashed else content
    signature = sm2.sign(SM2_KEY, signed, user_id, random.Random(2).getrandbits)
    response = encode_signature_proof(SignatureProof(SM3, signature))
    body = ChallengeAnswer("HS_PUBKEY", OWN.encode(), index, response)
    session_id = first.answer.envelope.session_id
    last = await room.ask(OpCode.CHALLENGE_ANSWER, body, Fields(RECU | RRDG, session_id=session_id))
    assert last.answer.header.op_code == OpCode.SDK_LOGIN
    return last.code


@pytest.mark.parametrize("index", SM2_FORMS)
@pytest.mark.parametrize("user_id", [OWN.encode(), sm2.DEFAULT_USER_ID], ids=["handle", "default"])
@pytest.mark.parametrize("is_hashed", [True, False], ids=["hashed once more", "as it is"])
async def test_the_sdk_logs_in_with_an_sm2_key_by_either_convention(
    index: int, user_id: bytes, is_hashed: bool
) -> None:
    assert await log_in(sm2_room(), index, user_id, is_hashed) == ResponseCode.SUCCESS


@pytest.mark.parametrize(
    ("index", "user_id", "spoil"),
    [(310, b"somebody else", b""), (310, OWN.encode(), b"\0"), (301, OWN.encode(), b"")],
    ids=["another user id", "another content", "an RSA key there"],
)
async def test_an_sm2_login_with_anything_else_fails(
    index: int, user_id: bytes, spoil: bytes
) -> None:
    code = await log_in(sm2_room(), index, user_id, is_hashed=True, spoil=spoil)
    assert code == ResponseCode.AUTHENTICATION_FAILED
