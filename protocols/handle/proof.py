"""Proof: the signed response of a challenge answer (RFC 3652 §3.5), made and checked. Pure: salts are handed in.

Both kinds are over nonce ‖ digest of the challenged request (``challenge_content``).

* HS_SECKEY: u8 MAC code · MAC; code 0x22: counted salt · i4 iterations · i4 key bits · counted MAC, where MAC =
  HMAC-SHA-1 under the key PBKDF2-HMAC-SHA-1(secret, salt). 0x22 is what Java clients send from 2.7.
* HS_PUBKEY: counted hash name · counted signature
"""

import hashlib
import hmac
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.handle.macs import ACCEPTED_MACS, HMAC_SHA1, PBKDF2_HMAC_SHA1, SHA1, mac
from protocols.handle.signatures import SHA1 as SHA1_NAME
from protocols.handle.signatures import SHA256 as SHA256_NAME
from protocols.handle.signatures import VerifyingKey, sign, verify
from protocols.handle.versions import Version, since

MAX_ITERATIONS = 100_000
"""Ten times what Java clients use, about 17 ms; the client chooses, we compute."""
MAX_SALT_BYTES = 64
MAX_DERIVED_KEY_BITS = 512
MAX_MAC_BYTES = 64
MAX_HASH_NAME_BYTES = 32
MAX_SIGNATURE_BYTES = 4096

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
    """In constant time. With code 0x22 it takes up to ``MAX_ITERATIONS`` hashes: keep it off the event loop."""
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


def prove_key(version: Version, key: RSAPrivateKey, content: bytes) -> bytes:
    """The signed response a client of ``version`` with an RSA key sends."""
    hash_name = since(HASH_BY_VERSION, version)
    return encode_signature_proof(SignatureProof(hash_name, sign(key, hash_name, content)))


def signature_is_right(proof: SignatureProof, key: VerifyingKey, content: bytes) -> bool:
    """Raises ``Unsupported`` for an unknown hash or a key of unfit length."""
    return verify(key, proof.hash_name, content, proof.signature)


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
