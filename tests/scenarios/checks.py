"""What a scenario looks at: answers, questions upstream, counts; and what must hold in every one of them."""

from collections import Counter
from collections.abc import Mapping, Sequence

from protocols.message import Answer, Outcome
from protocols.trail import Trail
from protocols.values.value import TTL_RELATIVE, Value
from protocols.values.value_list import decode_values
from resolver.asking import Send
from resolver.forwarding import Setup
from resolver.limits import Limits
from tests.scenarios import words
from tests.scenarios.peers import Peers
from tests.scenarios.script import Expectation, ScriptError, SitePlan

SLACK_S = 0.0005
"""Sums of floating seconds are not exact; half a millisecond is."""


class Mismatch(AssertionError):
    """Something came otherwise than the scenario says."""


class Client:
    """Somebody who asked once."""

    def __init__(self, asked: str, asked_s: float) -> None:
        self.asked = asked
        self.asked_s = asked_s
        self.told_s = 0.0
        self.is_told = False
        self.answer: Answer | None = None

    def __str__(self) -> str:
        what = "nothing yet" if not self.is_told else "silence" if self.answer is None else ""
        if self.answer is not None:
            what = f"{self.answer.outcome.value}/{self.answer.verdict.value} {self.answer.reason}"
        return f"the question for {self.asked} (answer: {what.strip()})"

    def told(self, answer: Answer | None, now_s: float) -> None:
        """The answer, None = silence; once."""
        assert not self.is_told, f"{self} was told again"
        self.is_told, self.answer, self.told_s = True, answer, now_s


# ------------------------------------------------------------------------------------------ answers


def answer(
    client: Client, wanted: Expectation, sites: Mapping[str, SitePlan], peers: Peers
) -> None:
    """Everything that ``wanted`` names is as it says."""
    if wanted.waiting:
        assert not client.is_told, f"{client} should still be waiting"
        return
    _check_time(client, wanted)
    found = client.answer
    if wanted.silence:
        assert found is None, f"{client} should get silence"
        return
    assert found is not None, f"{client} got silence"
    _same(client, "outcome", found.outcome.value, wanted.outcome)
    _same(client, "verdict", found.verdict.value, wanted.verdict)
    _same(client, "authoritative", found.is_authoritative, wanted.authoritative)
    if wanted.values is not None:
        _check_values(client, found.values, [words.read_value(v, sites) for v in wanted.values])
    if wanted.ttl is not None:
        ttls = [value.ttl for value in found.values if value.ttl_type == TTL_RELATIVE]
        _same(client, "least TTL", min(ttls, default=None), wanted.ttl)
    if wanted.reason is not None:
        assert wanted.reason in found.reason, f"{client}: no {wanted.reason!r} in its reason"
    if wanted.trail is not None:
        legs = tuple(list_legs(found.trail, peers))
        _same(client, "trail", legs, wanted.trail)


def _check_time(client: Client, wanted: Expectation) -> None:
    took_s = client.told_s - client.asked_s
    if wanted.after_ms is not None:
        is_exact = abs(took_s - wanted.after_ms / 1000) <= SLACK_S
        assert is_exact, f"{client} came after {took_s * 1000:.1f} ms, not {wanted.after_ms}"
    if wanted.by_ms is not None:
        is_early = took_s <= wanted.by_ms / 1000 + SLACK_S
        assert is_early, f"{client} came after {took_s * 1000:.1f} ms, later than {wanted.by_ms}"


def _check_values(client: Client, found: Sequence[Value], wanted: Sequence[Value]) -> None:
    is_same = len(found) == len(wanted) and all(map(words.same_value, wanted, found))
    shown = [(value.index, value.type, value.data) for value in found]
    assert is_same, f"{client} has other values: {shown}"


def _same(client: Client, what: str, found: object, wanted: object) -> None:
    assert wanted is None or found == wanted, f"{client}: {what} is {found!r}, not {wanted!r}"


def list_legs(trail: Trail | None, peers: Peers) -> list[str]:
    """``top 0.NA/88.200 success``, in the order of the trail."""
    names = peers.names()
    legs = () if trail is None else trail.legs
    return [f"{names.get(leg.server, leg.server)} {leg.asked} {leg.said}" for leg in legs]


