"""How values look in JSON (Handle.Net manual, JSON API)."""

import re

from conformance.check import Need, check
from conformance.clock import now_s
from conformance.http_api import (
    API,
    PYHANDLE,
    Json,
    as_object,
    as_objects,
    created,
    expect_told,
    get,
    put,
    record,
    text_value,
    value_of,
)
from conformance.outcome import expect, expect_equal
from conformance.visit import Visit
from protocols.rest.key_json import key_data_to_json
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import TTL_ABSOLUTE, Reference, Value
from protocols.values.vlist import encode_vlist

READ = (Need.HTTP, Need.ADMIN)
WRITE = (*READ, Need.SECRET)
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _told(visit: Visit, value: Value) -> Json:
    """``value``, registered and read back."""
    return value_of(get(visit, visit.make(value)), value.index)


def _stored(visit: Visit, value: Json) -> Json:
    """``value``, written over HTTP and read back."""
    index = value["index"]
    assert isinstance(index, int)
    return value_of(get(visit, created(visit, value)), index)


@check("http.values.string", API, *READ)
def text_is_a_string(visit: Visit) -> None:
    """Data that is text has format string."""
    came = _told(visit, Value(1, "URL", b"https://example.org/"))
    expect_equal("data", {"format": "string", "value": "https://example.org/"}, came.get("data"))


@check("http.values.unicode", "RFC 8259 §8.1", *READ)
def text_is_unicode(visit: Visit) -> None:
    """Any UTF-8 text comes back as it is, quotes and control characters too."""
    text = '标识 "é" \\ 😀 \t\n'
    came = _told(visit, Value(1, "DESC", text.encode()))
    expect_equal("data", {"format": "string", "value": text}, came.get("data"))


@check("http.values.empty", API, *READ)
def data_may_be_empty(visit: Visit) -> None:
    """A value without data has an empty string."""
    expect_equal(
        "data", {"format": "string", "value": ""}, _told(visit, Value(1, "DESC", b"")).get("data")
    )


@check("http.values.base64", API, *READ)
def bytes_are_base64(visit: Visit) -> None:
    """Data that is not UTF-8 has format base64."""
    came = _told(visit, Value(1, "DATA", bytes([0xFF, 0xFE, 0x00, 0x80])))
    expect_equal("data", {"format": "base64", "value": "//4AgA=="}, came.get("data"))


@check("http.values.admin", API, *READ)
def administrators_have_a_form(visit: Visit) -> None:
    """HS_ADMIN has format admin with handle, index and permissions."""
    who = visit.administrator
    came = as_object(value_of(get(visit, visit.make()), 100).get("data"))
    expect_equal("format", "admin", came.get("format"))
    value = as_object(came.get("value"))
    expect_equal("handle", who.handle.decode(), value.get("handle"))
    expect_equal("index", str(who.index), str(value.get("index")))
    permissions = str(value.get("permissions"))
    expect(re.fullmatch("1{10,12}", permissions), "all permissions, as digits", permissions)


@check("http.values.vlist", API, *READ)
def lists_have_a_form(visit: Visit) -> None:
    """HS_VLIST has format vlist with an array of handle and index."""
    members = [Reference("0.NA/88.118", 300), Reference("88.118/somebody", 7)]
    came = _told(visit, Value(200, "HS_VLIST", encode_vlist(members))).get("data")
    expected = [{"handle": member.handle, "index": member.index} for member in members]
    expect_equal("data", {"format": "vlist", "value": expected}, came)


@check("http.values.site", API, *READ)
def sites_have_a_form(visit: Visit) -> None:
    """HS_SITE has format site with servers, their addresses and interfaces."""
    site = Site((Server(1, "192.0.2.7", (Interface(TCP, 2641),)),), serial=5)
    data = as_object(_told(visit, Value(1, "HS_SITE", encode_site(site))).get("data"))
    expect_equal("format", "site", data.get("format"))
    servers = as_objects(as_object(data.get("value")).get("servers")) or [{}]
    expect_equal("address", "192.0.2.7", servers[0].get("address"))
    interfaces = as_objects(servers[0].get("interfaces")) or [{}]
    expect_equal("port", 2641, interfaces[0].get("port"))


@check("http.values.key", API, *READ)
def keys_have_a_form(visit: Visit) -> None:
    """HS_PUBKEY has format key with a JSON Web Key (RFC 7517)."""
    key = visit.somebody_with_key().key
    assert key is not None
    data = encode_public_key(key_from_object(key.public_key()))
    expected = key_data_to_json(data)["value"]
    came = as_object(_told(visit, Value(300, "HS_PUBKEY", data)).get("data"))
    value = as_object(came.get("value"))
    assert isinstance(expected, dict)
    for member in ("kty", "n", "e"):
        expect_equal(member, expected[member], value.get(member))


@check("http.values.permissions-usual", API, *READ)
def usual_permissions_are_left_out(visit: Visit) -> None:
    """permissions is left out when it is the usual 1110."""
    came = _told(visit, Value(1, "URL", b"https://example.org/"))
    expect("permissions" not in came, "no permissions", came)


@check("http.values.permissions", API, *READ)
def other_permissions_are_told(visit: Visit) -> None:
    """Other permissions are four digits: admin read, admin write, public read, public write."""
    came = _told(visit, Value(1, "URL", b"https://example.org/", permissions=0b0110))
    expect_equal("permissions", "0110", came.get("permissions"))


