"""Forwarder: what this node does about identifiers that others hold. The brain without the network.

One object per worker. Whoever has sockets calls it and does what it says:

    answer = forwarder.lookup(...)      what is remembered, or refused at once
    ticket = forwarder.ask(...)         nothing at hand: a ticket to wait with, or an answer after all
    for action in forwarder.step(now)   Send a question, Cancel one, Tell a ticket its answer
    forwarder.received(...) / failed(...) when something came; then ``step`` again, and at ``next_s`` at the latest

A question that is under way already is joined, not repeated. Everything that waits is bounded; over a bound the answer
is the stale one if there is one, else "busy".
"""

import re
from collections import Counter
from collections.abc import Container
from typing import NamedTuple

from protocols.identifier import Identifier
from protocols.message import ANONYMOUS, Answer, Outcome, Query
from protocols.trail import Verdict
from protocols.values.site import UDP
from resolver.acts import ANSWERS
from resolver.answers import EncodedAnswers
from resolver.asking import Action, Reply, Target, Trouble
from resolver.budgets import MissBudgets
from resolver.cache import ForeignCache, Found, State
from resolver.delegation import Delegated, NotHere
from resolver.limits import Limits
from resolver.questions import Questions
from resolver.remembering import Remembering
from resolver.resolution import World
from resolver.source import LocalRecords, Now, Peer
from resolver.upstreams import PREFERENCE, Upstreams

MIB = 1_048_576
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
"""No identifier has them (RFC 3651 §2), and a server that speaks lines, not messages, would take them for commands."""
OVER_BUDGET = "too many unknown identifiers are asked for"


class Setup(NamedTuple):
    """What the operator decided, and who we are."""

    node: str
    """Own prefix, or the id when there is none: the name in trails."""
    node_id: str
    """16 hex digits, the same in all workers; in forwarded questions, so that a loop is seen."""
    upstreams: tuple[Target, ...] = ()
    """Top-level or recursive nodes, role UPSTREAM."""
    is_recursive_upstream: bool = False
    may_recurse: Container[str] = ()
    """Client addresses that may have identifiers resolved which are not ours."""
    is_free: Container[str] = ()
    """Client addresses without a miss budget of their own."""
    own_places: frozenset[tuple[str, int]] = frozenset()
    """Addresses and ports this node listens on: a site that leads there is a loop."""
    cache_bytes: int = 64 * MIB
    answers_bytes: int = 32 * MIB
    prefer: tuple[int, ...] = PREFERENCE
    has_ipv4: bool = True
    has_ipv6: bool = True
    limits: Limits = Limits()


