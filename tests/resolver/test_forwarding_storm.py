"""A storm on the whole brain: random clients, servers that do anything, changes in between; what must hold, holds.

Everything is drawn from one seed: the same seed gives the same run, and its trace the same digest.
"""

import hashlib
import math
import random
from heapq import heappop, heappush
from typing import NamedTuple

import pytest

from protocols.identifier import Identifier, parse_identifier
from protocols.message import Answer, Outcome, Principal, Query
from protocols.record import Record
from protocols.trail import Verdict
from protocols.values.site import TCP, UDP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from resolver.answering import answer_now
from resolver.asking import Cancel, Reply, Role, Send, Target, Tell, Trouble
from resolver.delegation import Local, locate
from resolver.forwarding import Forwarder, Setup
from resolver.limits import Limits
from resolver.source import Now, Peer

LIMITS = Limits(misses_per_prefix_s=1000, misses_per_source_s=1000)
END_S = 40.0
CLIENTS = tuple(f"10.9.0.{number}" for number in range(1, 20))
HOSTED, DELEGATED = b"88.118", b"88.118.7"
TROUBLES = (
    Trouble.CLOSED, Trouble.REFUSED, Trouble.GARBAGE, Trouble.UNTRUSTED, Trouble.NEAR_MISS,
    Trouble.TOO_LARGE, Trouble.CROWDED,
)  # fmt: skip
REFUSALS = (
    Outcome.BUSY,
    Outcome.ERROR,
    Outcome.NOT_RESPONSIBLE,
    Outcome.HOP_LIMIT,
    Outcome.NOT_SUPPORTED,
)


def site(*hosts: int, protocol: int = TCP) -> Site:
    servers = (Server(n, f"10.0.0.{n}", (Interface(protocol, 2641),)) for n in hosts)
    return Site(tuple(servers))


SITES = {
    DELEGATED: (site(7, 8), site(9)),
    b"88.200": (site(20),),
    b"88.200.5": (site(21, protocol=UDP),),
}
UPSTREAM = Target(TCP, "10.0.0.1", 2641, Role.UPSTREAM)


class Records:
    """This node hosts 88.118 and has delegated 88.118.7."""

    def hosts(self, prefix: bytes) -> bool:
        return prefix == HOSTED

    def lookup(self, identifier: Identifier) -> Record | None:
        return None

    def is_private(self, prefix: bytes) -> bool:
        return False

    def delegation(self, prefix: bytes) -> tuple[Site, ...] | None:
        return SITES[DELEGATED] if prefix == DELEGATED else None

    def nonpublic(self, record: Record) -> tuple[Value, ...]:
        return ()

    def may_read(self, principal: Principal, identifier: Identifier) -> Outcome:
        return Outcome.AUTHENTICATION_NEEDED


class Everybody:
    def __contains__(self, _: object) -> bool:
        return True


class Asked(NamedTuple):
    """A client's question that has a ticket."""

    query: Query
    since_s: float
    transport: str


def truth(spelling: bytes) -> tuple[Value, ...]:
    """What the responsible node holds: nothing else may ever come out."""
    name, _, suffix = spelling.partition(b"/")
    if name.upper() == b"0.NA":
        sites = SITES.get(suffix.upper(), ())
        return tuple(Value(n, "HS_SITE", encode_site(s)) for n, s in enumerate(sites, 1))
    number = int(suffix or b"0")
    if number % 5 == 0:
        return ()
    return (Value(1, "URL", b"https://" + spelling.upper(), ttl=number % 7),)


