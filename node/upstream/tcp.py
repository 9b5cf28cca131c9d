"""TCP: pooled connections, one pool for each server (RFC 3652 §2.1; RFC 7766 §6.2 on reuse and pipelining).

A question goes to a resting connection, else to a new one, else behind others, else it waits. A server may close
whenever it likes: what it left unanswered on a connection that had served before is asked once more on a new one.
"""

import asyncio

from node.upstream.addresses import trouble_of
from node.upstream.connection import Connection
from node.upstream.job import Job, UpstreamSettings
from resolver.asking import Target, Trouble

CONNECT_S = 3.0
"""An attempt outlives the question it was made for, up to this: the next question will want it."""
GIVEN_UP_S = 5.0
"""A connection that owes an answer nobody waits for is closed after so long."""
LOOK_EVERY_S = 1.0
"""How often connections are looked at; a question's own deadline is exact."""
CLOSES_S = 1.0
"""A server that closes so soon after an answer closes because of it, not because the connection was unused."""
LEARN_AGAIN_S = 60.0
"""How long it is remembered after how many answers a server closes: a restart looks the same."""
ANY_NUMBER = 1 << 62
MOST_WAITING = 512
"""Questions without a connection, per server: twice what the resolver lets be under way."""


class TcpCarrier:
    """All pools, and what they may hold together."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings
        self.connections = 0
        """Open and being opened, to all servers."""
        self.made = self.asked_again = 0
        """Connections begun, and questions repeated because a connection ended, since the start."""
        self._buffered_bytes = 0
        self._pools: dict[tuple[str, int], Pool] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._attempts: set[asyncio.Task[None]] = set()
        self._sockets = 0
        self._all_closed: asyncio.Future[None] | None = None

    def ask(self, job: Job) -> None:
        """See ``Carrier``."""
        pool = self._pools.get(job.target.place)
        if pool is None:
            pool = self._pools[job.target.place] = Pool(self, job.target)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)
        pool.ask(job)

    def drop(self, job: Job) -> None:
        """See ``Carrier``."""
        pool = self._pools.get(job.target.place)
        if pool is not None:
            pool.drop(job)

    async def close(self) -> None:
        """See ``Carrier``."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        for pool in list(self._pools.values()):
            pool.close()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        if self._sockets:
            self._all_closed = asyncio.get_running_loop().create_future()
            await self._all_closed

    def has_room(self) -> bool:
        """Whether one more connection may be made. The longest unheard of those that nobody waits for gives way, first
        of those that owe an answer: servers that never finish one must not take all places."""
        most = self.settings.most_connections
        if self._is_closing or self.connections < most:
            return not self._is_closing
        pools = self._pools.values()
        unneeded = [c for pool in pools for c in pool.stuck] or [
            c for p in pools for c in p.resting
        ]
        if unneeded:
            min(unneeded, key=lambda connection: connection.heard_s).end(Trouble.CLOSED)
        return self.connections < most

    def gave_back(self) -> None:
        """A connection has ended: its place may be what questions to another server wait for."""
        if self.connections >= self.settings.most_connections and not self._is_closing:
            asyncio.get_running_loop().call_soon(self._feed)
        self.connections -= 1

    def spares(self, connection: Connection) -> bool:
        """Whether there is memory for what ``connection`` has begun, once what nobody waits for is let go of."""
        for pool in self._pools.values():
            for other in pool.stuck:
                if other is not connection and other.has_part:
                    other.end(Trouble.CLOSED)
        return self._buffered_bytes <= self.settings.most_buffered_bytes

    def opened(self) -> None:
        """There is one more socket."""
        self._sockets += 1

    def closed(self) -> None:
        """There is one less."""
        self._sockets -= 1
        if self._sockets == 0 and self._all_closed is not None:
            self._all_closed.set_result(None)

    def may_buffer(self, more_bytes: int) -> bool:
        """Book bytes of unfinished answers; False when all servers together have sent too much of them."""
        self._buffered_bytes += more_bytes
        return more_bytes <= 0 or self._buffered_bytes <= self.settings.most_buffered_bytes

    def start(self, pool: "Pool", connection: Connection) -> None:
        """Begin to connect."""
        self.connections += 1
        self.made += 1
        task = asyncio.get_running_loop().create_task(_connect(pool.target, connection))
        connection.attempt = task
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)

    def _feed(self) -> None:
        for pool in list(self._pools.values()):
            pool.feed()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for place, pool in list(self._pools.items()):
            pool.look(loop.time())
            if pool.is_unused:
                del self._pools[place]
        self._feed()
        again = bool(self._pools) and not self._is_closing
        self._timer = loop.call_later(LOOK_EVERY_S, self._look) if again else None


