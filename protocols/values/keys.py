"""HS_PUBKEY data: a public key (Handle.Net manual; the IDIS key types as the national SDK writes them).

Three shapes exist. The classic blob::

    counted key type · i2 flags (0) · fields [· spare zero bytes]

    RSA_PUB_KEY                             counted e · counted n · 4 zero bytes (some writers leave them out)
    DSA_PUB_KEY                             counted q · p · g · y
    DH_PUB_KEY                              counted y · p · g
    SM2_PUB_KEY, SM9_PUB_KEY, EC_PUB_KEY    counted PEM text

where an integer is big-endian with a leading zero byte if its top bit would be set (Java's two's complement); bare
PEM text, beginning with ``-----BEGIN``; and the JSON text of a JSON Web Key, beginning with ``{``. What stood behind
the last field is kept, so that a key travels unchanged. Text is not looked into here: turning a key into one that
verifies is ``key_objects.py``, reading JSON Web Keys ``jwk.py``.
"""

from typing import NamedTuple

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed, TooLarge, Unsupported

RSA_TYPE, DSA_TYPE, DH_TYPE = "RSA_PUB_KEY", "DSA_PUB_KEY", "DH_PUB_KEY"
PEM_TYPES = ("SM2_PUB_KEY", "SM9_PUB_KEY", "EC_PUB_KEY")
BARE_PEM = ""

PEM_LEAD = b"-----BEGIN "
JWK_LEAD = b"{"
RSA_SPARE_BYTES = bytes(4)

MAX_INTEGER_BITS = 8192
"""The largest modulus whose verification stays in the low milliseconds."""
MAX_INTEGER_BYTES = MAX_INTEGER_BITS // 8 + 1
"""With the sign byte."""
MAX_PEM_BYTES = 8192
"""A PEM key of 8,192 bits has 1.5 KiB; certificates with a long subject fit too, and any JSON Web Key."""
_MAX_TYPE_BYTES = 32


class RsaKey(NamedTuple):
    """An RSA public key; ``spare`` is what stood behind it (zero bytes only)."""

    e: int
    n: int
    spare: bytes = RSA_SPARE_BYTES


class DsaKey(NamedTuple):
    """A DSA public key."""

    q: int
    p: int
    g: int
    y: int
    spare: bytes = b""


class DhKey(NamedTuple):
    """A Diffie-Hellman public key and its group."""

    y: int
    p: int
    g: int
    spare: bytes = b""


class PemKey(NamedTuple):
    """A key as PEM text, inside the classic blob (``key_type`` one of ``PEM_TYPES``) or bare (``BARE_PEM``)."""

    pem: str
    key_type: str = BARE_PEM
    spare: bytes = b""


class JwkKey(NamedTuple):
    """A key as the JSON text of a JSON Web Key."""

    text: str


PublicKey = RsaKey | DsaKey | DhKey | PemKey | JwkKey


def decode_public_key(data: bytes) -> PublicKey:
    """Raises ``Malformed``, ``TooLarge``, or ``Unsupported`` for another key type or flags.

    Integers are read as unsigned, whatever their top bit: no key has a negative number in it.
    """
    if data.startswith(PEM_LEAD):
        return PemKey(_decode_text("PEM key", data))
    if data.startswith(JWK_LEAD):
        return JwkKey(_decode_text("JSON Web Key", data))
    reader = Reader(data)
    key_type = reader.read_text("key type", _MAX_TYPE_BYTES)
    flags = reader.read_u16("key flags")
    if flags:
        raise Unsupported(f"key flags: {flags:#06x}, only 0 is known", reader.offset - 2)
    if key_type == RSA_TYPE:
        e, n = _read_integers(reader, "e", "n")
        return RsaKey(e, n, _read_spare(reader))
    if key_type == DSA_TYPE:
        q, p, g, y = _read_integers(reader, "q", "p", "g", "y")
        return DsaKey(q, p, g, y, _read_spare(reader))
    if key_type == DH_TYPE:
        y, p, g = _read_integers(reader, "y", "p", "g")
        return DhKey(y, p, g, _read_spare(reader))
    if key_type in PEM_TYPES:
        pem = reader.read_text("PEM key", MAX_PEM_BYTES)
        return PemKey(pem, key_type, _read_spare(reader))
    raise Unsupported(f"key type: {key_type!r} is not known", 0)


def encode_public_key(key: PublicKey) -> bytes:
    """The inverse of ``decode_public_key``, exact for keys whose integers were written without surplus zeros."""
    match key:
        case RsaKey(e, n, spare):
            return _encode_integers(RSA_TYPE, (e, n), spare)
        case DsaKey(q, p, g, y, spare):
            return _encode_integers(DSA_TYPE, (q, p, g, y), spare)
        case DhKey(y, p, g, spare):
            return _encode_integers(DH_TYPE, (y, p, g), spare)
        case PemKey(pem, key_type, spare):
            if key_type == BARE_PEM:
                return pem.encode()
            writer = _begin(key_type)
            writer.write_text(pem)
            writer.write_bytes(spare)
            return writer.finish()
        case JwkKey(text):
            return text.encode()


def _decode_text(what: str, data: bytes) -> str:
    if len(data) > MAX_PEM_BYTES:
        raise TooLarge(f"{what}: {len(data)} bytes, at most {MAX_PEM_BYTES} allowed", 0)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"{what}: not UTF-8", error.start) from None


def _read_integers(reader: Reader, *fields: str) -> list[int]:
    return [_read_integer(reader, f"key field {field}") for field in fields]


def _read_integer(reader: Reader, field: str) -> int:
    at = reader.offset
    integer = int.from_bytes(reader.read_counted(field, MAX_INTEGER_BYTES))
    if integer.bit_length() > MAX_INTEGER_BITS:
        raise TooLarge(f"{field}: {integer.bit_length()} bits, at most {MAX_INTEGER_BITS}", at)
    return integer


def _read_spare(reader: Reader) -> bytes:
    at, spare = reader.offset, reader.read_rest()
    if spare.strip(b"\0") or len(spare) > len(RSA_SPARE_BYTES):
        raise Malformed("key: bytes left over", at)
    return spare


def _encode_integers(key_type: str, integers: tuple[int, ...], spare: bytes) -> bytes:
    writer = _begin(key_type)
    for integer in integers:
        writer.write_counted(integer.to_bytes(integer.bit_length() // 8 + 1, signed=True))
    writer.write_bytes(spare)
    return writer.finish()


def _begin(key_type: str) -> Writer:
    writer = Writer()
    writer.write_text(key_type)
    writer.write_u16(0)
    return writer
