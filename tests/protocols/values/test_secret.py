"""HS_SECKEY data, plain and hashed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.cursor import Reader
from protocols.errors import Malformed, TooLarge
from protocols.values.secret import (
    MAX_SECRET_BYTES,
    decode_secret,
    encode_secret,
    hash_secret,
    secret_matches,
)
from protocols.values.value import SECRET_PERMISSIONS, read_value
from tests.protocols.values.vectors import vector_bytes

secrets = st.binary(min_size=1, max_size=60)


def test_the_value_vector_holds_the_secret_itself_and_is_not_public():
    value = read_value(Reader(vector_bytes("value_hs_seckey")))
    assert decode_secret(value.data) == b"s3cret"
    assert value.permissions == SECRET_PERMISSIONS
    assert not value.is_public


def test_the_hashed_variant_is_lower_case_hexadecimal_sha1():
    assert hash_secret(b"abc") == b"a9993e364706816aba3e25717850c26c9cd0d89d"


@given(secrets)
def test_a_secret_matches_both_ways_of_keeping_it(secret):
    assert secret_matches(encode_secret(secret), secret)
    assert secret_matches(hash_secret(secret), secret)


@given(secrets, secrets)
def test_another_secret_matches_neither(kept, presented):
    if kept != presented:
        assert not secret_matches(encode_secret(kept), presented)
        assert not secret_matches(hash_secret(kept), presented)


def test_nothing_never_matches():
    assert not secret_matches(b"", b"")
    assert not secret_matches(b"", b"x")
    assert not secret_matches(b"x", b"")
    assert not secret_matches(b"x" * 2000, b"x" * 2000)


def test_empty_and_overlong_secrets_cannot_be_kept():
    assert len(encode_secret(b"x" * MAX_SECRET_BYTES)) == MAX_SECRET_BYTES
    with pytest.raises(Malformed):
        encode_secret(b"")
    with pytest.raises(TooLarge):
        decode_secret(b"x" * (MAX_SECRET_BYTES + 1))
