"""Proof: the signed response of a challenge answer (RFC 3652 §3.5), made and checked. Pure: salts are handed in.

Both kinds are over nonce ‖ digest of the challenged request (``challenge_content``).

* HS_SECKEY: u8 MAC code · MAC; code 0x22: counted salt · i4 iterations · i4 key bits · counted MAC, where MAC =
  HMAC-SHA-1 under the key PBKDF2-HMAC-SHA-1(secret, salt). 0x22 is what Java clients send from 2.7.
* HS_PUBKEY: counted hash name · counted signature; which names and which signatures is the table of ``signatures``,
  and for SM2 keys ``SM3`` with a signature in DER. The national SDK hashes the content once more with SM3 before, and
  takes the user handle for SM2's user id; other tools do neither. All four readings are accepted: whoever can make a
  signature that is right in one of them holds the key.

A key of HS_SECKEY may be the hash of a pass phrase (``values.secret``): then the client hashes it, too, and the 40
digits are the secret of the MAC on both sides.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.handle.macs import ACCEPTED_MACS, HMAC_SHA1, PBKDF2_HMAC_SHA1, SHA1, mac
from protocols.handle.signatures import (
    ED25519,
    SigningKey,
    VerifyingKey,
    hash_for_curve,
    sign,
    verify,
)
from protocols.handle.signatures import SHA1 as SHA1_NAME
from protocols.handle.signatures import SHA256 as SHA256_NAME
from protocols.handle.versions import Version, since
from protocols.values import sm2

MAX_ITERATIONS = 100_000
"""Ten times what Java clients use, about 17 ms; the client chooses, we compute."""
MAX_SALT_BYTES = 64
MAX_DERIVED_KEY_BITS = 512
MAX_MAC_BYTES = 64
MAX_HASH_NAME_BYTES = 32
MAX_SIGNATURE_BYTES = 4096

SM3 = b"SM3"

DEFAULT_ITERATIONS, DEFAULT_KEY_BITS = 10_000, 160

MAC_BY_VERSION: tuple[tuple[Version, int], ...] = (((2, 7), PBKDF2_HMAC_SHA1), ((2, 1), SHA1))
HASH_BY_VERSION: tuple[tuple[Version, bytes], ...] = (((2, 7), SHA256_NAME), ((2, 1), SHA1_NAME))


class Derivation(NamedTuple):
    """How PBKDF2 stretches the secret."""

    salt: bytes
    iterations: int = DEFAULT_ITERATIONS
    key_bits: int = DEFAULT_KEY_BITS


class SecretProof(NamedTuple):
    """A signed response of type HS_SECKEY; ``derivation`` with code 0x22 only."""

    code: int
    mac: bytes
    derivation: Derivation | None = None
    surplus: bytes = b""


class SignatureProof(NamedTuple):
    """A signed response of type HS_PUBKEY."""

    hash_name: bytes
    signature: bytes
    surplus: bytes = b""


def challenge_content(nonce: bytes, digest: bytes) -> bytes:
    """What is signed: the nonce and the bare digest (no type byte) of the challenge's request."""
    return nonce + digest


def decode_secret_proof(signed_response: bytes) -> SecretProof:
    """Raises ``Malformed``, ``TooLarge``, and ``Unsupported`` for a MAC that is not accepted here."""
    reader = Reader(signed_response)
    code = reader.read_u8("MAC algorithm")
    if code not in ACCEPTED_MACS:
        raise Unsupported(f"MAC algorithm 0x{code:02x}", 0)
    if code != PBKDF2_HMAC_SHA1:
        if reader.remaining > MAX_MAC_BYTES:
            raise TooLarge(f"MAC: {reader.remaining} bytes, at most {MAX_MAC_BYTES} allowed", 1)
        return SecretProof(code, reader.read_rest())
    derivation = _read_derivation(reader)
    mac_ = reader.read_counted("MAC", MAX_MAC_BYTES)
    return SecretProof(code, mac_, derivation, reader.read_rest())


def encode_secret_proof(proof: SecretProof) -> bytes:
    """The inverse of ``decode_secret_proof``."""
    writer = Writer()
    writer.write_u8(proof.code)
    if proof.derivation is None:
        writer.write_bytes(proof.mac)
    else:
        writer.write_counted(proof.derivation.salt)
        writer.write_u32(proof.derivation.iterations)
        writer.write_u32(proof.derivation.key_bits)
        writer.write_counted(proof.mac)
    writer.write_bytes(proof.surplus)
    return writer.finish()


def prove_secret(version: Version, secret: bytes, content: bytes, salt: bytes) -> bytes:
    """The signed response a client of ``version`` sends; ``salt`` is 16 random bytes."""
    code = since(MAC_BY_VERSION, version)
    derivation = Derivation(salt) if code == PBKDF2_HMAC_SHA1 else None
    proof = SecretProof(code, _secret_mac(code, derivation, secret, content), derivation)
    return encode_secret_proof(proof)


