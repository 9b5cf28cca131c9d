"""Driver: gives the forwarder a clock and a network: does what it says, tells it what came.

The forwarder decides, the upstream client asks; here is the one timer between them. Events of one turn of the loop are
looked at together: a hundred questions in one wake-up are one step.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import NamedTuple, Protocol

from node.logs import get_log
from node.metrics import QUERY_ERRORS, UPSTREAM_SECONDS
from protocols.handle.authentication import VerifyRequest
from protocols.message import Answer, Query
from resolver.asking import Cancel, Reply, Send, Target, Trouble
from resolver.delegation import Delegated, NotHere
from resolver.forwarding import Forwarder
from resolver.source import Now, Peer

LEAST_WAIT_S = 0.001
"""The loop's timers count milliseconds; a shorter one would be called too early and in vain."""

Then = Callable[[Answer | None], None]
"""Gets the answer, once; None = silence is better (too late for UDP)."""
OnReply = Callable[[int, Reply], None]
OnTrouble = Callable[[int, Trouble], None]

log = get_log("driver")


class Asker(Protocol):
    """Who speaks with other nodes: ``node.upstream.client.UpstreamClient``."""

    def send(self, send: Send, now: Now) -> None:
        """Ask; ends in exactly one reply or trouble unless cancelled."""

    def cancel(self, number: int) -> None:
        """Nobody waits for it any more."""

    async def verify(
        self, target: Target, request: VerifyRequest, patience_s: float
    ) -> bool | None:
        """Whether a proof is right by a secret kept there; None when nothing came that counts."""

    async def close(self) -> None:
        """End every connection."""


class _Sent(NamedTuple):
    """One question to one server, for its metrics."""

    role: str
    began_s: float


class Driver:
    """One per worker; everything happens on its event loop."""

    def __init__(
        self,
        forwarder: Forwarder,
        connect: Callable[[OnReply, OnTrouble], Asker],
        read_clocks: Callable[[], Now],
    ) -> None:
        self.forwarder = forwarder
        self._asker = connect(self._on_reply, self._on_trouble)
        self.now = read_clocks
        self._waiting: dict[int, Then] = {}
        self._sent: dict[int, _Sent] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = inf
        self._is_called = self._is_closed = False

    @property
    def waiting_count(self) -> int:
        """Clients that wait."""
        return len(self._waiting)

    def lookup(
        self, query: Query, place: Delegated | NotHere, peer: Peer, now: Now
    ) -> Answer | None:
        """What is remembered, or why nobody is asked (``resolver.answering.Foreign``)."""
        answer = self.forwarder.lookup(query, place, peer, now)
        if self.forwarder.next_s() < 0.0:  # the answer is due to be asked for again beside it
            self.wake()
        return answer

    def ask(
        self, query: Query, place: Delegated | NotHere, peer: Peer, now: Now, then: Then
    ) -> int | None:
        """Have others asked; ``then`` gets the answer. The ticket to ``forget`` it with, None when told already."""
        told = self.forwarder.ask(query, place, peer, now)
        if isinstance(told, Answer):
            then(told)
            return None
        self._waiting[told] = then
        self.wake()
        return told

    def forget(self, ticket: int) -> None:
        """The client is gone; its ``then`` is not called any more."""
        if self._waiting.pop(ticket, None) is not None:
            self.forwarder.forget(ticket)

    async def verify(
        self, target: Target, request: VerifyRequest, patience_s: float
    ) -> bool | None:
        """See ``Asker``; beside the forwarder, which knows questions about records only."""
        return None if self._is_closed else await self._asker.verify(target, request, patience_s)

    def wake(self) -> None:
        """Have the forwarder looked at in this turn of the loop."""
        if not self._is_called and not self._is_closed:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._step)

    def replace(self, connect: Callable[[OnReply, OnTrouble], Asker]) -> Asker:
        """Go on with another client; the former is returned for closing, when its last question is over."""
        former, self._asker = self._asker, connect(self._on_reply, self._on_trouble)
        return former

    async def close(self) -> None:
        """Ask nobody any more; who still waits hears nothing."""
        self._is_closed = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        await self._asker.close()

    def _step(self) -> None:
        """Everything there is to do now, then a timer for the next time."""
        self._is_called = False
        if self._is_closed:
            return
        now = self.now()
        try:
            actions = self.forwarder.step(now)
        except Exception:  # one question must not stop the others
            QUERY_ERRORS.inc()
            log.exception("a question to another node met a bug")
            actions = []
        for bug in self.forwarder.take_bugs():
            QUERY_ERRORS.inc()
            log.error("a question to another node met a bug", exc_info=bug)
        for action in actions:
            if isinstance(action, Send):
                self._send(action, now)
            elif isinstance(action, Cancel):
                self._sent.pop(action.number, None)
                self._asker.cancel(action.number)
            else:
                self._tell(action.ticket, action.answer)
        self._set_timer(self.forwarder.next_s(), now)

    def _send(self, send: Send, now: Now) -> None:
        self._sent[send.number] = _Sent(send.target.role.value, now.monotonic_s)
        try:
            self._asker.send(send, now)
        except Exception:  # it costs this one question: others wait behind it for theirs
            QUERY_ERRORS.inc()
            log.exception("a question to another node met a bug")
            asyncio.get_running_loop().call_soon(self._on_trouble, send.number, Trouble.CROWDED)

    def _tell(self, ticket: int, answer: Answer | None) -> None:
        then = self._waiting.pop(ticket, None)
        if then is None:
            return
        try:
            then(answer)
        except Exception:  # a listener's bug costs this one answer
            QUERY_ERRORS.inc()
            log.exception("an answer of another node met a bug")

    def _set_timer(self, next_s: float, now: Now) -> None:
        """An earlier timer is left alone: it finds nothing to do and sets the right one."""
        if next_s >= self._timer_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        wait_s = max(LEAST_WAIT_S, next_s - now.monotonic_s)
        self._timer_s = next_s
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._timer_s = None, inf
        self._step()

    def _on_reply(self, number: int, reply: Reply) -> None:
        sent = self._sent.pop(number, None)
        if sent is None:
            return
        now = self.now()
        UPSTREAM_SECONDS.labels(sent.role).observe(now.monotonic_s - sent.began_s)
        self.forwarder.received(number, reply, now)
        self.wake()

    def _on_trouble(self, number: int, trouble: Trouble) -> None:
        if number not in self._sent:
            return
        if trouble is not Trouble.NEAR_MISS:  # which ends nothing: the true answer may yet come
            del self._sent[number]
        self.forwarder.failed(number, trouble, self.now())
        self.wake()
