"""A load goes to this machine; anywhere else only when the host is named twice."""

import pytest

from bench.load.targets import BadTarget, Forbidden, parse_target


@pytest.mark.parametrize(
    ("server", "transport", "name", "host_header"),
    [
        ("127.0.0.1", None, "udp://127.0.0.1:2641", "127.0.0.1:2641"),
        ("127.0.0.1:12641", "tcp", "tcp://127.0.0.1:12641", "127.0.0.1:12641"),
        ("tcp://127.0.0.9", None, "tcp://127.0.0.9:2641", "127.0.0.9:2641"),
        ("http://127.0.0.1:18000/", None, "http://127.0.0.1:18000", "127.0.0.1:18000"),
        ("http://127.0.0.1", "redirect", "redirect://127.0.0.1:8000", "127.0.0.1:8000"),
        ("[::1]:2641", None, "udp://[::1]:2641", "[::1]:2641"),
    ],
)
def test_loopback_needs_no_consent(server, transport, name, host_header):
    target = parse_target(server, transport, None)
    assert target.name == name
    assert target.host_header == host_header


@pytest.mark.parametrize("consent", [None, "", "192.0.2.2", "localhost", "*"])
def test_another_host_is_refused_without_its_own_name_as_consent(consent):
    with pytest.raises(Forbidden, match=r"192\.0\.2\.1"):
        parse_target("192.0.2.1:2641", None, consent)


@pytest.mark.parametrize("server", ["10.0.0.1", "192.168.1.1", "[fe80::1]", "0.0.0.0"])
def test_private_addresses_are_other_hosts_too(server):
    with pytest.raises(Forbidden):
        parse_target(server, None, None)


def test_with_consent_it_may_be_loaded():
    assert parse_target("udp://192.0.2.1", None, "192.0.2.1").name == "udp://192.0.2.1:2641"


@pytest.mark.parametrize(
    ("server", "transport"),
    [
        ("https://127.0.0.1", None),
        ("ftp://127.0.0.1", None),
        ("http://127.0.0.1", "udp"),
        ("udp://127.0.0.1", "http"),
        ("127.0.0.1:0", None),
        ("127.0.0.1:99999", None),
        ("127.0.0.1/path", None),
        ("", None),
        ("not a host!", None),
    ],
)
def test_what_is_no_address_is_told(server, transport):
    with pytest.raises(BadTarget):
        parse_target(server, transport, None)
