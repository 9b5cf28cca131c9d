"""Canned peers: what comes back for a question, and when. No sockets; time is told."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from protocols.message import Outcome
from protocols.values.site import PROTOCOL_NAMES
from resolver.asking import Reply, Send, Target, Trouble
from tests.scenarios.script import PeerPlan, Saying, ScriptError, SitePlan, Step
from tests.scenarios.words import read_place, read_value

SILENT = "silent"
CANNED = {
    SILENT: Saying(trouble=SILENT),
    **{trouble.value: Saying(trouble=trouble.value) for trouble in Trouble},
}
CANNED["wrong-identifier"] = Saying(
    values=("1 URL http://forged.example",), spelling="88.66/forged"
)
CANNED["expired"] = Saying(values=("1 URL http://expired.example",), expires_in_s=-1)
"""Behaviours that do not depend on what is asked. Not to believe the last two is the resolver's task."""
WITH_SPELLING = frozenset({Outcome.SUCCESS, Outcome.VALUES_NOT_FOUND})
"""Only these replies of the Handle protocol repeat the identifier (RFC 3652 §3.2.2)."""


class Coming(NamedTuple):
    """What will arrive for one question."""

    after_s: float
    what: Reply | Trouble


class Peers:
    """All servers of a scenario."""

    def __init__(self, plans: tuple[PeerPlan, ...], sites: dict[str, SitePlan]) -> None:
        self._sites = sites
        self._peers = {plan.name: _Peer(plan) for plan in plans}
        self._places = {
            _place(place): self._peers[plan.name] for plan in plans for place in plan.at.split()
        }

    def name_of(self, target: Target) -> str:
        """How the scenario calls the server that is asked."""
        return self._peer(target).name

    def names(self) -> dict[str, str]:
        """By the name of a target: every interface a peer could have."""
        return {
            Target(number, address, port).name: peer.name
            for (protocol, address, port), peer in self._places.items()
            for number in range(len(PROTOCOL_NAMES))
            if protocol in (None, number)
        }

    def change(self, step: Step) -> None:
        """From now on the peer of ``step.peer`` is different."""
        peer = self._peers.get(step.peer or "")
        if peer is None:
            raise ScriptError(f"no peer is called {step.peer!r}")
        if step.latency_ms is not None:
            peer.latency_ms = step.latency_ms
        if step.behaviour:
            peer.behaviour, peer.turn = step.behaviour, 0
        peer.says.update({asked.upper(): said for asked, said in step.says.items()})

    def answer(self, send: Send, wall_s: float) -> list[Coming]:
        """What this question will get; nothing at all is a timeout when its patience ends."""
        peer = self._peer(send.target)
        behaviour = peer.behaviour[peer.turn % len(peer.behaviour)]
        peer.turn += 1
        asked = send.question.spelling.decode()
        sayings = (CANNED[behaviour],) if behaviour != "answer" else peer.said_about(asked)
        coming = []
        for saying in sayings:
            after_ms = peer.latency_ms if saying.after_ms is None else saying.after_ms
            if saying.trouble != SILENT:
                coming.append(Coming(after_ms / 1000, self._what(saying, asked, wall_s)))
        return coming

    def _what(self, saying: Saying, asked: str, wall_s: float) -> Reply | Trouble:
        if saying.trouble:
            return Trouble(saying.trouble)
        outcome = Outcome(saying.outcome)
        spelling = saying.spelling
        if spelling is None:
            spelling = asked if outcome in WITH_SPELLING else ""
        return Reply(
            outcome,
            spelling.encode(),
            tuple(read_value(value, self._sites) for value in saying.values),
            saying.to.encode(),
            0 if saying.expires_in_s is None else int(wall_s + saying.expires_in_s),
            saying.signed,
            saying.reason,
        )

    def _peer(self, target: Target) -> "_Peer":
        peer = self._places.get((target.protocol, *target.place)) or self._places.get(
            (None, *target.place)
        )
        if peer is None:
            raise AssertionError(f"{target.name} is asked, but nobody is there in this scenario")
        return peer


class _Peer:
    def __init__(self, plan: PeerPlan) -> None:
        self.name = plan.name
        self.latency_ms = plan.latency_ms
        self.behaviour = plan.behaviour
        self.turn = 0
        self.says = {asked.upper(): said for asked, said in plan.says.items()}

    def said_about(self, asked: str) -> tuple[Saying, ...]:
        """By the whole identifier, else by the first pattern that fits."""
        name = asked.upper()
        if name in self.says:
            return self.says[name]
        for pattern, said in self.says.items():
            if "*" in pattern and fnmatchcase(name, pattern):
                return said
        raise AssertionError(
            f"{self.name} is asked for {asked}, but the scenario does not say what it says then"
        )


def _place(text: str) -> tuple[int | None, str, int]:
    scheme, separator, place = text.rpartition("://")
    if not separator:
        return (None, *read_place(text))
    if scheme.upper() not in PROTOCOL_NAMES:
        raise ScriptError(f"peer at {text!r}: no such protocol")
    return (PROTOCOL_NAMES.index(scheme.upper()), *read_place(place))
