"""The map: every row of the numbers and of the threats that concern asking elsewhere has a scenario that keeps it.

Where only a socket can show it, the keeper is a named test. A row is copied whole and its clauses must add up to it, so
that no half-sentence is forgotten; a scenario that keeps no promise of the map, or a keeper that is gone, fails.
"""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.scenarios.test_scenarios import MAP, SCENARIOS

ROOT = MAP.parents[2]
ROWS = tomllib.loads(MAP.read_text(encoding="utf-8"))["row"]
CLAUSES = [(row, clause) for row in ROWS for clause in row["clause"]]
NUMBERS = ("upstream", "foreign cache", "recursion", "waiting")
"""Rows of the table of numbers that every part is held to."""
THREATS = ("T6", "T10", "T11", "T11b", "T12", "T13", "T17")
"""Rows of the threat model that an upstream, a client or a stranger could act on here."""
WORK = ("delegation", "resolver", "encoded answers", "bad input and faults")
LEAST_REASON_WORDS = 15


def name_of(row_and_clause):
    row, clause = row_and_clause
    return f"{row['name']}: {clause['says']}"


def keepers(clause):
    return [*clause.get("scenarios", ()), *clause.get("tests", ())]


@cache
def functions_of(path: Path) -> frozenset[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    return frozenset(node.name for node in tree if isinstance(node, functions))


def test_no_row_is_missing():
    assert [row["name"] for row in ROWS] == [*NUMBERS, *THREATS, *WORK]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_clauses_of_a_row_are_all_of_it(row):
    left = row["text"]
    for clause in row["clause"]:
        before, found, after = left.partition(clause["says"])
        assert found, f"not in the row, or out of order: {clause['says']}"
        assert re.fullmatch(r"[\s,;.]*", before), f"no clause says: {before}"
        left = after
    assert re.fullmatch(r"[\s,;.]*", left), f"no clause says: {left}"


@pytest.mark.parametrize("row_and_clause", CLAUSES, ids=name_of)
def test_a_clause_is_kept_by_somebody_or_declined_with_a_reason(row_and_clause):
    _, clause = row_and_clause
    assert set(clause) <= {"says", "scenarios", "tests", "declined"}
    reason = clause.get("declined", "")
    assert bool(keepers(clause)) != bool(reason), "either kept or declined"
    assert not reason or len(reason.split()) >= LEAST_REASON_WORDS
    names = {path.stem for path in SCENARIOS}
    assert [name for name in clause.get("scenarios", ()) if name not in names] == []
    for keeper in clause.get("tests", ()):
        path, _, test = keeper.partition("::")
        assert (ROOT / path).is_file(), f"{path} is gone"
        assert test.startswith("test_"), keeper
        assert test in functions_of(Path(path)), f"{keeper} is gone"


def test_no_scenario_keeps_nothing():
    kept = {name for _, clause in CLAUSES for name in clause.get("scenarios", ())}
    assert sorted({path.stem for path in SCENARIOS} - kept) == []


def test_hardly_anything_is_declined():
    assert [clause["says"] for _, clause in CLAUSES if "declined" in clause] == ["mTLS"]
