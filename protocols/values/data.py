"""The table of predefined types: what the data of a value means, by the value's type.

A type that is not in the table is free: any bytes, text as a rule (RFC 3651 §3.2).
"""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from protocols.errors import Malformed
from protocols.values.admin import Admin, decode_admin, encode_admin
from protocols.values.jwk import key_from_jwk_text
from protocols.values.keys import JwkKey, PemKey, PublicKey, decode_public_key, encode_public_key
from protocols.values.secret import decode_secret, encode_secret
from protocols.values.site import Site, decode_site, encode_site
from protocols.values.text import decode_text, encode_text
from protocols.values.value import Reference
from protocols.values.vlist import decode_vlist, encode_vlist

D = TypeVar("D")

_PRIVATE_PEM = "PRIVATE KEY-----"
"""In the first line of every kind of private key, encrypted ones too."""


class DataType(NamedTuple, Generic[D]):
    """What one predefined type's data is and how it becomes bytes."""

    format: str
    """Name of its form in the JSON API."""
    decode: Callable[[bytes], D]
    encode: Callable[[D], bytes]


AnyDataType = (
    DataType[Admin]
    | DataType[Sequence[Reference]]
    | DataType[Site]
    | DataType[PublicKey]
    | DataType[bytes]
    | DataType[str]
)

TEXT_FORMAT = "string"
"""Of text and secrets; the data of every other format has a structure that other programs rely on."""


def _decode_key(data: bytes) -> PublicKey:
    """Text is looked into as well: a private key has no place in a record, and is soon read by everybody."""
    key = decode_public_key(data)
    if isinstance(key, JwkKey):
        key_from_jwk_text(key.text)
    if isinstance(key, PemKey) and _PRIVATE_PEM in key.pem:
        raise Malformed("key: this is a private key; store the public key only")
    return key


_ADMIN = DataType("admin", decode_admin, encode_admin)
_VLIST: DataType[Sequence[Reference]] = DataType("vlist", decode_vlist, encode_vlist)
_SITE = DataType("site", decode_site, encode_site)
_KEY = DataType("key", _decode_key, encode_public_key)
_SECRET = DataType(TEXT_FORMAT, decode_secret, encode_secret)
_TEXT = DataType(TEXT_FORMAT, decode_text, encode_text)

TYPES: dict[str, AnyDataType] = {
    "HS_ADMIN": _ADMIN,
    "HS_VLIST": _VLIST,
    "HS_SITE": _SITE,
    "HS_SITE.6": _SITE,
    "HS_SITE.PREFIX": _SITE,
    "HS_NA_DELEGATE": _SITE,  # the old name of HS_SITE.PREFIX
    "HS_PUBKEY": _KEY,
    "HS_SECKEY": _SECRET,
    "HS_SERV": _TEXT,
    "HS_SERV.PREFIX": _TEXT,
    "HS_ALIAS": _TEXT,
    "HS_NAMESPACE": _TEXT,
    "HS_SIGNATURE": _TEXT,
    "HS_CERT": _TEXT,
    "10320/LOC": _TEXT,
    "URL": _TEXT,
    "EMAIL": _TEXT,
    "DESC": _TEXT,
}
"""By upper-case type name."""


def data_type_of(type_: str) -> AnyDataType | None:
    """The table's entry for a value type in any case, None for a free type."""
    return TYPES.get(type_.upper())
