"""The player is not believed either: whatever a scenario expects wrongly, misspells or leaves out must make it fail."""

import copy
import tomllib
from pathlib import Path

import pytest

from protocols.identifier import read_identifier
from protocols.message import Answer, Outcome
from protocols.values.value import Value
from protocols.values.value_list import encode_values
from resolver.asking import Question, Send, Target
from resolver.forwarding import Setup
from resolver.limits import Limits
from tests.scenarios import checks
from tests.scenarios.play import NODE_ID, play
from tests.scenarios.script import ScriptError, check_script
from tests.scenarios.test_scenarios import SCENARIOS

SMALL = """
promise = "An example."

[site.factory]
servers = ["tcp://192.0.2.20:2641"]

[setup]
networks = ["10.0.0.0/8"]

[[peer]]
name = "top"
at = "192.0.2.1:2641"
says = { "0.NA/88.200" = ["3 HS_SITE @factory"] }

[[peer]]
name = "factory"
at = "192.0.2.20:2641"
says = { "88.200/a" = ["1 URL https://a.example ; ttl=60"] }

[[step]]
ask = "88.200/a"
answer = { outcome = "success", values = ["1 URL https://a.example"] }
asked = ["top 0.NA/88.200", "factory 88.200/a"]
"""
MOST_CLIENTS = 250
"""Scenarios with more clients are not turned wrong: they take as long as all others, and check nothing that others do
not check too."""
OTHER = {
    "outcome": lambda word: "busy" if word != "busy" else "success",
    "values": lambda values: [*values, "77 NOT there"],
    "ttl": lambda ttl: ttl + 1,
    "verdict": lambda word: "local" if word != "local" else "asked",
    "authoritative": lambda flag: not flag,
    "reason": lambda _: "words that nobody says",
    "after_ms": lambda number: number + 1,
    "by_ms": lambda _: -1,
    "trail": lambda legs: [*legs, "top 88.200/none success"],
    "silence": lambda flag: not flag,
    "waiting": lambda flag: not flag,
}
"""For each word of an expectation, one that is wrong when it was right."""


def small():
    return copy.deepcopy(tomllib.loads(SMALL))


def more(count):
    return [count[0] + 10**6, count[1] + 10**6] if isinstance(count, list) else count + 1


def wrong_steps(step):
    """Every way in which one expectation of the step is turned wrong."""
    for word, wrong in OTHER.items():
        if word in step.get("answer", {}):
            yield (
                f"answer.{word}",
                step | {"answer": step["answer"] | {word: wrong(step["answer"][word])}},
            )
    if "asked" in step:
        yield "asked, one more", step | {"asked": [*step["asked"], "nobody 88.200/x"]}
        if step["asked"]:
            yield "asked, one less", step | {"asked": step["asked"][1:]}
            head, *rest = step["asked"][0].split(" ")
            yield "asked, another", step | {"asked": [f"{head}x {rest[0]}", *step["asked"][1:]]}
    if "asked_each" in step:
        yield "asked_each", step | {"asked_each": step["asked_each"] - 1}
    for name in ("asked_count", "cancelled"):
        if name in step:
            yield name, step | {name: more(step[name])}
    for name in ("tally", "counted"):
        for word, count in step.get(name, {}).items():
            yield f"{name}.{word}", step | {name: step[name] | {word: more(count)}}
    for server, state in step.get("servers", {}).items():
        other = "open" if state != "open" else "closed"
        yield f"servers.{server}", step | {"servers": {server: other}}


def wrong_versions(table):
    for number, step in enumerate(table["step"]):
        for what, wrong in wrong_steps(step):
            steps = [*table["step"][:number], wrong, *table["step"][number + 1 :]]
            yield f"step {number + 1}, {what}", {**table, "step": steps}


def table_of(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))


def client_count(path):
    return sum(step.get("times", 1) for step in table_of(path)["step"])


TURNED = [path for path in SCENARIOS if client_count(path) <= MOST_CLIENTS]


@pytest.mark.parametrize("path", TURNED, ids=lambda path: path.stem)
def test_a_scenario_with_one_wrong_expectation_fails(path: Path):
    versions = list(wrong_versions(table_of(path)))
    assert versions, "it expects nothing"
    for what, wrong in versions:
        script = check_script(wrong)
        try:
            play(script)
        except AssertionError:
            continue
        pytest.fail(f"{what}: nobody noticed that it is wrong")


def test_nearly_all_scenarios_are_turned_wrong():
    assert len(TURNED) >= 0.9 * len(SCENARIOS)


def test_the_example_is_right_to_begin_with():
    play(check_script(small()))


def _set(*path_and_value):
    *path, value = path_and_value

    def change(table):
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = value

    return change