def secret_is_right(proof: SecretProof, secret: bytes, content: bytes) -> bool:
    """In constant time. With code 0x22 it takes up to ``MAX_ITERATIONS`` hashes: keep it off the event loop.

    Raises ``Unsupported`` for a MAC that is not accepted here, or that does not go with what the proof brings along.
    """
    if proof.code not in ACCEPTED_MACS or (proof.code == PBKDF2_HMAC_SHA1) != bool(
        proof.derivation
    ):
        raise Unsupported(f"MAC algorithm 0x{proof.code:02x}")
    expected = _secret_mac(proof.code, proof.derivation, secret, content)
    return hmac.compare_digest(proof.mac, expected)


def derive_key(secret: bytes, derivation: Derivation) -> bytes:
    """PBKDF2-HMAC-SHA-1 (RFC 8018 §5.2)."""
    return hashlib.pbkdf2_hmac(
        "sha1", secret, derivation.salt, derivation.iterations, derivation.key_bits // 8
    )


def decode_signature_proof(signed_response: bytes) -> SignatureProof:
    """Raises ``Malformed`` or ``TooLarge``."""
    reader = Reader(signed_response)
    hash_name = reader.read_counted("hash name", MAX_HASH_NAME_BYTES)
    signature = reader.read_counted("signature", MAX_SIGNATURE_BYTES)
    return SignatureProof(hash_name, signature, reader.read_rest())


def encode_signature_proof(proof: SignatureProof) -> bytes:
    """The inverse of ``decode_signature_proof``."""
    writer = Writer()
    writer.write_counted(proof.hash_name)
    writer.write_counted(proof.signature)
    writer.write_bytes(proof.surplus)
    return writer.finish()


def prove_key(version: Version, key: SigningKey, content: bytes) -> bytes:
    """The signed response of a client with this key; for RSA, what a client of ``version`` sends."""
    match key:
        case EllipticCurvePrivateKey():
            hash_name = hash_for_curve(key)
        case Ed25519PrivateKey():
            hash_name = ED25519
        case _:
            hash_name = since(HASH_BY_VERSION, version)
    return encode_signature_proof(SignatureProof(hash_name, sign(key, hash_name, content)))


def prove_sm2(
    key: sm2.Sm2PrivateKey,
    content: bytes,
    user_handle: bytes,
    random_bits: Callable[[int], int],
) -> bytes:
    """The signed response the national SDK sends with an SM2 key. Raises ``Unsupported`` without the extra ``sm``."""
    signature = sm2.sign(key, sm2.sm3(content), user_handle, random_bits)
    return encode_signature_proof(SignatureProof(SM3, signature))


def signature_is_right(
    proof: SignatureProof,
    key: VerifyingKey | sm2.Sm2PublicKey,
    content: bytes,
    user_handle: bytes = b"",
) -> bool:
    """``user_handle``: as the client wrote it; only SM2 asks for it.

    Raises ``Unsupported`` for a hash that does not belong to the key, ``TooLarge`` for a key that would cost too much.
    """
    if not isinstance(key, sm2.Sm2PublicKey):
        return verify(key, proof.hash_name, content, proof.signature)
    if proof.hash_name.upper() != SM3:
        raise Unsupported(f"signature hash {proof.hash_name!r} with an SM2 key")
    hashed = sm2.sm3(content)
    readings = [
        (text, user_id)
        for user_id in (user_handle, sm2.DEFAULT_USER_ID)
        for text in (hashed, content)
    ]
    return sm2.verify_any(key, readings, proof.signature)


def is_affordable(derivation: Derivation) -> bool:
    """Whether PBKDF2 with these numbers, which the client chose, makes sense and costs what we are willing to spend."""
    return (
        len(derivation.salt) <= MAX_SALT_BYTES
        and 0 < derivation.iterations <= MAX_ITERATIONS
        and 0 < derivation.key_bits <= MAX_DERIVED_KEY_BITS
        and derivation.key_bits % 8 == 0
    )


def _read_derivation(reader: Reader) -> Derivation:
    salt = reader.read_counted("salt", MAX_SALT_BYTES)
    at = reader.offset
    iterations, key_bits = reader.read_u32("iterations"), reader.read_u32("key bits")
    if iterations > MAX_ITERATIONS:
        raise TooLarge(f"iterations: {iterations}, at most {MAX_ITERATIONS} allowed", at)
    if key_bits > MAX_DERIVED_KEY_BITS:
        raise TooLarge(f"key bits: {key_bits}, at most {MAX_DERIVED_KEY_BITS} allowed", at + 4)
    if not iterations or not key_bits or key_bits % 8:
        raise Malformed(f"key derivation: {iterations} iterations to {key_bits} bits", at)
    return Derivation(salt, iterations, key_bits)


def _secret_mac(code: int, derivation: Derivation | None, secret: bytes, content: bytes) -> bytes:
    if derivation is None:
        return mac(code, secret, content)
    return mac(HMAC_SHA1, derive_key(secret, derivation), content)
