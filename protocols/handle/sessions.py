"""Session set-up op 400 and key exchange op 402 (RFC 3652 §3.6).

* request: u16 mode · i4 timeout in seconds · counted identity handle · i4 identity index · by mode: 1 and 4 counted
  public key, 2 nothing, 3 reference to a key · two zero bytes
* answer: u16 mode · counted data · two zero bytes. Data of mode 4: i4 cipher · DH public key blob
* key exchange: counted encrypted session key

The two zero bytes are there because the reference reserves four for the mode; it accepts none as well, and so do we.
Only mode 4 (Diffie-Hellman) works between today's peers.
"""

from enum import IntEnum
from typing import NamedTuple, Self

from protocols.cursor import Reader, Writer
from protocols.errors import Unsupported
from protocols.handle.fields import read_handle
from protocols.values.value import Reference, read_reference, write_reference

MAX_KEY_BYTES = 8192
"""A DH group of 16,384 bits takes three numbers of 2,048 bytes."""
PADDING = b"\0\0"
CIPHER_DES, CIPHER_DESEDE, CIPHER_AES = 1, 2, 3


class KeyMode(IntEnum):
    """How the session key is agreed."""

    CLIENT_KEY = 1
    SERVER_KEY = 2
    KEY_IN_HANDLE = 3
    DIFFIE_HELLMAN = 4


_MODES_WITH_KEY = (KeyMode.CLIENT_KEY, KeyMode.DIFFIE_HELLMAN)


class SessionSetupRequest(NamedTuple):
    """``key`` is the public key blob of modes 1 and 4, the reference of mode 3, None in mode 2."""

    mode: int
    timeout_s: int
    identity_handle: bytes
    identity_index: int
    key: bytes | Reference | None = None
    surplus: bytes = PADDING

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """mode · timeout · identity · key by mode · surplus. Raises ``Unsupported`` for other modes."""
        at = reader.offset
        mode = reader.read_u16("session mode")
        timeout_s = reader.read_u32("session timeout")
        identity = read_handle(reader, "identity handle")
        identity_index = reader.read_u32("identity index")
        key: bytes | Reference | None = None
        if mode in _MODES_WITH_KEY:
            key = reader.read_counted("session public key", MAX_KEY_BYTES)
        elif mode == KeyMode.KEY_IN_HANDLE:
            key = read_reference(reader)
        elif mode != KeyMode.SERVER_KEY:
            raise Unsupported(f"session mode {mode}", at)
        return cls(mode, timeout_s, identity, identity_index, key, reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_u16(self.mode)
        writer.write_u32(self.timeout_s)
        writer.write_counted(self.identity_handle)
        writer.write_u32(self.identity_index)
        if isinstance(self.key, Reference):
            write_reference(writer, self.key)
        elif self.key is not None:
            writer.write_counted(self.key)
        writer.write_bytes(self.surplus)


class SessionSetupAnswer(NamedTuple):
    """``data`` by mode; of mode 4: ``read_dh_answer``."""

    mode: int
    data: bytes
    surplus: bytes = PADDING

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """mode · data · surplus."""
        mode = reader.read_u16("session mode")
        return cls(mode, reader.read_counted("session data", MAX_KEY_BYTES), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_u16(self.mode)
        writer.write_counted(self.data)
        writer.write_bytes(self.surplus)


class KeyExchangeRequest(NamedTuple):
    """A session key encrypted with RSA; dropped in DO-IRP 3.0."""

    encrypted_key: bytes
    surplus: bytes = b""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """encrypted key · surplus."""
        return cls(reader.read_counted("encrypted key", MAX_KEY_BYTES), reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_counted(self.encrypted_key)
        writer.write_bytes(self.surplus)


def read_dh_answer(data: bytes) -> tuple[int, bytes]:
    """``(cipher, server's DH public key blob)`` out of a mode 4 answer's data. Raises ``Malformed``."""
    reader = Reader(data)
    return reader.read_u32("session cipher"), reader.read_rest()


def write_dh_answer(cipher: int, public_key: bytes) -> bytes:
    """The inverse of ``read_dh_answer``."""
    return cipher.to_bytes(4) + public_key
