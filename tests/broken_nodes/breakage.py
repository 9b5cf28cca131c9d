"""Breakage: one way in which a node misbehaves, as small functions over what comes in and what goes out.

A node between the client and a sound node changes requests before the sound one sees them (``…ask``: so a node that
forgets a parameter, or takes a wrong password for the right one), or answers before the client does (``…answer``).
``native`` and ``http`` make rows of the tables. What the functions share between requests stands in ``Scene.memory``.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from protocols.handle.codec import Message, decode
from protocols.handle.envelope import ENVELOPE_BYTES, Envelope, decode_envelope
from protocols.handle.header import Header, decode_header


class Cut(Enum):
    """What a node does instead of answering."""

    SILENT = "nothing is said, and the connection stays"
    CLOSED = "the connection ends without a word"


SILENT, CLOSED = Cut.SILENT, Cut.CLOSED


class Scene:
    """What breakages know of the node behind them. One for every check that is tried."""

    def __init__(self, prefix: str, administrator: str, secret: bytes) -> None:
        self.prefix = prefix
        self.administrator = administrator
        """``300:0.NA/88.118``."""
        self.secret = secret
        self.memory: dict[str, object] = {}
        """From one request of the check to the next."""


class Asked:
    """One HTTP request. ``raw`` is all of it; the other parts are what can be read of it."""

    def __init__(self, raw: bytes, scene: Scene) -> None:
        self.raw = raw
        self.scene = scene
        head, _, self.body = raw.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = (*line.split(" ", 2), "", "", "")[:3]
        self.fields = [
            (name, value.strip()) for name, _, value in (x.partition(":") for x in lines)
        ]

    def field(self, name: str) -> str:
        """The first field of that name, "" without one."""
        return next((v for n, v in self.fields if n.lower() == name.lower()), "")

    def altered(
        self,
        *,
        method: str | None = None,
        target: str | None = None,
        body: bytes | None = None,
        **fields: str | None,
    ) -> "Asked":
        """The same request with other parts; a field set to None is left out (``_`` stands for ``-``)."""
        changed = {name.replace("_", "-").lower(): value for name, value in fields.items()}
        if body is not None:
            changed["content-length"] = str(len(body))
        kept = [(n, v) for n, v in self.fields if n.lower() not in changed]
        kept += [(n, v) for n, v in changed.items() if v is not None]
        lines = [f"{method or self.method} {target or self.target} {self.version}"]
        lines += [f"{name}: {value}" for name, value in kept]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return Asked(head + (self.body if body is None else body), self.scene)


class Answered(NamedTuple):
    """One HTTP answer; the body without its framing."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def field(self, name: str) -> str:
        """The first field of that name, "" without one."""
        return next((v for n, v in self.fields if n.lower() == name.lower()), "")


HUNG_UP = Answered(0)
"""What an ``http_answer`` is handed when the sound node hangs up instead of answering."""


class Question:
    """One native request message, as the client sent it."""

    def __init__(self, data: bytes, scene: Scene, *, is_udp: bool) -> None:
        self.data = data
        self.scene = scene
        self.is_udp = is_udp

    @cached_property
    def envelope(self) -> Envelope:
        """Its first 20 bytes. Raises ``Malformed``."""
        return decode_envelope(self.data)

    @cached_property
    def header(self) -> Header:
        """The header, of messages that are not encrypted. Raises ``Malformed``."""
        return decode_header(self.data, ENVELOPE_BYTES)[0]

    @cached_property
    def message(self) -> Message:
        """The whole message. Raises ``ProtocolError``."""
        return decode(self.data)


class Told(NamedTuple):
    """A whole native answer that the sound node knows nothing of."""

    message: bytes


HttpAsk = Callable[[Asked], Asked | Answered]
HttpAnswer = Callable[[Asked, Answered], Answered | bytes | Cut]
"""Bytes go out as they are, framing and all."""
NativeAsk = Callable[[Question], bytes | Told | None]
"""What the sound node is asked instead, or what is said without it; None = it is not asked."""
NativeAnswer = Callable[[Question, bytes], bytes | Sequence[bytes] | Cut]
"""Bytes are one message, a sequence several."""


class Breakage(NamedTuple):
    """A row of the tables: ``wrong`` says in a few words what this node does."""

    wrong: str
    http_ask: HttpAsk | None = None
    http_answer: HttpAnswer | None = None
    native_ask: NativeAsk | None = None
    native_answer: NativeAnswer | None = None
    is_silent: bool = False
    """The client would wait in vain, so its patience is cut short."""


def http(
    wrong: str,
    answer: HttpAnswer | None = None,
    *,
    ask: HttpAsk | None = None,
    is_silent: bool = False,
) -> Breakage:
    """A node whose HTTP side is broken."""
    return Breakage(wrong, http_ask=ask, http_answer=answer, is_silent=is_silent)


def native(
    wrong: str,
    answer: NativeAnswer | None = None,
    *,
    ask: NativeAsk | None = None,
    is_silent: bool = False,
) -> Breakage:
    """A node whose native side, UDP and TCP, is broken."""
    return Breakage(wrong, native_ask=ask, native_answer=answer, is_silent=is_silent)


SOUND = Breakage("nothing")
