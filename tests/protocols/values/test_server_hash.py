"""Which server of a site holds an identifier."""

import hashlib

import pytest

from protocols.values.server_hash import hash_of, hash_of_digest, server_for
from protocols.values.site import BY_PREFIX, BY_SUFFIX, BY_WHOLE, Server, Site
from tests.protocols.values.vectors import vector_bytes, vector_meaning

TABLE = vector_meaning("server_selection_hash")["table"]


def site_of(servers: int, hash_option: int) -> Site:
    return Site(
        tuple(Server(n, f"192.0.2.{n}", ()) for n in range(servers)), hash_option=hash_option
    )


def test_the_table_has_its_15_rows():
    assert len(TABLE) == 15


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['handle']} by {row['hashOption']}")
def test_the_published_hash_and_servers(row):
    identifier, option = row["handle"].encode(), row["hashOption"]
    assert hash_of(identifier, option) == row["hash"]
    assert server_for(site_of(3, option), identifier).id == row["server_of_3"]
    assert server_for(site_of(7, option), identifier).id == row["server_of_7"]


def test_the_digest_vector_is_that_of_the_upper_cased_whole():
    digest = vector_bytes("server_selection_hash")
    assert digest == hashlib.md5(b"20.500.99999/AB1").digest()
    assert hash_of(b"20.500.99999/Ab1", BY_WHOLE) == hash_of_digest(digest)


def test_the_least_number_chooses_a_server_instead_of_failing():
    assert hash_of_digest(bytes(12) + b"\x80\0\0\0") == 2**31


def test_a_negative_number_counts_without_its_sign():
    assert hash_of_digest(bytes(12) + b"\xff\xff\xff\xff") == 1
    assert hash_of_digest(bytes(12) + b"\x7f\xff\xff\xff") == 2**31 - 1


@pytest.mark.parametrize("option", [BY_PREFIX, BY_SUFFIX, BY_WHOLE])
def test_ascii_case_makes_no_difference_and_other_case_does(option):
    assert hash_of(b"ab/cd", option) == hash_of(b"AB/CD", option)
    assert hash_of("é/é".encode(), option) != hash_of("É/É".encode(), option)


def test_the_first_slash_divides():
    assert hash_of(b"a/b/c", BY_PREFIX) == hash_of(b"a/x", BY_PREFIX)
    assert hash_of(b"a/b/c", BY_SUFFIX) == hash_of(b"z/b/c", BY_SUFFIX)
    assert hash_of(b"a/b/c", BY_SUFFIX) != hash_of(b"a/c", BY_SUFFIX)


def test_a_site_without_servers_has_none_to_choose():
    assert server_for(site_of(0, BY_WHOLE), b"a/b") is None
