"""Reading a referral: whom it names, and nobody it does not."""

from node.asking.referral import referred_servers
from protocols.handle.resolution import Referral
from protocols.values.site import ADMIN_ONLY, TCP, UDP, Interface, Server, Site, encode_site
from protocols.values.value import Value

SERVERS = (
    Server(1, "192.0.2.7", (Interface(UDP, 2641), Interface(TCP, 2641, ADMIN_ONLY))),
    Server(2, "2001:db8::7", (Interface(TCP, 2642),)),
)
SITE = Value(1, "HS_SITE", encode_site(Site(SERVERS)))


def test_every_server_is_named_with_the_interfaces_that_take_questions():
    found = referred_servers(Referral(b"", (SITE,)))
    assert [(server.address, [one.port for one in ports]) for server, ports in found] == [
        ("192.0.2.7", [2641]),
        ("2001:db8::7", [2642]),
    ]


def test_values_that_are_no_site_and_sites_that_are_broken_name_nobody():
    broken = SITE._replace(index=2, data=SITE.data[:-1])
    other = Value(3, "URL", b"https://example.org/")
    assert len(referred_servers(Referral(b"", (other, broken, SITE)))) == 2
    assert referred_servers(Referral(b"", (other, broken))) == []


def test_a_referral_to_a_handle_names_no_server():
    assert referred_servers(Referral(b"0.NA/88.200", None)) == []
