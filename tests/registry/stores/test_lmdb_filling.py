"""Sorted rows fill pages wherever they go, and nothing beside them changes."""

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.stores.lmdb_filling import LEAST_ROWS, PAGE_BYTES, put_new

ROW_BYTES = 187
VALUE = b"v" * (ROW_BYTES - 16 - 10)


@pytest.fixture
def env(tmp_path):
    with lmdb.open(str(tmp_path), map_size=1 << 28, sync=False) as env:
        yield env


def rows(lead, first, count, step=1, value=VALUE):
    return [(lead + b"SN-%09d" % n, value) for n in range(first, first + count * step, step)]


def put(env, some):
    with env.begin(write=True) as txn:
        return put_new(txn, env.open_db(None, txn), some)


def leaf_bytes_per_row(env):
    with env.begin() as txn:
        found = txn.stat()
    return found["leaf_pages"] * PAGE_BYTES / found["entries"]


@pytest.mark.parametrize("behind", [0, 1, 7, 22, 23, 24, 25, 30, 45, 500])
def test_pages_are_full_whatever_lies_behind(env, behind):
    put(env, rows(b"\0\0\0\2", 0, behind))
    for first in range(0, 20_000, 1000):
        assert put(env, rows(b"\0\0\0\1", first, 1000))
    assert leaf_bytes_per_row(env) < 1.2 * ROW_BYTES
    with env.begin() as txn:
        assert [key for key, _ in txn.cursor()] == [
            key for key, _ in rows(b"\0\0\0\1", 0, 20_000) + rows(b"\0\0\0\2", 0, behind)
        ]


def test_two_prefixes_that_grow_in_turn_both_have_full_pages(env):
    for first in range(0, 10_000, 500):
        assert put(env, rows(b"\0\0\0\1", first, 500))
        assert put(env, rows(b"\0\0\0\2", first, 500))
    assert leaf_bytes_per_row(env) < 1.12 * ROW_BYTES


def test_a_row_that_was_there_is_noticed_wherever_it_is(env):
    some = rows(b"\1", 0, 2 * LEAST_ROWS)
    for at in (0, 15, 16, len(some) - 1):
        with env.begin(write=True) as txn:
            txn.put(*some[at])
            assert not put_new(txn, env.open_db(None, txn), some)
            txn.abort()


keys = st.binary(min_size=1, max_size=3)
values = st.sampled_from([b"", b"v" * 100, b"v" * 1500, b"v" * 9000])


@given(st.dictionaries(keys, values, max_size=40), keys, st.integers(0, 2 * LEAST_ROWS), values)
def test_any_rows_among_any_others_are_all_there_afterwards(
    tmp_path_factory, before, lead, count, value
):
    some = rows(lead, 0, count, value=value)
    with lmdb.open(str(tmp_path_factory.mktemp("f")), map_size=1 << 28, sync=False) as env:
        with env.begin(write=True) as txn:
            txn.cursor().putmulti(sorted(before.items()))
        assert put(env, some)
        with env.begin() as txn:
            assert dict(txn.cursor()) == {**before, **dict(some)}
