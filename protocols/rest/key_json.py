"""Public keys as JSON: RSA, DSA, EC and Ed25519 as a JWK (``format`` ``key``), the other kinds as PEM text or base64.

RSA and DSA are kept as the classic blob, EC and Ed25519 as the text of the JWK; text that was written in another way
(with spaces, with more members) is told as the text it is, so that nothing is lost.
"""

from collections.abc import Callable

from protocols.errors import ProtocolError
from protocols.rest.json_reader import JsonReader
from protocols.rest.plain_json import PLAIN_FORMATS, binary_to_json, plain_to_json
from protocols.values.jwk import (
    JsonKey,
    jwk_text,
    key_from_jwk,
    key_from_jwk_text,
    key_to_jwk,
)
from protocols.values.keys import (
    BARE_PEM,
    DsaKey,
    JwkKey,
    PemKey,
    PublicKey,
    RsaKey,
    decode_public_key,
    encode_public_key,
)

_MAX_FORMAT_BYTES = 16


def key_data_to_json(data: bytes) -> dict[str, object]:
    """The ``data`` object of HS_PUBKEY data, whatever it holds."""
    try:
        key: PublicKey | JsonKey = decode_public_key(data)
        if isinstance(key, JwkKey):
            key = key_from_jwk_text(key.text)
            if jwk_text(key).encode() != data:
                return plain_to_json(data)
    except ProtocolError:
        return plain_to_json(data)
    if isinstance(key, PemKey) and key.key_type == BARE_PEM:
        return plain_to_json(data)
    jwk = key_to_jwk(key)
    return binary_to_json(data) if jwk is None else {"format": "key", "value": jwk}


def read_jwk(reader: JsonReader) -> bytes:
    """A JWK as HS_PUBKEY data."""
    jwk = reader.value
    if not isinstance(jwk, dict):
        reader.refuse("a JSON Web Key (an object) expected")
    try:
        key = key_from_jwk(jwk)
    except ProtocolError as error:
        raise reader.locate(error) from None
    return encode_public_key(key if isinstance(key, RsaKey | DsaKey) else JwkKey(jwk_text(key)))


KEY_FORMATS: dict[str, Callable[[JsonReader], bytes]] = {"key": read_jwk, **PLAIN_FORMATS}
"""How a key may be given."""


def read_key_data(reader: JsonReader) -> bytes:
    """The inverse of ``key_data_to_json``; text alone (PEM) is understood too."""
    if not reader.is_object:
        return PLAIN_FORMATS["string"](reader)
    return read_formatted(reader, KEY_FORMATS)


def read_formatted(reader: JsonReader, formats: dict[str, Callable[[JsonReader], bytes]]) -> bytes:
    """``{"format": …, "value": …}`` by one of ``formats``."""
    format_ = reader.need("format")
    read = formats.get(format_.read_text(_MAX_FORMAT_BYTES))
    if read is None:
        format_.refuse(f"one of {', '.join(formats)} expected")
    return read(reader.need("value"))
