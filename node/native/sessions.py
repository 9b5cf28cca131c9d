"""Sessions: keys agreed with clients, which numbers of theirs were seen, and when they end. Told the time.

RFC 3652 §3.6: a message of a session carries its id, a number that grows, and a MAC over both under the session key. A
number counts once, so a message that somebody recorded and sends again is refused. Sessions end after ``IDLE_S``
without a message and ``LASTS_S`` after they began, whatever the client asked for.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from node.native.link import NOBODY, Login
from resolver.buckets import source_network

IDLE_S = 3600.0
LASTS_S = 8 * 3600.0
MOST = 4096
"""Of one worker; some 500 bytes each."""
MOST_PER_SOURCE = 128
"""Of one address; whoever opens more loses the one he has not used for longest."""
UNUSED_S = 60.0
"""A session may have to make room when nobody has spoken in it for so long; its client opens another (RC 500)."""
WINDOW = 200
"""Numbers behind the highest that may still come (Handle.Net's)."""
REPEATED_S = 60.0
"""For so long a client may ask again for an answer it has not heard."""
MOST_RECENT = 8
"""Answers kept of one session: clients wait for each before they go on."""


@dataclass(slots=True, eq=False)
class Repeatable:
    """The answer of one message, there or on its way."""

    answer: "asyncio.Future[bytes]"
    address: str
    link: object
    at_s: float


async def told_to(waiting: "asyncio.Future[bytes]", work: Awaitable[bytes]) -> bytes:
    """What ``work`` makes, or its exception, for whoever waits for the same, too."""
    try:
        answer = await work
    except BaseException as error:
        waiting.set_exception(error if isinstance(error, Exception) else ConnectionResetError())
        waiting.exception()  # nobody has to wait for it
        raise
    waiting.set_result(answer)
    return answer


class ReplayWindow:
    """Which of the last ``WINDOW`` numbers were seen; the highest may be anything at first."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = -1
        self._seen = 0
        """Bit n = the number n below the highest."""

    def is_new(self, number: int) -> bool:
        """Whether the number was not seen; then it is from now on."""
        ahead = number - self._highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, WINDOW) | 1) & ((1 << WINDOW) - 1)
            self._highest = number
            return True
        bit = 1 << -ahead
        if -ahead >= WINDOW or self._seen & bit:
            return False
        self._seen |= bit
        return True


@dataclass(slots=True, eq=False)
class Session:
    """One client's."""

    id: int
    key: bytes = field(repr=False)
    address: str
    began_s: float
    lasts_s: float
    used_s: float
    """When it was last spoken in."""
    login: Login = NOBODY
    """Who has proved to be there, by answering a challenge of this session."""
    pending: int = 0
    """Id of the challenge that was sent last in this session."""
    window: ReplayWindow = field(default_factory=ReplayWindow)
    recent: "OrderedDict[bytes, Repeatable]" = field(default_factory=OrderedDict)
    """SHA-256 of a message -> its answer, for clients that have not heard it and send the message again."""

    def remember(self, digest: bytes, repeatable: "Repeatable") -> None:
        """Keep the answer of a message for its repetitions."""
        self.recent[digest] = repeatable
        while len(self.recent) > MOST_RECENT:
            self.recent.popitem(last=False)

    def recall(
        self, digest: bytes, address: str, link: object, now_s: float
    ) -> "Repeatable | None":
        """What a message with that SHA-256 got before, if whoever sends it again may not have heard it.

        On the connection that brought it, nothing gets lost: there it is no repetition but a replay.
        """
        found = self.recent.get(digest)
        if found is None or found.address != address or now_s - found.at_s >= REPEATED_S:
            return None
        return None if found.link is not None and found.link is link else found

    def is_over(self, now_s: float) -> bool:
        """Whether its time is up."""
        return now_s - self.used_s >= IDLE_S or now_s - self.began_s >= self.lasts_s


class Sessions:
    """``new_id`` makes ids that say whose they are (``node/slots.py``)."""

    def __init__(self, new_id: Callable[[], int]) -> None:
        self._new_id = new_id
        self._by_id: OrderedDict[int, Session] = OrderedDict()
        """The one unused for longest first."""
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def open(self, key: bytes, address: str, wanted_s: float, now_s: float) -> Session | None:
        """A new one; None when there is no room for it."""
        if not self.has_room(address, now_s):
            return None
        id_ = self._new_id()
        while id_ in self._by_id:
            id_ = self._new_id()
        lasts_s = min(wanted_s, LASTS_S) if wanted_s > 0 else LASTS_S
        session = Session(id_, key, address, now_s, lasts_s, now_s)
        self._by_id[id_] = session
        source = source_network(address)
        self._counts[source] = self._counts.get(source, 0) + 1
        return session

    def has_room(self, address: str, now_s: float) -> bool:
        """Whether ``open`` would open one; cheap, so that nobody agrees on a key in vain.

        Room is made by ending one that was not used for ``UNUSED_S``: whoever has too many, of his own; when all
        together are too many, one that nobody has logged in on.
        """
        self._expire(now_s)
        source = source_network(address)
        if self._counts.get(source, 0) >= MOST_PER_SOURCE:
            return self._end_unused(lambda one: source_network(one.address) == source, now_s)
        return len(self._by_id) < MOST or self._end_unused(lambda one: one.login == NOBODY, now_s)

    def _end_unused(self, may_go: Callable[[Session], bool], now_s: float) -> bool:
        for session in self._by_id.values():
            if now_s - session.used_s < UNUSED_S:
                return False  # the one unused for longest comes first
            if may_go(session):
                self.end(session)
                return True
        return False

    def find(self, id_: int, now_s: float) -> Session | None:
        """The one of that id, if it is not over. That somebody may speak in it is for his MAC to prove."""
        session = self._by_id.get(id_)
        if session is None:
            return None
        if session.is_over(now_s):
            self.end(session)
            return None
        return session

    def touch(self, session: Session, now_s: float) -> None:
        """Somebody who has the key has spoken in it."""
        session.used_s = now_s
        if session.id in self._by_id:
            self._by_id.move_to_end(session.id)

    def end(self, session: Session) -> None:
        """It is over."""
        if self._by_id.pop(session.id, None) is None:
            return
        source = source_network(session.address)
        self._counts[source] -= 1
        if not self._counts[source]:
            del self._counts[source]

    def _expire(self, now_s: float) -> None:
        while self._by_id:
            oldest = next(iter(self._by_id.values()))
            if not oldest.is_over(now_s):
                return
            self.end(oldest)