MISSPELLED = {
    "the scenario": _set("promises", "x"),
    "setup": _set("setup", "netwroks", []),
    "setup.limits": _set("setup", "limits", {"try_seconds": 1}),
    "setup.record": _set("setup", "record", [{"of": "88.118/a", "vales": []}]),
    "site": _set("site", "factory", {"server": []}),
    "peer": _set("peer", 0, "latency", 5),
    "peer says": _set("peer", 0, "says", {"x": {"outcomes": "success"}}),
    "peer outcome": _set("peer", 0, "says", {"x": "sucess"}),
    "peer behaviour": _set("peer", 0, "behaviour", "lazy"),
    "step": _set("step", 0, "answers", {}),
    "step of another kind": _set("step", 0, "pass_s", 1),
    "step without a deed": _set("step", 0, {"asked": []}),
    "python's word": _set("step", 0, "source", "10.0.0.1"),
    "key of another deed": _set("step", 0, {"pass_s": 1, "types": ["URL"]}),
    "answer": _set("step", 0, "answer", {"outcomes": "success"}),
    "empty answer": _set("step", 0, "answer", {}),
    "answer outcome": _set("step", 0, "answer", {"outcome": "succes"}),
    "answer verdict": _set("step", 0, "answer", {"verdict": "cached"}),
    "kind of a value": _set("step", 0, "answer", {"ttl": "60"}),
    "flag for a number": _set("step", 0, "answer", {"ttl": True}),
    "count that is none": _set("step", 0, "asked_count", "many"),
    "no promise": _set("promise", " "),
    "no steps": _set("step", []),
    "two peers of one name": _set("peer", 1, "name", "top"),
    "change of nothing known": _set("step", 0, {"change": "rename", "of": "88.118/a"}),
    "look that looks at nothing": _set("step", 0, {"check": "now"}),
    "nobody of that name": _set("step", 0, {"answer_of": "x", "answer": {"ttl": 1}}),
    "no peer of that name": _set("step", 0, {"peer": "nobody", "latency_ms": 1}),
    "no site of that name": _set("peer", 0, "says", {"0.NA/88.200": ["3 HS_SITE @nowhere"]}),
    "value that is none": _set("peer", 1, "says", {"88.200/a": ["URL"]}),
    "option of a value": _set("peer", 1, "says", {"88.200/a": ["1 URL x ; tll=5"]}),
    "change that is refused": _set("step", 0, {"change": "put", "of": "99.9/a"}),
    "mode": _set("setup", "mode", "forward"),
}


@pytest.mark.parametrize("where", MISSPELLED)
def test_a_misspelled_scenario_is_an_error(where: str):
    table = small()
    MISSPELLED[where](table)
    with pytest.raises(ScriptError):
        play(check_script(table))


def _drop(*path):
    def change(table):
        for key in path[:-1]:
            table = table[key]
        del table[path[-1]]

    return change


LEFT_OUT = {
    "an answer nobody looked at": _drop("step", 0, "answer"),
    "questions upstream nobody expected": _drop("step", 0, "asked"),
    "what a peer says": _set("peer", 1, "says", {}),
    "a peer that is asked": _drop("peer", 1),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_a_scenario_that_leaves_something_out_fails(what: str):
    table = small()
    LEFT_OUT[what](table)
    with pytest.raises(checks.Mismatch):
        play(check_script(table))


# ------------------------------------------------------------------------------------------ what holds always

SERVER = Target(1, "192.0.2.1", 2641)
QUESTION = Question(b"88.200/a", hop_count=1, via=(NODE_ID,))


@pytest.mark.parametrize(
    ("send", "why"),
    [
        (Send(1, Target(1, "192.0.2.99", 2641), QUESTION, 2.0), "this node itself"),
        (Send(1, SERVER, QUESTION._replace(via=()), 2.0), "does not name us"),
        (Send(1, SERVER, QUESTION._replace(hop_count=0), 2.0), "never forwarded"),
        (Send(1, SERVER, QUESTION._replace(hop_count=5), 2.0), "too often"),
        (Send(1, SERVER, QUESTION, 1.0), "without end"),
        (Send(1, SERVER, QUESTION, 4.1), "without end"),
    ],
)
def test_a_question_that_must_not_be_sent_is_noticed(send: Send, why: str):
    setup = Setup("88.118", NODE_ID, own_places=frozenset({("192.0.2.99", 2641)}))
    checks.watch_send(Send(1, SERVER, QUESTION, 2.0), 1.0, setup, Limits())
    with pytest.raises(AssertionError, match=why):
        checks.watch_send(send, 1.0, setup, Limits())


def test_a_hot_path_that_says_something_else_is_noticed():
    value = Value(1, "URL", b"https://a.example", ttl=60)
    told = Answer(Outcome.SUCCESS, (value,))
    checks.same_answer(encode_values([value._replace(ttl=59)]), told)
    for wrong in ([], [value._replace(data=b"x")], [value._replace(ttl=50)]):
        with pytest.raises(AssertionError):
            checks.same_answer(encode_values(wrong), told)
    for answer in (None, 7, Answer(Outcome.NOT_FOUND)):
        with pytest.raises(AssertionError):
            checks.same_answer(encode_values([value]), answer)


def test_a_client_that_is_told_twice_is_noticed():
    client = checks.Client(read_identifier(b"88.200/a").text, 0.0)
    client.told(None, 1.0)
    with pytest.raises(AssertionError, match="told again"):
        client.told(None, 2.0)
