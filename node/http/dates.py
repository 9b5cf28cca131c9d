"""Dates: the ``Date`` header line, made once a second (RFC 9110 §6.6.1)."""

from collections.abc import Callable
from email.utils import formatdate

from resolver.source import Now


def http_date(wall_s: float) -> str:
    """Seconds since 1970 as ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    return formatdate(wall_s, usegmt=True)


class DateLine:
    """Remembers the line of the present second."""

    __slots__ = ("_line", "_now", "_second")

    def __init__(self, now: Callable[[], Now]) -> None:
        self._now = now
        self._second = -1
        self._line = b""

    def line(self) -> bytes:
        """A whole ``Date`` header line."""
        second = int(self._now().wall_s)
        if second != self._second:
            self._second = second
            self._line = f"Date: {http_date(second)}\r\n".encode()
        return self._line