class Storm:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.records = Records()
        setup = Setup("88.118", "ab" * 8, (UPSTREAM,), may_recurse=Everybody(), limits=LIMITS)
        self.forwarder = Forwarder(setup, self.records)
        self.trace = hashlib.sha256()
        self.events: list[tuple[float, int, tuple[object, ...]]] = []
        self.waiting: dict[int, Asked] = {}
        self.open: dict[int, Send] = {}
        self.told = 0
        self.bad_s = self.random.uniform(5, 20), self.random.uniform(20, 30)
        """Between these nearly nothing works."""

    def run(self) -> None:
        at_s = 0.0
        while at_s < END_S - 4:
            at_s += self.random.expovariate(40)
            self.later(at_s, "drop" if self.random.random() < 0.01 else "ask")
        while self.events or self.forwarder.next_s() < math.inf:
            next_s = self.forwarder.next_s()
            if self.events and self.events[0][0] <= next_s:
                at_s, _, event = heappop(self.events)
                self.happen(event, now(at_s))
            else:
                at_s = max(next_s, at_s)
            self.act(now(at_s))
        self.check_end()

    def later(self, at_s: float, *event: object) -> None:
        heappush(self.events, (at_s, len(self.events) + self.random.getrandbits(40), event))

    def happen(self, event: tuple[object, ...], at: Now) -> None:
        if event[0] == "ask":
            self.ask(at)
        elif event[0] == "drop":
            key = self.random.choice((b"88.118.7/3", b"0.NA/88.118.7", b"0.NA/88.200", b""))
            self.forwarder.drop(key) if key else self.forwarder.drop_all()
        elif event[0] == "forget":
            ticket = event[1]
            assert isinstance(ticket, int)
            if self.waiting.pop(ticket, None) is not None:
                self.forwarder.forget(ticket)
        else:
            self.arrive(event, at)

    def ask(self, at: Now) -> None:
        prefix = self.random.choice(("88.118.7", "88.200", "88.200.5", "88.300", "88.118.7.1"))
        text = f"{prefix}/{self.random.randrange(12)}"
        if self.random.random() < 0.1:
            text = f"0.NA/{prefix}"
        query = Query(
            parse_identifier(text), may_recurse=True, authoritative=self.random.random() < 0.1,
            hop_count=self.random.randrange(5), wants_trail=True,
        )  # fmt: skip
        transport = self.random.choice(("udp", "tcp", "http"))
        peer = Peer(self.random.choice(CLIENTS), 999, transport, is_loopback=False)
        answer: Answer | int | None
        answer = answer_now(query, self.records, peer, at, (), self.forwarder)
        if answer is None:
            place = locate(query.identifier, self.records)
            assert not isinstance(place, Local)
            answer = self.forwarder.ask(query, place, peer, at)
        if isinstance(answer, int):
            self.waiting[answer] = Asked(query, at.monotonic_s, transport)
            if self.random.random() < 0.05:
                self.later(at.monotonic_s + self.random.random(), "forget", answer)
        else:
            self.check(query, answer, at.monotonic_s, at)

    def act(self, at: Now) -> None:
        for action in self.forwarder.step(at):
            self.trace.update(repr((round(at.monotonic_s, 6), action)).encode())
            if isinstance(action, Send):
                self.open[action.number] = action
                self.serve(action, at.monotonic_s)
            elif isinstance(action, Cancel):
                self.open.pop(action.number, None)
            elif isinstance(action, Tell):
                asked = self.waiting.pop(action.ticket)  # told once, and only who waits
                self.told += 1
                if action.answer is None:
                    assert asked.transport == "udp"
                    assert at.monotonic_s - asked.since_s > LIMITS.udp_late_s
                else:
                    self.check(asked.query, action.answer, asked.since_s, at)

    def serve(self, send: Send, now_s: float) -> None:
        """A server does whatever it likes."""
        is_bad = self.bad_s[0] <= now_s < self.bad_s[1]
        dice = self.random.random()
        latency_s = self.random.expovariate(20)
        spelling = send.question.spelling
        reply: Reply | Trouble | None = None
        if dice < (0.9 if is_bad else 0.15):
            return  # never
        if (dice < 0.93 and is_bad) or dice < 0.25:
            reply = self.random.choice(TROUBLES)
        elif dice < 0.30:
            reply = Reply(Outcome.SUCCESS, spelling + b"0", (Value(1, "URL", b"lie"),))
        elif dice < 0.33:
            reply = Reply(Outcome.SUCCESS, spelling, (Value(1, "URL", b"old"),), expires_s=1)
        elif dice < 0.38:
            reply = Reply(self.random.choice(REFUSALS))
        elif dice < 0.43:
            hosts = self.random.sample(range(30, 34), 2)
            values = (Value(1, "HS_SITE", encode_site(site(*hosts))),)
            reply = Reply(Outcome.REFERRAL, values=values)
        elif dice < 0.45:
            reply = Reply(Outcome.REFERRAL, referral=b"0.NA/99.1")
        else:
            held = truth(spelling)
            reply = Reply(Outcome.SUCCESS, spelling, held) if held else Reply(Outcome.NOT_FOUND)
        self.later(now_s + latency_s, "arrive", send.number, reply)

    def arrive(self, event: tuple[object, ...], at: Now) -> None:
        _, number, what = event
        assert isinstance(number, int)
        if self.open.pop(number, None) is None:
            return
        if isinstance(what, Trouble):
            self.forwarder.failed(number, what, at)
        else:
            assert isinstance(what, Reply)
            self.forwarder.received(number, what, at)

    def check(self, query: Query, answer: Answer, since_s: float, at: Now) -> None:
        assert at.monotonic_s - since_s <= LIMITS.patience_s + 1e-6
        assert not answer.is_authoritative or answer.verdict is Verdict.LOCAL
        spelling = query.identifier.spelling
        if answer.outcome is Outcome.SUCCESS:
            known = {(v.index, v.type, v.data) for v in truth(spelling)}
            assert {(v.index, v.type, v.data) for v in answer.values} == known
        if query.authoritative:
            assert answer.verdict not in {Verdict.STALE, Verdict.FRESH, Verdict.ABSENT}
        if answer.trail is not None:
            assert len(answer.trail.legs) <= 2 * LIMITS.questions

    def check_end(self) -> None:
        forwarder = self.forwarder
        assert not self.waiting, "somebody was never told"
        assert not self.open, "a question was neither answered nor called back"
        assert len(forwarder.questions) == 0
        assert all(state.in_flight == 0 for state in forwarder.upstreams.states())
        assert all(forwarder.questions.crowd.count(address) == 0 for address in CLIENTS)
        assert self.told > 100


