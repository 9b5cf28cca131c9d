"""Resolution: one foreign question as a state machine. It says what to do; somebody else does it and tells what came.

A question travels like this::

    delegated from here   -> a server of the delegated prefix
    anything else         -> the record of its prefix (Need), which says whose servers to ask,
                             or all of it to an upstream that asks on (``mode = "recurse"``)
    a referral (RC 302)   -> the servers it names, at most ``limits.hops`` times
    a prefix that the top-level node does not know
                          -> the servers of the secondary node above it: a national node may know only those

``step(now)`` gives the next act: ``Ask`` a server, ``Need`` another record first, ``Wait`` until then, ``Done``. Which
of several servers is asked is ``round.Round``'s business, what is believed is ``acceptance``'s.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import MAX_IDENTIFIER_BYTES, Identifier, read_identifier
from protocols.message import Outcome, Query
from protocols.trail import Leg
from protocols.values.site import Site
from protocols.values.value import Value
from resolver.acceptance import flaw_of, is_in_bailiwick, public_values, rank_of
from resolver.acts import ANSWERS, FINAL, Act, Allowance, Ask, Done, Need, Wait
from resolver.asking import Question, Reply, Role, Target, Trouble
from resolver.delegation import Delegated, NotHere
from resolver.limits import Limits
from resolver.round import GRAVITY, Round, Try
from resolver.sites import Candidates, candidates, read_service, read_sites
from resolver.source import Now
from resolver.upstreams import Upstreams


class World(NamedTuple):
    """What all resolutions of one node share."""

    upstreams: Upstreams
    servers: tuple[Target, ...]
    """Configured top-level or recursive nodes."""
    is_recursive: bool
    """Whether they are asked for the whole way (RECU) rather than for the next step."""
    own_places: Collection[tuple[str, int]]
    node_id: str
    prefer_udp: bool
    limits: Limits


SECONDARY_LABELS = 2
"""Of a secondary node's prefix, ``88.118``. Whatever lies below is looked for there in one step, not label by label: a
made-up prefix of many labels must not cost a question for each."""


class Resolution:
    """Made for one identifier; ``query`` is the first client's. Not reusable."""

    def __init__(
        self, query: Query, place: Delegated | NotHere, world: World, allowance: Allowance
    ) -> None:
        self._query, self._identifier = query, query.identifier
        self._world = world
        self.allowance = allowance
        self._spelling = _full_spelling(query.identifier)
        self._zone: bytes | None = None
        """The prefix the present servers are responsible for; None = any (configured upstreams)."""
        self._recurse = False
        self._round = Round((), world.upstreams, world.limits)
        self._visited: set[frozenset[str]] = set()
        """Sets of servers asked and records needed: coming to one again is a loop."""
        self._needed: Identifier | None = None
        self._is_need_said = False
        self._has_climbed = False
        """Whether the secondary node's prefix is being looked for, because the upstream does not know this one."""
        self._done: Done | None = None
        self.legs: list[Leg] = []
        """Every server asked, in the order of their answers."""
        self.cancelled: list[int] = []
        """Numbers nobody waits for any more; whoever sends takes them out."""
        self.overdue: list[Target] = []
        """Servers that have not answered in time; whoever counts takes them out."""
        self._set_out(place)

    # ------------------------------------------------------------------------------------- what to do next

    def step(self, now: Now) -> Act:
        """The next act. After ``Done`` it stays done."""
        if self._done is None and now.monotonic_s >= self.allowance.deadline_s:
            self._finish(self._round.failure, reason=self._last_word(), is_spent=True)
        act = self._done or self._next_act(now.monotonic_s)
        if isinstance(act, Done):
            self._done = act
            self._close_round(now.monotonic_s)
        return act

    def _next_act(self, now_s: float) -> Act:
        deadline_s = self.allowance.deadline_s
        if self._needed is not None:
            if self._is_need_said:
                return Wait(deadline_s)
            self._is_need_said = True
            return Need(self._needed)
        if now_s < self._round.patience_until_s:
            return Wait(min(self._round.patience_until_s, deadline_s))
        pick = self._round.pick(now_s) if self._may_spend() else None
        if pick is not None:
            return Ask(pick, self._question())
        if self._round.is_open:
            return Wait(deadline_s)
        is_spent = self.allowance.questions <= 0
        return Done(self._round.failure, reason=self._round.last_word(), is_spent=is_spent)

    def sent(self, number: int, ask: Ask, now: Now) -> None:
        """The ask is on its way under ``number``."""
        self.allowance.questions -= 1
        self._round.sent(number, ask.pick, now.monotonic_s)

    def _may_spend(self) -> bool:
        if self.allowance.questions > 0:
            return True
        most = self._world.limits.questions
        self._round.note(Outcome.HOP_LIMIT, f"more than {most} questions for one")
        return False

    def _question(self) -> Question:
        query = self._query
        return Question(
            self._spelling,
            self._recurse,
            query.authoritative,
            query.hop_count + 1,
            (*query.via, self._world.node_id),
            query.wants_trail,
        )

    # ------------------------------------------------------------------------------------- what came

    def received(self, number: int, reply: Reply, now: Now) -> Trouble | None:
        """A server answered. Returns why it is not believed, if so, for who counts."""
        try_ = self._round.take(number) if self._done is None else None
        if try_ is None:  # when done, what is still open ends with the round
            return None
        flaw = flaw_of(reply, self._spelling, now.wall_s)
        if flaw is None and reply.outcome is Outcome.REFERRAL:
            flaw = self._flaw_of_referral(reply)
        if flaw is not None:
            self._fail(try_, flaw, now.monotonic_s)
            return flaw
        self._leg(try_, reply.outcome.value, now.monotonic_s, reply)
        if reply.outcome in ANSWERS:
            self._round.answered(try_, now.monotonic_s)
            self._settle(reply, try_.target, now.monotonic_s)
        elif reply.outcome is Outcome.REFERRAL:
            self._round.answered(try_, now.monotonic_s)
            self._follow(reply, try_.target, now.monotonic_s)
        else:
            return self._astray(reply, try_, now.monotonic_s)
        return None

    def failed(self, number: int, trouble: Trouble, now: Now) -> None:
        """A server did not answer, or not usably."""
        try_ = self._round.take(number) if self._done is None else None
        if try_ is not None:
            self._fail(try_, trouble, now.monotonic_s)

    def told(
        self, outcome: Outcome, values: Sequence[Value], reason: str, *, is_spent: bool = False
    ) -> None:
        """What became of the record that was needed. ``is_spent``: nothing, because of what this question spent."""
        needed, self._needed = self._needed, None
        if needed is None or self._done is not None:
            return
        if outcome is Outcome.NOT_FOUND and not needed.is_prefix_record:  # says nothing about ours
            outcome, reason = Outcome.UNREACHABLE, reason or f"{needed.text} is not registered"
        if self._has_climbed and outcome in ANSWERS:
            self._descend(needed, values)
        elif outcome is Outcome.NOT_FOUND:
            why = reason or f"{needed.text} is not registered"
            self._finish(Outcome.NOT_FOUND, reason=why, is_own=False)
        elif outcome not in ANSWERS:
            self._finish(outcome, reason=reason, is_own=is_spent, is_spent=is_spent)
        else:
            self._go_by(needed, values)

    def _settle(self, reply: Reply, target: Target, now_s: float) -> None:
        if reply.outcome is Outcome.NOT_FOUND and self._may_climb(target):
            self._has_climbed = True
            self._close_round(now_s)
            self._need(b"0.NA/" + _secondary_prefix(self._identifier.responsible_prefix))
            return
        values = public_values(reply.values) if reply.outcome is Outcome.SUCCESS else ()
        outcome = reply.outcome
        if outcome is Outcome.SUCCESS and not values:
            outcome = Outcome.VALUES_NOT_FOUND
        self._done = Done(outcome, values, rank_of(reply, target), reply.reason)

    def _flaw_of_referral(self, reply: Reply) -> Trouble | None:
        if reply.referral and not reply.values:
            is_fine = is_in_bailiwick(reply.referral, self._identifier, self._zone)
            return None if is_fine else Trouble.OUT_OF_BAILIWICK
        return None if read_sites(reply.values) else Trouble.ASTRAY

    def _follow(self, reply: Reply, teller: Target, now_s: float) -> None:
        """A referral: to the servers in its values, or to those of the handle it names."""
        self._close_round(now_s)
        if not self._hop():
            return
        self._recurse = False
        if reply.values:
            self._go_to(self._places(read_sites(reply.values), teller))
        else:
            self._need(reply.referral)

    def _astray(self, reply: Reply, try_: Try, now_s: float) -> Trouble | None:
        """It answered that it could not."""
        if reply.outcome in FINAL:
            self._round.answered(try_, now_s)
            # Others come another way: that this one was too long says nothing to them.
            is_own = reply.outcome is not Outcome.HOP_LIMIT or not self._query.was_forwarded
            self._finish(reply.outcome, reason=reply.reason, is_own=is_own)
            return None
        trouble = None
        if reply.outcome is Outcome.NOT_RESPONSIBLE:  # alive and well, only not the one
            self._round.answered(try_, now_s)
            self._round.rule_out(try_)
        else:
            trouble = Trouble.ASTRAY
            if self._recurse and reply.outcome is Outcome.ERROR:  # of those it asked, not its own
                self._round.declined(try_, now_s)
            else:
                self._round.failed(try_, trouble, now_s)
        outcome = reply.outcome if reply.outcome in GRAVITY else Outcome.UNREACHABLE
        self._round.note(outcome, f"{try_.target.name}: {reply.reason or reply.outcome.value}")
        return trouble

    def _fail(self, try_: Try, trouble: Trouble, now_s: float) -> None:
        self._leg(try_, trouble.value, now_s)
        self._round.failed(try_, trouble, now_s)
        self.cancelled.append(try_.number)

    # ------------------------------------------------------------------------------------- where to

    def _set_out(self, place: Delegated | NotHere) -> None:
        if isinstance(place, Delegated):
            self._zone = place.prefix
            self._go_to(self._places(place.sites, None, Role.DELEGATED))
        elif self._world.is_recursive or self._identifier.is_prefix_record:
            self._recurse = self._world.is_recursive
            self._go_to(Candidates(self._world.servers))
        else:
            self._need(b"0.NA/" + self._identifier.prefix)

    def _go_by(self, needed: Identifier, values: Sequence[Value]) -> None:
        """By what the needed record says: to its servers, to another record, or to whoever told it."""
        sites, service = read_sites(values), read_service(values)
        if needed.is_prefix_record:
            self._zone = needed.responsible_prefix
        if sites:
            self._go_to(
                self._places(sites, self._world.servers[0] if self._world.servers else None)
            )
        elif service is not None:
            if self._hop():
                self._need(service)
        elif needed.is_prefix_record:
            self._zone = None  # without servers: who keeps its record keeps what is below it
            self._go_to(Candidates(self._world.servers))
        else:
            reason = f"{needed.text} names no server"
            self._finish(Outcome.UNREACHABLE, reason=reason, is_own=False)

    def _may_climb(self, target: Target) -> bool:
        identifier = self._identifier
        return (
            identifier.is_prefix_record
            and target.role is Role.UPSTREAM
            and not self._recurse
            and not self._has_climbed
            and identifier.responsible_prefix.count(b".") >= SECONDARY_LABELS
        )

    def _descend(self, needed: Identifier, values: Sequence[Value]) -> None:
        """From the servers of the secondary node, unless they are those who have just said that they do not know."""
        sites, service = read_sites(values), read_service(values)
        if not sites and service is not None:
            if self._hop():
                self._need(service)
            return
        found = self._places(sites, self._world.servers[0])
        asked = {server.place for server in self._world.servers}
        places = {target.place for target in found.targets}
        if places <= asked if places else not sites and needed.is_prefix_record:
            self._finish(Outcome.NOT_FOUND, reason=f"{self._identifier.text} is not registered")
        else:
            self._zone = _secondary_prefix(self._identifier.responsible_prefix)
            self._go_to(found)

    def _need(self, handle: bytes) -> None:
        try:
            needed = read_identifier(handle)
        except ProtocolError:
            self._finish(Outcome.UNREACHABLE, reason="a service handle that is no handle")
            return
        mark = frozenset({f"record {needed.folded().decode(errors='replace')}"})
        if mark in self._visited or needed.folded() == self._identifier.folded():
            self._finish(Outcome.HOP_LIMIT, reason=f"{needed.text} leads back to itself")
            return
        self._visited.add(mark)
        self._needed, self._is_need_said = needed, False

    def _places(
        self, sites: Sequence[Site], teller: Target | None, role: Role = Role.LEARNED
    ) -> Candidates:
        world = self._world
        found = candidates(sites, self._spelling, role, teller, world.own_places, world.prefer_udp)
        # A configured server stays one, whoever names it: its pinned key counts and its health is one.
        known = {(server.protocol, server.place): server for server in world.servers}
        targets = (known.get((target.protocol, target.place), target) for target in found.targets)
        return found._replace(targets=tuple(dict.fromkeys(targets)))

    def _go_to(self, found: Candidates) -> None:
        """Begin with other servers."""
        names = frozenset(target.name for target in found.targets)
        if not names and found.leads_home:
            self._finish(Outcome.HOP_LIMIT, reason="its servers lead back to this node")
        elif not names:
            self._finish(Outcome.UNREACHABLE, reason="it has no server that can be asked")
        elif names in self._visited:
            self._finish(Outcome.HOP_LIMIT, reason="its servers refer to each other")
        else:
            self._visited.add(names)
            self._round = Round(found.targets, self._world.upstreams, self._world.limits)

    def _hop(self) -> bool:
        """One step further along; False when there were too many."""
        self.allowance.hops -= 1
        if self.allowance.hops >= 0:
            return True
        most = self._world.limits.hops
        reason = f"more than {most} referrals one after the other"
        self._finish(Outcome.HOP_LIMIT, reason=reason, is_spent=True)
        return False

    # ------------------------------------------------------------------------------------- endings

    def give_up(self, now: Now) -> None:
        """Nobody wants it any more. Its servers are told so, whether it was done or not."""
        if self._done is None:
            self._finish(Outcome.BUSY, reason="given up")
        self._close_round(now.monotonic_s)

    def _finish(
        self, outcome: Outcome, reason: str, *, is_own: bool = True, is_spent: bool = False
    ) -> None:
        self._done = Done(outcome, reason=reason, is_own=is_own, is_spent=is_spent)

    def _last_word(self) -> str:
        if self._needed is not None:
            return f"{self._needed.text}: no answer in time"
        return self._round.last_word()

    def _close_round(self, now_s: float) -> None:
        for try_, is_overdue in self._round.close(now_s):
            self.cancelled.append(try_.number)
            if is_overdue:
                self.overdue.append(try_.target)
                self._leg(try_, Trouble.TIMEOUT.value, now_s)

    def _leg(self, try_: Try, said: str, now_s: float, reply: Reply | None = None) -> None:
        asked = self._spelling.decode(errors="replace")
        trail = None if reply is None else reply.trail
        self.legs.append(Leg(try_.target.name, asked, now_s - try_.sent_s, said, trail))


def _secondary_prefix(prefix: bytes) -> bytes:
    """``88.118.7.3`` -> ``88.118``."""
    return b".".join(prefix.split(b".", SECONDARY_LABELS)[:SECONDARY_LABELS])


def _full_spelling(identifier: Identifier) -> bytes:
    """As asked, but a prefix record always with ``0.NA/`` in front, so that every server knows what is meant."""
    spelling = b"0.NA/" + identifier.suffix
    if identifier.is_prefix_record and len(spelling) <= MAX_IDENTIFIER_BYTES:
        return spelling
    return identifier.spelling
