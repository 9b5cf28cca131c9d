"""Dates: HTTP dates, and the ``Date`` header line that every answer carries (RFC 9110 §5.6.7, §6.6.1)."""

from email.utils import formatdate
from functools import lru_cache

_KEPT_DATES = 64
"""Seconds whose text is kept: answers of one moment expire at few different ones."""


def http_date(wall_s: float) -> str:
    """Seconds since 1970 as ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    return _of_second(int(wall_s))


@lru_cache(maxsize=_KEPT_DATES)
def _of_second(second: int) -> str:
    return formatdate(second, usegmt=True)


class DateLine:
    """Keeps the line of the present second; ``renew`` it some times a second, so that an answer reads no clock."""

    __slots__ = ("_second", "line")

    def __init__(self, wall_s: float) -> None:
        self._second = -1
        self.line = b""
        """A whole ``Date`` header line."""
        self.renew(wall_s)

    def renew(self, wall_s: float) -> None:
        """Make the line anew when the second has changed."""
        second = int(wall_s)
        if second != self._second:
            self._second = second
            self.line = f"Date: {http_date(second)}\r\n".encode()
