"""A file is one noun and a function can be seen whole: the limits, kept by a machine."""

import ast
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, sources, text_of

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}


@pytest.mark.parametrize("path", sources(), ids=str)
def test_a_file_is_at_most_400_lines(path: Path):
    assert len(text_of(path).splitlines()) <= MAX_FILE_LINES


def functions(path: Path):
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", sources(), ids=str)
def test_a_function_is_at_most_70_lines(path: Path):
    long = {name: lines for name, lines in functions(path) if lines > MAX_FUNCTION_LINES}
    assert long == {}


@pytest.mark.parametrize("path", sources(), ids=str)
def test_a_file_says_in_its_first_line_what_it_is_for(path: Path):
    docstring = ast.get_docstring(ast.parse(text_of(path)))
    assert docstring, f"{path} has no module docstring"


@pytest.mark.parametrize("path", sources(), ids=str)
def test_no_file_is_named_after_nothing(path: Path):
    assert not VAGUE & {part.removesuffix(".py") for part in path.parts}


@pytest.mark.parametrize("path", sources(), ids=str)
def test_nothing_is_left_undone(path: Path):
    text = text_of(path)
    for word in ("TODO", "FIXME", "XXX", "NotImplementedError"):
        assert word not in text, f"{path} says {word}"


def test_every_package_is_measured():
    assert {path.parts[0] for path in sources()} == set(PACKAGES)
