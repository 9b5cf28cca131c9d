"""One TCP connection to one server: questions out, answers matched to them by request id.

A server that has not shown that it keeps connections open gets one question at a time; one that has, up to ``DEPTH``
behind each other. Questions that nobody waits for any more keep their place until the answer comes or the connection
is wanted for something better, since servers answer in order.
"""

import asyncio
from typing import Protocol, cast

from node.upstream.job import Job
from node.upstream.messages import decode_answer
from protocols.errors import ProtocolError
from protocols.handle.stream import MessageStream
from resolver.asking import Trouble

DEPTH = 8
"""Questions behind each other on one connection: 32 connections carry the 256 that a server may be asked."""
PROVEN_ANSWERS = 2
"""The second answer on a connection shows that its server kept it open after the first."""


class Owner(Protocol):
    """The pool, as its connections see it."""

    max_message_bytes: int
    most_answers: int
    """What the server gives on one connection before it closes it, as far as it has shown."""

    def freed(self, connection: "Connection") -> None:
        """An answer came: there may be room for another question."""

    def lost(self, connection: "Connection", trouble: Trouble, *, blames: bool) -> None:
        """It has ended, ``blames`` = because of the oldest question's answer. Called once."""

    def closed_by_server(self, connection: "Connection") -> None:
        """The server closed it, between two answers; ``lost`` follows."""

    def opened(self) -> None:
        """There is one more socket."""

    def closed(self) -> None:
        """There is one less."""

    def spares(self, connection: "Connection") -> bool:
        """Whether there is room for its unfinished answer after all, once unneeded ones are let go of."""

    def may_buffer(self, more_bytes: int) -> bool:
        """Book bytes of an unfinished answer (negative: give back); False when all pools hold too much."""


class Connection(asyncio.Protocol):
    """``pending`` holds what was asked, oldest first; None where nobody waits any more."""

    __slots__ = (
        "_booked_bytes", "_owner", "_stream", "_transport", "answers", "attempt", "heard_s", "is_over",
        "pending",
    )  # fmt: skip

    def __init__(self, owner: Owner, now_s: float) -> None:
        self._owner = owner
        self._stream = MessageStream({}, owner.max_message_bytes)
        self._transport: asyncio.Transport | None = None
        self._booked_bytes = 0
        self.attempt: asyncio.Task[None] | None = None
        """Until it is open."""
        self.pending: dict[int, Job | None] = {}
        self.answers = 0
        self.heard_s = now_s
        """When it was made, last asked something while it rested, or last heard."""
        self.is_over = False

    @property
    def is_open(self) -> bool:
        """Connected and not closing."""
        return self._transport is not None and not self.is_over

    @property
    def has_part(self) -> bool:
        """An answer has begun but is not whole."""
        return self._stream.buffered_bytes > 0

    @property
    def is_stuck(self) -> bool:
        """Asked something, but nobody waits for the answer any more."""
        return not any(self.pending.values()) and (bool(self.pending) or not self.is_open)

    @property
    def room(self) -> int:
        """How many more questions it takes."""
        if not self.is_open or None in self.pending.values():
            return 0
        depth = DEPTH if self.answers >= PROVEN_ANSWERS else 1
        return min(depth, self._owner.most_answers - self.answers) - len(self.pending)

    def put(self, job: Job, now_s: float) -> None:
        """Ask now, or as soon as it is open."""
        assert job.request_id not in self.pending
        if not self.pending:
            self.heard_s = now_s
        self.pending[job.request_id] = job
        job.is_asked = True
        if self._transport is not None:
            self._transport.write(job.message)

    def give_up(self, job: Job) -> None:
        """Nobody waits for this one any more."""
        if self._transport is None:
            self.pending.pop(job.request_id, None)  # it was never written
        elif job.request_id in self.pending:
            self.pending[job.request_id] = None

    def end(self, trouble: Trouble, *, blames: bool = False) -> None:
        """Close at once and say so; ``blames``: the oldest question's answer is the reason."""
        if self.is_over:
            return
        self.is_over = True
        if self._transport is not None:
            self._transport.abort()
        elif self.attempt is not None:
            self.attempt.cancel()
        self._book(0)
        self._owner.lost(self, trouble, blames=blames or self.answers == 0)

    # called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open: write what waits."""
        opened = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        if self.is_over:  # and its attempt is being cancelled
            opened.abort()
            return
        self._transport = opened
        self._owner.opened()
        if self.pending:
            opened.write(b"".join(job.message for job in self.pending.values() if job))
        else:
            self._owner.freed(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes of answers."""
        if self.is_over:
            return
        now_s = asyncio.get_running_loop().time()
        if not self.is_stuck:  # bytes that nobody waits for, one by one, must not keep it
            self.heard_s = now_s
        for message in self._stream.receive(data):
            self.heard_s = now_s
            if not self._take(message):
                return
        if self._stream.failure is not None or (self.has_part and not self.pending):
            self.end(Trouble.GARBAGE, blames=True)
        elif not self._book(self._stream.buffered_bytes) and not self._owner.spares(self):
            self.end(Trouble.CROWDED, blames=True)
        else:
            self._owner.freed(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """The server closed it, or the way to it broke."""
        if not self.is_over and not self.has_part:
            self._owner.closed_by_server(self)
        self.end(Trouble.CLOSED, blames=self.has_part)
        if self._transport is not None:
            self._owner.closed()

    def _take(self, data: bytes) -> bool:
        """One whole message; False when the connection has ended over it."""
        request_id = int.from_bytes(data[8:12])
        if request_id not in self.pending:  # a server that answers what nobody asked
            self.end(Trouble.GARBAGE, blames=True)
            return False
        job = self.pending.pop(request_id)
        self.answers += 1
        if job is None:
            return True
        try:
            answer = decode_answer(data, job)
        except ProtocolError:
            job.settle(job, Trouble.GARBAGE)
            self.end(Trouble.GARBAGE)
        else:
            job.settle(job, answer)
        return not self.is_over

    def _book(self, held_bytes: int) -> bool:
        fits = self._owner.may_buffer(held_bytes - self._booked_bytes)
        self._booked_bytes = held_bytes
        return fits
