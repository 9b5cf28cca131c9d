"""The table of promises: every row that concerns the listeners has a test, and every test it names exists."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

ROWS = (
    # the numbers every part is held to
    "message",
    "answer, native UDP",
    "record",
    "TCP, HTTP",
    # where implementations of the Handle protocol go wrong
    "UDP amplification",
    "Open recursion",
    "Unsigned answers",
    "Guessable ids",
    "Weak secrets",
    "DH",
    "Decoder bombs",
    "Event loop",
    "Closing TCP after one reply",
    "opCode of the final answer",
    "Strict length check",
    "Server clock wrong",
    "402 in place of 400/403",
    "Digest of re-encoded request",
    "Value order, echo of spelling, timestamp, bare strings",
    "Case",
    "RSA blob",
    "Permissions",
    "HRLS",
    "JSONP, open CORS, Basic over HTTP",
    "abs(−2³¹) in hash",
    # what the listeners owe everybody
    "bad input",
    "secrets",
)


def mapped() -> dict[str, list[str]]:
    """Row -> tests, from the table."""
    found: dict[str, list[str]] = {}
    for line in (HERE / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if len(cells) == 3 and "::" in cells[2]:
            found.setdefault(cells[0], []).extend(re.findall(r"`([^`]+::[^`]+)`", cells[2]))
    return found


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_test(row):
    assert mapped().get(row), f"{row!r} is not in the table"


def test_the_table_has_no_row_that_nobody_asked_for():
    assert set(mapped()) == set(ROWS)


@pytest.mark.parametrize("name", sorted({name for names in mapped().values() for name in names}))
def test_every_test_named_exists(name):
    file, _, function = name.partition("::")
    path = ROOT / file if "/" in file else HERE / file
    assert re.search(rf"(?m)^(async )?def {function}\(", path.read_text())


@pytest.mark.parametrize("path", sorted(HERE.glob("test_*.py")), ids=lambda path: path.name)
def test_every_file_with_a_node_ends_by_looking_at_the_honest_client(path):
    text = path.read_text()
    if "\nHAS_NODE = True" in text:
        assert "honest.assert_served()" in text.splitlines()[-1]
