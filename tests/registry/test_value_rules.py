import pytest

from protocols.values.data import TEXT_FORMAT, TYPES
from protocols.values.keys import RsaKey, encode_public_key
from protocols.values.site import Interface, Server, Site, encode_site
from protocols.values.value import TTL_ABSOLUTE, Reference, Value
from registry.value_rules import flaw_of
from tests.registry.desk import admin, group, name, secret, url

SITE = encode_site(Site((Server(1, "127.0.0.1", (Interface(1, 2641),)),)))
KEY = encode_public_key(RsaKey(65537, 2**2047 + 9))

GOOD = {
    "text": url(),
    "text in another encoding": Value(1, "URL", b"\xff"),
    "empty data": url(""),
    "least index": url(index=1),
    "greatest index": url(index=2**31 - 1),
    "longest type": Value(1, "T" * 256, b""),
    "type beyond ASCII": Value(1, "产品名称", b""),
    "most data": Value(1, "BLOB", bytes(65_536)),
    "no TTL": url(ttl=0),
    "longest TTL": url(ttl=2**31 - 1),
    "a date": url(ttl_type=TTL_ABSOLUTE, ttl=2**32 - 1),
    "all permissions": url(permissions=15),
    "no permissions": url(permissions=0),
    "references": url(references=(Reference("88.118/x", 0), Reference("", 2**31 - 1))),
    "administrator": admin(),
    "group": group(("88.118/x", 1)),
    "site": Value(3, "HS_SITE", SITE),
    "key": Value(3, "HS_PUBKEY", KEY),
    "secret": secret(),
    "unknown HS type": Value(3, "HS_FUTURE", b"\0"),
}

BAD = {
    "index 0": (url(index=0), "index", "index 0 is not between 1 and 2147483647"),
    "index beyond i4": (url(index=2**31), "index", "2147483648"),
    "negative index": (url(index=-1), "index", "-1"),
    "no type": (Value(1, "", b"x"), "type", "empty"),
    "type too long": (Value(1, "产" * 86, b"x"), "type", "258 bytes, at most 256"),
    "type with a line break": (Value(1, "URL\n", b"x"), "type", "control character"),
    "type with a C1 control": (Value(1, "A\x85", b"x"), "type", "control character"),
    "type with half a character": (Value(1, "\ud800", b"x"), "type", "UTF-8"),
    "too much data": (Value(1, "BLOB", bytes(65_537)), "data", "65537 bytes of data"),
    "negative TTL": (url(ttl=-1), "ttl", "TTL -1"),
    "TTL beyond i4": (url(ttl=2**31), "ttl", "2147483648"),
    "date beyond u4": (url(ttl_type=1, ttl=2**32), "ttl", "4294967296"),
    "TTL type": (url(ttl_type=2), "ttl", "type 2"),
    "permissions": (url(permissions=16), "permissions", "16"),
    "negative permissions": (url(permissions=-1), "permissions", "-1"),
    "timestamp": (url(timestamp=2**32), "timestamp", "4294967296"),
    "many references": (url(references=(Reference("a", 1),) * 257), "references", "257"),
    "reference": (
        url(references=(Reference("a", 1), Reference("x" * 2049, 1))),
        "references[1].handle",
        "2049 bytes",
    ),
    "reference in half": (url(references=(Reference("\udfff", 1),)), "references[0].handle", "UTF"),
    "reference index": (url(references=(Reference("a", -1),)), "references[0].index", "-1"),
    "administrator": (Value(1, "HS_ADMIN", b"\0"), "data", "not the data of HS_ADMIN"),
    "administrator in lower case": (Value(1, "hs_admin", b"\0"), "data", "hs_admin"),
    "group": (Value(1, "HS_VLIST", b"\0\0\0\1"), "data", "not the data of HS_VLIST"),
    "site": (Value(1, "HS_SITE", SITE + b"\0"), "data", "bytes left over"),
    "IPv6 site": (Value(1, "HS_SITE.6", SITE[:-1]), "data", "HS_SITE.6"),
    "prefix site": (Value(1, "HS_SITE.PREFIX", b""), "data", "HS_SITE.PREFIX"),
    "old prefix site": (Value(1, "HS_NA_DELEGATE", b"\0"), "data", "HS_NA_DELEGATE"),
    "key": (Value(1, "HS_PUBKEY", KEY[:40]), "data", "HS_PUBKEY"),
    "public secret": (Value(1, "HS_SECKEY", b"x"), "permissions", "must not be publicly readable"),
    "public secret in lower case": (Value(1, "hs_seckey", b"x"), "permissions", "secret"),
    "empty secret": (secret(b""), "data", "anybody"),
}


@pytest.mark.parametrize("value", GOOD.values(), ids=GOOD)
def test_a_good_value_has_no_flaw(value):
    assert flaw_of(value) is None


@pytest.mark.parametrize(("value", "field", "words"), BAD.values(), ids=BAD)
def test_a_bad_value_is_named_by_field_and_reason(value, field, words):
    flaw = flaw_of(value)
    assert flaw.field == field
    assert words in flaw.reason


def test_every_type_with_a_format_is_tried():
    tried = {value.type.upper() for value, _, _ in BAD.values()}
    assert {name for name, kind in TYPES.items() if kind.format != TEXT_FORMAT} <= tried


def test_a_value_with_several_flaws_is_named_by_the_first():
    assert flaw_of(name(index=0, ttl=-1)).field == "index"
