"""Values as JSON."""

import base64
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, ProtocolError, TooLarge
from protocols.rest.json_reader import JsonReader, parse_json
from protocols.rest.value_json import (
    read_value_json,
    read_values_json,
    value_to_json,
    values_to_json,
)
from protocols.values.admin import ALL_PERMISSIONS, Admin, decode_admin, encode_admin
from protocols.values.keys import DhKey, PemKey, decode_public_key, encode_public_key
from protocols.values.site import MULTI_PRIMARY, PRIMARY, Interface, decode_site, encode_site
from protocols.values.value import (
    DEFAULT_TTL_S,
    MAX_DATA_BYTES,
    SECRET_PERMISSIONS,
    TTL_ABSOLUTE,
    Reference,
    Value,
)
from protocols.values.value_list import MAX_VALUES
from protocols.values.vlist import decode_vlist, encode_vlist
from tests.protocols import strategies
from tests.protocols.values.vectors import vector_bytes

URL = Value(1, "URL", b"https://example.org/a", timestamp=0x68A00000)


P256_JWK = (
    b'{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",'
    b'"y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}'
)


def through_json(document: object) -> JsonReader:
    return parse_json(orjson.dumps(document))


def read(**changes: object) -> Value:
    """A good value's JSON, with members replaced; ``...`` leaves one out."""
    document = {"index": 1, "type": "URL", "data": {"format": "string", "value": "x"}} | changes
    return read_value_json(
        through_json({name: member for name, member in document.items() if member is not ...})
    )


def refused_field(**changes: object) -> str:
    with pytest.raises(ProtocolError) as caught:
        read(**changes)
    assert caught.value.reason.startswith(f"{caught.value.field}: ")
    return caught.value.field


# the whole value


def test_a_plain_value_has_the_documented_members_in_order():
    assert orjson.dumps(value_to_json(URL)) == (
        b'{"index":1,"type":"URL","data":{"format":"string","value":"https://example.org/a"},'
        b'"ttl":86400,"timestamp":"2025-08-16T03:50:24Z"}'
    )


def test_members_with_usual_content_are_left_out():
    document = value_to_json(Value(1, "URL", b""))
    assert set(document) == {"index", "type", "data", "ttl"}


def test_members_with_unusual_content_are_written():
    value = Value(
        300, "HS_SECKEY", b"s3cret", 0x68A00000, TTL_ABSOLUTE, SECRET_PERMISSIONS, 0, (Reference("a/b", 7),)
    )  # fmt: skip
    assert value_to_json(value) == {
        "index": 300,
        "type": "HS_SECKEY",
        "data": {"format": "string", "value": "s3cret"},
        "ttl": "2025-08-16T03:50:24Z",
        "permissions": "1100",
        "references": [{"handle": "a/b", "index": 7}],
    }


@given(strategies.values())
def test_any_value_comes_back_from_its_json(value):
    assert read_value_json(through_json(value_to_json(value))) == without_spares(value)


@given(st.lists(strategies.values(), max_size=4).map(tuple))
def test_any_list_of_values_comes_back_from_its_json(values):
    assert read_values_json(through_json(values_to_json(values))) == tuple(
        map(without_spares, values)
    )


def without_spares(value: Value) -> Value:
    """JSON tells the meaning of an administrator, not the two zero bytes old servers wrote behind it."""
    if value.type.upper() == "HS_ADMIN":
        with suppress(ProtocolError):
            return value._replace(data=encode_admin(decode_admin(value.data)._replace(spare=b"")))
    return value


def test_missing_members_get_their_defaults():
    assert read() == Value(1, "URL", b"x", DEFAULT_TTL_S)
    assert read(ttl=None, timestamp=None, permissions=None, references=None) == read()


def test_unknown_members_are_ignored():
    assert read(parsed_data={"a": [1]}, comment="hello") == read()


