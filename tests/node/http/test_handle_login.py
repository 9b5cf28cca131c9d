"""``Authorization: Handle``: every algorithm proves something, nothing else does, and a proof counts once."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from node.server_keys import ServerKeys
from protocols.message import Operation, Outcome
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.value import SECRET_PERMISSIONS, Value
from tests.node.http.conftest import ADMIN, READER, basic, grant, running, url
from tests.node.http.handle_client import (
    CNONCE,
    MACS,
    b64,
    begin,
    by_derived,
    by_key,
    by_secret,
    challenged,
    handle,
)

RECORD = "/api/handles/88.118/1"
BODY = {"index": 1, "type": "URL", "data": "https://a.cn/"}
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS = {401: RSA, 402: EC, 403: ED}
NAME = "0.NA/88.118"


async def allow_keys(node) -> None:
    """Public keys at 401 to 403, with the rights of an administrator."""
    values = [
        Value(index, "HS_PUBKEY", encode_public_key(key_from_object(key.public_key())))
        for index, key in KEYS.items()
    ]
    rights = [grant(index + 100, 0x0FFF, index) for index in KEYS]
    receipt = node.submit(Operation.ADD, NAME, *values, *rights)
    assert receipt.outcome is Outcome.SUCCESS, receipt


async def put(node, header: str, path: str = RECORD) -> int:
    return (await node.ask("PUT", path, BODY, Authorization=header)).status


async def test_a_challenge_offers_basic_and_a_session_to_sign_for(node):
    response = await node.ask("PUT", RECORD, BODY)
    assert response.status == 401
    assert response.headers["www-authenticate"].startswith('Basic realm="handle"')
    session = challenged(response)
    assert len(base64.b64decode(session["nonce"])) == 16
    assert len(session["sessionId"]) == 32


async def test_scripts_of_pages_are_not_offered_basic(node):
    response = await node.ask("PUT", RECORD, BODY, X_Requested_With="XMLHttpRequest")
    assert response.status == 401
    assert response.headers["www-authenticate"].startswith("Handle sessionId=")


@pytest.mark.parametrize("alg", MACS)
async def test_every_mac_proves_a_secret(node, alg):
    assert await put(node, by_secret(ADMIN, await begin(node), alg)) == 201


@pytest.mark.parametrize("alg", ["PBKDF2-HMAC-SHA1", "PBKDF2WithHmacSHA1"])
@pytest.mark.parametrize("is_packed", [False, True])
async def test_a_derived_key_proves_a_secret(node, alg, is_packed):
    header = by_derived(ADMIN, await begin(node), alg, is_packed=is_packed)
    assert await put(node, header) == 201


@pytest.mark.parametrize(
    ("index", "alg"), [(401, "SHA256"), (401, "SHA-256"), (401, "SHA1"), (402, "SHA-256"), (403, "Ed25519")]
)  # fmt: skip
async def test_every_kind_of_key_proves_itself(node, index, alg):
    await allow_keys(node)
    session = await begin(node)
    assert await put(node, by_key(index, NAME, KEYS[index], session, alg)) == 201


async def test_the_challenge_of_a_401_can_be_answered_and_the_session_alone_goes_on(node):
    session = challenged(await node.ask("PUT", RECORD, BODY))
    proof = by_secret(ADMIN, session, "HMAC-SHA256")
    assert await put(node, proof) == 201
    alone = handle(version="0", sessionId=session["sessionId"])
    assert await put(node, alone, "/api/handles/88.118/2") == 201
    assert await put(node, proof, "/api/handles/88.118/3") == 201, (
        "clients repeat the header with every request of the session"
    )


async def test_rights_are_those_of_the_key_that_was_used(node):
    session = await begin(node)
    assert await put(node, by_secret(READER, session, "HMAC-SHA256")) == 403


SPOILS = {
    "another-nonce": lambda s: by_secret(ADMIN, {**s, "nonce": b64(bytes(16))}, "HMAC-SHA256"),
    "another-secret": lambda s: by_secret((300, NAME, "wrong"), s, "HMAC-SHA256"),
    "another-index": lambda s: by_secret((301, NAME, ADMIN[2]), s, "HMAC-SHA256"),
    "index-0": lambda s: by_secret((0, NAME, ADMIN[2]), s, "HMAC-SHA256"),
    "no-such-handle": lambda s: by_secret((300, "88.118/nobody", ADMIN[2]), s, "HMAC-SHA256"),
    "md5": lambda s: by_secret(ADMIN, s, "HMAC-SHA256").replace("HMAC-SHA256", "MD5"),
    "confused-mac": lambda s: by_secret(ADMIN, s, "HMAC-SHA256").replace("HMAC-SHA256", "HMAC-SHA1"),
    "secret-as-key": lambda s: by_secret(ADMIN, s, "SHA-256").replace("HS_SECKEY", "HS_PUBKEY"),
    "key-as-secret": lambda s: by_key(401, NAME, RSA, s).replace("HS_PUBKEY", "HS_SECKEY"),
    "foreign-key": lambda s: by_key(401, NAME, rsa.generate_private_key(65537, 2048), s),
    "key-of-another": lambda s: by_key(401, NAME, EC, s, "SHA-256"),
    "no-type": lambda s: by_secret(ADMIN, s, "SHA-256").replace("HS_SECKEY", "URL"),
    "no-cnonce": lambda s: by_secret(ADMIN, s, "SHA-256").replace("cnonce", "gone"),
    "no-alg": lambda s: by_secret(ADMIN, s, "SHA-256").replace("alg=", "gone="),
    "no-signature": lambda s: by_secret(ADMIN, s, "SHA-256").replace("signature", "gone"),
    "not-base64": lambda s: by_secret(ADMIN, s, "SHA-256").replace('signature="', 'signature="!'),
    "bomb": lambda s: by_derived(ADMIN, s, iterations=10_000_000),
    "bits": lambda s: by_derived(ADMIN, s, bits=100_000),
    "version": lambda s: by_secret(ADMIN, s, "SHA-256").replace('"0"', '"1"', 1),
    "twice": lambda s: by_secret(ADMIN, s, "SHA-256") + ', alg="SHA1"',
    "open-quote": lambda s: by_secret(ADMIN, s, "SHA-256") + ', alg="SHA1',
    "no-session": lambda s: by_secret(ADMIN, s, "SHA-256").replace("sessionId", "gone"),
    "other-session": lambda s: by_secret(ADMIN, {**s, "sessionId": "01" * 16}, "SHA-256"),
    "long": lambda s: by_secret(ADMIN, s, "SHA-256") + f', gone="{"x" * 13_000}"',
    "long-cnonce": lambda s: by_secret(ADMIN, s, "SHA-256", cnonce=bytes(65)),
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILS)
async def test_what_proves_nothing_is_401_with_another_challenge(node, spoil):
    await allow_keys(node)
    session = await begin(node)
    header = SPOILS[spoil](session)
    response = await node.ask("PUT", RECORD, BODY, Authorization=header)
    assert response.status == 401, response
    assert response.json["responseCode"] == 402
    assert challenged(response)["nonce"]
    assert challenged(response)["error"]
    assert (await node.ask("GET", RECORD)).status == 404, "nothing was written"
    for said in (response.body, json.dumps(response.headers).encode()):
        assert ADMIN[2].encode() not in said
        assert (
            header.partition('signature="')[2][:16].encode() not in said or spoil == "no-signature"
        )


async def test_a_nonce_is_spent_by_one_proof_wrong_or_right(node):
    session = await begin(node)
    wrong = by_secret((300, NAME, "wrong"), session, "HMAC-SHA256")
    refused = await node.ask("PUT", RECORD, BODY, Authorization=wrong)
    assert refused.status == 401
    late = by_secret(ADMIN, session, "HMAC-SHA256")
    assert await put(node, late) == 401, "its nonce went with the wrong proof"
    # The refusal told the next nonce of the same session.
    fresh = {**session, **challenged(await node.ask("PUT", RECORD, BODY, Authorization=late))}
    assert fresh["sessionId"] == session["sessionId"]
    assert await put(node, by_secret(ADMIN, fresh, "HMAC-SHA256")) == 201


async def test_a_recorded_proof_is_worth_nothing_in_another_session(node):
    session = await begin(node)
    proof = by_secret(ADMIN, session, "HMAC-SHA256")
    assert await put(node, proof) == 201
    other = await begin(node)
    replayed = proof.replace(session["sessionId"], other["sessionId"])
    assert await put(node, replayed) == 401


async def test_a_session_is_over_when_its_key_is_replaced(node):
    session = await begin(node)
    assert await put(node, by_secret(ADMIN, session, "HMAC-SHA256")) == 201
    alone = handle(sessionId=session["sessionId"])
    assert await put(node, alone) == 200
    changed = Value(300, "HS_SECKEY", b"another", permissions=SECRET_PERMISSIONS)
    assert node.submit(Operation.MODIFY, NAME, changed).outcome is Outcome.SUCCESS
    assert await put(node, alone) == 401


async def test_changing_ones_own_record_does_not_end_the_session(node):
    session = await begin(node)
    assert await put(node, by_secret(ADMIN, session, "HMAC-SHA256")) == 201
    node.submit(Operation.ADD, NAME, url("https://a.cn/", 7))
    assert await put(node, handle(sessionId=session["sessionId"])) == 200


async def test_over_plain_http_from_elsewhere_nothing_is_looked_at(node):
    session = await begin(node)
    admit = node.listener.admit

    def from_elsewhere(front):
        front.peer = front.peer._replace(address="192.0.2.7", is_loopback=False)
        return admit(front)

    node.listener.admit = from_elsewhere
    response = await node.ask(
        "PUT", RECORD, BODY, Authorization=by_secret(ADMIN, session, "HMAC-SHA256")
    )
    assert response.status == 403
    assert "www-authenticate" not in response.headers
    assert (await node.ask("POST", "/api/sessions")).status == 403


async def test_the_node_proves_itself_when_asked(tmp_path):
    own = rsa.generate_private_key(65537, 2048)
    async with running(keys=ServerKeys(own)) as node:
        session = await begin(node)
        asking = handle(sessionId=session["sessionId"], cnonce=b64(CNONCE))
        response = await node.ask("PUT", RECORD, BODY, Authorization=asking)
        told = challenged(response)
        assert told["serverAlg"] == "SHA-256"
        signed = base64.b64decode(told["nonce"]) + CNONCE
        signature = base64.b64decode(told["serverSignature"])
        own.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        response = await node.ask("PUT", "/api/sessions/this", Authorization=asking)
        assert base64.b64decode(response.json["serverSignature"]) == signature
        # The nonce that was signed can be signed back.
        assert await put(node, by_secret(ADMIN, told, "HMAC-SHA256")) == 201


async def test_wrong_proofs_are_slowed_down_like_wrong_passwords(node):
    """What guessing costs is counted in one place; a password is then slow as well."""
    guesses = node.service._authenticator
    before = guesses.failed_count
    for _ in range(3):
        await put(node, by_secret((300, NAME, "wrong"), await begin(node), "HMAC-SHA256"))
    assert guesses.failed_count == before + 3


async def test_basic_goes_on_as_before(node):
    assert await put(node, basic(ADMIN)) == 201


async def test_a_proof_counts_for_reading_too(node):
    node.put(
        "88.118/1", url("https://a.cn/"), Value(9, "NOTE", b"x", permissions=SECRET_PERMISSIONS)
    )
    target = RECORD + "?publicOnly=false"
    assert (await node.ask("GET", target)).status == 401
    header = by_secret(ADMIN, await begin(node), "HMAC-SHA256")
    response = await node.ask("GET", target, Authorization=header)
    assert [value["index"] for value in response.json["values"]] == [1, 9]
