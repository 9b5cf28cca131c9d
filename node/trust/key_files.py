"""Key files: made with mode 0600, read from PEM or Handle.Net's form, told about without ever showing a secret."""

import binascii
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from node.keys import MAX_KEY_FILE_BYTES, RSA_EXPONENT, KeyTrouble, read_private, write_private
from protocols.errors import ProtocolError
from protocols.trust.algorithms import SigningKey, public_key_of
from protocols.values import sm2
from protocols.values.key_objects import VerifyingKey, key_from_object, load_key
from protocols.values.keys import decode_public_key, encode_public_key
from protocols.values.private_keys import decode_key_file
from protocols.values.sm2 import Sm2PrivateKey, Sm2PublicKey

RSA_SIZES = (2048, 3072, 4096)
DEFAULT_RSA_BITS = 2048
_PEM_LEAD = b"-----BEGIN "
_PRIVATE = b"PRIVATE KEY"
_HANDLE_NET_LEADS = tuple(number.to_bytes(4) for number in range(5))
"""The encryptions of its key files; a public key begins with the length of its type's name, which is longer."""

MAKERS: dict[str, Callable[[int], SigningKey]] = {
    "rsa": lambda bits: rsa.generate_private_key(RSA_EXPONENT, bits),
    "ec": lambda _: ec.generate_private_key(ec.SECP256R1()),
    "ed25519": lambda _: ed25519.Ed25519PrivateKey.generate(),
    "sm2": lambda _: sm2.make_private_key(secrets.randbits),
}
"""Kind -> how a new key of so many bits is made; only RSA keys come in sizes."""


class KeyFacts(NamedTuple):
    """What may be told about a key."""

    kind: str
    bits: int
    pin: str
    """``sha256:HEX`` of the public half (SPKI, DER), as in ``upstream.pinned_keys``."""


def make_key(kind: str, bits: int = DEFAULT_RSA_BITS) -> SigningKey:
    """A new key. Raises ``KeyTrouble`` for SM2 without its extra."""
    try:
        return MAKERS[kind](bits)
    except ProtocolError as error:
        raise KeyTrouble(str(error)) from None


def write_key(path: Path, key: SigningKey) -> None:
    """PEM without password, readable by its owner only; the file must not exist. Raises ``OSError``."""
    write_private(path, private_pem(key))


def private_pem(key: SigningKey) -> bytes:
    """PKCS #8."""
    if isinstance(key, Sm2PrivateKey):
        return sm2.write_private_key(key).encode()
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key: VerifyingKey) -> str:
    """SubjectPublicKeyInfo."""
    if isinstance(key, Sm2PublicKey):
        return sm2.write_public_key(key)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def public_data(key: VerifyingKey) -> bytes:
    """HS_PUBKEY data: the classic blob where there is one, else PEM text."""
    return encode_public_key(key_from_object(key))


def read_key(path: Path, passphrase: bytes | None = None) -> SigningKey:
    """A private key in PEM or in a key file of Handle.Net. Raises ``KeyTrouble``; the file's content is never shown."""
    data = read_private(path, "`biaojie key new` makes one")
    try:
        if _PEM_LEAD not in data:
            return decode_key_file(data, passphrase)
        text = data.decode()
        if sm2.is_sm2_pem(text):
            return sm2.read_private_key(text)
        key = serialization.load_pem_private_key(data, passphrase)
    except ProtocolError as error:
        raise KeyTrouble(f"{path}: {error}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        why = "it has a passphrase" if isinstance(error, TypeError) else "not a private key in PEM"
        raise KeyTrouble(f"{path}: {why}; does the passphrase match?") from None
    known = (
        rsa.RSAPrivateKey,
        dsa.DSAPrivateKey,
        ec.EllipticCurvePrivateKey,
        ed25519.Ed25519PrivateKey,
    )
    if isinstance(key, known):
        return key
    raise KeyTrouble(f"{path}: {type(key).__name__} is not used here")


def read_public(path: Path) -> VerifyingKey:
    """A public key: PEM, certificate, HS_PUBKEY data or JWK; of a private key in PEM its public half.

    Raises ``KeyTrouble``.
    """
    if is_private_file(path):
        return public_key_of(read_key(path))
    data = _read(path)
    try:
        at = max(data.find(_PEM_LEAD), 0)
        return load_key(decode_public_key(data[at:].strip() if at else data.strip(b" \r\n\t")))
    except ProtocolError as error:
        raise KeyTrouble(f"{path}: no key in PEM, as JWK or of Handle.Net: {error}") from None


def is_private_file(path: Path) -> bool:
    """Whether there is a private key in the file, in PEM or as Handle.Net writes it. Raises ``KeyTrouble``."""
    data = _read(path)
    return _PRIVATE in data or data[:4] in _HANDLE_NET_LEADS


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise KeyTrouble(f"{path}: {error.strerror}") from None


def facts_of(key: VerifyingKey) -> KeyFacts:
    """Kind, size and fingerprint."""
    body = "".join(line for line in public_pem(key).splitlines() if "-" not in line)
    return KeyFacts(*_kind(key), f"sha256:{hashlib.sha256(binascii.a2b_base64(body)).hexdigest()}")


def _kind(key: VerifyingKey) -> tuple[str, int]:
    match key:
        case rsa.RSAPublicKey():
            return "RSA", key.key_size
        case dsa.DSAPublicKey():
            return "DSA", key.key_size
        case ec.EllipticCurvePublicKey():
            return f"EC {key.curve.name}", key.key_size
        case ed25519.Ed25519PublicKey():
            return "Ed25519", 256
        case Sm2PublicKey():
            return "SM2", 256