def tally(clients: Sequence[Client], wanted: Mapping[str, object]) -> None:
    """How many ended how: ``success``, or ``success/stale``; ``silence`` for none. All are accounted for."""
    is_fine = any("/" in name for name in wanted)
    found: Counter[str] = Counter()
    for client in clients:
        name = "silence"
        if client.answer is not None:
            name = client.answer.outcome.value
            if is_fine:
                name += f"/{client.answer.verdict.value}"
        found[name] += 1
    for name in {*found, *wanted}:
        count(f"answers that are {name} (all: {dict(found)})", found[name], wanted.get(name, 0))


def count(what: str, found: int, wanted: object) -> None:
    """A number, or ``[least, most]``."""
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        assert found == wanted, f"{what}: {found}, not {wanted}"
    elif isinstance(wanted, list | tuple) and len(wanted) == 2:
        assert wanted[0] <= found <= wanted[1], f"{what}: {found}, not within {wanted}"
    else:
        raise ScriptError(f"{what}: expected {wanted!r}, which is no number and no pair of them")


# ------------------------------------------------------------------------------------------ questions upstream


def list_questions(sends: Sequence[Send], peers: Peers) -> list[str]:
    """``top 88.200/a +recu``, as scenarios write them."""
    return [" ".join([peers.name_of(send.target), *_words_of(send)]) for send in sends]


def _words_of(send: Send) -> list[str]:
    question = send.question
    flags = [("+recu", question.may_recurse), ("+auth", question.authoritative)]
    return [question.spelling.decode(), *(word for word, is_on in flags if is_on)]


def asked(sends: Sequence[Send], wanted: Sequence[str], peers: Peers, node_id: str) -> None:
    """Exactly these questions, in this order. ``hops=`` and ``via=`` are compared where they are written."""
    shown = list_questions(sends, peers)
    assert len(sends) == len(wanted), f"questions upstream: {shown}, not {list(wanted)}"
    for send, one_shown, text in zip(sends, shown, wanted, strict=True):
        server, *said = text.split(" ")
        more = dict(word.split("=", 1) for word in said if "=" in word)
        plain = [word for word in said if "=" not in word]
        is_there = server in (peers.name_of(send.target), send.target.name)
        is_same = is_there and plain == _words_of(send)
        assert is_same, f"questions upstream: {shown}, not {list(wanted)}"
        via = ",".join("@self" if one == node_id else one for one in send.question.via)
        found = {"hops": str(send.question.hop_count), "via": via}
        for name, value in more.items():
            if name not in found:
                raise ScriptError(f"asked {text!r}: `{name}` is not known")
            assert found[name] == value, f"{one_shown}: {name} is {found[name]}, not {value}"


def servers(states: Sequence[object], wanted: Mapping[str, str]) -> None:
    """The breaker of each server named: ``closed``, ``open``, ``probing``."""
    found = {state.name: state.breaker for state in states}  # type: ignore[attr-defined]
    for name, breaker in wanted.items():
        assert found.get(name) == breaker, f"{name} is {found.get(name)}, not {breaker}"


# ------------------------------------------------------------------------------------------ what holds always


def watch_send(send: Send, now_s: float, setup: Setup, limits: Limits) -> None:
    """A question goes to somebody else, names us, counts up, and is over within the patience of a question."""
    assert send.target.place not in setup.own_places, f"{send.target.name} is this node itself"
    assert send.question.via[-1:] == (setup.node_id,), "a forwarded question does not name us last"
    assert send.question.hop_count >= 1, "a forwarded question was never forwarded"
    assert send.question.hop_count <= limits.forwards, "a question is forwarded too often"
    assert now_s < send.until_s <= now_s + limits.patience_s + SLACK_S, "patience without end"


def same_answer(encoded: bytes, told: Answer | int | None) -> None:
    """What the hot path would have said is what the spine says; TTLs may differ by the second they are patched in."""
    assert isinstance(told, Answer), "the hot path has an answer, but the spine must ask"
    assert told.outcome is Outcome.SUCCESS, f"the hot path says success, the spine {told.outcome}"
    values = decode_values(encoded)
    assert len(values) == len(told.values), "the hot path has other values than the spine"
    for one, other in zip(values, told.values, strict=True):
        assert one._replace(ttl=other.ttl) == other, f"the hot path has {one}, the spine {other}"
        assert abs(one.ttl - other.ttl) <= 1, f"TTL {one.ttl} on the hot path, {other.ttl} else"