@pytest.mark.parametrize("member", ["index", "type", "data"])
def test_a_value_without_an_essential_member_is_refused_by_name(member):
    assert refused_field(**{member: ...}) == member
    assert refused_field(**{member: None}) == member


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"index": 0}, "index"),
        ({"index": -1}, "index"),
        ({"index": 2**31}, "index"),
        ({"index": 1.5}, "index"),
        ({"index": True}, "index"),
        ({"index": "one"}, "index"),
        ({"type": ""}, "type"),
        ({"type": 5}, "type"),
        ({"type": "x" * 257}, "type"),
        ({"data": 5}, "data"),
        ({"data": []}, "data"),
        ({"data": {}}, "data.format"),
        ({"data": {"format": "string"}}, "data.value"),
        ({"data": {"format": "rot13", "value": "x"}}, "data.format"),
        ({"data": {"format": 5, "value": "x"}}, "data.format"),
        ({"data": {"format": "string", "value": 5}}, "data.value"),
        ({"data": {"format": "base64", "value": "AQ"}}, "data.value"),
        ({"data": {"format": "base64", "value": "AQ==x"}}, "data.value"),
        ({"data": {"format": "base64", "value": "é==="}}, "data.value"),
        ({"data": {"format": "hex", "value": "0"}}, "data.value"),
        ({"data": {"format": "hex", "value": "0 1 "}}, "data.value"),
        ({"data": {"format": "hex", "value": "gg"}}, "data.value"),
        ({"ttl": -1}, "ttl"),
        ({"ttl": 2**32}, "ttl"),
        ({"ttl": "tomorrow"}, "ttl"),
        ({"ttl": []}, "ttl"),
        ({"timestamp": 5}, "timestamp"),
        ({"timestamp": "2025-08-16"}, "timestamp"),
        ({"timestamp": "x" * 65}, "timestamp"),
        ({"permissions": "111"}, "permissions"),
        ({"permissions": "11102"}, "permissions"),
        ({"permissions": "111x"}, "permissions"),
        ({"permissions": 14}, "permissions"),
        ({"references": {}}, "references"),
        ({"references": [5]}, "references[0]"),
        ({"references": [{"handle": "a/b"}]}, "references[0].index"),
        ({"references": [{"handle": "a/b", "index": 1}, {"index": 1}]}, "references[1].handle"),
        ({"references": [{"handle": "a/b", "index": 1}] * 257}, "references"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(changes, field):
    assert refused_field(**changes) == field


def test_a_refusal_inside_a_list_names_the_value():
    good = {"index": 1, "type": "URL", "data": "x"}
    bad = {"index": 2, "type": "URL", "data": {"format": "string", "value": []}}
    with pytest.raises(Malformed) as caught:
        read_values_json(through_json({"values": [good, good, bad]}).need("values"))
    assert caught.value.field == "values[2].data.value"
    assert caught.value.reason == "values[2].data.value: a string expected"


def test_the_number_of_values_is_bounded():
    good = {"index": 1, "type": "URL", "data": "x"}
    assert len(read_values_json(through_json([good] * MAX_VALUES))) == MAX_VALUES
    with pytest.raises(TooLarge):
        read_values_json(through_json([good] * (MAX_VALUES + 1)))


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 2**40) | st.floats(allow_nan=False)
                    | st.sampled_from(["1", "URL", "admin", "string", "key", "site", "RSA", "*"]),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["index", "type", "data", "format", "value", "ttl", "permissions",
                                         "handle", "kty", "n", "servers", "references"]), inner, max_size=6),
                    max_leaves=12))  # fmt: skip
def test_any_json_for_a_value_raises_only_protocol_errors(document):
    with suppress(ProtocolError):
        read_value_json(JsonReader(document))


@given(strategies.values(), st.integers(0), st.binary(min_size=1, max_size=3))
def test_damaged_json_raises_only_protocol_errors(value, at, replacement):
    body = orjson.dumps(value_to_json(value))
    at %= len(body)
    with suppress(ProtocolError):
        read_value_json(parse_json(body[:at] + replacement + body[at + len(replacement) :]))


# index, TTL, permissions


def test_digits_are_a_number():
    assert read(index="7").index == 7
    assert read(ttl="60").ttl == 60


@pytest.mark.parametrize("bits", range(16))
def test_permissions_are_four_digits_the_first_for_admin_read(bits):
    assert read(permissions=format(bits, "04b")).permissions == bits


def test_the_first_permission_digit_is_not_lost():
    assert read(permissions="1000").permissions == 8


def test_a_date_as_ttl_is_absolute():
    value = read(ttl="2025-08-16T03:50:24Z")
    assert (value.ttl_type, value.ttl) == (TTL_ABSOLUTE, 0x68A00000)


