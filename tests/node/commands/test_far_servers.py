"""What ``--to`` and ``--mirror`` say, and the HS_SITE values it comes to."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from node.commands.far_servers import Host, Wanted, read_hosts, read_key_file, site_values
from node.config import load_config
from node.output import CommandError
from protocols.values.keys import RsaKey, decode_public_key
from protocols.values.site import (
    BY_SUFFIX,
    HTTP,
    HTTPS,
    TCP,
    UDP,
    Interface,
    Server,
    decode_site,
    encode_site,
)
from protocols.values.value import Value
from registry.delegation import sites_in
from tests.registry.desk import site, site_value

CONFIG = load_config(None)
NATIVE = ("udp", "tcp")
BOTH = (Interface(UDP, 1), Interface(TCP, 1))


def hosts(*texts, protocols=NATIVE):
    return read_hosts(texts, protocols, CONFIG)


def sites(wanted, present=(), serial=None):
    return [
        (value.index, value.type, decode_site(value.data))
        for value in site_values(wanted, present, serial)
    ]


def test_a_place_without_a_scheme_speaks_what_is_said_and_one_with_a_scheme_that():
    assert hosts("192.0.2.8:1") == (Host("192.0.2.8", "", BOTH),)
    assert hosts("192.0.2.8:1", protocols=("https",)) == (
        Host("192.0.2.8", "", (Interface(HTTPS, 1),)),
    )
    assert hosts("tcp://192.0.2.8:1") == (Host("192.0.2.8", "", (Interface(TCP, 1),)),)


def test_places_of_one_host_are_one_server_and_other_hosts_are_others():
    places = (
        "192.0.2.8:3641",
        "http://192.0.2.8:8000",
        "tcp://192.0.2.9:2641",
        "tcp://192.0.2.8:3641",
        "[2001:db8::8]:1",
    )
    found = hosts(*places, protocols=("tcp",))
    ((index, kind, made),) = sites(Wanted(found, (), BY_SUFFIX))
    assert (index, kind, made.is_primary, made.serial) == (1, "HS_SITE", True, 1)
    assert made.hash_option == BY_SUFFIX
    assert made.servers == (
        Server(1, "192.0.2.8", (Interface(TCP, 3641), Interface(HTTP, 8000))),
        Server(2, "192.0.2.9", (Interface(TCP, 2641),)),
        Server(3, "2001:db8::8", (Interface(TCP, 1),)),
    )


def test_hosts_with_both_kinds_of_addresses_have_a_site_of_each():
    two = hosts("192.0.2.8+[2001:db8::8]:1", "[2001:db8::9]+192.0.2.9:1")
    four, six = sites(Wanted(two, ()))
    assert (four[1], six[1]) == ("HS_SITE", "HS_SITE.6")
    assert [server.address for server in four[2].servers] == ["192.0.2.8", "192.0.2.9"]
    assert [server.address for server in six[2].servers] == ["2001:db8::8", "2001:db8::9"]
    assert {s.interfaces for one in (four, six) for s in one[2].servers} == {BOTH}
    ((_, kind, _),) = sites(Wanted(hosts("192.0.2.8+[2001:db8::8]:1", "192.0.2.9:1"), ()))
    assert kind == "HS_SITE"


def test_a_host_name_becomes_its_addresses():
    (host,) = hosts("localhost:3641")
    assert host.ipv4 == "127.0.0.1"
    assert host.ipv6 in ("", "::1")


def test_a_mirror_is_a_site_of_its_own_and_not_primary():
    made = sites(Wanted(hosts("192.0.2.8:1"), hosts("192.0.2.9:1", "192.0.2.10:1")))
    assert [(one.servers[0].address, one.is_primary) for _, _, one in made] == [
        ("192.0.2.8", True),
        ("192.0.2.9", False),
        ("192.0.2.10", False),
    ]
    assert [index for index, _, _ in made] == [1, 2, 3]


def test_new_sites_stand_where_the_old_ones_stood_and_then_at_free_indexes():
    present = (
        Value(1, "URL", b""),
        site_value("192.0.2.1", index=4, kind="hs_site"),
        Value(2, "DESC", b""),
        Value(6, "X", b""),
    )
    far = hosts("192.0.2.8:1"), hosts("192.0.2.9:1", "192.0.2.10:1")
    assert [index for index, _, _ in sites(Wanted(*far), present)] == [4, 3, 5]


def test_the_serial_number_grows_with_every_change_of_the_site_and_with_no_other():
    wanted, other = Wanted(hosts("192.0.2.8:1"), ()), Wanted(hosts("192.0.2.9:1"), ())
    first = site_values(wanted, (), None)
    assert sites_in(first)[0].serial == 1
    stored = tuple(value._replace(timestamp=7) for value in first)
    assert site_values(wanted, stored, None) == list(stored)
    assert sites_in(site_values(other, stored, None))[0].serial == 2
    assert sites_in(site_values(wanted, stored, 40))[0].serial == 40
    last = Value(1, "HS_SITE", encode_site(site("192.0.2.1", serial=0xFFFF)))
    assert sites_in(site_values(wanted, (last,), None))[0].serial == 1


def test_a_key_is_read_from_pem_and_stands_in_the_site_as_handle_clients_know_it(tmp_path):
    key = rsa.generate_private_key(65537, 2048).public_key()
    path = tmp_path / "key.pem"
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    data = read_key_file(path)
    numbers = key.public_numbers()
    assert decode_public_key(data) == RsaKey(numbers.e, numbers.n)
    path.write_bytes(data)
    assert read_key_file(path) == data
    ((_, _, made),) = sites(Wanted(hosts("192.0.2.8:1"), (), public_key=data))
    assert made.servers[0].public_key == data


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\n", b"\xff" * 99])
def test_a_file_without_a_key_is_refused(tmp_path, content):
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=r"key\.pem"):
        read_key_file(path)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("0.0.0.0:2641", "nobody can be asked"),
        ("[::]:2641", "nobody can be asked"),
        ("224.0.0.1:2641", "nobody can be asked"),
        ("192.0.2.8", "not a server"),
        ("192.0.2.8:70000", "not a server"),
        ("ftp://192.0.2.8:21", "not a server"),
        ("tcp://", "not a server"),
        ("", "not a server"),
        ("nowhere.invalid:2641", "no address found"),
        ("192.0.2.8+192.0.2.9:2641", "one address of each kind"),
        ("192.0.2.8+:2641", "not a server"),
    ],
)
def test_a_place_where_nobody_can_be_asked_is_refused(place, reason):
    with pytest.raises(CommandError, match=reason):
        hosts(place)
