"""Questions: everything under way, stepped, timed, and told to whoever waits.

A question is one resolution and its waiters: clients with tickets, and other questions that need its record first. A
waiter whose patience for a fresh answer is over gets the stale one, if there is one, while the question goes on.
"""

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from protocols.identifier import Identifier, is_within
from protocols.message import ANONYMOUS, Answer, Outcome, Query
from protocols.trail import Verdict
from protocols.values.value_list import decode_values
from resolver.acts import ANSWERS, Allowance, Ask, Done, Need, Wait
from resolver.asking import Action, Cancel, Reply, Role, Send, Target, Tell, Trouble
from resolver.cache import ForeignCache, State
from resolver.delegation import Delegated, Local, NotHere, locate
from resolver.limits import Limits
from resolver.remembering import Remembering
from resolver.resolution import Resolution, World
from resolver.source import LocalRecords, Now, Peer
from resolver.waiting import Crowd, Key, Running, Waiter

NOBODY = Peer("", 0, "", is_loopback=True)
"""Who waits when a question needs another."""
SPARE_TIMERS = 512
"""Timers of ended questions are swept out when there are eight times as many timers as questions, and so many more."""

MOST_BUGS = 16
"""Of one kind there may be many at once; the first ones tell enough."""

Refresh = Callable[[Query, Delegated | NotHere, Now], None]


