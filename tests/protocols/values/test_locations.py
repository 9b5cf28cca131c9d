"""10320/loc and HS_NAMESPACE: what is read of them, and what registered XML cannot do here."""

import contextlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import Malformed, ProtocolError, TooLarge
from protocols.values.locations import MAX_LOCATIONS, decode_locations, is_locations_type
from protocols.values.namespace import decode_namespace
from protocols.values.plain_xml import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_XML_BYTES,
    read_xml,
)

DOCUMENT = """<?xml version="1.0" encoding="gb2312"?>
<!-- two shops -->
<locations chooseby=" locatt, Country ,weighted,">
  <location id="0" href=" https://a.cn/产品?x=1&amp;y=2 " weight="0.5" country="cn"/>
  <LOCATION HREF="https://b.cn/" Weight="3" http_role="conneg"><note/></LOCATION>
  <location weight="9"/>
  <other href="https://c.cn/"/>
</locations>"""


def test_locations_are_read_with_their_attributes_and_steps():
    read = decode_locations(b"\xef\xbb\xbf" + DOCUMENT.encode())
    assert [(one.href, one.weight) for one in read.locations] == [
        ("https://a.cn/产品?x=1&y=2", 0.5),
        ("https://b.cn/", 3.0),
    ]
    assert read.locations[0].attributes == {"id": "0", "weight": "0.5", "country": "cn"}
    assert read.locations[1].attributes["http_role"] == "conneg"
    assert read.steps == ("locatt", "country", "weighted")
    assert read.has_urls


def test_a_document_that_says_nothing_leaves_the_steps_to_the_reader():
    read = decode_locations(b"<locations/>")
    assert (read.locations, read.steps, read.has_urls) == ((), (), True)
    assert decode_locations(b'<locations choose_by="score" no_legacy="TRUE"/>')[1:] == (
        ("score",),
        False,
    )


@pytest.mark.parametrize(
    ("text", "weight"),
    [("2", 2.0), ("0", 0.0), ("-1", 0.0), ("nan", 0.0), ("inf", 0.0), ("x", 0.0), ("1e400", 0.0), ("", 0.0)],
)  # fmt: skip
def test_a_weight_is_a_number_from_nought_up(text, weight):
    (one,) = decode_locations(
        f'<locations><location href="x" weight="{text}"/></locations>'.encode()
    )[0]
    assert one.weight == weight


LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12))
    + b"]><locations><location href='&m;'/></locations>"
)
HOSTILE = {
    "billion laughs": LAUGHS,
    "external entity": b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><locations a="&x;"/>',
    "external subset": b'<!DOCTYPE l SYSTEM "http://evil.cn/x.dtd"><locations/>',
    "public subset": b'<!DOCTYPE l PUBLIC "-//X//EN" "http://evil.cn/x.dtd"><locations/>',
    "parameter entity": b'<!DOCTYPE l [<!ENTITY % p SYSTEM "http://evil.cn/x"> %p;]><locations/>',
    "a document type alone": b"<!DOCTYPE locations><locations/>",
    "an undeclared entity": b'<locations><location href="&x;"/></locations>',
    "too deep": b"<locations>" + b"<a>" * MAX_DEPTH,
    "too many elements": b"<locations>" + b"<a/>" * MAX_ELEMENTS + b"</locations>",
    "too many locations": b"<locations>" + b'<location href="x"/>' * (MAX_LOCATIONS + 1) + b"</locations>",
    "too many attributes": b"<locations " + b" ".join(b'a%d=""' % n for n in range(MAX_ATTRIBUTES + 1)) + b"/>",
    "too long": b"<locations>" + b" " * MAX_XML_BYTES + b"</locations>",
    "the same attribute twice": b'<locations a="1" a="2"/>',
    "another document": b"<html/>",
    "not UTF-8": b"<locations a='\xff'/>",
    "UTF-16": "<locations/>".encode("utf-16"),
    "never closed": b"<locations>",
    "nothing": b"",
    "two documents": b"<locations/><locations/>",
    "a zero byte": b"<locations>\0</locations>",
}  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_xml_is_refused_in_little_memory(data):
    tracemalloc.start()
    try:
        with pytest.raises((Malformed, TooLarge)):
            decode_locations(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@settings(max_examples=150)
@given(
    st.binary(max_size=200)
    | st.binary(max_size=80).map(lambda b: b"<locations>" + b + b"</locations>")
)
def test_any_bytes_are_read_or_refused(data):
    for decode in (decode_locations, decode_namespace, lambda data: read_xml(data, "x")):
        with contextlib.suppress(ProtocolError):
            decode(data)


@pytest.mark.parametrize(
    ("type_", "expected"),
    [("10320/loc", True), ("10320/LOC", True), ("10320/loc.x", True), ("10320/locs", False), ("URL", False)],
)  # fmt: skip
def test_locations_have_their_type_or_a_subtype(type_, expected):
    assert is_locations_type(type_) is expected


@pytest.mark.parametrize(
    ("document", "is_active", "message"),
    [
        ("<namespace/>", True, ""),
        ("<namespace><status>active</status></namespace>", True, ""),
        ("<namespace><status> Inactive </status><statusmsg>迁到 <b/>88.2</statusmsg></namespace>", False, "迁到 88.2"),
        ("<namespace><contact><status>inactive</status></contact></namespace>", True, ""),
    ],
)  # fmt: skip
def test_a_namespace_says_whether_it_is_in_use(document, is_active, message):
    assert decode_namespace(document.encode()) == (is_active, message)