# plain data


def test_a_bare_string_is_data():
    assert read(data="标识").data == "标识".encode()


def test_bytes_that_are_not_text_become_base64():
    document = value_to_json(Value(1, "URL", b"\xff\0"))
    assert document["data"] == {"format": "base64", "value": "/wA="}


def test_hex_is_understood_in_both_cases():
    assert read(data={"format": "hex", "value": "00fFAb"}).data == b"\0\xff\xab"


@pytest.mark.parametrize("size", [MAX_DATA_BYTES, MAX_DATA_BYTES - 1, MAX_DATA_BYTES + 1])
@pytest.mark.parametrize("format_", ["string", "base64", "hex", None])
def test_data_is_bounded_in_every_format(format_, size):
    raw = b"a" * size
    text = {"base64": base64.b64encode(raw).decode(), "hex": raw.hex()}.get(format_, raw.decode())
    data = text if format_ is None else {"format": format_, "value": text}
    if size <= MAX_DATA_BYTES:
        assert read(data=data).data == raw
    else:
        with pytest.raises(TooLarge) as caught:
            read(data=data)
        assert caught.value.field == ("data" if format_ is None else "data.value")


# HS_ADMIN


def read_admin(permissions: object) -> int:
    value = {"handle": "0.NA/88.118", "index": 200, "permissions": permissions}
    return decode_admin(
        read(type="HS_ADMIN", data={"format": "admin", "value": value}).data
    ).permissions


def test_an_administrator_as_json():
    data = encode_admin(Admin("0.NA/88.118", 200, 0x7F3))
    assert value_to_json(Value(100, "HS_ADMIN", data))["data"] == {
        "format": "admin",
        "value": {"handle": "0.NA/88.118", "index": 200, "permissions": "011111110011"},
    }


@pytest.mark.parametrize(
    ("permissions", "bits"),
    [
        ("011111110011", 0x7F3),
        ("1", 1),
        ("*", ALL_PERMISSIONS),
        (True, ALL_PERMISSIONS),
        (False, 0),
        (0x7F3, 0x7F3),
        ([], 0),
        (["add_handle", "Delete-Handle", "LIST HANDLES"], 0x803),
        (["ADD_NA"], 4),
    ],
)
def test_admin_permissions_may_be_written_in_many_ways(permissions, bits):
    assert read_admin(permissions) == bits


@pytest.mark.parametrize(
    "permissions", ["", "2", "all", 65536, -1, 1.5, ["fly"], [1], {}, ["add_handle"] * 65]
)
def test_other_admin_permissions_are_refused(permissions):
    with pytest.raises(ProtocolError) as caught:
        read_admin(permissions)
    assert caught.value.field.startswith("data.value.permissions")


def test_an_administrator_without_index_is_refused_because_0_would_mean_any():
    value = {"handle": "0.NA/88.118", "permissions": "*"}
    assert refused_field(data={"format": "admin", "value": value}) == "data.value.index"
    value = {"handle": "x" * 2049, "index": "300", "permissions": "*"}
    assert refused_field(data={"format": "admin", "value": value}) == "data.value.handle"


@given(strategies.admins)
def test_bytes_json_and_bytes_of_an_administrator(admin):
    plain = admin._replace(spare=b"")
    value = Value(100, "HS_ADMIN", encode_admin(admin))
    assert value_to_json(value)["data"]["format"] == "admin"
    assert decode_admin(read_value_json(through_json(value_to_json(value))).data) == plain


@pytest.mark.parametrize("type_", ["HS_ADMIN", "HS_VLIST", "HS_SITE"])
def test_data_that_is_not_what_its_type_promises_is_still_written(type_):
    document = value_to_json(Value(100, type_, b"nonsense"))
    assert document["data"] == {"format": "base64", "value": base64.b64encode(b"nonsense").decode()}


# HS_VLIST


@given(strategies.vlists)
def test_bytes_json_and_bytes_of_a_group(members):
    value = Value(200, "HS_VLIST", encode_vlist(members))
    document = value_to_json(value)
    assert document["data"] == {
        "format": "vlist",
        "value": [{"handle": handle, "index": index} for handle, index in members],
    }
    assert decode_vlist(read_value_json(through_json(document)).data) == members


