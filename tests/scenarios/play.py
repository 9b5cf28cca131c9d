"""The player: replays a scenario on the real read spine and forwarder, with canned peers and its own clock.

``play(script)`` returns when everything came as expected and raises ``Mismatch`` at the first thing that did not.
Nothing sleeps: time jumps from one event to the next. Beside what the file expects, it watches what must hold always,
``checks.watch_send`` and ``checks.same_answer``.
"""

import heapq
from collections import Counter
from math import inf

from protocols.identifier import parse_identifier
from protocols.message import Answer, Outcome, Query
from protocols.values.site import UDP
from protocols.values.value_list import decode_values
from resolver.answering import answer_now
from resolver.asking import Cancel, Reply, Role, Send, Tell, Trouble
from resolver.delegation import locate
from resolver.forwarding import Forwarder, Setup
from resolver.limits import Limits
from resolver.source import Now, Peer
from resolver.upstreams import PREFERENCE
from tests.scenarios import checks, words
from tests.scenarios.checks import Client, Mismatch
from tests.scenarios.peers import Peers
from tests.scenarios.records import Records
from tests.scenarios.script import Script, ScriptError, SetupPlan, Step

NODE_ID = "00000000feedcafe"
"""This node's id in forwarded questions; ``@self`` in a scenario."""
START_S = 1000.0
"""The monotonic clock when a scenario begins."""
PATIENCE_S = 12.0
"""How long a step waits for an answer: four times what any question may take."""
MOST_TURNS = 2_000
"""Calls of ``step`` at one moment; a forwarder that wants more will never rest."""


def play(script: Script) -> None:
    """Run the whole scenario. Raises ``Mismatch`` or ``ScriptError``."""
    player = Player(script)
    for number, step in enumerate(script.steps, 1):
        try:
            player.do(step)
        except ScriptError:
            raise
        except AssertionError as error:
            raise Mismatch(f"step {number}: {error}") from error
    player.finish()


