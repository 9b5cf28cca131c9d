"""Who asks, behind proxies: only trusted ones are believed, and one that does not say "https" is plain."""

import pytest

from node.http.peers import behind_proxies, came_over_plain_http, make_peer
from resolver.networks import NetworkSet

PROXIES = NetworkSet(("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("headers", "is_plain"),
    [
        ({"X-Forwarded-Proto": "https"}, False),
        ({"X-Forwarded-Proto": " HTTPS "}, False),
        ({"X-Forwarded-Proto": "http"}, True),
        ({"X-Forwarded-Proto": "https, http"}, True),
        ({}, True),
    ],
)
def test_a_proxy_that_does_not_say_https_is_taken_for_plain(headers, is_plain):
    assert came_over_plain_http(headers) is is_plain


@pytest.mark.parametrize(
    ("address", "forwarded", "asker"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("203.0.113.7", "127.0.0.1", "203.0.113.7"),
    ],
)
def test_only_a_trusted_proxy_can_name_another_asker(address, forwarded, asker):
    peer = behind_proxies(make_peer(address, 1, "http"), {"X-Forwarded-For": forwarded}, PROXIES)
    assert peer.address == asker