@pytest.mark.parametrize(
    ("value", "field"),
    [({}, "data.value"), ([{"handle": "a"}], "data.value[0].index"), ([5], "data.value[0]"),
     ([{"handle": "a", "index": 1}] * 2049, "data.value")],
)  # fmt: skip
def test_what_is_wrong_with_a_group_is_named(value, field):
    assert refused_field(data={"format": "vlist", "value": value}) == field


# HS_PUBKEY


def test_an_rsa_key_is_written_as_jwk_and_comes_back_to_its_bytes():
    value = Value(300, "HS_PUBKEY", vector_bytes("data_hs_pubkey_rsa"))
    document = value_to_json(value)
    assert (document["data"]["format"], document["data"]["value"]["kty"]) == ("key", "RSA")
    assert read_value_json(through_json(document)) == value


@given(strategies.keys)
def test_bytes_json_and_bytes_of_a_key(key):
    value = Value(300, "HS_PUBKEY", encode_public_key(key))
    back = decode_public_key(read_value_json(through_json(value_to_json(value))).data)
    if value_to_json(value)["data"]["format"] == "key":
        back, key = (
            one._replace(spare=b"") if hasattr(one, "spare") else one for one in (back, key)
        )
    assert back == key


def test_pem_text_is_written_as_text_and_other_kinds_as_base64():
    assert value_to_json(Value(300, "HS_PUBKEY", b"-----BEGIN X"))["data"]["format"] == "string"
    for key in (DhKey(1, 2, 3), PemKey("-----BEGIN X", "SM2_PUB_KEY")):
        assert (
            value_to_json(Value(300, "HS_PUBKEY", encode_public_key(key)))["data"]["format"]
            == "base64"
        )


@pytest.mark.parametrize(
    "text",
    [
        b'{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}',
        P256_JWK,
    ],
)
def test_a_curve_key_is_kept_as_the_text_of_its_jwk_and_comes_back(text):
    document = value_to_json(Value(300, "HS_PUBKEY", text))
    assert document["data"] == {"format": "key", "value": orjson.loads(text)}
    assert read_value_json(through_json(document)).data == text


def test_jwk_text_written_in_another_way_is_told_as_the_text_it_is():
    text = b'{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
    document = value_to_json(Value(300, "HS_PUBKEY", text))
    assert document["data"] == {"format": "string", "value": text.decode()}
    assert read_value_json(through_json(document)).data == text


@pytest.mark.parametrize(
    ("jwk", "field"),
    [("RSA", "data.value"), ({}, "data.value.kty"), ({"kty": "EC"}, "data.value.crv"),
     ({"kty": "RSA", "e": "AQAB", "n": "?"}, "data.value.n"),
     ({"kty": "RSA", "e": "AQAB", "n": "AQAB", "d": "AQ"}, "data.value.d")],
)  # fmt: skip
def test_what_is_wrong_with_a_key_is_named(jwk, field):
    assert refused_field(data={"format": "key", "value": jwk}) == field


# HS_SITE


def test_a_site_as_json():
    value = Value(1, "HS_SITE", vector_bytes("data_hs_site"))
    document = value_to_json(value)
    site = document["data"]["value"]
    assert document["data"]["format"] == "site"
    key = site["servers"][0].pop("publicKey")
    assert (key["format"], key["value"]["e"]) == ("key", "AQAB")
    assert site == {
        "version": 1,
        "protocolVersion": "2.11",
        "serialNumber": 1,
        "primarySite": True,
        "multiPrimary": False,
        "attributes": [{"name": "desc", "value": "Test"}],
        "servers": [
            {
                "serverId": 1,
                "address": "127.0.0.1",
                "interfaces": [
                    {"query": True, "admin": True, "protocol": "TCP", "port": 2641},
                    {"query": True, "admin": False, "protocol": "UDP", "port": 2641},
                    {"query": True, "admin": True, "protocol": "HTTP", "port": 8000},
                ],
            }
        ],
    }
    assert read_value_json(through_json(value_to_json(value))) == value


