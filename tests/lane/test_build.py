"""Building the compiled part: a wheel for this machine with it, or one for all machines without."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import ROOT

pytest.importorskip("hatchling", reason="the build back-end is not installed")

COPIED = ("deploy", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE")
PURE = {"BIAOJIE_PURE_PYTHON": "1"}
NO_COMPILER = {"CC": "/nonexistent/cc"}
MODULE = "node/lane/_lane"
GOOD = """
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "node.lane._lane", NULL, -1, NULL};
PyMODINIT_FUNC PyInit__lane(void) { return PyModule_Create(&definition); }
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with our build and a lane of one file, so that a test may break it."""
    root = tmp_path / "tree"
    (root / "node/lane").mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name)
        else:
            shutil.copy(source, root / name)
    (root / "node/__init__.py").write_text("")
    (root / "node/lane/__init__.py").write_text("")
    (root / "node/lane/module.c").write_text(GOOD)
    return root


def run(tree: Path, *command: str, env: dict[str, str] | None = None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("BIAOJIE_")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=tree, capture_output=True, text=True, check=False, timeout=120, env=clean | (env or {}),
    )  # fmt: skip


def build(tree: Path, target: str = "wheel", env: dict[str, str] | None = None):
    """What was built, and what the build said."""
    out = tree.parent / f"out-{target}"
    done = run(tree, "-m", "hatchling", "build", "-t", target, "-d", str(out), env=env)
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built, done.stdout + done.stderr


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def lanes_in(wheel: Path) -> list[str]:
    return [name for name in names_in(wheel) if name.startswith(MODULE)]


needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")


@needs_compiler
def test_with_a_compiler_the_wheel_is_for_this_platform_and_has_the_module(tree: Path):
    wheel, told = build(tree)
    assert "-none-any" not in wheel.name
    assert f"-cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-linux_" in wheel.name
    assert len(lanes_in(wheel)) == 1
    assert "without" not in told
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tree.parent / "unpacked")
    imported = run(tree.parent / "unpacked", "-c", "import node.lane._lane as m; print(m.__file__)")
    assert imported.stdout.strip().startswith(str(tree.parent / "unpacked")), imported.stderr


@pytest.mark.parametrize(
    ("env", "reason"),
    [(PURE, "BIAOJIE_PURE_PYTHON is set"), (NO_COMPILER, "no C compiler")],
    ids=["switched off", "no compiler"],
)
def test_without_a_compiler_the_wheel_is_pure_and_says_so(tree: Path, env, reason: str):
    stale = tree / f"{MODULE}.cpython-399-somewhere.so"
    stale.write_bytes(b"of another day")
    wheel, told = build(tree, env=env)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert lanes_in(wheel) == []
    lines = [line for line in told.splitlines() if "without its compiled part" in line]
    assert len(lines) == 1
    assert reason in lines[0]


@needs_compiler
def test_c_that_does_not_compile_costs_speed_and_not_the_installation(tree: Path):
    (tree / "node/lane/module.c").write_text("this is not C\n")
    wheel, told = build(tree)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "the compiler failed" in told


@needs_compiler
def test_the_wheel_has_no_c_and_none_of_other_pythons(tree: Path):
    (tree / f"{MODULE}.cpython-399-somewhere.so").write_bytes(b"of another Python")
    wheel, _ = build(tree)
    assert len(lanes_in(wheel)) == 1
    assert "399" not in lanes_in(wheel)[0]
    assert not [name for name in names_in(wheel) if name.endswith((".c", ".h"))]


def test_the_source_distribution_builds_again(tree: Path):
    archive, _ = build(tree, "sdist")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
        packed.extractall(tree.parent / "again", filter="data")
    assert {"hatch_build.py", "node/lane/module.c"} <= names
    (again,) = (tree.parent / "again").iterdir()
    wheel, _ = build(again)
    assert len(lanes_in(wheel)) == (1 if shutil.which("cc") else 0)


@needs_compiler
def test_developers_are_told_of_warnings_and_users_are_not(tree: Path):
    (tree / "node/lane/module.c").write_text(GOOD + "static int unused(void) { return 1; }\n")
    strict = run(tree, "hatch_build.py", "--strict")
    assert strict.returncode == 1
    assert "unused" in strict.stderr
    lenient = run(tree, "hatch_build.py")
    assert (lenient.returncode, list(tree.glob(f"{MODULE}*.so")) != []) == (0, True)


@needs_compiler
def test_what_cannot_be_built_anew_is_not_left_behind(tree: Path):
    assert run(tree, "hatch_build.py").returncode == 0
    (tree / "node/lane/module.c").write_text("this is not C\n")
    assert run(tree, "hatch_build.py").returncode == 0
    assert list(tree.glob(f"{MODULE}*.so")) == []


def test_where_it_is_needed_a_missing_compiler_is_a_failure(tree: Path):
    assert run(tree, "hatch_build.py", env=NO_COMPILER).returncode == 0
    needed = run(tree, "hatch_build.py", "--needed", env=NO_COMPILER)
    assert needed.returncode == 1
    assert "no C compiler" in needed.stderr
