"""Encryption: session keys out of Diffie-Hellman, and messages encrypted under them (Handle.Net manual, from 2.4).

Payload = 16-byte IV · AES-128-CBC/PKCS#7 of header, body and credential; the envelope stays in plain with the encrypted
flag, and its length is that of IV and ciphertext. The session key has 32 bytes: MACs use all, the cipher the first 16.
"""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.handle.envelope import (
    ENCRYPTED,
    ENVELOPE_BYTES,
    HEADER_BYTES,
    MAX_MESSAGE_BYTES,
    decode_envelope,
    encode_envelope,
)
from protocols.handle.versions import IV_IN_FRONT

BLOCK_BYTES = 16
SESSION_KEY_BYTES = 32
CIPHER_KEY_BYTES = 16
LEAST_GROUP_BITS = 1024
"""What classic Java clients propose."""
MAX_GROUP_BITS = 8192
"""One exponentiation costs the cube of the length, and the client chooses the group."""


def session_key(shared_secret: bytes) -> bytes:
    """The 32-byte key: leading zero bytes go while more than 32 remain. Raises ``Malformed`` when too short."""
    secret = shared_secret
    while len(secret) > SESSION_KEY_BYTES and secret[0] == 0:
        secret = secret[1:]
    if len(secret) < SESSION_KEY_BYTES:
        raise Malformed(f"shared secret: {len(secret)} bytes, {SESSION_KEY_BYTES} needed")
    return secret[:SESSION_KEY_BYTES]


def shared_secret(p: int, private: int, other_public: int) -> bytes:
    """``other_public ** private mod p``, as long as ``p``. Raises ``Unsupported``, ``TooLarge``, ``Malformed``.

    Refuses the public numbers that make the secret predictable: 0, 1, p - 1 and above.
    """
    if p.bit_length() > MAX_GROUP_BITS:
        raise TooLarge(f"DH group of {p.bit_length()} bits, at most {MAX_GROUP_BITS} allowed")
    if p.bit_length() < LEAST_GROUP_BITS or p % 2 == 0:
        raise Unsupported(f"DH group of {p.bit_length()} bits, or even")
    if not 1 < other_public < p - 1:
        raise Malformed("DH public number out of range")
    return pow(other_public, private, p).to_bytes((p.bit_length() + 7) // 8)


def encrypt(message: bytes, key: bytes, iv: bytes) -> bytes:
    """A whole plain message, encrypted; ``iv`` = 16 random bytes. Raises ``Unsupported`` below 2.4."""
    envelope = decode_envelope(message)
    if envelope.version < IV_IN_FRONT:
        raise Unsupported(f"encryption of version {envelope.major}.{envelope.minor}", 0)
    padder = PKCS7(BLOCK_BYTES * 8).padder()
    plain = padder.update(message[ENVELOPE_BYTES:]) + padder.finalize()
    encryptor = Cipher(AES(key[:CIPHER_KEY_BYTES]), CBC(iv)).encryptor()
    payload = iv + encryptor.update(plain) + encryptor.finalize()
    envelope = envelope._replace(flags=envelope.flags | ENCRYPTED, length=len(payload))
    return encode_envelope(envelope) + payload


def decrypt(message: bytes, key: bytes) -> bytes:
    """The plain message, ready for ``codec.decode``. Raises ``Malformed``, ``TooLarge``, ``Unsupported``.

    CBC without a MAC tells a stranger about the plain text if bad padding is answered in another way than bad
    content: whoever answers must say the same to every ``ProtocolError`` after this call.
    """
    envelope = decode_envelope(message)
    if envelope.version < IV_IN_FRONT:
        raise Unsupported(f"encryption of version {envelope.major}.{envelope.minor}", 0)
    payload = message[ENVELOPE_BYTES:]
    if not envelope.flags & ENCRYPTED or envelope.length != len(payload):
        raise Malformed("not one whole encrypted message", 2)
    if len(payload) > MAX_MESSAGE_BYTES:
        raise TooLarge(f"message: {len(payload)} bytes, at most {MAX_MESSAGE_BYTES} allowed", 16)
    if len(payload) < 2 * BLOCK_BYTES or len(payload) % BLOCK_BYTES:
        raise Malformed(f"ciphertext: {len(payload)} bytes are no whole blocks", ENVELOPE_BYTES)
    plain = _decrypt_blocks(payload, key)
    envelope = envelope._replace(flags=envelope.flags & ~ENCRYPTED, length=len(plain))
    return encode_envelope(envelope) + plain


def _decrypt_blocks(payload: bytes, key: bytes) -> bytes:
    decryptor = Cipher(AES(key[:CIPHER_KEY_BYTES]), CBC(payload[:BLOCK_BYTES])).decryptor()
    padded = decryptor.update(payload[BLOCK_BYTES:]) + decryptor.finalize()
    unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
    try:
        plain = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise Malformed("decrypted message: bad padding", ENVELOPE_BYTES) from None
    if len(plain) < HEADER_BYTES:
        raise Malformed("decrypted message: no header", ENVELOPE_BYTES)
    return plain