@given(
    strategies.sites(
        flags=st.sampled_from([0, PRIMARY, MULTI_PRIMARY, PRIMARY | MULTI_PRIMARY]),
        public_keys=strategies.short_bytes
        | strategies.keys.filter(lambda key: not hasattr(key, "e")).map(encode_public_key),
    )
)
def test_bytes_json_and_bytes_of_a_site(site):
    value = Value(1, "HS_SITE", encode_site(site))
    document = value_to_json(value)
    assert document["data"]["format"] == "site"
    back = decode_site(read_value_json(through_json(document)).data)
    assert without_key_spares(back) == without_key_spares(site)


def without_key_spares(site):
    def plain(blob: bytes) -> bytes:
        with suppress(ProtocolError):
            key = decode_public_key(blob)
            return encode_public_key(key._replace(spare=b"")) if hasattr(key, "spare") else blob
        return blob

    servers = tuple(server._replace(public_key=plain(server.public_key)) for server in site.servers)
    return site._replace(servers=servers)


def read_site_of(**changes: object):
    server = {
        "serverId": 1,
        "address": "192.0.2.7",
        "interfaces": [{"query": True, "protocol": "tcp", "port": "2641"}],
    }
    site = {"servers": [server | changes.pop("server", {})]} | changes
    return decode_site(read(type="HS_SITE", data={"format": "site", "value": site}).data)


def test_a_site_may_leave_out_what_is_usual():
    site = read_site_of()
    assert (site.major, site.minor, site.serial, site.hash_option, site.flags) == (2, 11, 1, 2, 0)
    assert site.servers[0].interfaces == (Interface(1, 2641, 2),)


@pytest.mark.parametrize(
    ("name", "option"), [("prefix", 0), ("Suffix", 1), ("identifier", 2), (0, 0), ("1", 1)]
)
def test_the_hash_option_may_be_a_word_or_a_number(name, option):
    assert read_site_of(hashOption=name).hash_option == option


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"servers": ...}, "servers"),
        ({"servers": 5}, "servers"),
        ({"version": 2}, "version"),
        ({"protocolVersion": "2"}, "protocolVersion"),
        ({"protocolVersion": "2.256"}, "protocolVersion"),
        ({"protocolVersion": 2.11}, "protocolVersion"),
        ({"serialNumber": 65536}, "serialNumber"),
        ({"primarySite": "yes"}, "primarySite"),
        ({"hashOption": 3}, "hashOption"),
        ({"hashOption": "handles"}, "hashOption"),
        ({"hashFilter": "?"}, "hashFilter"),
        ({"hashFilter": "AAAA" * 400}, "hashFilter"),
        ({"attributes": [{"name": "desc"}]}, "attributes[0].value"),
        ({"attributes": [{"name": "x" * 4097, "value": ""}]}, "attributes[0].name"),
        ({"server": {"address": "localhost"}}, "servers[0].address"),
        ({"server": {"address": "x" * 65}}, "servers[0].address"),
        ({"server": {"address": None}}, "servers[0].address"),
        ({"server": {"serverId": -1}}, "servers[0].serverId"),
        ({"server": {"publicKey": 5}}, "servers[0].publicKey"),
        ({"server": {"publicKey": "k" * 8193}}, "servers[0].publicKey"),
        ({"server": {"publicKey": {"format": "site"}}}, "servers[0].publicKey.format"),
        ({"server": {"publicKey": {"format": "key", "value": {"kty": "RSA"}}}}, "servers[0].publicKey.value.e"),
        ({"server": {"interfaces": [{"protocol": "SCTP", "port": 1}]}}, "servers[0].interfaces[0].protocol"),
        ({"server": {"interfaces": [{"protocol": "TCP", "port": 2**32}]}}, "servers[0].interfaces[0].port"),
        ({"server": {"interfaces": [{"protocol": "TCP", "port": 1, "query": 1}]}}, "servers[0].interfaces[0].query"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_site_is_named(changes, field):
    if changes.get("servers") is ...:
        changes = {"servers": None}
    with pytest.raises(ProtocolError) as caught:
        read_site_of(**changes)
    assert caught.value.field == f"data.value.{field}"


def test_a_site_too_large_for_a_value_is_refused():
    attribute = {"name": "x" * 4000, "value": "y" * 4000}
    with pytest.raises(TooLarge) as caught:
        read_site_of(attributes=[attribute] * 9)
    assert caught.value.field == "data"
