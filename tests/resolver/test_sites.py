from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.values.server_hash import server_for
from protocols.values.site import (
    ADMIN_ONLY,
    BY_PREFIX,
    BY_SUFFIX,
    BY_WHOLE,
    HTTP,
    HTTPS,
    QUERY_ONLY,
    TCP,
    UDP,
    Attribute,
    Interface,
    Server,
    Site,
    encode_site,
)
from protocols.values.value import Value
from resolver.asking import Role, Target
from resolver.sites import MAX_SITES, MAX_SITES_BYTES, candidates, read_service, read_sites
from tests.resolver.parts import site, site_value, url

FAR = Target(TCP, "192.0.2.1", 2641, Role.UPSTREAM)
HERE = Target(TCP, "127.0.0.1", 2641, Role.UPSTREAM)
NEIGHBOUR = Target(TCP, "169.254.7.7", 2641)
NAMED = Target(TCP, "top.example", 2641, Role.UPSTREAM)
NAME = b"88.200/a"


def places(sites, teller=FAR, own_places=(), name=NAME, **options):
    found = candidates(sites, name, Role.LEARNED, teller, own_places, **options)
    return [target.name for target in found.targets]


def one_server(*interfaces, address="192.0.2.7", attributes=()):
    return Site((Server(7, address, tuple(interfaces)),), attributes=attributes)


# ---- reading


def test_sites_of_both_families_are_read_in_any_case_of_their_type():
    first, second = site("192.0.2.1"), site("2001:db8::1")
    values = [
        Value(1, "hs_site", encode_site(first)),
        url(index=2),
        Value(3, "HS_SITE.6", encode_site(second)),
        Value(4, "HS_SITE.PREFIX", encode_site(site("192.0.2.9"))),
    ]
    assert read_sites(values) == (first, second)


def test_an_unreadable_site_is_passed_over():
    good = site("192.0.2.1")
    values = [Value(1, "HS_SITE", b"\0\1"), Value(2, "HS_SITE", encode_site(good))]
    assert read_sites(values) == (good,)


def test_no_more_than_sixteen_sites_are_looked_at():
    sites = [site(f"192.0.2.{number}") for number in range(1, 40)]
    assert read_sites(site_value(*sites)) == tuple(sites[:MAX_SITES])


def test_no_more_than_some_kilobytes_of_sites_are_looked_at_and_none_twice():
    crowd = encode_site(site(*["192.0.2.1"] * 400))
    values = [Value(index, "HS_SITE", crowd) for index in range(1, 9)]
    small = site("192.0.2.7")
    found = read_sites([*values, *site_value(small)])
    assert 2 * len(crowd) > MAX_SITES_BYTES
    assert found == (site(*["192.0.2.1"] * 400), small)
    again = read_sites([Value(5, "HS_SITE", bytes(bytearray(crowd)))])
    assert again[0] is found[0]


def test_a_service_handle_is_read_and_an_empty_one_is_none():
    assert read_service([url(), Value(2, "hs_serv", b"0.SERV/a")]) == b"0.SERV/a"
    assert read_service([Value(2, "HS_SERV", b"")]) is None
    assert read_service([url()]) is None


# ---- which server


addresses = st.integers(1, 254).map("198.51.100.{}".format)
names = st.sampled_from(["88.200/", "0.NA/", "88.200.5/"]).flatmap(
    lambda prefix: st.text(min_size=1, max_size=20).map(lambda suffix: (prefix + suffix).encode())
)


@given(
    st.lists(addresses, min_size=1, max_size=9),
    names,
    st.sampled_from([BY_PREFIX, BY_SUFFIX, BY_WHOLE]),
)
def test_the_hash_of_the_identifier_chooses_one_server_of_a_site(hosts, name, option):
    one = site(*hosts, hash_option=option)
    server = server_for(one, name)
    assert server is not None
    assert places([one], name=name) == [f"tcp://{server.address}:2641"]


def test_every_site_gives_one_server_in_the_order_of_the_sites():
    sites = [site("192.0.2.3"), site("192.0.2.1"), site("192.0.2.2")]
    assert places(sites) == ["tcp://192.0.2.3:2641", "tcp://192.0.2.1:2641", "tcp://192.0.2.2:2641"]


def test_the_same_server_in_two_sites_is_asked_once():
    assert places([site("192.0.2.3"), site("192.0.2.3")]) == ["tcp://192.0.2.3:2641"]


def test_a_site_without_servers_gives_nobody():
    found = candidates([Site(())], NAME, Role.LEARNED, FAR, ())
    assert found.targets == ()
    assert not found.leads_home


def test_targets_carry_their_role_and_the_key_of_their_server():
    keyed = Site((Server(1, "192.0.2.7", (Interface(TCP, 2641),), b"key"),))
    (target,) = candidates([keyed], NAME, Role.DELEGATED, None, ()).targets
    assert target == Target(TCP, "192.0.2.7", 2641, Role.DELEGATED, b"key")


# ---- at which interface


def test_udp_is_used_only_where_nothing_else_is_offered():
    both = one_server(Interface(UDP, 2641), Interface(TCP, 2641))
    only = one_server(Interface(UDP, 2641))
    assert places([both]) == ["tcp://192.0.2.7:2641"]
    assert places([only]) == ["udp://192.0.2.7:2641"]


def test_udp_stays_when_the_operator_prefers_it():
    both = one_server(Interface(UDP, 2641), Interface(TCP, 2641))
    assert places([both], prefer_udp=True) == ["udp://192.0.2.7:2641", "tcp://192.0.2.7:2641"]


