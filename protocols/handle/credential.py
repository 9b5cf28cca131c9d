"""Credential: the signed end of a message (RFC 3652 §2.2.4).

i4 length (0 = none), then::

    u8 version · u8 reserved · u16 options         all 0
    counted signer handle                          empty
    i4 session counter                             (RFC 3652: signer index)
    counted type                                   HS_MAC, HS_SIGNED
    i4 length of what follows · counted algorithm · counted MAC or signature
"""

from typing import NamedTuple

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed
from protocols.handle.fields import read_handle
from protocols.values.value import MAX_TYPE_BYTES

MAC_TYPE, SIGNED_TYPE = "HS_MAC", "HS_SIGNED"

MAX_ALGORITHM_BYTES = 64
MAX_SIGNATURE_BYTES = 4096
"""An RSA signature of 32,768 bits."""


class Credential(NamedTuple):
    """``algorithm`` is a name or, before 2.6, one code byte; ``signing`` says over what."""

    type: str
    algorithm: bytes
    signature: bytes
    counter: int = 0
    signer: bytes = b""
    version: int = 0
    reserved: int = 0
    options: int = 0
    inner_surplus: bytes = b""
    """After the signature, inside the signature's section."""
    surplus: bytes = b""
    """After that section, inside the credential."""


def read_credential(reader: Reader) -> Credential | None:
    """The credential at the cursor, None when its length is 0. Raises ``Malformed``, ``TooLarge``."""
    at = reader.offset
    size = reader.read_u32("credential length")
    if size == 0:
        return None
    if size > reader.remaining:
        raise Malformed(f"credential: length {size} runs past the end", at)
    inner = Reader(reader.data, reader.offset, reader.offset + size)
    reader.offset += size
    return _read_fields(inner)


def write_credential(writer: Writer, credential: Credential | None) -> None:
    """The inverse of ``read_credential``; None is written as length 0."""
    if credential is None:
        writer.write_u32(0)
        return
    section = Writer()
    section.write_counted(credential.algorithm)
    section.write_counted(credential.signature)
    section.write_bytes(credential.inner_surplus)
    inner = Writer()
    inner.write_u8(credential.version)
    inner.write_u8(credential.reserved)
    inner.write_u16(credential.options)
    inner.write_counted(credential.signer)
    inner.write_u32(credential.counter)
    inner.write_text(credential.type)
    inner.write_counted(section.finish())
    inner.write_bytes(credential.surplus)
    writer.write_counted(inner.finish())


def _read_fields(reader: Reader) -> Credential:
    version, reserved = reader.read_u8("credential version"), reader.read_u8("credential reserved")
    options = reader.read_u16("credential options")
    signer = read_handle(reader, "signer")
    counter = reader.read_u32("session counter")
    type_ = reader.read_text("credential type", MAX_TYPE_BYTES)
    at = reader.offset
    size = reader.read_u32("signature section")
    if size > reader.remaining:
        raise Malformed(f"signature section: length {size} runs past the end", at)
    section = Reader(reader.data, reader.offset, reader.offset + size)
    reader.offset += size
    algorithm = section.read_counted("signature algorithm", MAX_ALGORITHM_BYTES)
    signature = section.read_counted("signature", MAX_SIGNATURE_BYTES)
    return Credential(
        type_, algorithm, signature, counter, signer, version, reserved, options,
        section.read_rest(), reader.read_rest(),
    )  # fmt: skip
