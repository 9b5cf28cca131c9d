"""A scenario as read from its file: checked word by word, since a misspelled expectation would expect nothing."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TypeVar

from protocols.message import Outcome
from protocols.trail import Verdict
from resolver.asking import Trouble
from resolver.limits import Limits

Table = Mapping[str, object]
Kind = TypeVar("Kind")


class ScriptError(Exception):
    """The scenario itself is wrong: nothing was proved by it."""


@dataclass(frozen=True)
class Saying:
    """One thing that comes back for a question."""

    outcome: str = "success"
    values: tuple[str, ...] = ()
    to: str = ""
    spelling: str | None = None
    trouble: str = ""
    after_ms: float | None = None
    expires_in_s: float | None = None
    signed: bool = False
    reason: str = ""


@dataclass(frozen=True)
class PeerPlan:
    """A server of somebody else: where it is and what it says."""

    name: str
    at: str
    latency_ms: float = 10.0
    behaviour: tuple[str, ...] = ("answer",)
    says: dict[str, tuple[Saying, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class SitePlan:
    """An HS_SITE: each server is a text of its interfaces."""

    servers: tuple[str, ...]
    hash: str = "whole"
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordPlan:
    """A record of this node."""

    of: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetupPlan:
    """The node, before anything happens."""

    node: str = "88.118"
    mode: str = "iterate"
    upstreams: tuple[str, ...] = ("tcp://192.0.2.1:2641",)
    own_places: tuple[str, ...] = ("192.0.2.99:2641",)
    networks: tuple[str, ...] = ("10.0.0.0/8", "127.0.0.0/8", "fd00::/8")
    free_networks: tuple[str, ...] = ()
    cache_bytes: int = 16_000_000
    answers_bytes: int = 4_000_000
    prefer: str = "tcp"
    ipv6: bool = True
    hosted: tuple[str, ...] = ("88.118",)
    record: tuple[RecordPlan, ...] = ()
    delegated: dict[str, str] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Expectation:
    """What an answer must be. None = not looked at."""

    outcome: str | None = None
    values: tuple[str, ...] | None = None
    ttl: int | None = None
    verdict: str | None = None
    authoritative: bool | None = None
    reason: str | None = None
    after_ms: float | None = None
    by_ms: float | None = None
    trail: tuple[str, ...] | None = None
    silence: bool = False
    waiting: bool = False


@dataclass(frozen=True)
class Step:
    """One step. Exactly one of the keys in ``DEEDS``; ``CHECKS`` may stand in every step."""

    ask: str | None = None
    called: str = ""
    source: str = "10.0.0.5"
    by: str = "tcp"
    recu: bool = True
    refer: bool = True
    auth: bool = False
    types: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    hops: int = 0
    via: tuple[str, ...] = ()
    trail: bool = False
    user: str = ""
    times: int = 1
    over_s: float = 0.0

    pass_ms: float | None = None
    pass_s: float | None = None

    peer: str | None = None
    latency_ms: float | None = None
    behaviour: tuple[str, ...] = ()
    says: dict[str, tuple[Saying, ...]] = field(default_factory=dict)

    change: str | None = None
    of: str = ""
    values: tuple[str, ...] = ()
    site: str = ""

    feed_gap: bool | None = None
    forget: str | None = None
    answer_of: str | None = None
    encoded: str | None = None
    check: str | None = None

    answer: Expectation | None = None
    tally: dict[str, object] | None = None
    asked: tuple[str, ...] | None = None
    asked_count: object = None
    asked_each: int | None = None
    cancelled: int | None = None
    servers: dict[str, str] | None = None
    counted: dict[str, int] | None = None


@dataclass(frozen=True)
class Script:
    """A whole scenario."""

    promise: str
    setup: SetupPlan
    peers: tuple[PeerPlan, ...]
    sites: dict[str, SitePlan]
    steps: tuple[Step, ...]


DEEDS = {
    "ask": (
        "called", "source", "by", "recu", "refer", "auth", "types", "indexes", "hops", "via", "trail",
        "user", "times", "over_s", "answer", "tally",
    ),
    "pass_ms": (),
    "pass_s": (),
    "peer": ("latency_ms", "behaviour", "says"),
    "change": ("of", "values", "site"),
    "feed_gap": (),
    "forget": (),
    "answer_of": ("answer", "tally"),
    "encoded": ("answer",),
    "check": (),
}  # fmt: skip
"""What a step can do, and the keys that belong to it."""
CHECKS = ("asked", "asked_count", "asked_each", "cancelled", "servers", "counted")
"""What every step may look at when it is done."""
WORDS = {"from": "source"}
"""Keys whose name is a word of Python."""
BEHAVIOURS = ("answer", "silent", "wrong-identifier", "expired", *(t.value for t in Trouble))
CHANGES = ("put", "delete", "host", "delegate")


def read_script(path: Path) -> Script:
    """The file's scenario. Raises ``ScriptError`` that says where and what."""
    with path.open("rb") as file:
        return check_script(tomllib.load(file))


