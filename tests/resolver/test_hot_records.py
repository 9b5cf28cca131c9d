"""Hot records: what was written is read back, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, ProtocolError, Unsupported
from resolver.hot_records import (
    NO_BOOT_ID,
    HotRecord,
    Stamp,
    elapsed_s,
    encode_record,
    open_sealed,
    seal,
)
from resolver.source import Now

STAMP = Stamp(bytes(range(16)), 77, bytes(range(32)), b"boot-id-of-today", 1234.5, 2_000_000_000.25)
RECORDS = [
    HotRecord(b"88.2/a", 2, 255, 12.5, 3600.0, b"\0\0\0\0"),
    HotRecord("88.2/é".encode(), 3, 0, 0.0, 172_800.0, bytes(300)),
]

milliseconds = st.integers(0, 10**12).map(lambda n: n / 1000)
records = st.builds(
    HotRecord, st.binary(max_size=40), st.integers(1, 3), st.integers(0, 255),
    milliseconds, milliseconds, st.binary(max_size=80),
)  # fmt: skip


def written(records=RECORDS, stamp=STAMP):
    encoded = [encode_record(record) for record in records]
    return b"".join([seal(stamp, encoded), *encoded])


def read(data):
    stamp, found = open_sealed(data)
    return stamp, list(found)


@given(st.lists(records, max_size=8), st.integers(0, 2**64 - 1))
def test_what_was_written_is_read_back(records, seq):
    stamp = STAMP._replace(seq=seq)
    assert read(written(records, stamp)) == (stamp, records)


def test_a_file_cut_off_anywhere_is_refused():
    data = written()
    for end in range(len(data)):
        with pytest.raises(Malformed):
            open_sealed(data[:end])


def test_a_file_with_any_bit_flipped_is_refused():
    data = written()
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises((Malformed, Unsupported)):
            open_sealed(bytes(flipped))


@pytest.mark.parametrize("more", [b"\0", b"x" * 100])
def test_a_file_with_bytes_behind_it_is_refused(more):
    with pytest.raises(Malformed):
        open_sealed(written() + more)


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_in_words(data):
    with pytest.raises(ProtocolError):
        open_sealed(data)


def test_another_version_is_named():
    data = written()
    with pytest.raises(Unsupported, match="version 2"):
        open_sealed(data[:8] + (2).to_bytes(4) + data[12:])


def test_a_count_that_says_less_than_there_is_is_refused():
    encoded = [encode_record(record) for record in RECORDS]
    data = seal(STAMP, encoded)
    with pytest.raises(Malformed, match="checksum"):
        open_sealed(b"".join([data, *encoded[:1]]))


# ------------------------------------------------------------------------------------------------ clocks


def at(monotonic_s, wall_s):
    return Now(STAMP.monotonic_s + monotonic_s, STAMP.wall_s + wall_s)


@pytest.mark.parametrize(
    ("boot_id", "monotonic_s", "wall_s", "expected"),
    [
        (STAMP.boot_id, 10, 10, 10),
        (STAMP.boot_id, 10, -3600, 10),  # the wall clock was set back: the other one knows
        (
            STAMP.boot_id,
            10,
            500,
            500,
        ),  # suspended meanwhile, or set forward: rather too old than too young
        (b"boot-id-tomorrow", 10, 500, 500),
        (b"boot-id-tomorrow", -1000, 500, 500),  # a monotonic clock begins anew with each boot
        (b"boot-id-tomorrow", 10, -1, None),  # nobody can tell
        (NO_BOOT_ID, 10, 20, 20),
        (NO_BOOT_ID, 10, -1, None),
    ],
)
def test_time_since_saving_is_never_taken_for_less_than_it_was(
    boot_id, monotonic_s, wall_s, expected
):
    assert elapsed_s(STAMP, boot_id, at(monotonic_s, wall_s)) == expected


def test_two_unknown_boots_are_not_the_same():
    stamp = STAMP._replace(boot_id=NO_BOOT_ID)
    assert elapsed_s(stamp, NO_BOOT_ID, at(5, -1)) is None
