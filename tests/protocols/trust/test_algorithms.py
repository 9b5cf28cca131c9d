"""Which algorithm goes with which key, and that none can be taken for another."""

import random

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from protocols.errors import Malformed, Unsupported
from protocols.trust.algorithms import ALGORITHMS, algorithm_of, public_key_of, sign, verify
from protocols.trust.certified_keys import certified_key, load_certified_key
from protocols.values import sm2

DICE = random.Random(3).getrandbits
MAKERS = {
    "RS256": lambda: rsa.generate_private_key(65_537, 2048),
    "DS256": lambda: dsa.generate_private_key(2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "SM2256": lambda: sm2.make_private_key(DICE),
}
NAMES = tuple(ALGORITHMS)


@pytest.fixture(scope="module")
def keys():
    made = {}

    def key(name):
        if name not in made:
            made[name] = MAKERS[name]()
        return made[name]

    return key


@pytest.mark.parametrize("name", NAMES)
def test_what_a_key_signs_it_verifies_and_nothing_else(keys, name):
    key = keys(name)
    public = public_key_of(key)
    signature = sign(key, b"signed", DICE)
    assert algorithm_of(public) == name
    assert verify(name, public, b"signed", signature)
    assert not verify(name, public, b"Signed", signature)
    assert not verify(name, public, b"signed", signature[:-1])
    assert not verify(name, public, b"signed", b"")
    assert not verify(name, public_key_of(MAKERS[name]()), b"signed", signature)


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_carries_the_key_and_gives_it_back(keys, name):
    public = public_key_of(keys(name))
    jwk = certified_key(public)
    assert certified_key(load_certified_key(jwk)) == jwk
    assert verify(name, load_certified_key(jwk), b"x", sign(keys(name), b"x", DICE))


def test_an_sm2_key_is_carried_as_the_national_tools_do(keys):
    jwk = certified_key(public_key_of(keys("SM2256")))
    assert sorted(jwk) == ["d", "kty"]
    assert jwk["kty"] == "SM2"
    assert load_certified_key({**jwk, "d": jwk["d"] + "=="}) == public_key_of(keys("SM2256"))


@pytest.mark.parametrize("name", ["none", "None", "HS256", "", "RS512", "rs256", "ES256", "SM2256"])
def test_the_key_decides_and_never_the_text(keys, name):
    key = keys("RS256")
    with pytest.raises(Unsupported, match="RS256 would"):
        verify(name, public_key_of(key), b"x", sign(key, b"x", DICE))


def test_other_curves_sign_no_text():
    with pytest.raises(Unsupported, match="P-256"):
        algorithm_of(ec.generate_private_key(ec.SECP384R1()).public_key())


@pytest.mark.parametrize(
    "jwk",
    [{}, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "SM2"},
     {"kty": "SM2", "d": 7}, {"kty": "SM2", "d": "###"}, {"kty": "SM2", "d": "A" * 600}, {"kty": "EC", "crv": "P-256"},
     {"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}],
)  # fmt: skip
def test_what_is_no_public_key_is_refused(jwk):
    with pytest.raises((Malformed, Unsupported)):
        load_certified_key(jwk)
