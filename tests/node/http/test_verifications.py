"""``/api/verifications``: other nodes ask whether a proof is right by a secret held here."""

import hashlib
import hmac
from urllib.parse import quote, urlencode

import pytest

from tests.node.http.conftest import ADMIN, Response
from tests.node.http.handle_client import CNONCE, MACS, SALT, b64, mac

NONCE = bytes(range(100, 116))
ACCOUNT = "/api/verifications/300:0.NA/88.118"
SECRET = ADMIN[2].encode()


def fields(alg: str = "HMAC-SHA256", secret: bytes = SECRET, **more: str) -> dict[str, str]:
    signature = MACS.get(alg, mac("sha256"))(secret, NONCE + CNONCE)
    return {
        "nonce": b64(NONCE), "cnonce": b64(CNONCE), "alg": alg, "signature": b64(signature), **more
    }  # fmt: skip


async def verify(node, account: str = ACCOUNT, **given: str) -> Response:
    return await node.ask("GET", f"{account}?{urlencode(given)}")


@pytest.mark.parametrize("alg", MACS)
async def test_a_right_proof_is_valid_and_a_wrong_one_is_not(node, alg):
    assert (await verify(node, **fields(alg))).json == {
        "responseCode": 1, "handle": "0.NA/88.118", "isValid": True,
    }  # fmt: skip
    wrong = await verify(node, **fields(alg, b"wrong"))
    assert (wrong.status, wrong.json["isValid"]) == (200, False)


async def test_a_derived_key(node):
    key = hashlib.pbkdf2_hmac("sha1", SECRET, SALT, 10_000, 20)
    given = fields(salt=b64(SALT), iterations="10000", length="160")
    given |= {
        "alg": "PBKDF2-HMAC-SHA1",
        "signature": b64(hmac.digest(key, NONCE + CNONCE, "sha1")),
    }
    assert (await verify(node, **given)).json["isValid"] is True
    given["iterations"] = "9999"
    assert (await verify(node, **given)).json["isValid"] is False


@pytest.mark.parametrize(
    "account",
    ["/api/verifications/300%3A0.NA%2F88.118", "/api/verifications/0.NA/88.118?index=300&x="],
)
async def test_the_account_may_be_written_in_these_ways(node, account):
    joint = "&" if "?" in account else "?"
    response = await node.ask("GET", f"{account}{joint}{urlencode(fields())}")
    assert response.json["isValid"] is True


async def test_the_parameters_may_come_in_a_body(node):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    response = await node.ask("POST", ACCOUNT, urlencode(fields()).encode(), **form)
    assert response.json["isValid"] is True


async def test_base64_whose_plus_was_not_escaped_is_understood(node):
    secret = next(
        n for n in range(10_000)
        if "+" in fields(secret=str(n).encode())["signature"]
    )  # fmt: skip
    given = fields(secret=str(secret).encode())
    raw = "&".join(f"{name}={quote(value, safe='+=/')}" for name, value in given.items())
    assert (await node.ask("GET", f"{ACCOUNT}?{raw}")).json["isValid"] is False


async def test_an_account_that_is_unknown_is_like_one_with_another_secret(node):
    known = await verify(node, **fields(secret=b"wrong"))
    unknown = await verify(node, "/api/verifications/299:0.NA/88.118", **fields())
    assert (known.status, known.json["isValid"]) == (unknown.status, unknown.json["isValid"])


async def test_a_secret_of_another_node_is_not_judged_here(node):
    response = await verify(node, "/api/verifications/300:99.1/x", **fields())
    assert response.status != 200 or response.json["isValid"] is False


@pytest.mark.parametrize(
    "spoil",
    [
        {"nonce": ""}, {"cnonce": ""}, {"alg": ""}, {"signature": ""}, {"alg": "MD5"}, {"alg": "ROT13"},
        {"signature": "!"}, {"nonce": b64(bytes(65))}, {"cnonce": b64(bytes(65))}, {"index": "4"},
        {"alg": "PBKDF2-HMAC-SHA1", "salt": b64(SALT), "iterations": "10000000", "length": "160"},
    ],
)  # fmt: skip
async def test_what_is_no_question_is_refused(node, spoil):
    response = await verify(node, **{**fields(), **spoil})
    assert response.status in {400, 413, 415}, response


@pytest.mark.parametrize("account", ["0.NA/88.118", ":0.NA/88.118", "x:0.NA/88.118", "%"])
async def test_an_account_without_an_index_is_refused(node, account):
    assert (await verify(node, f"/api/verifications/{account}", **fields())).status == 400
