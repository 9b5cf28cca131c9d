"""Claims and their JSON, the digest rule, the compact form; whatever the bytes, nothing but protocol errors."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cursor import Reader
from protocols.errors import Malformed, ProtocolError, TooLarge, Unsupported
from protocols.trust.claims import (
    Claims,
    Perm,
    Permission,
    claims_document,
    read_claims,
)
from protocols.trust.digests import digest_of
from protocols.trust.jws import (
    MAX_JWS_BYTES,
    decode_jws,
    encode_base64url,
    encode_jws,
    signing_input,
)
from protocols.values.value import Reference, read_value
from tests.protocols.trust.family import VALUES, certificate, signature
from tests.vectors.handle_vectors import bytes_of

FULL = Claims(
    Reference("88.111.1/0.0", 301), Reference("0.NA/88.118", 300), 5, 6, 7,
    (Reference("0.NA/88.118", 400),), {1: bytes(32), 2: b"\1" * 32},
    (Permission("88.118", Perm.HANDLES_UNDER_THIS_PREFIX), Permission("", Perm.EVERYTHING)),
    {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
)  # fmt: skip


def test_the_digest_rule_of_the_vectors():
    value = read_value(Reader(bytes_of("value_url")))
    assert digest_of(value) == bytes_of("gs_value_digest_rule")


def test_claims_survive_their_json():
    assert read_claims(orjson.loads(orjson.dumps(claims_document(FULL)))) == FULL


def test_the_members_are_called_as_everywhere():
    document = claims_document(FULL)
    assert sorted(document) == [
        "chain", "digests", "exp", "iat", "iss", "nbf", "perms", "publicKey", "sub",
    ]  # fmt: skip
    assert document["iss"] == "301:88.111.1/0.0"
    assert document["digests"]["alg"] == "SHA-256"
    assert document["perms"][0] == {"handle": "88.118", "perm": "handlesUnderThisPrefix"}


def test_other_members_are_left_alone():
    extra = claims_document(FULL) | {"org": "CAICT", "sn": "1", "exts": {"x": [1]}}
    assert read_claims(extra) == FULL


def test_a_plain_subject_is_the_handle_alone():
    document = claims_document(FULL, plain_subject=True)
    assert document["sub"] == "0.NA/88.118"
    assert read_claims(document).subject == Reference("0.NA/88.118", 0)


BROKEN = {
    "iss": [None, 7, "88.118", ":88.118", "x:88.118", "-1:88.118", "1:", "99999999999:88.1",
            "9" * 5000 + ":88.1/x"],
    "sub": [None, "", [], "300:", "/x", "0" * 5000 + ":88.1/x"],
    "iat": ["now", True, -1, 1e300, 1_780_000_000_000],
    "exp": [{}],
    "chain": ["400:88.118", ["88.118"], [400], ["400:88.118"] * 51],
    "perms": [{}, ["everything"], [{"handle": "88.118", "perm": "all"}], [{"perm": "thisHandle"}]],
    "digests": [
        [], {"alg": "MD5", "digests": []}, {"alg": "SHA-256", "digests": {}},
        {"alg": "SHA-256", "digests": [{"index": 1, "digest": "AAAA"}]},
        {"alg": "SHA-256", "digests": [{"index": 0, "digest": "A" * 43 + "="}]},
        {"alg": "SHA-256", "digests": [{"index": 1, "digest": "A" * 43 + "="}] * 2},
    ],
    "publicKey": ["key", []],
}  # fmt: skip


@pytest.mark.parametrize(
    ("member", "value"), [(k, v) for k, values in BROKEN.items() for v in values]
)
def test_a_broken_member_is_refused_and_named(member, value):
    with pytest.raises((Malformed, TooLarge, Unsupported)) as caught:
        read_claims(claims_document(FULL) | {member: value})
    assert caught.value.field == member


# -------------------------------------------------------------------------------------------------- compact form


def test_a_signed_text_is_header_payload_and_signature():
    signed = signing_input("RS256", {"iss": "x"})
    jws = decode_jws(encode_jws(signed, b"\xff\xfe"))
    assert (jws.algorithm, jws.payload, jws.signed, jws.signature) == (
        "RS256", {"iss": "x"}, signed, b"\xff\xfe",
    )  # fmt: skip


def _jws(header, payload=b"{}", signature=b"AA"):
    return b".".join((encode_base64url(header), encode_base64url(payload), signature))


@pytest.mark.parametrize(
    "text",
    [b"", b"a.b", b"a.b.c.d", _jws(b"{}"), _jws(b"[]"), _jws(b'{"alg":7}'), _jws(b'{"alg":"RS256"}', b"[]"),
     _jws(b'{"alg":"RS256"}', b"{"), _jws(b'{"alg":"RS256"}', signature=b"AA=="),
     _jws(b'{"alg":"RS256"}', signature=b"AB"),
     _jws(b'{"alg":"RS256"}', signature=b"A+A/"), _jws(b'{"alg":"RS256","crit":["exp"]}'),
     _jws(b'{"alg":"RS256","b64":false}'),
     b"A" * (MAX_JWS_BYTES + 1), _jws(b'{"alg":"RS256"}', b"[" * 5000)],
)  # fmt: skip
def test_what_is_no_signed_text_is_refused(text):
    with pytest.raises(ProtocolError):
        decode_jws(text)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 600), st.integers(1, 255))
def test_damage_brings_nothing_but_protocol_errors(junk, at, flip):
    for text in (
        junk,
        certificate("301:88.111.1/0.0", "301:0.NA/88.118").data,
        signature(values=VALUES).data,
    ):
        damaged = bytearray(text)
        if damaged:
            damaged[at % len(damaged)] ^= flip
        try:
            read_claims(decode_jws(bytes(damaged)).payload)
        except ProtocolError:
            continue
