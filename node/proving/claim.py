"""Claim: somebody says who he is and shows a proof over something this node chose.

Over the native protocol ``content`` is nonce ‖ digest of the challenged request, over HTTP nonce ‖ the client's nonce.
"""

from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.handle.authentication import PUBLIC_KEY, SECRET_KEY, ChallengeAnswer
from protocols.handle.proof import (
    SecretProof,
    SignatureProof,
    decode_secret_proof,
    decode_signature_proof,
)

Proof = SecretProof | SignatureProof
"""Which of the two it is says which type of value proves it: HS_SECKEY or HS_PUBKEY, and never the other one."""


class Claim(NamedTuple):
    """``index:handle`` is me, and ``proof`` over ``content`` shows that I hold the key there."""

    handle: str
    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    """Never 0: a proof is made with one key."""
    proof: Proof
    content: bytes


def read_claim(answer: ChallengeAnswer, content: bytes) -> Claim | None:
    """The claim of a native challenge answer (op 200); None when it cannot be right, whatever the key is.

    That is: a type that is no key, an algorithm that is not accepted, a derivation that costs too much, or bytes
    that are none of it. ``content``: what ``challenge_content`` made of the challenge that is answered.
    """
    try:
        proof = read_proof(answer.authentication_type, answer.signed_response)
        handle = answer.user_handle.decode()
    except (ProtocolError, UnicodeDecodeError):
        return None
    return None if proof is None else Claim(handle, answer.user_index, proof, content)


def read_proof(authentication_type: str, signed_response: bytes) -> Proof | None:
    """The proof by its type, None for a type that is no key's. Raises ``ProtocolError``."""
    match authentication_type.upper():
        case secret if secret == SECRET_KEY:
            return decode_secret_proof(signed_response)
        case public if public == PUBLIC_KEY:
            return decode_signature_proof(signed_response)
        case _:
            return None
