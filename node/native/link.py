"""Link: what one TCP connection knows of who is speaking on it.

The national SDK chooses its session ids itself, from 10001 upwards, and every client process chooses the same ones. So
a login is worth something only together with the connection it was made on, and ends with it.
"""

from collections.abc import Callable, Coroutine
from typing import NamedTuple

from protocols.message import ANONYMOUS, Principal

MOST_LOGINS = 64
"""Of one connection, pending ones included; the SDK makes one."""


SendPart = Callable[[bytes], Coroutine[object, object, None]]


class Login(NamedTuple):
    """Who has proved to be there, and by which key: once that is another, or gone, the login is worth nothing."""

    principal: Principal = ANONYMOUS
    key_print: bytes = b""


NOBODY = Login()


class Link:
    """One connection, which has one message worked at at a time.

    ``send_part`` sends the beginning of the answer that is worked at, and waits until the client takes it; it raises
    ``ConnectionResetError`` when nobody is there. None: answers are told in one piece. ``is_elsewhere``: another worker
    has the connection, and the logins on it; this is the way back of one answer.
    """

    __slots__ = ("is_elsewhere", "logins", "pending", "send_part")

    def __init__(self, send_part: SendPart | None = None, *, is_elsewhere: bool = False) -> None:
        self.send_part = send_part
        self.is_elsewhere = is_elsewhere
        self.logins: dict[int, Login] = {}
        """Session id, as the client chose it -> who has proved to be there."""
        self.pending: dict[int, int] = {}
        """Session id -> id of the challenge that a login on it still has to answer."""

    @property
    def is_full(self) -> bool:
        """No room for one more login."""
        return len(self.logins) + len(self.pending) >= MOST_LOGINS