@check("http.values.ttl-relative", API, *READ)
def a_ttl_is_seconds(visit: Visit) -> None:
    """A time to live is a number of seconds."""
    came = _told(visit, Value(1, "URL", b"https://example.org/", ttl=3600))
    expect_equal("ttl", 3600, came.get("ttl"))


@check("http.values.ttl-absolute", API, *READ)
def a_ttl_may_be_a_date(visit: Visit) -> None:
    """A time to live that ends at a fixed time is a date."""
    value = Value(1, "URL", b"https://example.org/", 2_000_000_000, TTL_ABSOLUTE)
    expect_equal("ttl", "2033-05-18T03:33:20Z", _told(visit, value).get("ttl"))


@check("http.values.timestamp", API, *READ)
def timestamps_are_dates(visit: Visit) -> None:
    """timestamp is YYYY-MM-DDTHH:MM:SSZ."""
    came = _told(visit, Value(1, "URL", b"https://example.org/", timestamp=1_000_000_000))
    stamp = came.get("timestamp")
    expect(isinstance(stamp, str) and DATE.fullmatch(stamp), "a date", stamp)


@check("http.values.timestamp-set", PYHANDLE, *WRITE)
def the_node_sets_timestamps(visit: Visit) -> None:
    """A value written without a timestamp gets the present time."""
    stamp = _stored(visit, text_value(1, "https://example.org/")).get("timestamp")
    expect(isinstance(stamp, str) and DATE.fullmatch(stamp), "a date", stamp)
    year = int(str(stamp)[:4])
    expect(abs(year - (1970 + now_s() / 31_556_952)) < 1.5, "the present year", stamp)


@check("http.values.references", API, *READ)
def references_are_told(visit: Visit) -> None:
    """References are an array of handle and index; without any the member is left out."""
    pointing = Value(1, "URL", b"https://example.org/", references=(Reference("88.118/a", 3),))
    came = _told(visit, pointing).get("references")
    expect_equal("references", [{"handle": "88.118/a", "index": 3}], came)
    plain = _told(visit, Value(1, "URL", b"https://example.org/"))
    expect("references" not in plain, "no references", plain)


@check("http.values.write-base64", API, *WRITE)
def base64_is_read(visit: Visit) -> None:
    """Data written with format base64 are these bytes."""
    data = {"format": "base64", "value": "//4AgA=="}
    expect_equal(
        "data", data, _stored(visit, {"index": 1, "type": "DATA", "data": data}).get("data")
    )


@check("http.values.write-hex", API, *WRITE)
def hex_is_read(visit: Visit) -> None:
    """Data written with format hex are these bytes."""
    data = {"format": "hex", "value": "6162C3A9"}
    came = _stored(visit, {"index": 1, "type": "DATA", "data": data}).get("data")
    expect_equal("data", {"format": "string", "value": "abé"}, came)


@check("http.values.write-bare-string", PYHANDLE, *WRITE)
def bare_strings_are_read(visit: Visit) -> None:
    """A bare string in data stands for format string, and comes back as an object."""
    came = _stored(visit, {"index": 1, "type": "URL", "data": "https://example.org/"})
    expect_equal("data", {"format": "string", "value": "https://example.org/"}, came.get("data"))


@check("http.values.write-ttl-and-permissions", API, *WRITE)
def all_members_are_read(visit: Visit) -> None:
    """ttl, permissions and references that are written come back."""
    more: Json = {
        "ttl": 77,
        "permissions": "0110",
        "references": [{"handle": "88.118/a", "index": 3}],
    }
    came = _stored(visit, text_value(1, "https://example.org/") | more)
    for member, value in more.items():
        expect_equal(member, value, came.get(member))


@check("http.values.write-admin-index-as-text", API, *WRITE)
def admin_indexes_may_be_text(visit: Visit) -> None:
    """The index in an HS_ADMIN may be written as a numeric string."""
    who = visit.administrator
    value = {"handle": who.handle.decode(), "index": str(who.index), "permissions": "011111110011"}
    data = {"format": "admin", "value": value}
    came = _stored(visit, {"index": 101, "type": "HS_ADMIN", "data": data}).get("data")
    told = as_object(as_object(came).get("value"))
    expect_equal("index", who.index, told.get("index"))


@check("http.values.write-ttl-date", API, *WRITE)
def ttl_dates_are_read(visit: Visit) -> None:
    """A time to live that is written as a date is that moment."""
    value = text_value(1, "https://example.org/") | {"ttl": "2033-05-18T03:33:20Z"}
    expect_equal("ttl", "2033-05-18T03:33:20Z", _stored(visit, value).get("ttl"))


@check("http.values.write-admin-permissions", API, *WRITE)
def admin_permissions_may_be_a_number(visit: Visit) -> None:
    """The permissions in an HS_ADMIN may be written as a number; digits come back, the highest bit first."""
    who = visit.administrator
    value = {"handle": who.handle.decode(), "index": who.index, "permissions": 0b0000_0101_0011}
    data = {"format": "admin", "value": value}
    came = _stored(visit, {"index": 101, "type": "HS_ADMIN", "data": data}).get("data")
    told = str(as_object(as_object(came).get("value")).get("permissions"))
    expect_equal("permissions", "1010011", told.lstrip("0"))


@check("http.values.bad-data", API, *WRITE)
def unreadable_data_is_refused(visit: Visit) -> None:
    """Data that are not what their format says are refused with 400, and nothing is stored."""
    name = visit.new_name()
    bad = {"index": 1, "type": "DATA", "data": {"format": "base64", "value": "***"}}
    expect_told(put(visit, name, record(visit, bad)), 400, 4, 202)
    expect_told(get(visit, name), 404, 100)