def check_script(table: Table) -> Script:
    """A scenario from its parsed TOML."""
    _only(table, ("promise", "setup", "site", "peer", "step"), "the scenario")
    promise = table.get("promise")
    if not isinstance(promise, str) or not promise.strip():
        raise ScriptError("the scenario: `promise` must say in a sentence what is promised")
    peers = tuple(_read_peer(peer, f"peer {n}") for n, peer in _rows(table, "peer"))
    steps = tuple(_read_step(step, f"step {n}") for n, step in _rows(table, "step"))
    if not steps:
        raise ScriptError("the scenario: no steps")
    names = [peer.name for peer in peers]
    if len(set(names)) < len(names) or len({peer.at for peer in peers}) < len(peers):
        raise ScriptError("two peers of one name, or at one place")
    sites = {
        name: _build(SitePlan, site, f"site {name}")
        for name, site in _table(table.get("site", {}), "site").items()
    }
    return Script(promise, _read_setup(table), peers, sites, steps)


def _read_setup(table: Table) -> SetupPlan:
    setup = dict(_table(table.get("setup", {}), "setup"))
    rows = enumerate(_list(setup.get("record", []), "setup.record"), 1)
    setup["record"] = tuple(_build(RecordPlan, row, f"setup.record {n}") for n, row in rows)
    plan = _build(SetupPlan, setup, "setup")
    _only(plan.limits, Limits._fields, "setup.limits")
    _among(plan.mode, ("iterate", "recurse"), "setup.mode")
    _among(plan.prefer, ("tcp", "udp"), "setup.prefer")
    return plan


def _read_peer(value: object, where: str) -> PeerPlan:
    table = dict(_table(value, where))
    return _build(PeerPlan, _with_sayings(table, where), where)


def _read_step(value: object, where: str) -> Step:
    table = {WORDS.get(key, key): what for key, what in _table(value, where).items()}
    if "source" in _table(value, where):
        raise ScriptError(f"{where}: `source` is not known; did you mean `from`?")
    deeds = [deed for deed in DEEDS if deed in table]
    if len(deeds) != 1:
        raise ScriptError(f"{where}: exactly one of {', '.join(DEEDS)}, not {deeds or 'none'}")
    _only(table, (deeds[0], *DEEDS[deeds[0]], *CHECKS), f"{where} ({deeds[0]})")
    if "answer" in table:
        table["answer"] = _read_expectation(table["answer"], f"{where}, answer")
    step = _build(Step, _with_sayings(table, where), where)
    if step.change is not None:
        _among(step.change, CHANGES, f"{where}, change")
    _among(step.by, ("udp", "tcp", "http"), f"{where}, by")
    if step.answer_of is not None and step.answer is None and step.tally is None:
        raise ScriptError(f"{where}: answer_of without `answer` or `tally` looks at nothing")
    if step.check is not None and not any(check in table for check in CHECKS):
        raise ScriptError(f"{where}: check without {', '.join(CHECKS)} looks at nothing")
    return step


