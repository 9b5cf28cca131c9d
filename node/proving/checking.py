"""Checking: is a proof right by this key? Plain computation, called in the pool.

A key is used for what its type says and nothing else: HS_SECKEY data makes MACs, HS_PUBKEY data verifies signatures.
Where there is no key, the same is computed with a key of nobody's, and the answer is no: whether a handle exists must
not be told by the time an answer takes.
"""

from enum import Enum
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from node.proving.claim import Claim
from protocols.errors import ProtocolError
from protocols.handle.proof import (
    SM3,
    SecretProof,
    SignatureProof,
    is_affordable,
    secret_is_right,
    signature_is_right,
)
from protocols.values import sm2_curve
from protocols.values.key_objects import VerifyingKey, load_key
from protocols.values.keys import decode_public_key
from protocols.values.secret import decode_secret
from protocols.values.sm2 import Sm2PublicKey

KEYS_KEPT = 256
"""Keys read once: parsing one, and testing its numbers, costs as much as using it."""

_NOBODYS_SECRET = b"the secret of nobody"
_NOBODYS_KEY = derive_private_key(1, SECP256R1()).public_key()
_NOBODYS_SM2_KEY = Sm2PublicKey(*sm2_curve.G)


class Verdict(Enum):
    """What a check comes to; also a metric label."""

    RIGHT = "right"
    WRONG = "wrong"
    NO_KEY = "no-key"
    """There is no handle, no value at that index, or one of another type."""
    NOT_ACCEPTED = "not-accepted"
    """An algorithm that is not accepted or does not go with the key, a costly derivation, a key that cannot be read."""


def check_secret(claim: Claim, proof: SecretProof, data: bytes | None) -> Verdict:
    """``data``: of the HS_SECKEY value, None when there is none. Takes up to 20 ms."""
    if proof.derivation is not None and not is_affordable(proof.derivation):
        return Verdict.NOT_ACCEPTED
    try:
        is_right = secret_is_right(
            proof, _NOBODYS_SECRET if data is None else decode_secret(data), claim.content
        )
    except ProtocolError:
        return Verdict.NOT_ACCEPTED
    return _verdict(is_right, data)


def check_signature(claim: Claim, proof: SignatureProof, data: bytes | None) -> Verdict:
    """``data``: of the HS_PUBKEY value, None when there is none. Takes up to 10 ms."""
    try:
        key = _read_key(data) if data is not None else _nobodys_key(proof)
        is_right = signature_is_right(
            proof, key, claim.content, claim.handle.encode(errors="replace")
        )
    except ProtocolError:
        return Verdict.NOT_ACCEPTED if data is not None else Verdict.NO_KEY
    return _verdict(is_right, data)


def _verdict(is_right: bool, data: bytes | None) -> Verdict:
    if data is None:
        return Verdict.NO_KEY
    return Verdict.RIGHT if is_right else Verdict.WRONG


@lru_cache(KEYS_KEPT)
def _read_key(data: bytes) -> VerifyingKey:
    return load_key(decode_public_key(data))


def _nobodys_key(proof: SignatureProof) -> VerifyingKey:
    return _NOBODYS_SM2_KEY if proof.hash_name.upper() == SM3 else _NOBODYS_KEY