class Questions:
    """``start`` or ``join`` one; ``received``, ``failed``; then ``step``, and again at ``next_s``."""

    def __init__(  # noqa: PLR0913  # what questions need of the rest of the brain
        self, world: World, records: LocalRecords, cache: ForeignCache, memory: Remembering,
        limits: Limits, counts: Counter[str], refresh: Refresh,
    ) -> None:  # fmt: skip
        self._world, self._records, self._limits = world, records, limits
        self._cache, self._memory = cache, memory
        self._counts, self._refresh = counts, refresh
        self.troubles: Counter[tuple[Role, Trouble]] = Counter()
        self.bugs: deque[Exception] = deque(maxlen=MOST_BUGS)
        """What questions met that is nobody's fault but ours; whoever logs takes them out."""
        self.crowd = Crowd(limits.waiting_per_source)
        self._running: dict[Key, Running] = {}
        """Those that can be joined, oldest first."""
        self._names: dict[bytes, set[Running]] = {}
        """The same by folded identifier, which is how changes name them."""
        self._superseded = 0
        """Under way, but not to be joined."""
        self._tickets: dict[int, tuple[Running, Waiter]] = {}
        self._numbers: dict[int, tuple[Running, Target]] = {}
        self._dirty: deque[Running] = deque()
        self._timers: list[tuple[float, int, Running]] = []
        self._actions: list[Action] = []
        self._last_ticket = self._last_number = self._last_timer = 0

    def __len__(self) -> int:
        """Questions under way."""
        return len(self._running) + self._superseded

    def is_under_way(self, key: bytes) -> bool:
        """Whether an identifier, folded but for its suffix, is being asked for and can be joined."""
        return (key, False, False) in self._running

    def get(self, query: Query) -> Running | None:
        """The question under way that would answer this one, too."""
        return self._running.get(key_of(query))

    def start(self, query: Query, place: Delegated | NotHere, now: Now,
              allowance: Allowance | None = None) -> Running:  # fmt: skip
        """Begin one that is not under way."""
        allowance = allowance or Allowance(self._limits, now.monotonic_s)
        resolution = Resolution(query, place, self._world, allowance)
        key = key_of(query)
        assert key not in self._running, key
        running = self._running[key] = Running(key, query, resolution, now.monotonic_s)
        running.is_fair = allowance.is_fair(now.monotonic_s)
        self._names.setdefault(query.identifier.folded(), set()).add(running)
        self._dirty.append(running)
        return running

    def join(self, running: Running, query: Query, peer: Peer, now: Now, *, joined: bool) -> int:
        """A ticket: its answer comes as a ``Tell``. The caller has counted the client into the crowd."""
        self._last_ticket += 1
        waiter = Waiter(self._last_ticket, query, peer, now.monotonic_s, joined)
        running.waiters.append(waiter)
        self._tickets[waiter.ticket] = (running, waiter)
        self._dirty.append(running)
        return waiter.ticket

    def forget(self, ticket: int) -> None:
        """The client is gone. The question goes on: its answer is worth remembering."""
        held = self._tickets.pop(ticket, None)
        if held is not None:
            running, waiter = held
            running.waiters.remove(waiter)
            self.crowd.leave(waiter.peer.address)

    def make_room(self, now: Now) -> bool:
        """A place for one more question; when all are taken the oldest gives way, if it is slow."""
        if len(self) < self._limits.waiting:
            return True
        oldest = next(iter(self._running.values()), None)
        if oldest is None or now.monotonic_s - oldest.since_s <= self._limits.slow_s:
            return False
        self._counts["displaced"] += 1
        self._end(oldest, Done(Outcome.BUSY, reason="gave way to newer questions"), now)
        return True

    def supersede(self, folded: bytes, above: bytes | None) -> None:
        """What is under way about this record, or below this prefix, must not be remembered, nor joined any more."""
        if above is None:
            changed = list(self._names.get(folded.upper(), ()))
        else:  # rare enough to look at all
            changed = [
                running
                for running in self._running.values()
                if is_within(running.query.identifier.responsible_prefix, above)
            ]
        for running in changed:
            self._cut_off(running)

    def supersede_all(self) -> None:
        """Nothing that is under way must be remembered."""
        for running in list(self._running.values()):
            self._cut_off(running)

    def _cut_off(self, running: Running) -> None:
        self._leave(running)
        running.is_superseded = True
        self._superseded += 1

    def _leave(self, running: Running) -> None:
        """It can not be joined any more."""
        del self._running[running.key]
        name = running.query.identifier.folded()
        self._names[name].discard(running)
        if not self._names[name]:
            del self._names[name]

    # ------------------------------------------------------------------------------------- what came, what next

    def received(self, number: int, reply: Reply, now: Now) -> None:
        """A server answered."""
        held = self._numbers.pop(number, None)
        if held is not None:
            running, target = held
            running.numbers.discard(number)
            trouble = running.resolution.received(number, reply, now)
            if trouble is not None:
                self.troubles[target.role, trouble] += 1
            self._dirty.append(running)

    def failed(self, number: int, trouble: Trouble, now: Now) -> None:
        """A server did not."""
        held = self._numbers.pop(number, None)
        if held is not None:
            running, target = held
            running.numbers.discard(number)
            self.troubles[target.role, trouble] += 1
            running.resolution.failed(number, trouble, now)
            self._dirty.append(running)

    def step(self, now: Now) -> list[Action]:
        """Everything there is to do now, in order."""
        while self._timers and self._timers[0][0] <= now.monotonic_s:
            running = heappop(self._timers)[2]
            running.wake_s = inf
            self._dirty.append(running)
        while self._dirty:
            running = self._dirty.popleft()
            if not running.is_ended:
                try:
                    self._advance(running, now)
                except Exception as bug:  # noqa: BLE001  # one question must not stop the others
                    self.bugs.append(bug)
                    self._abandon(running, now)
        actions, self._actions = self._actions, []
        return actions

    def next_s(self) -> float:
        """When ``step`` wants to be called again, monotonic; ``inf`` when nothing waits."""
        if self._dirty or self._actions:
            return -inf
        return self._timers[0][0] if self._timers else inf

    def _advance(self, running: Running, now: Now) -> None:
        """Let one question take all steps that are open to it."""
        self._serve_stale(running, now)
        while not running.is_ended:
            act = running.resolution.step(now)
            self._take_back(running)
            match act:
                case Ask():
                    self._send(running, act, now)
                case Need(identifier):
                    self._provide(running, identifier, now)
                case Wait(until_s):
                    self._wake_at(running, until_s, now)
                    return
                case Done():
                    self._end(running, act, now)

    def _send(self, running: Running, ask: Ask, now: Now) -> None:
        self._last_number += 1
        number, target = self._last_number, ask.pick.target
        running.resolution.sent(number, ask, now)
        running.numbers.add(number)
        self._numbers[number] = (running, target)
        until_s = running.resolution.allowance.deadline_s
        self._actions.append(Send(number, target, ask.question, until_s))

    def _take_back(self, running: Running) -> None:
        """Tries nobody waits for any more."""
        cancelled = running.resolution.cancelled
        while cancelled:
            number = cancelled.pop()
            running.numbers.discard(number)
            self._numbers.pop(number, None)
            self._actions.append(Cancel(number))
        overdue = running.resolution.overdue
        while overdue:
            self.troubles[overdue.pop().role, Trouble.TIMEOUT] += 1

    def _wake_at(self, running: Running, until_s: float, now: Now) -> None:
        """A timer for its own next step, or for the first waiter whose patience for a fresh answer ends."""

        def stale_s(waiter: Waiter) -> float:
            return waiter.since_s + self._limits.client_s

        first = bisect_right(running.waiters, now.monotonic_s, key=stale_s)  # in order of arrival
        if first < len(running.waiters):
            until_s = min(until_s, stale_s(running.waiters[first]))
        if running.wake_s <= until_s:
            return
        running.wake_s = until_s
        self._last_timer += 1
        heappush(self._timers, (until_s, self._last_timer, running))
        if len(self._timers) > 8 * len(self) + SPARE_TIMERS:
            self._timers = [timer for timer in self._timers if not timer[2].is_ended]
            heapify(self._timers)

    # ------------------------------------------------------------------------------------- records needed first

    def _provide(self, running: Running, identifier: Identifier, now: Now) -> None:
        """A record that a question needs: held here, remembered, or a question of its own."""
        place = locate(identifier, self._records)
        tell = running.resolution.told
        if isinstance(place, Local):
            record = self._records.lookup(identifier)
            if record is None:
                tell(Outcome.NOT_FOUND, (), "")
            else:
                tell(Outcome.SUCCESS, decode_values(record.public), "")
            return
        query = running.query._replace(
            identifier=identifier, indexes=(), types=(), principal=ANONYMOUS, authoritative=False
        )
        found, failure = self._cache.get(identifier, now), self._cache.failure(identifier, now)
        if found is not None:
            is_paused = found.held.paused_until_s > now.monotonic_s
            if found.state is not State.STALE or is_paused or failure is not None:
                if found.state is State.AHEAD:
                    self._refresh(query, place, now)
                tell(found.held.outcome, found.held.values, found.held.reason)
                return
        if failure is not None:
            tell(failure.outcome, (), failure.reason)
        elif isinstance(place, NotHere) and not self._world.servers:
            tell(Outcome.NOT_RESPONSIBLE, (), "there is no upstream to ask")
        else:
            self._join_needed(running, query, place, now)

    def _join_needed(
        self, running: Running, query: Query, place: Delegated | NotHere, now: Now
    ) -> None:
        needed = self.get(query)
        joined = needed is not None
        if needed is None:
            needed = self.start(query, place, now, running.resolution.allowance)
        elif waits_for(needed, running):
            reason = "two records need each other"
            running.resolution.told(Outcome.HOP_LIMIT, (), reason, is_spent=True)
            return
        running.needs = needed
        needed.waiters.append(Waiter(0, query, NOBODY, now.monotonic_s, joined, running))
        self._dirty.append(needed)

    # ------------------------------------------------------------------------------------- endings

    def _serve_stale(self, running: Running, now: Now) -> None:
        """Whoever has waited long enough gets what is still known."""
        waiters, patience_s = running.waiters, self._limits.client_s
        if not waiters or running.is_authoritative:
            return
        if now.monotonic_s < waiters[0].since_s + patience_s:
            return
        found = self._cache.get(running.query.identifier, now)
        while found is not None and waiters and now.monotonic_s >= waiters[0].since_s + patience_s:
            waiter = waiters.pop(0)
            if waiter.parent is None:
                self._tell(waiter, self._memory.answer(waiter.query, found, now), running, now)
            else:
                held = found.held
                self._tell_parent(waiter.parent, running, Done(held.outcome, held.values))

    def _abandon(self, running: Running, now: Now) -> None:
        """It met a bug: whoever waits hears of an error, and it is out of the way."""
        failed = Done(Outcome.ERROR, reason="internal error")
        if not running.is_ended:
            self._end(running, failed, now)
        for of, waiter in list(self._tickets.values()):  # the bug was in ending it
            if of is running:
                self._tell(waiter, self._answer(waiter, failed), running, now)

    def _end(self, running: Running, done: Done, now: Now) -> None:
        """Remember what was learned and tell everybody who waits."""
        running.is_ended = True
        running.resolution.give_up(now)  # it may have been displaced with tries still open
        self._take_back(running)
        if running.is_superseded:
            self._superseded -= 1
        else:
            self._leave(running)
        assert not running.numbers
        identifier, found = running.query.identifier, None
        is_kept = done.is_own and (running.is_fair or not done.is_spent)
        if not running.is_superseded:
            if done.outcome not in ANSWERS:
                is_of_way = done.outcome is Outcome.HOP_LIMIT and running.query.was_forwarded
                found = self._memory.stand_in(identifier, now, pauses=not is_of_way)
            if found is None and is_kept:
                self._memory.learn(identifier, done, now)
            elif done.outcome is Outcome.NOT_FOUND:  # it has gone with its prefix
                self._memory.forget(identifier)
        waiters, running.waiters = running.waiters, []
        for waiter in waiters:
            if waiter.parent is not None:
                known = done._replace(is_spent=done.is_spent and not is_kept)
                if found is not None:
                    known = Done(found.held.outcome, found.held.values)
                self._tell_parent(waiter.parent, running, known)
            elif found is not None and not waiter.query.authoritative:
                self._tell(waiter, self._memory.answer(waiter.query, found, now), running, now)
            else:
                self._tell(waiter, self._answer(waiter, done), running, now)

    def _answer(self, waiter: Waiter, done: Done) -> Answer:
        verdict = Verdict.JOINED if waiter.joined else Verdict.ASKED
        return self._memory.selected(waiter.query, done.outcome, done.values, done.reason, verdict)

    def _tell_parent(self, parent: Running, running: Running, done: Done) -> None:
        parent.needs = None
        if not parent.is_ended:
            resolution, needed = parent.resolution, running.resolution
            resolution.legs += needed.legs
            is_spent = done.is_spent and needed.allowance is resolution.allowance
            resolution.told(done.outcome, done.values, done.reason, is_spent=is_spent)
            self._dirty.append(parent)

    def _tell(self, waiter: Waiter, answer: Answer, running: Running, now: Now) -> None:
        self._tickets.pop(waiter.ticket, None)
        self.crowd.leave(waiter.peer.address)
        if answer.trail is not None:
            answer = answer._replace(trail=answer.trail._replace(legs=running.legs()))
        is_late = now.monotonic_s - waiter.since_s > self._limits.udp_late_s
        if waiter.peer.transport == "udp" and is_late:
            self._counts["late"] += 1
            self._actions.append(Tell(waiter.ticket, None))
        else:
            self._actions.append(Tell(waiter.ticket, answer))


def key_of(query: Query) -> Key:
    """What may share one question."""
    name = query.identifier.folded(case_sensitive=True)
    return Key(name, query.authoritative, query.was_forwarded)


def waits_for(running: Running, other: Running) -> bool:
    """Whether ``running`` waits, directly or through others, for ``other``: then that one cannot wait for it."""
    needed: Running | None = running
    while needed is not None and needed is not other:
        needed = needed.needs
    return needed is not None
