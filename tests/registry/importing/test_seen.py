"""What was seen is known exactly, whether it is held in the set or has moved to the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.importing.seen import Seen


class Memory:
    """Scratch space that counts what is out."""

    def __init__(self):
        self.taken = []

    def take(self, size_bytes):
        self.taken.append(bytearray(size_bytes))
        return self.taken[-1]

    def give_back(self, space):
        self.taken = [other for other in self.taken if other is not space]


@given(
    st.lists(st.binary(max_size=20).map(lambda b: b[:2] * 8 if len(b) > 15 else b)),
    st.integers(1, 20),
)
def test_it_agrees_with_a_plain_set_at_every_bound(suffixes, keep):
    seen, plain = Seen(Memory(), keep), set()
    for suffix in suffixes:
        assert seen.add(suffix) == (suffix not in plain)
        plain.add(suffix)


@pytest.mark.parametrize("keep", [1, 10, 1000])
def test_moving_out_and_doubling_forget_nothing_and_keep_one_table(keep):
    memory = Memory()
    seen = Seen(memory, keep)
    suffixes = [b"SN-%09d" % n for n in range(5000)] + [
        b"a long suffix, kept as a digest %d" % n for n in range(5000)
    ]
    assert all(seen.add(suffix) for suffix in suffixes)
    assert not any(seen.add(suffix) for suffix in suffixes)
    assert len(memory.taken) == 1
    assert len(memory.taken[0]) <= 16 * 4 * len(suffixes)
    assert not seen._held


def test_nothing_is_taken_before_the_bound():
    memory = Memory()
    seen = Seen(memory, 100)
    assert all(seen.add(b"%d" % n) for n in range(99))
    assert not memory.taken


def test_a_sixteen_byte_suffix_is_not_mistaken_for_a_digest():
    import hashlib

    long = b"a suffix of more than fifteen bytes"
    seen = Seen(Memory(), 1000)
    assert seen.add(long)
    assert seen.add(hashlib.blake2b(long, digest_size=16).digest())
