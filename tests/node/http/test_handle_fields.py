"""The fields of ``Authorization: Handle``: what is read, and that whatever comes is either read or refused."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.http.handle_auth import Fields, collect, read_base64, read_claim, read_fields
from protocols.errors import Malformed, ProtocolError, Unsupported
from protocols.handle.macs import HMAC_SHA256
from protocols.handle.proof import SecretProof, SignatureProof

WHOLE = (
    'Handle version="0", sessionId="ab", id="300%3A88.118%2Fa%252Fb", type="HS_SECKEY", '
    'cnonce="AAAA", alg="HMAC-SHA256", signature="BBBB"'
)


def test_the_fields_of_a_header():
    fields = read_fields(WHOLE)
    assert fields.session_id == "ab"
    claim = read_claim(fields, b"nonce")
    assert (claim.handle, claim.index) == ("88.118/a%2Fb", 300)
    assert claim.content == b"nonce\0\0\0"
    assert claim.proof == SecretProof(HMAC_SHA256, b"\x04\x10\x41")


@pytest.mark.parametrize(
    "header",
    [
        WHOLE.replace('"', ""), WHOLE.replace(", ", ","), WHOLE.replace("=", " = "), WHOLE + ", realm=x",
        WHOLE.upper().replace("VERSION", "Version").replace("HS_SECKEY", "hs_seckey"), "handle  " + WHOLE[7:],
        WHOLE.replace('"ab"', '"\\a\\b"'),
    ],
)  # fmt: skip
def test_the_ways_in_which_it_may_be_written(header):
    assert read_fields(header).is_proof


def test_a_signature_names_its_hash_as_the_native_protocol_does():
    fields = read_fields(WHOLE)._replace(type="HS_PUBKEY")
    for alg, name in (
        ("sha256", b"SHA-256"),
        ("SHA-1", b"SHA1"),
        ("Ed25519", b"Ed25519"),
        ("SM3", b"SM3"),
    ):
        proof = read_claim(fields._replace(alg=alg), b"").proof
        assert isinstance(proof, SignatureProof)
        assert proof.hash_name == name


@pytest.mark.parametrize("text", ["-_-_", "+/+/", " / /", "-_-_====", "-_-_ ".strip()])
def test_base64_of_every_kind(text):
    assert read_base64("x", text) == b"\xfb\xff\xbf"


@pytest.mark.parametrize("text", ["", "A", "A\u0660AA", "AA AA!", "=", "\udcff"])
def test_what_is_no_base64_is_malformed(text):
    with pytest.raises(Malformed):
        read_base64("x", text)


def test_a_version_that_is_not_spoken_is_said():
    with pytest.raises(Unsupported):
        collect([("version", "1")])


header_text = st.text(st.sampled_from('Handle sionIdcvrt="\\,; %3A/0123é\udcff\t-_+'), max_size=120)


@settings(max_examples=300, deadline=None)
@given(header_text, header_text)
def test_whatever_comes_is_read_or_refused(first, second):
    for header in (
        first,
        f'Handle id="{first}", signature="{second}", alg="SHA1", type=HS_SECKEY, cnonce=AAAA',
    ):
        with contextlib.suppress(ProtocolError):
            fields = read_fields(header)
            assert isinstance(fields.digest, bytes)
            read_claim(fields, b"nonce")


@settings(max_examples=200, deadline=None)
@given(st.lists(header_text, min_size=len(Fields._fields), max_size=len(Fields._fields)))
def test_whatever_the_fields_are_a_claim_is_made_or_refused(texts):
    with contextlib.suppress(ProtocolError):
        read_claim(Fields(*texts), b"nonce")
