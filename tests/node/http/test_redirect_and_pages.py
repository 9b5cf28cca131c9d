"""GET /{handle}: where it leads, and the pages for people."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.links import to_uri
from node.http.page_texts import LANGUAGES, TEXTS
from protocols.values.value import Value
from tests.node.http.conftest import url

HTML = {"Accept": "text/html,*/*;q=0.8"}


async def test_an_identifier_leads_to_its_url_with_the_time_it_may_be_kept(node):
    node.put(
        "88.118/1",
        Value(1, "URL.shop", b"https://shop.cn/"),
        Value(2, "URL", b"https://a.cn/x", ttl=60),
    )
    response = await node.ask("GET", "/88.118/1")
    assert (response.status, response.headers["location"]) == (302, "https://a.cn/x")
    assert response.headers["cache-control"] == "max-age=60"
    assert response.headers["expires"]
    assert b'href="https://a.cn/x"' in response.body


async def test_a_subtype_serves_when_there_is_no_plain_url(node):
    node.put("88.118/1", Value(1, "DESC", b"x"), Value(2, "url.shop", b"https://shop.cn/"))
    assert (await node.ask("GET", "/88.118/1")).headers["location"] == "https://shop.cn/"


@pytest.mark.parametrize(
    ("registered", "uri"),
    [
        (
            "https://a.cn/产品?名=一#片",
            "https://a.cn/%E4%BA%A7%E5%93%81?%E5%90%8D=%E4%B8%80#%E7%89%87",
        ),
        ("http://例子.测试/x", "http://xn--fsqu00a.xn--0zwm56d/x"),
        ("HTTPS://A.cn:8443/%41?a=b&c=d", "https://A.cn:8443/%41?a=b&c=d"),
        ("https://[2001:db8::1]:80/", "https://[2001:db8::1]:80/"),
        ('https://a.cn/"<>{}|\\^`', "https://a.cn/%22%3C%3E%7B%7D%7C%5C%5E%60"),
        ("  https://a.cn/  ", "https://a.cn/"),
        ("https://user@a.cn/", "https://user@a.cn/"),
    ],
)
def test_an_iri_becomes_its_uri(registered, uri):
    assert to_uri(registered.encode()) == uri


@pytest.mark.parametrize(
    "registered",
    [b"javascript:alert(1)", b"data:text/html,x", b"file:///etc/passwd", b"//evil.cn/", b"/local", b"", b"https://", b"http:///x",
     b"https://a.cn/\r\nSet-Cookie: a=b", b"https://a.cn/\nx", b"https://a.cn/\x00", b"ht\ttps://a.cn/",
     b"https://a.cn/a b",
     b"\xff\xfe", "https://a.cn/\u2028x".encode(), b"https://a.cn:99999999/", b"https://[::1/",
     b"https://a.cn/" + b"x" * 9000,
     b"ftp://a.cn/", "https://\u0130\u0345..cn/".encode(), b"https://a.cn/\x7f", "https://a.cn/\x85x".encode()],
)  # fmt: skip
async def test_what_must_not_be_followed_is_shown_instead(node, registered):
    assert to_uri(registered) is None
    if registered:
        node.put("88.118/1", Value(1, "URL", registered))
        response = await node.ask("GET", "/88.118/1")
        assert response.status == 200
        assert "location" not in response.headers
        assert "set-cookie" not in response.headers
        assert b'<a href="javascript' not in response.body


@given(st.binary(max_size=80).map(lambda tail: b"https://a.cn/" + tail))
def test_a_location_is_printable_ascii_and_leads_to_the_registered_host(registered):
    uri = to_uri(registered)
    if uri is not None:
        assert uri.isascii()
        assert uri.isprintable()
        assert " " not in uri
        assert uri.startswith("https://a.cn")


async def test_noredirect_and_a_record_without_url_show_the_public_values(node):
    node.put(
        "88.118/1",
        url("https://a.cn/"),
        Value(2, "名称", "产品<b>".encode()),
        Value(3, "BIN", b"\xff\x00"),
    )
    node.put("88.118/2", Value(1, "DESC", b"only text"))
    page = await node.ask("GET", "/88.118/1?noredirect", Accept_Language="zh-CN,en;q=0.5")
    text = page.body.decode()
    assert page.status == 200
    assert 'href="https://a.cn/"' in text
    assert "产品&lt;b&gt;" in text
    assert "<b>" not in text
    assert "公开值" in text
    assert "二进制" in text
    assert "only text" in (await node.ask("GET", "/88.118/2")).body.decode()


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "", "en"), ("", "zh-CN", "zh-CN"), ("", "en;q=0.3, zh;q=0.8", "zh-CN"), ("", "en, zh;q=0.8", "en"),
        ("", "fr, de", "en"), ("&lang=zh", "en", "zh-CN"), ("&lang=en", "zh", "en"), ("&lang=xx", "zh", "zh-CN"),
        ("", "zh;q=x, en;q=0", "en"),
    ],
)  # fmt: skip
async def test_the_language_is_asked_for_by_parameter_then_by_header(node, query, header, language):
    node.put("88.118/1", Value(1, "DESC", b"x"))
    page = await node.ask("GET", f"/88.118/1?noredirect{query}", Accept_Language=header)
    assert f'<html lang="{language}">' in page.body.decode()


async def test_every_page_is_complete_in_itself_and_allowed_nothing(node):
    node.put("88.118/1", Value(1, "DESC", b"x"))
    for target in ("/", "/88.118/1", "/88.118/none", "/%ff"):
        for language in LANGUAGES:
            page = await node.ask("GET", f"{target}?lang={language}", **HTML)
            text = page.body.decode()
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "Accept-Language" in page.headers["vary"]
            assert not re.search(
                r"<script|<img|<link|<iframe|@import|url\(|\son\w+=|\sstyle=", text
            )
            assert "viewport" in text
            assert not re.findall(r'(?:src|href)="(?!/)[^"]*"', text)


async def test_a_person_gets_a_page_for_what_is_not_there_and_a_program_json(node):
    page = await node.ask("GET", "/88.118/none", Accept_Language="zh", **HTML)
    assert page.status == 404
    assert "未找到" in page.body.decode()
    assert "88.118/none" in page.body.decode()
    assert (await node.ask("GET", "/88.118/none")).json["responseCode"] == 100
    assert (await node.ask("GET", "/%ff", **HTML)).status == 400


async def test_the_front_page_sends_what_was_entered_to_its_own_page(node):
    welcome = (await node.ask("GET", "/", **HTML)).body.decode()
    assert "88.118" in welcome
    assert "/api/openapi.json" in welcome
    sent = await node.ask("GET", "/?handle=88.118%2Fa%20b%3Fc&lang=zh")
    assert (sent.status, sent.headers["location"]) == (302, "/88.118/a%20b%3Fc?noredirect&lang=zh")


async def test_a_hostile_identifier_is_text_on_its_page(node):
    handle = "88.118/\"'><img src=x onerror=alert(1)>&amp;"
    escaped = "".join(f"%{byte:02X}" for byte in handle.encode())
    node.put(handle, Value(1, '"><script>', b"<script>alert(1)</script>"))
    for target in (f"/{escaped}", f"/{escaped}?noredirect&lang=zh", f"/{escaped}x"):
        text = (await node.ask("GET", target, **HTML)).body.decode()
        assert "<script" not in text
        assert "<img" not in text


async def test_there_is_no_icon(node):
    assert (await node.ask("GET", "/favicon.ico")).status == 204


def test_every_text_is_there_in_both_languages_with_the_same_blanks():
    for chinese, english in TEXTS.values():
        assert chinese
        assert english
        assert sorted(re.findall(r"{\w+}", chinese)) == sorted(re.findall(r"{\w+}", english))
