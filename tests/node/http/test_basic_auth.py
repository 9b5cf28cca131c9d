"""Passwords: read as Handle clients write them, accepted over TLS and loopback only, slow to guess."""

import base64
import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.basic_auth import Login, read_basic
from node.http.peers import behind_proxies, make_peer
from protocols.errors import Malformed, ProtocolError
from protocols.values.value import SECRET_PERMISSIONS, Value
from resolver.networks import NetworkSet
from tests.node.http.conftest import ADMIN, basic, make_config, running, url
from tests.node.http.handle_client import begin, by_secret


def _header(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


@pytest.mark.parametrize(
    ("pair", "login"),
    [
        (b"300%3A11111%2Fx:pw", Login("11111/x", 300, b"pw")),
        (b"300%3a88.118/x%3Ay:p:w", Login("88.118/x:y", 300, b"p:w")),
        (b"0%3A88.118%2F%25:\xff\x00", Login("88.118/%", 0, b"\xff\x00")),
        (b"300%3A88.118:", Login("88.118", 300, b"")),
    ],
)
def test_the_pair_is_split_before_it_is_decoded(pair, login):
    assert read_basic(_header(pair)) == login


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic §", "Basic !!!!", _header(b"nobody"), _header(b"300:88.118/x"), _header(b"x%3A88.118/x:p"),
     _header(b"-1%3A88.118/x:p"), _header(b"99999999999%3A88.118/x:p"),
     _header(b"2147483648%3A88.118/x:p"), _header(b"%D9%A3%3A88.118/x:p"), _header(b"300%3A:p"),
     _header(b"300%3A%ff/x:p"), _header(b"300%zz:p"), "Bearer abc", "Basic " + "A" * 9000, "Digest username=x"],
)  # fmt: skip
def test_what_is_no_login_is_refused_in_words(header):
    with pytest.raises(ProtocolError) as caught:
        read_basic(header)
    assert str(caught.value)


@pytest.mark.parametrize("user", [b"s3cret", b"s3cret%3A88.118", b"s3cret%3A300:88.118/x"])
def test_a_password_in_the_place_of_the_user_is_not_repeated(user):
    with pytest.raises(Malformed) as caught:
        read_basic(_header(user + b":p"))
    assert "s3cret" not in str(caught.value)


@given(st.text(max_size=80))
def test_any_header_is_read_or_refused(header):
    with contextlib.suppress(ProtocolError):
        assert read_basic(header).index >= 0


async def test_a_wrong_password_is_401_with_the_realm_clients_look_for(node):
    node.put("88.118/1", url("https://a.cn/"))
    wrong = basic((300, "0.NA/88.118", "wrong"))
    response = await node.ask("GET", "/api/handles/88.118/1", Authorization=wrong)
    assert response.status == 401
    assert response.json["responseCode"] == 402
    assert 'Basic realm="handle"' in response.headers["www-authenticate"]
    response = await node.ask(
        "GET", "/api/handles/88.118/1", Authorization="Basic !", X_Requested_With="XMLHttpRequest"
    )
    assert response.status == 401
    assert "Basic" not in response.headers["www-authenticate"]
    assert "Handle sessionId=" in response.headers["www-authenticate"]


async def test_the_handle_may_hold_colons(node):
    """Only the first one stands between index and handle; those of the handle and of the secret are their own."""
    login = (300, "88.118/line:7:operator", "a:b")
    secret = Value(300, "HS_SECKEY", b"a:b", permissions=SECRET_PERMISSIONS)
    node.put(login[1], secret)
    shown = await node.ask("GET", "/api/sessions/this", Authorization=basic(login))
    assert shown.json["id"] == "300:88.118/line:7:operator"
    proof = by_secret(login, await begin(node), "HMAC-SHA256")
    shown = await node.ask("PUT", "/api/sessions/this", Authorization=proof)
    assert shown.json["id"] == "300:88.118/line:7:operator"


async def test_an_empty_or_non_secret_value_is_no_password(node):
    response = await node.ask(
        "GET", "/api/handles/88.118", Authorization=basic((300, "0.NA/88.118", ""))
    )
    assert response.status == 401


async def test_over_plain_http_from_elsewhere_no_password_is_looked_at(node):
    node.put("88.118/1", url("https://a.cn/"))
    seen = []

    async def never(*arguments):
        seen.append(arguments)

    admit = node.listener.admit

    def admit_from_elsewhere(front):
        front.peer = make_peer("192.0.2.7", 9, "http")
        return admit(front)

    node.service.authenticate = never
    node.listener.admit = admit_from_elsewhere
    for header in (basic(ADMIN), "Basic !", "Bearer x"):
        response = await node.ask("GET", "/api/handles/88.118/1", Authorization=header)
        assert response.status == 403
        assert "HTTPS" in response.json["message"]
    anonymous = await node.ask("PUT", "/api/handles/88.118/1", {"values": []})
    assert anonymous.status == 403
    assert "www-authenticate" not in anonymous.headers
    assert (await node.ask("GET", "/api/handles/88.118/1")).status == 200
    assert not seen


PROXIES = NetworkSet(["10.0.0.0/8", "127.0.0.1/32"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "asker"),
    [
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("203.0.113.5", "127.0.0.1", "203.0.113.5"),
    ],
)
def test_only_a_trusted_proxy_is_believed_and_only_what_it_wrote_itself(peer, forwarded, asker):
    found = behind_proxies(make_peer(peer, 1, "http"), {"X-Forwarded-For": forwarded}, PROXIES)
    assert found.address == asker


@given(st.text(max_size=60))
def test_an_untrusted_peer_is_itself_whatever_it_claims(forwarded):
    peer = make_peer("203.0.113.5", 1, "http")
    assert behind_proxies(peer, {"X-Forwarded-For": forwarded}, PROXIES) is peer


def test_an_ipv4_address_in_ipv6_clothes_is_the_same_peer():
    assert make_peer("::ffff:127.0.0.1", 1, "http") == make_peer("127.0.0.1", 1, "http")
    assert make_peer("::1", 1, "http").is_loopback
    assert not make_peer("192.0.2.7", 1, "http").is_loopback


async def test_a_password_through_a_proxy_that_had_it_in_the_clear_does_not_count():
    config = make_config()
    config = replace(config, access=replace(config.access, trusted_proxies=("127.0.0.1/32",)))
    async with running(config) as node:
        node.put("88.118/1", url("https://a.cn/"))
        login = {"Authorization": basic(ADMIN), "X_Forwarded_For": "192.0.2.7"}
        target = "/api/handles/88.118/1"
        assert (await node.ask("GET", target, X_Forwarded_Proto="http", **login)).status == 403
        assert (await node.ask("GET", target, X_Forwarded_Proto="https", **login)).status == 200
