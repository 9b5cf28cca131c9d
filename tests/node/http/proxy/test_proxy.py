"""``GET /{handle}`` as the Handle proxies do it: aliases, 10320/loc, namespaces and all parameters, over sockets."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.http.links import to_uri
from node.http.proxy.choosing import Asker
from node.http.proxy.leading import MAX_ALIASES, lead_of
from protocols.errors import ProtocolError
from protocols.message import Operation
from protocols.values.value import Value
from tests.node.http.conftest import make_config, running, url

HTML = {"Accept": "text/html,*/*;q=0.8"}


def loc(*texts, attributes=""):
    body = "".join(f"<location {text}/>" for text in texts)
    return Value(5, "10320/loc", f"<locations {attributes}>{body}</locations>".encode(), ttl=60)


def alias(handle, index=9):
    return Value(index, "HS_ALIAS", handle.encode())


THREE = loc(
    'id="0" href="https://cn.cn/" weight="1"',
    'id="1" href="https://de.de/a?b" weight="0" http="303"',
    'id="json" href="https://j.cn/" weight="0" http_role="conneg" ctype="application/json" http_sc="307"',
)
TABLE = [
    # values, query, headers, status, location
    ((url("https://a.cn/"),), "", {}, 302, "https://a.cn/"),
    ((Value(1, "URL.x", b"https://x.cn/"), url("https://a.cn/", 2)), "", {}, 302, "https://a.cn/"),
    ((url("https://a.cn/p"),), "?urlappend=%2Fq%20r", {}, 302, "https://a.cn/p/q%20r"),
    ((url("https://a.cn"),), "?urlappend=.evil.com", {}, 302, "https://a.cn/.evil.com"),
    ((url("https://a.cn/"),), "?noredirect", {}, 200, None),
    ((url("https://a.cn/"),), "?noredirect=false", {}, 302, "https://a.cn/"),
    ((url("https://a.cn/"),), "?action=showvalues", {}, 200, None),
    ((url("https://a.cn/"),), "?action=unknown", {}, 302, "https://a.cn/"),
    ((url("https://a.cn/"), Value(2, "EMAIL", b"x")), "?type=EMAIL", {}, 200, None),
    ((url("https://a.cn/"), url("https://b.cn/", 2)), "?index=2", {}, 302, "https://b.cn/"),
    ((url("https://a.cn/"),), "?auth&cert", {}, 302, "https://a.cn/"),
    ((url("https://a.cn/"), alias("88.118/other")), "", {}, 301, "/88.118/other"),
    ((url("https://a.cn/"), alias("88.118/other")), "?ignore_aliases", {}, 302, "https://a.cn/"),
    ((url("https://a.cn/"), alias("88.118/other")), "?x=%E4%B8%80&y=a:b", {}, 301, "/88.118/other?x=%E4%B8%80&y=a:b"),
    ((url("https://a.cn/"), alias("88.118/other")), "?noredirect", {}, 200, None),
    ((url("https://a.cn/"), alias("88.118/other")), "?type=URL", {}, 302, "https://a.cn/"),
    ((alias("88.118/产品?#//x"),), "", {}, 301, "/88.118%2F%E4%BA%A7%E5%93%81%3F%23%2F%2Fx"),
    ((alias("//evil.cn/x"),), "", {}, 200, None),
    ((url("https://a.cn/"), Value(9, "HS_ALIAS", b"88.118/\xff")), "", {}, 302, "https://a.cn/"),
    ((THREE, url("https://a.cn/")), "", {}, 302, "https://cn.cn/"),
    ((THREE, url("https://a.cn/")), "?locatt=id:1", {}, 303, "https://de.de/a?b"),
    ((THREE, url("https://a.cn/")), "?locatt=id:1&urlappend=%26c", {}, 303, "https://de.de/a?b&c"),
    ((THREE, url("https://a.cn/")), "?locatt=mode:legacy", {}, 302, "https://a.cn/"),
    ((THREE,), "", {"Accept": "application/json"}, 307, "https://j.cn/"),
    ((THREE,), "", HTML, 302, "https://cn.cn/"),
    ((THREE, url("https://a.cn/")), "?type=URL", {}, 302, "https://a.cn/"),
    ((loc('href="https://a.cn/" http="301"'),), "", {}, 301, "https://a.cn/"),
    ((loc('href="https://a.cn/" http="308"'),), "", {}, 308, "https://a.cn/"),
    ((loc('href="https://a.cn/" http="200"'),), "", {}, 302, "https://a.cn/"),
    ((loc('href="https://a.cn/" http="９99"'),), "", {}, 302, "https://a.cn/"),
    ((loc('href="javascript:alert(1)"'),), "", {}, 200, None),
    ((loc('href="data:text/html,x"', 'href="https://a.cn/" weight="0"'),), "", {}, 302, "https://a.cn/"),
    ((loc('href="https://a.cn/&#13;&#10;Set-Cookie: a=b"'),), "", {}, 200, None),
    ((loc(), url("https://a.cn/")), "", {}, 302, "https://a.cn/"),
    ((loc(attributes='no_legacy="true"'), url("https://a.cn/")), "", {}, 200, None),
    ((Value(5, "10320/loc", b"<locations"), url("https://a.cn/")), "", {}, 302, "https://a.cn/"),
    ((Value(5, "10320/loc", b"<!DOCTYPE l [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><locations><location href='https://a.cn/&x;'/></locations>"),),
     "", {}, 200, None),
    ((Value(5, "10320/LOC.x", b"<locations><location href='https://a.cn/'/></locations>"),), "", {}, 302, "https://a.cn/"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "query", "headers", "status", "location"), TABLE)
async def test_where_a_record_leads(node, values, query, headers, status, location):
    node.put("88.118/1", *values)
    for method in ("GET", "HEAD"):
        response = await node.ask(method, f"/88.118/1{query}", **headers)
        assert (response.status, response.headers.get("location")) == (status, location), method
        assert "Accept" in response.headers["vary"]
        assert "set-cookie" not in response.headers
        if location is not None:
            assert response.headers["expires"]
        if method == "GET" and location is not None:
            assert b"<a href=" in response.body
            assert f"<title>{status}</title>".encode() in response.body


@pytest.mark.parametrize(
    ("query", "field"),
    [("?urlappend=%0d%0aX:y", "urlappend"), ("?urlappend=" + "x" * 4001, "urlappend"), ("?index=x", "index")],
)  # fmt: skip
async def test_a_parameter_that_cannot_be_meant_is_named(node, query, field):
    node.put("88.118/1", url("https://a.cn/"))
    response = await node.ask("GET", f"/88.118/1{query}")
    assert response.status == 400
    assert response.json["field"] == field
    assert "location" not in response.headers


async def test_a_choice_that_depends_on_who_asks_is_for_no_shared_cache(node):
    node.put("88.118/1", THREE)
    node.put("88.118/2", loc('href="https://a.cn/"'))
    assert (await node.ask("GET", "/88.118/1")).headers["cache-control"] == "private, max-age=60"
    assert (await node.ask("GET", "/88.118/2")).headers["cache-control"] == "max-age=60"


async def test_all_locations_are_listed_as_xml_that_is_safe_to_show(node):
    node.put("88.118/1", THREE, Value(1, "URL", b'https://a.cn/?a=1&b="\x01<x>'))
    node.put("88.118/2", url("https://a.cn/"))
    shown = await node.ask("GET", "/88.118/1?action=showlocations")
    assert shown.status == 200
    assert shown.headers["content-type"].startswith("application/xml")
    text = shown.body.decode()
    assert text.count("<location ") == 4
    assert 'href="https://cn.cn/" id="0" weight="1"' in text
    assert 'href=\'https://a.cn/?a=1&amp;b="?&lt;x&gt;\' weight="0" mode="legacy"' in text
    alone = (await node.ask("GET", "/88.118/2?action=showlocations")).body.decode()
    assert 'href="https://a.cn/" weight="1"' in alone


@pytest.mark.parametrize("length", [1, 2, 5, MAX_ALIASES + 3])
async def test_aliases_that_never_end_are_answered_so_to_people_and_programs(node, length):
    for n in range(length):
        node.put(f"88.118/{n}", alias(f"88.118/{(n + 1) % length}"))
    told = await node.ask("GET", "/88.118/0")
    assert (told.status, told.json["responseCode"]) == (508, 2)
    assert "circle" in told.json["message"]
    page = await node.ask("GET", "/88.118/0", Accept_Language="zh", **HTML)
    assert page.status == 508
    assert "别名" in page.body.decode()
    assert (await node.ask("GET", "/88.118/0?noredirect")).status == 200


async def test_an_alias_may_be_gone_to_in_any_case_and_does_not_have_to_be_there(node):
    node.put("88.118/1", alias("88.118/gone"))
    node.put("88.118/2", alias("99.9/elsewhere"))
    assert (await node.ask("GET", "/88.118/1")).headers["location"] == "/88.118/gone"
    assert (await node.ask("GET", "/88.118/2")).headers["location"] == "/99.9/elsewhere"
    assert (await node.ask("GET", "/88.118/gone")).status == 404


NAMESPACE = (
    "<namespace><status>{}</status><statusmsg>moved to 88.119 &lt;b&gt;</statusmsg></namespace>"
)


async def test_a_prefix_out_of_use_answers_404_with_its_owners_words_until_it_is_in_use_again(node):
    node.put("88.118/1", url("https://a.cn/"))
    assert (await node.ask("GET", "/88.118/1")).status == 302
    for _ in range(3):  # often enough to be kept
        assert (await node.ask("GET", "/88.118/1")).status == 302
    value = Value(40, "hs_namespace", NAMESPACE.format("inactive").encode())
    assert node.submit(Operation.ADD, "0.NA/88.118", value).outcome.value == "success"
    for handle in ("88.118/1", "88.118/none"):
        told = await node.ask("GET", f"/{handle}")
        assert (told.status, told.json["responseCode"]) == (404, 100)
        assert "moved to 88.119 <b>" in told.json["message"]
        page = await node.ask("GET", f"/{handle}", **HTML)
        assert page.status == 404
        assert "moved to 88.119 &lt;b&gt;" in page.body.decode()
    assert (await node.ask("GET", "/0.NA/88.118")).status == 200
    assert (await node.ask("GET", "/api/handles/88.118/1")).status == 200
    active = value._replace(data=NAMESPACE.format("active").encode())
    assert node.submit(Operation.MODIFY, "0.NA/88.118", active).outcome.value == "success"
    assert (await node.ask("GET", "/88.118/1")).status == 302


async def test_a_namespace_that_cannot_be_read_switches_nothing_off(node):
    node.put("88.118/1", url("https://a.cn/"))
    node.submit(
        Operation.ADD, "0.NA/88.118", Value(40, "HS_NAMESPACE", b"<namespace><status>inactive")
    )
    assert (await node.ask("GET", "/88.118/1")).status == 302


async def test_the_country_is_believed_of_a_trusted_proxy_only():
    places = loc('href="https://a.cn/" country="cn" weight="0"', 'href="https://a.org/"')
    config = make_config()
    http = replace(config.http, country_header="X-Country")
    for proxies, expected in (("127.0.0.0/8",), "https://a.cn/"), ((), "https://a.org/"):
        access = replace(config.access, trusted_proxies=proxies)
        async with running(replace(config, http=http, access=access)) as node:
            node.put("88.118/1", places)
            response = await node.ask(
                "GET", "/88.118/1", X_Country="CN", X_Forwarded_For="192.0.2.1"
            )
            assert response.headers["location"] == expected


async def test_other_schemes_are_followed_when_the_operator_says_so():
    config = make_config()
    mail = Value(1, "URL", b"mailto:a@b.cn?subject=x y")
    ftp = Value(1, "URL", "ftp://a.cn/文件".encode())
    async with running(
        replace(config, http=replace(config.http, redirect_schemes=("ftp", "mailto")))
    ) as node:
        node.put("88.118/1", ftp)
        node.put("88.118/2", Value(1, "URL", b"mailto:a@b.cn?subject=x"))
        node.put("88.118/3", mail)
        node.put("88.118/4", url("https://a.cn/"))
        told = [
            (await node.ask("GET", f"/88.118/{n}")).headers.get("location") for n in range(1, 5)
        ]
    assert told == ["ftp://a.cn/%E6%96%87%E4%BB%B6", "mailto:a@b.cn?subject=x", None, None]


HREFS = st.text(max_size=60) | st.text("htps:/.@\\#?\r\n\t%ax", max_size=30) | st.sampled_from(
    ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "https://a.cn/", "http://[::1", "//a.cn", "https:a.cn"]
)  # fmt: skip


@settings(max_examples=200)
@given(
    st.lists(HREFS, max_size=4),
    st.lists(HREFS, max_size=2),
    st.text(max_size=20),
    st.floats(0, 0.999),
)
def test_whatever_is_registered_a_location_is_one_printable_line_to_an_allowed_scheme(
    hrefs, urls, appended, draw
):
    document = (
        "<locations>"
        + "".join(f"<location href={_quoted(href)}/>" for href in hrefs)
        + "</locations>"
    )
    values = [Value(1, "10320/loc", document.encode(errors="replace"))]
    values += [Value(n, "URL", text.encode(errors="replace")) for n, text in enumerate(urls, 2)]
    for given_values in (values, values[1:]):
        try:
            lead = lead_of(given_values, Asker(), appended, ("http", "https"), lambda: draw)
        except ProtocolError:
            continue
        if lead is not None:
            assert lead.status in {301, 302, 303, 307, 308}
            assert lead.uri.isascii()
            assert lead.uri.isprintable()
            assert " " not in lead.uri
            assert lead.uri.startswith(("http://", "https://"))
            assert to_uri(lead.uri.encode()) == lead.uri


def _quoted(text):
    escaped = "".join(
        f"&#{ord(c)};" if c in "&<\"'\r\n\t" else c for c in text if c in "\t\r\n" or c >= " "
    )
    return f'"{escaped}"'