@pytest.mark.parametrize(
    "interface",
    [
        Interface(TCP, 2641, ADMIN_ONLY),
        Interface(TCP, 2641, 0),
        Interface(7, 2641),
        Interface(TCP, 0),
        Interface(TCP, 65_536),
        Interface(TCP, 2**32 - 1),
    ],
)
def test_what_takes_no_queries_or_is_no_port_is_not_asked(interface):
    assert places([one_server(interface)]) == []


def test_an_unusable_interface_does_not_hide_udp():
    mixed = one_server(Interface(UDP, 2641), Interface(TCP, 2641, ADMIN_ONLY))
    assert places([mixed]) == ["udp://192.0.2.7:2641"]


def test_http_and_https_interfaces_are_asked_too():
    web = one_server(Interface(HTTP, 8000, QUERY_ONLY), Interface(HTTPS, 443))
    assert places([web]) == ["http://192.0.2.7:8000", "https://192.0.2.7:443"]


def test_another_address_of_the_same_server_is_tried_behind_the_first():
    attributes = (
        Attribute("alt_addr.7", "2001:db8::7"),
        Attribute("alt_addr.8", "2001:db8::8"),
        Attribute("alt_addr", "no address"),
        Attribute("alt_addr", "192.0.2.7"),
    )
    assert places([one_server(Interface(TCP, 2641), attributes=attributes)]) == [
        "tcp://192.0.2.7:2641",
        "tcp://[2001:db8::7]:2641",
    ]


def test_a_monstrous_site_gives_no_more_targets_than_anybody_would_try():
    interfaces = tuple(Interface(TCP, port) for port in range(2000, 2064))
    attributes = tuple(Attribute("alt_addr", f"198.51.100.{n}") for n in range(256))
    monsters = [one_server(*interfaces, attributes=attributes)] * 2
    assert len(places(monsters)) <= 64


# ---- where it must not lead


def test_own_places_are_left_out_and_said():
    sites = [site("192.0.2.7"), site("192.0.2.8")]
    found = candidates(sites, NAME, Role.LEARNED, FAR, {("192.0.2.7", 2641)})
    assert [target.address for target in found.targets] == ["192.0.2.8"]
    assert found.leads_home


def test_another_port_of_an_own_address_is_not_this_node():
    assert places([site("192.0.2.7", port=2642)], own_places={("192.0.2.7", 2641)}) != []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "::1", "169.254.1.1", "fe80::1",
        "::ffff:127.0.0.1", "::ffff:169.254.1.1",
    ],
)  # fmt: skip
def test_who_is_far_cannot_lead_to_this_machine_or_this_link(address):
    assert places([site(address)], teller=FAR) == []
    assert places([site(address)], teller=NAMED) == []


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255",
        "::ffff:0.0.0.0", "::ffff:224.0.0.1", "::ffff:255.255.255.255",
    ],
)  # fmt: skip
@pytest.mark.parametrize("teller", [None, FAR, HERE])
def test_nobody_leads_to_everybody_or_nobody(address, teller):
    assert places([site(address)], teller=teller) == []


@pytest.mark.parametrize("teller", [None, HERE])
def test_the_operator_and_who_is_here_may_lead_to_this_machine(teller):
    assert places([site("127.0.0.1")], teller=teller) == ["tcp://127.0.0.1:2641"]
    assert places([site("169.254.1.1")], teller=teller) == ["tcp://169.254.1.1:2641"]


def test_who_is_on_this_link_leads_to_the_link_but_not_to_this_machine():
    assert places([site("169.254.1.1")], teller=NEIGHBOUR) == ["tcp://169.254.1.1:2641"]
    assert places([site("127.0.0.1")], teller=NEIGHBOUR) == []


def test_an_address_in_disguise_is_known_as_an_own_place():
    own = {("192.0.2.7", 2641), ("2001:db8::7", 2641)}
    mapped = candidates([site("::ffff:192.0.2.7")], NAME, Role.LEARNED, FAR, own)
    assert mapped.targets == ()
    assert mapped.leads_home
    shouted = one_server(Interface(TCP, 2641), address="192.0.2.9",
                         attributes=(Attribute("alt_addr", "2001:DB8:0:0::7"),))  # fmt: skip
    found = candidates([shouted], NAME, Role.LEARNED, FAR, own)
    assert [target.address for target in found.targets] == ["192.0.2.9"]
    assert found.leads_home


def test_an_address_with_a_zone_is_passed_over():
    zoned = one_server(Interface(TCP, 2641), attributes=(Attribute("alt_addr", "fe80::1%eth0"),))
    assert places([zoned], teller=HERE) == ["tcp://192.0.2.7:2641"]


any_address = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map("::ffff:{}".format),
    st.sampled_from(["127.0.0.1", "::1", "0.0.0.0", "::", "192.0.2.7", "224.0.0.5", "fe80::9"]),
)


@given(st.lists(any_address, min_size=1, max_size=4), st.data())
@settings(max_examples=200)
def test_whatever_a_far_site_says_no_target_is_own_near_or_not_a_host(hosts, data):
    own = {("192.0.2.7", 2641)}
    sites = [
        site(host, protocol=data.draw(st.sampled_from([UDP, TCP, HTTP, HTTPS]))) for host in hosts
    ]
    for target in candidates(sites, NAME, Role.LEARNED, FAR, own).targets:
        address = ip_address(target.address)
        assert target.place not in own
        assert str(address) == target.address
        assert getattr(address, "ipv4_mapped", None) is None
        assert not address.is_unspecified
        assert not address.is_multicast
        assert not address.is_loopback
        assert not address.is_link_local
