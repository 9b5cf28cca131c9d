"""Proofs that must not pass (RFC 3652 §3.5). The last of all checks: good nodes slow down whoever guesses."""

import secrets

from conformance.asking import FULL, resolve
from conformance.check import Need, check
from conformance.checks.native_auth import (
    ANSWER,
    NOT_PROVED,
    REFUSED,
    answer,
    by_secret,
    expect_kept,
    record_of,
)
from conformance.checks.native_sdk import COMMAND, NO_LOGIN, QUESTION, SDK, log_in
from conformance.expectations import expect_challenge, expect_code, expect_indexes
from conformance.native_messages import challenge_of, sign_challenge
from conformance.target import Account
from conformance.visit import ADMIN_INDEX, KEY_INDEX, Visit
from protocols.handle.administration import HandleRequest, ValuesRequest
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.macs import HMAC_SHA256, MD5, PBKDF2_HMAC_SHA1
from protocols.handle.proof import Derivation, SecretProof, encode_secret_proof
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.value import Value

COST_BOMB = 2**31 - 1
URL = Value(1, "URL", b"https://example.org/")


@check("native.auth.wrong-secret", ANSWER, Need.TCP, Need.ADMIN)
def a_wrong_secret_is_refused(visit: Visit) -> None:
    """A proof with a wrong secret is answered with RC 403, and the request is not carried out."""
    who = visit.make_secret_account()
    name = record_of(visit, who)
    wrong = Account(who.handle, who.index, b"wrong secret")
    came = visit.tcp().ask_as(wrong, OpCode.DELETE, HandleRequest(name), FULL)
    expect_code(came, *NOT_PROVED)
    expect_kept(visit, name)


@check("native.auth.wrong-key", ANSWER, Need.TCP, Need.ADMIN)
def a_foreign_signature_is_refused(visit: Visit) -> None:
    """A signature over something else than nonce and digest is answered with RC 403."""
    who = visit.make_key_account()
    name = record_of(visit, who)
    client = visit.tcp()
    first = client.ask(OpCode.DELETE, HandleRequest(name), FULL)
    expect_challenge(first)
    came = answer(client, first, sign_challenge(who, challenge_of(first) + b"!"))
    expect_code(came, *NOT_PROVED)
    expect_kept(visit, name)


@check("native.auth.unknown-account", ANSWER, Need.TCP, Need.ADMIN)
def an_unknown_account_is_refused(visit: Visit) -> None:
    """A proof of somebody who does not exist is refused."""
    who = Account(visit.free_name("-nobody"), KEY_INDEX, b"secret")
    name = visit.make(Value(1, "URL", b"x"))
    came = visit.tcp().ask_as(who, OpCode.DELETE, HandleRequest(name), FULL)
    expect_code(came, *REFUSED)
    expect_kept(visit, name)


@check(
    "native.auth.md5-refused",
    "RFC 6151: MD5 is no longer fit for authentication",
    Need.TCP,
    Need.ADMIN,
)
def md5_is_refused(visit: Visit) -> None:
    """A right proof by MD5 is refused."""
    who = visit.make_secret_account()
    name = record_of(visit, who)
    came = visit.tcp().ask_as(who, OpCode.DELETE, HandleRequest(name), FULL, mac_code=MD5)
    expect_code(came, *REFUSED)
    expect_kept(visit, name)


@check(
    "native.auth.cost-bomb", "RFC 8018 §4.2: the iteration count is a cost", Need.TCP, Need.ADMIN
)
def a_cost_bomb_is_refused(visit: Visit) -> None:
    """A proof that would take two thousand million iterations to check is refused at once."""
    who = visit.make_secret_account()
    name = record_of(visit, who)
    client = visit.tcp()
    first = client.ask(OpCode.DELETE, HandleRequest(name), FULL)
    expect_challenge(first)
    proof = SecretProof(PBKDF2_HMAC_SHA1, bytes(20), Derivation(bytes(16), COST_BOMB, 160))
    expect_code(answer(client, first, by_secret(who, encode_secret_proof(proof))), *REFUSED)
    expect_kept(visit, name)


@check(
    "native.auth.algorithm-confusion",
    "RFC 8725 §2.1: a public key is no secret",
    Need.TCP,
    Need.ADMIN,
)
def a_public_key_is_no_secret(visit: Visit) -> None:
    """A MAC with the bytes of an HS_PUBKEY value, which everybody can read, proves nothing."""
    who = visit.make_key_account()
    assert who.key is not None
    name = record_of(visit, who)
    public = encode_public_key(key_from_object(who.key.public_key()))
    thief = Account(who.handle, who.index, public)
    came = visit.tcp().ask_as(thief, OpCode.DELETE, HandleRequest(name), FULL, mac_code=HMAC_SHA256)
    expect_code(came, *REFUSED)
    expect_kept(visit, name)


@check("native.auth.proof-of-another-request", ANSWER, Need.TCP, Need.ADMIN)
def a_proof_is_for_its_request_only(visit: Visit) -> None:
    """A proof made for one challenge does not answer another one of the same account."""
    who = visit.make_secret_account()
    name = record_of(visit, who)
    client = visit.tcp()
    harmless = client.ask(OpCode.ADD_VALUE, ValuesRequest(name, ()), FULL)
    first = client.ask(OpCode.DELETE, HandleRequest(name), FULL)
    expect_challenge(first)
    content = challenge_of(harmless) if harmless.code == 402 else secrets.token_bytes(48)
    expect_code(answer(client, first, sign_challenge(who, content)), *NOT_PROVED)
    expect_kept(visit, name)


@check("native.sdk.failed-login", SDK, Need.TCP, Need.ADMIN)
def a_failed_login_is_told(visit: Visit) -> None:
    """A login with a wrong proof ends with RC 403 or the like, never with RC 402, which the SDK takes for success."""
    who = visit.make_secret_account()
    client = visit.tcp()
    came = log_in(client, Account(who.handle, who.index, b"wrong secret"))
    expect_code(came, *NO_LOGIN)
    name = visit.make(URL)
    refused = client.ask(OpCode.DELETE, HandleRequest(name), COMMAND)
    expect_code(refused, ResponseCode.NOT_ADMINISTRATOR, *NO_LOGIN)
    expect_indexes(
        resolve(visit.tcp(), name, fields=FULL._replace(flags=QUESTION.flags)), [1, ADMIN_INDEX]
    )