class Player:
    """One run of one scenario."""

    def __init__(self, script: Script) -> None:
        self._sites = script.sites
        self._records = Records()
        self._prepare(script.setup)
        self._limits = Limits(**_numbers(script.setup.limits))
        self._setup = _make_setup(script.setup, self._limits)
        self._forwarder = Forwarder(self._setup, self._records.holdings)
        self._peers = Peers(script.peers, script.sites)
        self._now_s = START_S
        self._coming: list[tuple[float, int, int, Reply | Trouble]] = []
        self._coming_count = 0
        self._sends: dict[int, Send] = {}
        self._tickets: dict[int, Client] = {}
        self._clients: dict[str, list[Client]] = {}
        self._unchecked: list[Client] = []
        self._questions: list[Send] = []
        self._cancelled = 0
        self._numbers: set[int] = set()

    # ------------------------------------------------------------------------------------- steps

    def do(self, step: Step) -> None:
        """One step and its checks."""
        if step.ask is not None:
            self._ask(step)
        elif step.answer_of is not None:
            if step.answer_of not in self._clients:
                raise ScriptError(f"nobody is called {step.answer_of!r}")
            self._judge(self._clients[step.answer_of], step)
        elif step.peer is not None:
            self._peers.change(step)
        elif step.change is not None:
            self._change(step)
        elif step.forget is not None:
            self._forget(step.forget)
        elif step.encoded is not None:
            self._look_at_encoded(step)
        elif step.feed_gap:
            self._forwarder.drop_all()
            self._turn()
        else:
            self._pass((step.pass_s or 0.0) + (step.pass_ms or 0.0) / 1000)
        self._check(step)

    def _ask(self, step: Step) -> None:
        clients = []
        began_s = self._now_s
        for number in range(step.times):
            if step.over_s:
                self._pass(began_s + step.over_s * number / step.times - self._now_s)
            clients.append(self._ask_once(step, number))
        if step.called:
            self._clients[step.called] = clients
        self._unchecked += clients
        if step.answer is not None or step.tally is not None:
            self._judge(clients, step)

    def _ask_once(self, step: Step, number: int) -> Client:
        assert step.ask is not None
        peer = Peer(words.nth_address(step.source, number), 4711, step.by, is_loopback=False)
        query = Query(
            parse_identifier(step.ask.replace("{n}", str(number))),
            step.indexes,
            step.types,
            authoritative=step.auth,
            may_recurse=step.recu,
            may_refer=step.refer,
            hop_count=step.hops,
            principal=words.read_principal(step.user),
            via=tuple(NODE_ID if word == "@self" else word for word in step.via),
            wants_trail=step.trail,
        )
        now, holdings = self._now(), self._records.holdings
        encoded = self._encoded_for(query, peer, now)
        client = Client(query.identifier.text, self._now_s)
        answer: Answer | int | None = answer_now(query, holdings, peer, now, (), self._forwarder)
        if answer is None:
            place = locate(query.identifier, holdings)
            answer = self._forwarder.ask(query, place, peer, now)  # type: ignore[arg-type]
        if isinstance(answer, int):
            assert answer not in self._tickets, f"ticket {answer} was given twice"
            self._tickets[answer] = client
        else:
            client.told(answer, self._now_s)
        if encoded is not None:
            checks.same_answer(encoded, answer)
        self._turn()
        return client

    def _encoded_for(self, query: Query, peer: Peer, now: Now) -> bytes | None:
        """What the hot path would answer: plain, recursive, from an allowed network, not selective."""
        is_plain = query.may_recurse and not (
            query.authoritative or query.wants_trail or query.indexes or query.types
            or query.via or query.hop_count
        )  # fmt: skip
        if not is_plain or peer.address not in self._setup.may_recurse:
            return None
        return self._forwarder.answers.get(query.identifier.spelling, now.monotonic_s)

    def _judge(self, clients: list[Client], step: Step) -> None:
        wanted = step.answer
        if wanted is None or not wanted.waiting:
            self._await(clients)
        if step.tally is not None:
            checks.tally(clients, step.tally)
        for client in clients:
            if wanted is not None:
                checks.answer(client, wanted, self._sites, self._peers)
        judged = {id(client) for client in clients}
        if wanted is None or not wanted.waiting:
            self._unchecked = [one for one in self._unchecked if id(one) not in judged]

    def _await(self, clients: list[Client]) -> None:
        until_s = self._now_s + PATIENCE_S
        while any(not client.is_told for client in clients) and self._next_s() <= until_s:
            self._run_until(self._next_s())
        waiting = [client for client in clients if not client.is_told]
        assert not waiting, f"{len(waiting)} clients have no answer after {PATIENCE_S} seconds"

    def _change(self, step: Step) -> None:
        values = [words.read_value(text, self._sites) for text in step.values]
        if step.site:
            values.append(words.read_value(f"3 HS_SITE @{step.site}", self._sites))
        receipt, keys = self._records.change(step.change or "", step.of, values, self._now().wall_s)
        if receipt.outcome is not Outcome.SUCCESS:
            raise ScriptError(f"{step.change} {step.of}: {receipt.outcome.value}, {receipt.reason}")
        for key in keys:
            self._forwarder.drop(key)
        self._turn()

    def _forget(self, called: str) -> None:
        gone = {id(client) for client in self._clients.get(called, [])}
        if not gone:
            raise ScriptError(f"nobody is called {called!r}")
        for ticket in [number for number, one in self._tickets.items() if id(one) in gone]:
            del self._tickets[ticket]
            self._forwarder.forget(ticket)
        self._unchecked = [client for client in self._unchecked if id(client) not in gone]
        self._turn()

    def _look_at_encoded(self, step: Step) -> None:
        if step.answer is None:
            raise ScriptError("encoded without `answer`")
        spelling = (step.encoded or "").encode()
        found = self._forwarder.answers.get(spelling, self._now_s)
        client = Client(step.encoded or "", self._now_s)
        values = () if found is None else decode_values(found)
        outcome = Outcome.NOT_FOUND if found is None else Outcome.SUCCESS
        client.told(Answer(outcome, values), self._now_s)
        checks.answer(client, step.answer, self._sites, self._peers)

    def _check(self, step: Step) -> None:
        has_looked = False
        if step.asked is not None:
            checks.asked(self._questions, step.asked, self._peers, NODE_ID)
            has_looked = True
        if step.asked_count is not None:
            checks.count("questions upstream", len(self._questions), step.asked_count)
            has_looked = True
        if step.asked_each is not None:
            each = Counter(send.question.spelling.upper() for send in self._questions)
            most = max(each.values(), default=0)
            assert most <= step.asked_each, f"one identifier was asked for {most} times"
        if has_looked:
            self._questions.clear()
        if step.cancelled is not None:
            assert self._cancelled == step.cancelled, f"{self._cancelled} questions were cancelled"
            self._cancelled = 0
        if step.servers is not None:
            checks.servers(self._forwarder.upstreams.states(), step.servers)
        for name, wanted in (step.counted or {}).items():
            found = self._forwarder.counts[name]
            assert found == wanted, f"counted {name}: {found}, not {wanted}"

    def finish(self) -> None:
        """Let everything end. What nobody looked at is a mismatch: a scenario accounts for all that happens."""
        try:
            self._await(list(self._tickets.values()))
            until_s = self._now_s + PATIENCE_S
            while self._next_s() <= until_s:
                self._run_until(self._next_s())
            assert not self._unchecked, f"{self._unchecked[0]} was not looked at by any step"
            left = checks.list_questions(self._questions, self._peers)
            assert not left, f"questions upstream that no step expected: {left}"
            assert len(self._forwarder.questions) == 0, "something is still under way at the end"
        except AssertionError as error:
            raise Mismatch(f"at the end: {error}") from error

    # ------------------------------------------------------------------------------------- time and events

    def _now(self) -> Now:
        return Now(self._now_s, words.WALL_S + self._now_s - START_S)

    def _next_s(self) -> float:
        coming_s = self._coming[0][0] if self._coming else inf
        return max(self._now_s, min(coming_s, self._forwarder.next_s()))

    def _pass(self, seconds: float) -> None:
        self._run_until(round(self._now_s + max(0.0, seconds), 6))

    def _run_until(self, until_s: float) -> None:
        """Time goes on, event by event."""
        turns = 0
        while self._next_s() <= until_s:
            turns = 0 if self._next_s() > self._now_s else turns + 1
            assert turns < MOST_TURNS, "the forwarder wants to be called again and again at once"
            self._now_s = max(self._now_s, self._next_s())
            while self._coming and self._coming[0][0] <= self._now_s:
                self._arrive()
            self._turn()
        self._now_s = max(self._now_s, until_s)

    def _arrive(self) -> None:
        _, _, number, what = heapq.heappop(self._coming)
        if number not in self._sends:
            return
        if what is not Trouble.NEAR_MISS:  # the driver goes on listening after one
            del self._sends[number]
        if isinstance(what, Reply):
            self._forwarder.received(number, what, self._now())
        else:
            self._forwarder.failed(number, what, self._now())

    def _turn(self) -> None:
        """Do what the forwarder says until it says nothing more."""
        for _ in range(MOST_TURNS):
            actions = self._forwarder.step(self._now())
            if not actions:
                return
            for action in actions:
                if isinstance(action, Send):
                    self._send(action)
                elif isinstance(action, Cancel):
                    self._sends.pop(action.number, None)
                    self._cancelled += 1
                elif isinstance(action, Tell):
                    client = self._tickets.pop(action.ticket, None)
                    assert client is not None, f"ticket {action.ticket}: unknown, or told twice"
                    client.told(action.answer, self._now_s)
        raise AssertionError("the forwarder has something to do again and again at one moment")

    def _send(self, send: Send) -> None:
        checks.watch_send(send, self._now_s, self._setup, self._limits)
        assert send.number not in self._numbers, f"number {send.number} was used twice"
        self._numbers.add(send.number)
        self._questions.append(send)
        self._sends[send.number] = send
        for coming in self._peers.answer(send, self._now().wall_s):
            at_s = round(self._now_s + coming.after_s, 6)
            if at_s < send.until_s:
                self._push(at_s, send.number, coming.what)
        self._push(send.until_s, send.number, Trouble.TIMEOUT)

    def _push(self, at_s: float, number: int, what: Reply | Trouble) -> None:
        self._coming_count += 1
        heapq.heappush(self._coming, (at_s, self._coming_count, number, what))

    # ------------------------------------------------------------------------------------- before it begins

    def _prepare(self, plan: SetupPlan) -> None:
        changes = [("host", prefix, ()) for prefix in plan.hosted]
        changes += [("put", record.of, record.values) for record in plan.record]
        changes += [
            ("delegate", f"0.NA/{prefix}", (f"3 HS_SITE @{site}",))
            for prefix, site in plan.delegated.items()
        ]
        for what, of, texts in changes:
            values = [words.read_value(text, self._sites) for text in texts]
            receipt, _ = self._records.change(what, of, values, words.WALL_S)
            if receipt.outcome is not Outcome.SUCCESS:
                raise ScriptError(f"setup: {what} {of}: {receipt.outcome.value}, {receipt.reason}")


def _make_setup(plan: SetupPlan, limits: Limits) -> Setup:
    return Setup(
        node=plan.node,
        node_id=NODE_ID,
        upstreams=tuple(words.read_target(text, Role.UPSTREAM) for text in plan.upstreams),
        is_recursive_upstream=plan.mode == "recurse",
        may_recurse=words.Networks(plan.networks),
        is_free=words.Networks(plan.free_networks),
        own_places=frozenset(words.read_place(text) for text in plan.own_places),
        cache_bytes=plan.cache_bytes,
        answers_bytes=plan.answers_bytes,
        prefer=PREFERENCE if plan.prefer == "tcp" else (UDP, *PREFERENCE),
        has_ipv6=plan.ipv6,
        limits=limits,
    )


def _numbers(limits: dict[str, float]) -> dict[str, float]:
    """Counts as whole numbers, whatever the file wrote."""
    return {name: type(getattr(Limits(), name))(value) for name, value in limits.items()}
