"""Seconds and ISO dates."""

import pytest
from hypothesis import given

from protocols.errors import Malformed
from protocols.rest.dates import format_date, parse_date
from tests.protocols.strategies import u32


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (0x68A00000, "2025-08-16T03:50:24Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (0xFFFF_FFFF, "2106-02-07T06:28:15Z"),
    ],
)
def test_known_dates(seconds, text):
    assert format_date(seconds) == text
    assert parse_date(text) == seconds


@given(u32)
def test_seconds_and_date_are_one(seconds):
    assert parse_date(format_date(seconds)) == seconds


def test_other_zones_and_fractions_are_understood():
    assert parse_date("2025-08-16T11:50:24+08:00") == 0x68A00000
    assert parse_date("2025-08-16T03:50:24.999Z") == 0x68A00000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2025-08-16",
        "2025-08-16T03:50:24",
        "2025-02-30T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2106-02-07T06:28:16Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "\x00" * 50,
    ],
)
def test_what_is_no_date_in_reach_is_malformed(text):
    with pytest.raises(Malformed):
        parse_date(text)
