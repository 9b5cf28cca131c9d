"""Signatures of every kind of key: right ones accepted, and no hash or key taken for another."""

import random

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from protocols.errors import TooLarge, Unsupported
from protocols.handle import proof
from protocols.handle.signatures import ED25519, SHA1, SHA256, SHA384, SHA512, sign, verify
from protocols.values import sm2

CONTENT = b"nonce" * 3 + b"digest of the request"
USER = b"88.118.7/device"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DSA = dsa.generate_private_key(1024)
P256 = ec.derive_private_key(0xB1A0, ec.SECP256R1())
P384 = ec.derive_private_key(0xB1A0, ec.SECP384R1())
P521 = ec.derive_private_key(0xB1A0, ec.SECP521R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SM2 = sm2.make_private_key(random.Random(5).getrandbits)
chance = random.Random(6).getrandbits

NAMES = (
    SHA1,
    b"SHA-1",
    b"\2",
    SHA256,
    b"SHA256",
    b"\3",
    SHA384,
    SHA512,
    ED25519,
    b"SM3",
    b"MD5",
    b"\1",
    b"",
)
ACCEPTED = {
    "rsa": (RSA, {SHA1, b"SHA-1", b"\2", SHA256, b"SHA256", b"\3", SHA384, SHA512}),
    "p-256": (P256, {SHA256, b"SHA256", b"\3", SHA384, SHA512}),
    "p-521": (P521, {SHA256, b"SHA256", b"\3", SHA384, SHA512}),
    "ed25519": (ED, {ED25519}),
}


@pytest.mark.parametrize("kind", ACCEPTED)
@pytest.mark.parametrize("name", NAMES)
def test_a_key_signs_and_verifies_with_its_own_hashes_only(kind: str, name: bytes) -> None:
    key, accepted = ACCEPTED[kind]
    if name not in accepted:
        with pytest.raises(Unsupported):
            sign(key, name, CONTENT)
        with pytest.raises(Unsupported):
            verify(key.public_key(), name, CONTENT, bytes(64))
        return
    signature = sign(key, name, CONTENT)
    assert sign(key, name, CONTENT) == signature  # no chance in it
    assert verify(key.public_key(), name, CONTENT, signature)
    assert verify(key.public_key(), name.lower(), CONTENT, signature)
    assert not verify(key.public_key(), name, CONTENT + b"\0", signature)
    assert not verify(key.public_key(), name, CONTENT, signature[:-1])


@pytest.mark.parametrize(
    ("name", "hash_"), [(SHA256, hashes.SHA256()), (SHA1, hashes.SHA1()), (b"\3", hashes.SHA256())]
)
def test_dsa_is_verified(name: bytes, hash_: hashes.HashAlgorithm) -> None:
    signature = DSA.sign(CONTENT, hash_)
    assert verify(DSA.public_key(), name, CONTENT, signature)
    assert not verify(DSA.public_key(), name, CONTENT[1:], signature)
    for other in (SHA384, SHA512, ED25519, b"MD5"):
        with pytest.raises(Unsupported):
            verify(DSA.public_key(), other, CONTENT, signature)


def test_a_signature_of_one_key_is_nothing_by_another() -> None:
    signature = sign(P256, SHA256, CONTENT)
    others = [RSA, DSA, ec.derive_private_key(7, ec.SECP256R1()), P384]
    assert not any(verify(key.public_key(), SHA256, CONTENT, signature) for key in others)


@pytest.mark.parametrize("signature", [b"", b"0", bytes(64), b"\x30\x06\x02\x01\x00\x02\x01\x00"])
def test_bytes_that_are_no_signature_are_wrong_not_a_crash(signature: bytes) -> None:
    for key, name in ((RSA, SHA256), (DSA, SHA256), (P256, SHA256), (ED, ED25519)):
        assert not verify(key.public_key(), name, CONTENT, signature)


def test_a_key_that_costs_too_much_is_refused_before_it_does() -> None:
    huge = rsa.RSAPublicNumbers(65537, (1 << 8200) + 1).public_key()
    with pytest.raises(TooLarge):
        verify(huge, SHA256, CONTENT, bytes(1026))


@pytest.mark.parametrize(
    ("key", "name"), [(P256, SHA256), (P384, SHA384), (P521, SHA512), (ED, ED25519)]
)
def test_our_tools_prove_themselves_with_the_hash_of_their_curve(key: object, name: bytes) -> None:
    parsed = proof.decode_signature_proof(proof.prove_key((2, 11), key, CONTENT))
    assert parsed.hash_name == name
    assert proof.signature_is_right(parsed, key.public_key(), CONTENT)
    assert not proof.signature_is_right(parsed, key.public_key(), CONTENT[1:])


# SM2


def test_an_sm2_proof_of_the_sdk_is_over_the_hashed_content_with_the_handle_as_user_id() -> None:
    parsed = proof.decode_signature_proof(proof.prove_sm2(SM2, CONTENT, USER, chance))
    assert parsed.hash_name == b"SM3"
    assert sm2.verify(SM2.public, sm2.sm3(CONTENT), parsed.signature, USER)
    assert proof.signature_is_right(parsed, SM2.public, CONTENT, USER)


@pytest.mark.parametrize("user_id", [USER, sm2.DEFAULT_USER_ID])
@pytest.mark.parametrize("is_hashed", [False, True])
def test_all_four_readings_of_an_sm2_proof_are_right(user_id: bytes, is_hashed: bool) -> None:
    content = sm2.sm3(CONTENT) if is_hashed else CONTENT
    made = proof.SignatureProof(b"SM3", sm2.sign(SM2, content, user_id, chance))
    assert proof.signature_is_right(made, SM2.public, CONTENT, USER)
    assert not proof.signature_is_right(made, SM2.public, CONTENT + b"\0", USER)


def test_an_sm2_proof_with_another_user_id_or_hashed_twice_is_wrong() -> None:
    for content, user_id in ((CONTENT, b"88.118.7/other"), (sm2.sm3(sm2.sm3(CONTENT)), USER)):
        made = proof.SignatureProof(b"SM3", sm2.sign(SM2, content, user_id, chance))
        assert not proof.signature_is_right(made, SM2.public, CONTENT, USER)


def test_an_sm2_key_goes_with_sm3_only_and_sm3_with_an_sm2_key_only() -> None:
    signature = sm2.sign(SM2, CONTENT, USER, chance)
    for name in (SHA256, ED25519, b"", b"MD5"):
        with pytest.raises(Unsupported):
            proof.signature_is_right(
                proof.SignatureProof(name, signature), SM2.public, CONTENT, USER
            )
    for key in (RSA, DSA, P256, ED):
        with pytest.raises(Unsupported):
            proof.signature_is_right(
                proof.SignatureProof(b"SM3", signature), key.public_key(), CONTENT, USER
            )


# MACs


@pytest.mark.parametrize("code", [0x01, 0x00, 0x04, 0x11, 0x21, 0x23, 0xFF])
def test_a_mac_that_is_not_accepted_is_unsupported_however_it_came(code: int) -> None:
    for derivation in (None, proof.Derivation(b"salt", 1)):
        with pytest.raises(Unsupported):
            proof.secret_is_right(proof.SecretProof(code, b"", derivation), b"secret", CONTENT)


def test_a_derivation_goes_with_its_code_only() -> None:
    for made in (
        proof.SecretProof(0x22, b""),
        proof.SecretProof(0x13, b"", proof.Derivation(b"s")),
    ):
        with pytest.raises(Unsupported):
            proof.secret_is_right(made, b"secret", CONTENT)


@pytest.mark.parametrize(
    ("derivation", "is_affordable"),
    [
        (proof.Derivation(b"salt"), True),
        (proof.Derivation(bytes(64), 100_000, 512), True),
        (proof.Derivation(bytes(65), 10_000, 160), False),
        (proof.Derivation(b"", 100_001, 160), False),
        (proof.Derivation(b"", 0, 160), False),
        (proof.Derivation(b"", -1, 160), False),
        (proof.Derivation(b"", 1, 520), False),
        (proof.Derivation(b"", 1, 0), False),
        (proof.Derivation(b"", 1, 7), False),
    ],
)
def test_what_a_derivation_may_cost(derivation: proof.Derivation, is_affordable: bool) -> None:
    assert proof.is_affordable(derivation) is is_affordable