class Forwarder:
    """The metrics read ``counts``, ``lookups``, ``questions.troubles``, ``cache``, ``upstreams`` and ``budgets``."""

    def __init__(self, setup: Setup, records: LocalRecords) -> None:
        limits = setup.limits
        self._setup, self._limits = setup, limits
        self.counts: Counter[str] = Counter()
        """``joined``, ``stale``, ``busy``, ``refreshed``, ``late``, ``displaced``, ``refused-recursion``,
        ``refused-loop``."""
        self.lookups: Counter[str] = Counter()
        """Questions of clients by what was remembered for them: ``fresh``, ``absent``, ``stale`` (told or not),
        ``failure`` or ``miss``; each counts once, and what the node looks up for itself not at all."""
        self.cache = ForeignCache(setup.cache_bytes, limits)
        self.answers = EncodedAnswers(setup.answers_bytes)
        self.upstreams = Upstreams(limits, setup.has_ipv4, setup.has_ipv6, setup.prefer)
        self.budgets = MissBudgets(limits)
        self._memory = Remembering(self.cache, self.answers, setup.node, limits, self.counts)
        world = World(
            self.upstreams, setup.upstreams, setup.is_recursive_upstream, setup.own_places,
            setup.node_id, setup.prefer[:1] == (UDP,), limits,
        )  # fmt: skip
        self.questions = Questions(
            world, records, self.cache, self._memory, limits, self.counts, self._refresh
        )

    # ------------------------------------------------------------------------------------- what is at hand

    def lookup(
        self, query: Query, place: Delegated | NotHere, peer: Peer, now: Now
    ) -> Answer | None:
        """What is remembered, or why nobody is asked; None when somebody must be."""
        refusal = self._refusal(query, place, peer)
        if refusal is not None:
            return self._memory.finished(query, refusal, Verdict.REFUSED)
        if query.authoritative:
            return None
        found = self.cache.get(query.identifier, now)
        if found is not None and found.state is State.AHEAD:
            self._refresh(query, place, now)
        if found is not None and (
            found.state is not State.STALE or self._is_silent(query, found, now)
        ):
            self.lookups[_word_of(found)] += 1
            return self._memory.answer(query, found, now)
        failure = self._memory.failure(query.identifier, place, now)
        if failure is None:
            return None  # counted when it is asked
        self.lookups[_word_of(found, failure)] += 1
        if found is not None and failure.outcome not in ANSWERS:
            return self._memory.answer(query, found, now)
        if found is not None:  # its prefix is gone, and it with it
            self._memory.forget(query.identifier)
        return self._memory.finished(query, failure, failure.verdict)

    def _is_silent(self, query: Query, found: Found, now: Now) -> bool:
        """Whether the source has failed of late, or has kept somebody waiting already: stale answers go out at once."""
        if found.held.paused_until_s > now.monotonic_s:
            return True
        running = self.questions.get(query)
        if running is None:
            return False
        return now.monotonic_s >= running.since_s + self._limits.client_s

    def _refusal(self, query: Query, place: Delegated | NotHere, peer: Peer) -> Answer | None:
        """What is wrong with the question, then whether this node asks for this client."""
        if _CONTROL.search(query.identifier.spelling):
            return Answer(
                Outcome.INVALID_IDENTIFIER,
                reason="identifier: control characters are never sent on",
            )
        loop = ""
        if self._setup.node_id in query.via:
            loop = "the question has been here before: a loop"
        elif query.hop_count >= self._limits.forwards:
            loop = f"forwarded {query.hop_count} times already: a loop, or nearly one"
        if loop:
            self.counts["refused-loop"] += 1
            return Answer(Outcome.HOP_LIMIT, reason=loop)
        return self._not_for_you(query, place, peer)

    def _not_for_you(self, query: Query, place: Delegated | NotHere, peer: Peer) -> Answer | None:
        if isinstance(place, Delegated):
            return None
        prefix = place.prefix.decode(errors="replace")
        if not self._setup.upstreams:
            reason = f"prefix {prefix} is not hosted by this node"
            return Answer(Outcome.NOT_RESPONSIBLE, reason=reason)
        if peer.address in self._setup.may_recurse or query.principal != ANONYMOUS:
            return None
        self.counts["refused-recursion"] += 1
        reason = f"prefix {prefix} is not hosted by this node, which does not ask others for you"
        return Answer(Outcome.NOT_RESPONSIBLE, reason=reason)

    # ------------------------------------------------------------------------------------- asking

    def ask(self, query: Query, place: Delegated | NotHere, peer: Peer, now: Now) -> Answer | int:
        """A ticket to wait with; or an answer at once: stale if there is one, else "busy"."""
        questions = self.questions
        if not query.authoritative:
            self.lookups[_word_of(self.cache.get(query.identifier, now))] += 1
        running = questions.get(query)
        if running is not None and len(running.waiters) >= self._limits.waiters:
            return self._instead(query, "too many wait for the same answer", now)
        if running is None and not self._may_miss(query.identifier, peer, now):
            return self._instead(query, OVER_BUDGET, now)
        # Before room is made: who may not wait must not displace others.
        if not questions.crowd.enter(peer.address):
            return self._instead(query, "too many questions of this address are under way", now)
        if running is None and not questions.make_room(now):
            questions.crowd.leave(peer.address)
            return self._instead(query, "too many questions are under way", now)
        if running is not None:
            self.counts["joined"] += 1
            return questions.join(running, query, peer, now, joined=True)
        return questions.join(questions.start(query, place, now), query, peer, now, joined=False)

    def is_spent(self, prefix: bytes, suffix: bytes, source: str, now_s: float) -> bool:
        """For hot paths: whether ``ask`` would say OVER_BUDGET, because nothing is known of the identifier and no
        budget is left. ``prefix`` folded, ``suffix`` as spelled, neither of them of a prefix record.
        """
        key = prefix + b"/" + suffix
        if self.cache.holds(key) or self.questions.is_under_way(key):
            return False
        return self.budgets.is_spent(prefix, source, now_s, source in self._setup.is_free)

    def forget(self, ticket: int) -> None:
        """The client is gone. The question goes on: its answer is worth remembering."""
        self.questions.forget(ticket)

    def _may_miss(self, identifier: Identifier, peer: Peer, now: Now) -> bool:
        is_free = peer.address in self._setup.is_free
        prefix = identifier.responsible_prefix
        return self.budgets.take(prefix, peer.address, now.monotonic_s, is_free)

    def _instead(self, query: Query, why: str, now: Now) -> Answer:
        """Over a bound: the stale answer if there is one, else "busy"."""
        if not query.authoritative:
            found = self.cache.get(query.identifier, now)
            if found is not None:
                return self._memory.answer(query, found, now)
        self.counts["busy"] += 1
        return self._memory.finished(query, Answer(Outcome.BUSY, reason=why), Verdict.REFUSED)

    def _refresh(self, query: Query, place: Delegated | NotHere, now: Now) -> None:
        """Ask again before it is too late, for nobody in particular; only while there is room to spare."""
        asked = Query(query.identifier, may_recurse=True, hop_count=query.hop_count, via=query.via)
        prefix = query.identifier.responsible_prefix
        if self.questions.get(asked) or len(self.questions) >= self._limits.waiting // 2:
            return
        if self.budgets.take(prefix, "", now.monotonic_s, is_free=True):
            self.counts["refreshed"] += 1
            self.questions.start(asked, place, now)

    # ------------------------------------------------------------------------------------- what came, what next

    def received(self, number: int, reply: Reply, now: Now) -> None:
        """A server answered; call ``step`` then."""
        self.questions.received(number, reply, now)

    def failed(self, number: int, trouble: Trouble, now: Now) -> None:
        """A server did not; call ``step`` then."""
        self.questions.failed(number, trouble, now)

    def step(self, now: Now) -> list[Action]:
        """Everything there is to do now, in order."""
        return self.questions.step(now)

    def next_s(self) -> float:
        """When ``step`` wants to be called again, monotonic; -inf = at once, inf = nothing waits."""
        return self.questions.next_s()

    def take_bugs(self) -> list[Exception]:
        """What questions met that is nobody's fault but ours, for the log; their clients have been told of an error."""
        bugs = list(self.questions.bugs)
        self.questions.bugs.clear()
        return bugs

    # ------------------------------------------------------------------------------------- the feed

    def drop(self, folded: bytes) -> None:
        """A change names this record. A changed prefix record takes everything below the prefix with it."""
        self.questions.supersede(folded, self._memory.drop(folded))

    def drop_all(self) -> None:
        """Anything may have changed."""
        self._memory.drop_all()
        self.questions.supersede_all()


def _word_of(found: Found | None, failure: Answer | None = None) -> str:
    """What a look-up is counted as."""
    if found is not None:
        if found.state is State.STALE:
            return "stale"
        return "absent" if found.held.outcome is Outcome.NOT_FOUND else "fresh"
    if failure is None:
        return "miss"
    return "absent" if failure.verdict is Verdict.ABSENT else "failure"