async def _connect(target: Target, connection: Connection) -> None:
    """Open the connection, or end it with the reason why not."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            await loop.create_connection(lambda: connection, target.address, target.port)
    except (OSError, UnicodeError) as error:
        connection.attempt = None
        connection.end(trouble_of(error))
    else:
        connection.attempt = None


class Pool:
    """The connections to one server, and the questions that wait for one."""

    def __init__(self, carrier: TcpCarrier, target: Target) -> None:
        self._carrier = carrier
        self._connections: set[Connection] = set()
        self._waiting: dict[Job, None] = {}
        self._is_evicting = False
        self._learnt_s = 0.0
        self.most_answers = ANY_NUMBER
        """See ``Owner``: 1 for the classic server, which closes after each."""
        self.target = target
        self.max_message_bytes = carrier.settings.max_message_bytes
        self.may_buffer, self.spares, self.opened, self.closed = (
            carrier.may_buffer, carrier.spares, carrier.opened, carrier.closed,
        )  # fmt: skip
        self.resting: dict[Connection, None] = {}
        """Open and unasked; the last one added is used first, so that the others grow old and close."""

    @property
    def is_unused(self) -> bool:
        """Nothing would be lost with it."""
        return not self._connections and not self._waiting

    @property
    def stuck(self) -> list[Connection]:
        """Those that nobody waits for, and that cannot be asked."""
        return [connection for connection in self._connections if connection.is_stuck]

    def ask(self, job: Job) -> None:
        """Find a connection, or let the question wait for one."""
        if self._place(job):
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting[job] = None
            # Some are being opened and none is open: what keeps it waiting is the server, not our own bound.
            tried = self._connections
            job.is_asked = bool(tried) and not any(connection.is_open for connection in tried)
        else:
            asyncio.get_running_loop().call_soon(job.settle, job, Trouble.CROWDED)

    def drop(self, job: Job) -> None:
        """Nobody waits for it any more."""
        if job in self._waiting:
            del self._waiting[job]
            return
        for connection in self._connections:
            if connection.pending.get(job.request_id) is job:
                connection.give_up(job)
                break

    def freed(self, connection: Connection) -> None:
        """An answer came: give the connection to who waits, or let it rest."""
        now_s = asyncio.get_running_loop().time()
        while self._waiting and connection.room > 0:
            connection.put(self._next(), now_s)
        if not connection.is_open or connection.pending:
            return
        if connection.answers < self.most_answers:
            self.resting[connection] = None
        else:
            connection.end(Trouble.CLOSED)

    def lost(self, connection: Connection, trouble: Trouble, *, blames: bool) -> None:
        """A connection has ended, with what was pending on it."""
        self._connections.discard(connection)
        self.resting.pop(connection, None)
        self._carrier.gave_back()
        pending, connection.pending = list(connection.pending.values()), {}
        for at, job in enumerate(pending):
            if job is None:
                continue
            if job.is_repeated or (blames and at == 0):
                job.settle(job, trouble)
            else:
                self._repeat(job)
        self.feed()

    def feed(self) -> None:
        """Connect for who waits, as far as there is room."""
        while self._waiting and not self._is_evicting and self._may_connect():
            self._connect(self._next())

    def closed_by_server(self, connection: Connection) -> None:
        """Right after an answer: then it will do the same with the others."""
        now_s = asyncio.get_running_loop().time()
        if connection.answers and now_s - connection.heard_s < CLOSES_S:
            self.most_answers, self._learnt_s = connection.answers, now_s

    def look(self, now_s: float) -> None:
        """Close what has been unused for too long, or owes an answer that nobody waits for."""
        if now_s - self._learnt_s >= LEARN_AGAIN_S:
            self.most_answers = ANY_NUMBER
        idle_s = self._carrier.settings.idle_s
        for connection in list(self._connections):
            silent_s = now_s - connection.heard_s
            if connection in self.resting:
                is_over = silent_s >= idle_s
            else:
                is_over = connection.is_stuck and silent_s >= GIVEN_UP_S
            if is_over:
                connection.end(Trouble.CLOSED)

    def close(self) -> None:
        """End every connection; who waits is not told."""
        self._waiting.clear()
        for connection in list(self._connections):
            connection.pending.clear()
            connection.end(Trouble.CLOSED)

    def _place(self, job: Job) -> bool:
        """Put the question on a connection; False when none takes it now."""
        now_s = asyncio.get_running_loop().time()
        while self.resting:
            connection, _ = self.resting.popitem()
            if connection.room > 0:
                connection.put(job, now_s)
                return True
            connection.end(Trouble.CLOSED)
        idle = next((c for c in self._connections if not c.is_open and not c.pending), None)
        if idle is not None:  # being opened for a question that was given up
            idle.put(job, now_s)
            return True
        if self._may_connect():
            self._connect(job)
            return True
        roomy = max(self._connections, key=lambda c: c.room, default=None)
        if roomy is not None and roomy.room > 0:
            roomy.put(job, now_s)
            return True
        return False

    def _may_connect(self) -> bool:
        """Whether a connection may be made for who asks; one that owes an answer nobody waits for gives way."""
        self._is_evicting = True  # the place is not for others who wait
        try:
            if len(self._connections) >= self._carrier.settings.connections:
                stuck = self.stuck
                if not stuck:
                    return False
                min(stuck, key=lambda connection: connection.heard_s).end(Trouble.CLOSED)
            return self._carrier.has_room()
        finally:
            self._is_evicting = False

    def _connect(self, job: Job) -> None:
        connection = Connection(self, asyncio.get_running_loop().time())
        self._connections.add(connection)
        connection.put(job, connection.heard_s)
        self._carrier.start(self, connection)

    def _repeat(self, job: Job) -> None:
        """Ask again, on a new connection: the old ones may have been closed for the same reason."""
        self._carrier.asked_again += 1
        job.is_repeated = True
        if self._may_connect():
            self._connect(job)
        else:
            self._waiting[job] = None

    def _next(self) -> Job:
        job = next(iter(self._waiting))
        del self._waiting[job]
        return job
