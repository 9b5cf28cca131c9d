"""HS_SITE data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.values.keys import RsaKey, decode_public_key
from protocols.values.site import (
    ADMIN_AND_QUERY,
    BY_WHOLE,
    HTTP,
    MAX_ATTRIBUTES,
    MAX_INTERFACES,
    MAX_SERVERS,
    PRIMARY,
    QUERY_ONLY,
    TCP,
    UDP,
    Attribute,
    Interface,
    Server,
    Site,
    decode_address,
    decode_site,
    encode_address,
    encode_site,
)
from tests.protocols.strategies import sites
from tests.protocols.values.hostile import assert_every_truncation_is_refused, survive_mutation
from tests.protocols.values.vectors import vector_bytes

VECTOR = vector_bytes("data_hs_site")
SMALL = Site((Server(1, "192.0.2.7", (Interface(TCP, 2641),)),))


def test_the_vector_is_a_primary_site_with_one_server():
    site = decode_site(VECTOR)
    assert (site.major, site.minor, site.serial, site.flags) == (2, 11, 1, PRIMARY)
    assert site.is_primary
    assert not site.is_multi_primary
    assert site.hash_option == BY_WHOLE
    assert site.attributes == (Attribute("desc", "Test"),)
    (server,) = site.servers
    assert (server.id, server.address) == (1, "127.0.0.1")
    assert server.interfaces == (
        Interface(TCP, 2641, ADMIN_AND_QUERY),
        Interface(UDP, 2641, QUERY_ONLY),
        Interface(HTTP, 8000, ADMIN_AND_QUERY),
    )
    assert server.public_key == vector_bytes("data_hs_pubkey_rsa")
    assert isinstance(decode_public_key(server.public_key), RsaKey)


def test_the_vector_encodes_to_its_bytes():
    assert encode_site(decode_site(VECTOR)) == VECTOR


def test_a_site_built_by_hand_has_the_published_layout():
    assert encode_site(SMALL) == bytes.fromhex(
        "0001 02 0b 0001 80 02 00000000"  # format, version, serial, flags, hash option, filter
        "00000000"  # attributes
        "00000001 00000001 000000000000000000000000c0000207 00000000"  # server, address, key
        "00000001 03 01 00000a51"  # interface
    )


@given(sites())
def test_bytes_and_object_are_one(site):
    assert decode_site(encode_site(site)) == site


def test_a_shortened_site_is_refused():
    assert_every_truncation_is_refused(decode_site, VECTOR)


def test_a_byte_behind_the_last_interface_is_malformed():
    with pytest.raises(Malformed) as caught:
        decode_site(VECTOR + b"\0")
    assert caught.value.offset == len(VECTOR)


@given(sites(), st.integers(0), st.binary(min_size=1, max_size=6))
def test_a_damaged_site_raises_only_protocol_errors(site, at, replacement):
    survive_mutation(decode_site, encode_site(site), at, replacement)


def test_another_format_number_is_unsupported():
    with pytest.raises(Unsupported) as caught:
        decode_site(b"\0\2" + VECTOR[2:])
    assert caught.value.offset == 0


def test_an_unknown_hash_option_is_malformed_at_its_byte():
    with pytest.raises(Malformed) as caught:
        decode_site(VECTOR[:7] + b"\3" + VECTOR[8:])
    assert caught.value.offset == 7


def test_an_unknown_interface_type_is_malformed():
    data = encode_site(SMALL)
    with pytest.raises(Malformed) as caught:
        decode_site(data[:-6] + b"\4" + data[-5:])
    assert caught.value.offset == len(data) - 6


def test_an_unknown_protocol_number_does_not_make_a_site_unreadable():
    site = SMALL._replace(
        servers=(Server(1, "192.0.2.7", (Interface(9, 1), Interface(TCP, 2641))),)
    )
    assert decode_site(encode_site(site)) == site


@pytest.mark.parametrize(
    "site",
    [
        Site((), attributes=(Attribute("", ""),) * (MAX_ATTRIBUTES + 1)),
        Site((Server(1, "192.0.2.7", ()),) * (MAX_SERVERS + 1)),
        Site((Server(1, "192.0.2.7", (Interface(TCP, 1),) * (MAX_INTERFACES + 1)),)),
        Site((Server(1, "192.0.2.7", (), b"k" * 8193),)),
        Site((), attributes=(Attribute("n" * 4097, ""),)),
        Site((), hash_filter=b"f" * 1025),
    ],
    ids=["attributes", "servers", "interfaces", "key", "attribute", "filter"],
)
def test_each_limit_of_a_site_is_kept(site):
    with pytest.raises(TooLarge):
        decode_site(encode_site(site))


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("127.0.0.1", "0000000000000000000000007f000001"),
        ("0.0.0.0", "00000000000000000000000000000000"),
        ("255.255.255.255", "000000000000000000000000ffffffff"),
        ("::1", "00000000000000000000000000000001"),
        ("2001:db8::7", "20010db8000000000000000000000007"),
    ],
)
def test_an_address_stands_right_aligned_in_16_bytes(text, packed):
    assert encode_address(text).hex() == packed
    assert decode_address(bytes.fromhex(packed)) == text


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.0.0.1:2641", "256.0.0.1", "1.2.3", "::1%eth0 x"]
)
def test_a_server_address_must_be_an_ip_address(text):
    with pytest.raises(Malformed):
        encode_address(text)


def test_interface_types_say_what_a_port_takes():
    uses = [(i.takes_queries, i.takes_admin) for i in (Interface(TCP, 1, t) for t in range(4))]
    assert uses == [(False, False), (False, True), (True, False), (True, True)]