def now(at_s: float) -> Now:
    return Now(at_s, 1_800_000_000 + at_s)


@pytest.mark.parametrize("seed", range(25))
def test_whatever_servers_do_everybody_is_told_in_time_and_nothing_false(seed: int) -> None:
    Storm(seed).run()


def test_the_same_seed_gives_the_same_run() -> None:
    digests = set()
    for _ in range(2):
        storm = Storm(4711)
        storm.run()
        digests.add(storm.trace.hexdigest())
    assert len(digests) == 1


def test_a_configured_server_that_a_site_names_stays_a_configured_one() -> None:
    """Its pins count whoever names it."""
    storm = Storm(1)
    peer = Peer("10.9.0.1", 999, "tcp", is_loopback=False)
    query = Query(parse_identifier("88.700/1"), may_recurse=True)
    place = locate(query.identifier, storm.records)
    assert not isinstance(place, Local)
    storm.forwarder.ask(query, place, peer, now(0.0))
    (first,) = storm.forwarder.step(now(0.0))
    assert isinstance(first, Send)
    home = Value(1, "HS_SITE", encode_site(site(1)))
    named = Reply(Outcome.SUCCESS, b"0.NA/88.700", (home,))
    storm.forwarder.received(first.number, named, now(0.1))
    (second,) = storm.forwarder.step(now(0.1))
    assert isinstance(second, Send)
    assert second.target == UPSTREAM


def test_a_bug_in_one_question_is_told_to_its_client_and_stops_no_other() -> None:
    class Buggy(Records):
        def lookup(self, identifier: Identifier) -> Record | None:
            if identifier.suffix == b"88.666":
                raise RuntimeError("a bug")
            return None

    records = Buggy()
    setup = Setup("88.118", "ab" * 8, (UPSTREAM,), may_recurse=Everybody(), limits=LIMITS)
    forwarder = Forwarder(setup, records)
    peer = Peer("10.9.0.1", 999, "tcp", is_loopback=False)
    tickets = []
    for text in ("88.666/1", "88.118.7/1"):
        query = Query(parse_identifier(text), may_recurse=True)
        place = locate(query.identifier, Records())
        assert not isinstance(place, Local)
        tickets.append(forwarder.ask(query, place, peer, now(0.0)))
    told, sent = forwarder.step(now(0.0))
    assert isinstance(told, Tell)
    assert told.answer is not None
    assert (told.ticket, told.answer.outcome) == (tickets[0], Outcome.ERROR)
    assert isinstance(sent, Send)
    assert [str(bug) for bug in forwarder.take_bugs()] == ["a bug"]
    assert forwarder.take_bugs() == []
    assert len(forwarder.questions) == 1


@pytest.mark.parametrize("text", ["88.200/a\r\nFLUSHALL", "88.118.7/\x00", "88.118.7/\x7f"])
def test_control_characters_are_never_sent_on(text: str) -> None:
    storm = Storm(1)
    query = Query(parse_identifier(text), may_recurse=True)
    peer = Peer("10.9.0.1", 999, "tcp", is_loopback=False)
    answer = answer_now(query, storm.records, peer, now(0.0), (), storm.forwarder)
    assert answer is not None
    assert answer.outcome is Outcome.INVALID_IDENTIFIER
    assert storm.forwarder.step(now(0.0)) == []