def _read_expectation(value: object, where: str) -> Expectation:
    wanted = _build(Expectation, value, where)
    if not _table(value, where):
        raise ScriptError(f"{where}: expects nothing")
    if wanted.outcome is not None:
        _among(wanted.outcome, [outcome.value for outcome in Outcome], where)
    if wanted.verdict is not None:
        _among(wanted.verdict, [verdict.value for verdict in Verdict], where)
    return wanted


def _with_sayings(table: dict[str, object], where: str) -> dict[str, object]:
    if "behaviour" in table:
        words = table["behaviour"]
        table["behaviour"] = (words,) if isinstance(words, str) else words
        for word in _list(table["behaviour"], where):
            _among(word, BEHAVIOURS, f"{where}, behaviour")
    if "says" in table:
        says = _table(table["says"], f"{where}, says")
        table["says"] = {
            asked: _read_sayings(said, f"{where}, says {asked}") for asked, said in says.items()
        }
    return table


def _read_sayings(value: object, where: str) -> tuple[Saying, ...]:
    """A word (an outcome or a trouble), the values of a record, a table, or tables one after the other."""
    if isinstance(value, str):
        troubles = [trouble.value for trouble in Trouble]
        _among(value, [*troubles, "silent", *(outcome.value for outcome in Outcome)], where)
        return (Saying(trouble=value) if value in (*troubles, "silent") else Saying(outcome=value),)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return (Saying(values=tuple(value)),)
    rows = value if isinstance(value, list) else [value]
    sayings = tuple(_build(Saying, row, where) for row in rows)
    for saying in sayings:
        _among(saying.outcome, [outcome.value for outcome in Outcome], where)
        _among(saying.trouble, ["", "silent", *(trouble.value for trouble in Trouble)], where)
    return sayings


# ------------------------------------------------------------------------------------------ checked building


def _build(kind: type[Kind], value: object, where: str) -> Kind:
    """A dataclass from a table: no key it does not know, none missing, each of its kind."""
    table = _table(value, where)
    known = {one.name: one for one in fields(kind)}
    _only(table, known, where)
    for name, one in known.items():
        if name in table:
            continue
        if one.default is MISSING and one.default_factory is MISSING:
            raise ScriptError(f"{where}: `{name}` is missing")
    given = {
        name: _fitting(what, str(known[name].type), f"{where}, {name}")
        for name, what in table.items()
    }
    return kind(**given)


_KINDS = {
    "str": str, "int": int, "bool": bool, "float": (int, float), "tuple": (list, tuple), "dict": dict,
    "Expectation": Expectation, "object": object,
}  # fmt: skip


def _fitting(value: object, kind: str, where: str) -> object:
    """The value if it is of the kind that the field's annotation names."""
    name = kind.removeprefix("<class '").removesuffix("'>").split("[")[0].split(" ")[0]
    wanted = _KINDS[name.rpartition(".")[2]]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted not in (bool, object)):
        raise ScriptError(f"{where}: {value!r} is not {name}")
    if isinstance(value, list):
        return tuple(value)
    return value


def _only(table: Table, known: object, where: str) -> None:
    unknown = sorted(set(table) - set(known))  # type: ignore[call-overload]
    if unknown:
        raise ScriptError(f"{where}: `{unknown[0]}` is not known; known: {', '.join(known)}")


def _among(word: object, known: object, where: str) -> None:
    if word not in known:  # type: ignore[operator]
        raise ScriptError(f"{where}: {word!r} is not one of {', '.join(known)}")


def _table(value: object, where: str) -> Table:
    if not isinstance(value, Mapping):
        raise ScriptError(f"{where}: not a table")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list | tuple):
        raise ScriptError(f"{where}: not a list")
    return list(value)


def _rows(table: Table, name: str) -> list[tuple[int, object]]:
    return list(enumerate(_list(table.get(name, []), name), 1))
