"""The same tests over both hot paths: in Python alone, and with the compiled lane, as installations have them.

What is listed in BOTH runs twice. A test module with nodes of its own that live longer than one test names the
fixture ``hot_path`` in theirs, so that they are made anew for the other way.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import node.lane
from node.lane.extension import load

BOTH = (
    "tests/attacks/test_framing_bombs.py",
    "tests/attacks/test_tcp.py",
    "tests/attacks/test_udp.py",
    "tests/lane/test_both_ways.py",
    "tests/node/http/test_framing.py",
    "tests/node/http/test_listener.py",
    "tests/node/http/test_plain",
    "tests/node/listeners/",
)
"""Beginnings of paths: whatever speaks to a listener through a socket."""
PYTHON, COMPILED = "python", "compiled"
SWITCH = "BIAOJIE_PURE_PYTHON"
NEEDED = "BIAOJIE_NEEDS_LANE"
"""Set by CI: there, a compiled part that is missing is a failure and not a skipped test."""


def why_not_compiled() -> str | None:
    """Why the compiled part cannot be tested; None = it is there and made of the sources at hand."""
    folder = Path(node.lane.__file__).parent
    sources = [*folder.glob("*.c"), *folder.glob("*.h")]
    module = load()
    if module is None:
        return "the compiled part is not built: `make lane` says why"
    built_s = Path(str(module.__file__)).stat().st_mtime
    if any(source.stat().st_mtime > built_s for source in sources):
        return "the compiled part is older than its sources: `make lane`"
    return None


def is_compiled_tested() -> bool:
    """Where it must be there, its tests are not left out; they fail."""
    return bool(os.environ.get(NEEDED)) or why_not_compiled() is None


@pytest.fixture(autouse=True, scope="module")
def hot_path(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Which hot path is under test: ``python``, ``compiled``, or None where it does not matter."""
    way = getattr(request, "param", None)
    with pytest.MonkeyPatch.context() as patch:
        if way == PYTHON:
            patch.setenv(SWITCH, "1")
        elif way == COMPILED:
            patch.delenv(SWITCH, raising=False)
            assert (reason := why_not_compiled()) is None, reason
        yield way


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have what is listed run both ways."""
    path = metafunc.definition.path.relative_to(metafunc.config.rootpath).as_posix()
    if path.startswith(BOTH):
        ways = (PYTHON, COMPILED) if is_compiled_tested() else (PYTHON,)
        metafunc.parametrize("hot_path", ways, indirect=True, scope="module")


def pytest_report_header() -> str:
    """Say once, and not at each test, that half of the tests is missing."""
    if is_compiled_tested():
        return "hot path: in Python and compiled"
    return f"hot path: in Python only, for {why_not_compiled()}"
