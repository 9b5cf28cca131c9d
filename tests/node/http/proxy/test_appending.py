"""urlappend: what a link adds to a registered URL, and that it never leads anywhere else."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.links import to_uri
from node.http.proxy.appending import MAX_APPENDED_CHARS, append_to_url
from protocols.errors import Malformed, ProtocolError, TooLarge


@pytest.mark.parametrize(
    ("url", "appended", "expected"),
    [
        ("https://a.cn/p", "/q", "https://a.cn/p/q"),
        ("https://a.cn/p?x=1", "&y=2", "https://a.cn/p?x=1&y=2"),
        ("https://a.cn/p?x=1#f", "&y=2", "https://a.cn/p?x=1#f&y=2"),
        ("https://a.cn", "p", "https://a.cn/p"),
        ("https://a.cn", "?x=1", "https://a.cn?x=1"),
        ("https://a.cn", ".evil.com/", "https://a.cn/.evil.com/"),
        ("https://a.cn", "@evil.com/", "https://a.cn/@evil.com/"),
        ("https://a.cn", ":81/", "https://a.cn/:81/"),
        ("https://a.cn", "\\@evil.com", "https://a.cn/%5C@evil.com"),
        ("https://a.cn:80", "80", "https://a.cn:80/80"),
        ("https://a.cn/", "/evil.com", "https://a.cn//evil.com"),
        ("https://a.cn/", "产品 1", "https://a.cn/%E4%BA%A7%E5%93%81%201"),
        ("https://a.cn/", "", "https://a.cn/"),
    ],
)  # fmt: skip
def test_it_goes_to_the_very_end(url, appended, expected):
    assert append_to_url(url, appended) == expected


@pytest.mark.parametrize("appended", ["x\r\nSet-Cookie: a=b", "\0", "a\nb", "\x85", "\u2028"])
def test_control_characters_are_refused(appended):
    with pytest.raises(Malformed) as caught:
        append_to_url("https://a.cn/", appended)
    assert caught.value.field == "urlappend"


def test_what_is_too_long_or_has_no_host_is_refused():
    with pytest.raises(TooLarge):
        append_to_url("https://a.cn/", "x" * (MAX_APPENDED_CHARS + 1))
    with pytest.raises(Malformed):
        append_to_url("mailto:a@b.cn", ",evil@x.cn")


HOSTS = st.sampled_from(
    ["a.cn", "a.cn:8443", "user@a.cn", "[2001:db8::1]", "[2001:db8::1]:80", "例子.测试"]
)
TAILS = st.sampled_from(["", "/", "/p", "?q", "#f", "/p?q#f"])


@given(
    st.sampled_from(["http", "https", "HTTPS"]),
    HOSTS,
    TAILS,
    st.text(max_size=40) | st.text("/\\@:.#?[]%", max_size=12),
)
def test_whatever_is_appended_the_location_is_safe_and_the_host_stays(scheme, host, tail, appended):
    registered = f"{scheme}://{host}{tail}"
    before = to_uri(registered.encode())
    assert before is not None
    try:
        after = to_uri(append_to_url(registered, appended).encode())
    except ProtocolError:
        return
    if after is not None:
        assert after.isascii()
        assert after.isprintable()
        assert " " not in after
        assert urlsplit(after)[:2] == urlsplit(before)[:2]
        assert urlsplit(after).hostname == urlsplit(before).hostname
