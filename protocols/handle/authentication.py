"""Authentication: challenge RC 402, its answer op 200, verification op 201, the national SDK's login op 2001.

RFC 3652 §3.5.

* challenge: (request digest always) counted nonce
* challenge answer: counted authentication type · counted user handle · i4 user index · counted signed response
* verify: counted handle · i4 index · counted nonce · digest · counted signed response; the digest is counted when
  its first byte is 0, else a digest block. The answer is one byte, 1 = right.
* login: counted user handle · i4 user index
"""

from typing import NamedTuple, Self

from protocols.cursor import Reader, Writer
from protocols.handle.digest import Digest, read_digest, write_digest
from protocols.handle.fields import read_handle
from protocols.values.value import MAX_TYPE_BYTES

SECRET_KEY, PUBLIC_KEY = "HS_SECKEY", "HS_PUBKEY"
"""The authentication types."""

NONCE_BYTES = 16
"""What servers send."""
MAX_NONCE_BYTES = 256
MAX_SIGNED_RESPONSE_BYTES = 4096
"""An RSA signature of 16,384 bits and its algorithm name fit twice."""
MAX_COUNTED_DIGEST_BYTES = 64


class Challenge(NamedTuple):
    """Prove who you are: sign ``nonce`` and the request digest in front of it."""

    nonce: bytes
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """nonce · surplus."""
        return cls(reader.read_counted("nonce", MAX_NONCE_BYTES), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.nonce)
        writer.write_bytes(self.surplus)


class ChallengeAnswer(NamedTuple):
    """The key is the value of type ``authentication_type`` at ``user_handle``, ``user_index``."""

    authentication_type: str
    user_handle: bytes
    user_index: int
    signed_response: bytes
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """type · user handle · user index · signed response · surplus."""
        return cls(
            reader.read_text("authentication type", MAX_TYPE_BYTES),
            read_handle(reader, "user handle"),
            reader.read_u32("user index"),
            reader.read_counted("signed response", MAX_SIGNED_RESPONSE_BYTES),
            reader.read_rest(),
        )

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_text(self.authentication_type)
        writer.write_counted(self.user_handle)
        writer.write_u32(self.user_index)
        writer.write_counted(self.signed_response)
        writer.write_bytes(self.surplus)


class VerifyRequest(NamedTuple):
    """Is ``signed_response`` right for the secret key at ``user_handle``, ``user_index``?"""

    user_handle: bytes
    user_index: int
    nonce: bytes
    digest: Digest | bytes
    """A digest block, or bare bytes that are sent with a length."""
    signed_response: bytes
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """user handle · user index · nonce · digest · signed response · surplus."""
        return cls(
            read_handle(reader, "user handle"),
            reader.read_u32("user index"),
            reader.read_counted("nonce", MAX_NONCE_BYTES),
            _read_either_digest(reader),
            reader.read_counted("signed response", MAX_SIGNED_RESPONSE_BYTES),
            reader.read_rest(),
        )

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.user_handle)
        writer.write_u32(self.user_index)
        writer.write_counted(self.nonce)
        if isinstance(self.digest, Digest):
            write_digest(writer, self.digest)
        else:
            writer.write_counted(self.digest)
        writer.write_counted(self.signed_response)
        writer.write_bytes(self.surplus)

    @property
    def digest_value(self) -> bytes:
        """The bare digest, however it was sent."""
        return self.digest.value if isinstance(self.digest, Digest) else self.digest


class VerifyAnswer(NamedTuple):
    """Whether the signed response was right."""

    verdict: int
    """1 = right, 0 = wrong; kept as received."""
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """one byte · surplus."""
        return cls(reader.read_u8("verdict"), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_u8(self.verdict)
        writer.write_bytes(self.surplus)


class LoginRequest(NamedTuple):
    """Who wants to log in on this connection; the server answers with a challenge."""

    user_handle: bytes
    user_index: int
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """user handle · user index · surplus."""
        handle = read_handle(reader, "user handle")
        return cls(handle, reader.read_u32("user index"), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.user_handle)
        writer.write_u32(self.user_index)
        writer.write_bytes(self.surplus)


def _read_either_digest(reader: Reader) -> Digest | bytes:
    if reader.remaining and reader.data[reader.offset] == 0:
        return reader.read_counted("request digest", MAX_COUNTED_DIGEST_BYTES)
    return read_digest(reader)
