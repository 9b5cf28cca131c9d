"""Setting up: the lock matches what the project asks for, the targets exist, CI runs what the README tells people."""

import os
import re
import stat
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.tree import ROOT, text_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = ("help", "demo", "serve", "test", "check", "fix", "bench", "clean")


def pins(name: str) -> dict[str, str]:
    """Distribution -> exact version. Every line of a lock is a pin."""
    text = text_of(ROOT / "requirements" / name)
    found = re.findall(
        r"^([A-Za-z0-9._-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
    )
    starts = [line for line in text.splitlines() if line and line[0] not in "# "]
    assert len(found) == len(starts), "a line is no pin with hashes"
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("run.txt", PROJECT["dependencies"]),
        ("sm.txt", PROJECT["optional-dependencies"]["sm"]),
        ("dev.txt", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]),
    ],
)
def test_the_lock_satisfies_the_project(lock: str, wanted: list[str]):
    locked = pins(lock)
    for requirement in map(Requirement, wanted):
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is locked to {version}"


@pytest.mark.parametrize("lock", ["run.txt", "build.txt", "sm.txt"])
def test_the_locks_agree(lock: str):
    assert pins(lock).items() <= pins("dev.txt").items()


def test_the_tests_run_on_the_locked_versions():
    from importlib.metadata import version

    for name in ("aiohttp", "lmdb", "cryptography", "hypothesis", "pytest", "ruff", "mypy"):
        assert version(name) == pins("dev.txt")[name]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_there_and_help_explains_it(target: str):
    run = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert re.search(rf"^  make {target}\s+\S", run.stdout, re.MULTILINE)


def test_an_old_python_is_refused_in_words(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\ncase "$1" in --version) echo Python 3.9.1;; *) exit 1;; esac\n')
    old.chmod(0o755)
    run = subprocess.run(
        ["make", "--no-print-directory", "demo", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert run.returncode != 0
    assert "Biaojie needs Python 3.11 or newer" in run.stderr
    assert "Python 3.9.1" in run.stderr
    assert not (tmp_path / "venv").exists()


def test_ci_runs_the_test_command_of_the_readme():
    script = text_of(ROOT / ".ci/run")
    commands = [line for line in script.splitlines() if line.startswith("make ")]
    assert len(commands) == 1
    command = " ".join(commands[0].removesuffix(" </dev/null").split())
    assert f"$ {command}\n" in text_of(ROOT / "README.md"), f"the README does not say `{command}`"
    assert "set -euo pipefail" in script


def test_ci_can_be_executed():
    assert os.stat(ROOT / ".ci/run").st_mode & stat.S_IXUSR  # noqa: PTH116


def test_check_runs_its_five_steps_in_order():
    makefile = text_of(ROOT / "Makefile")
    assert re.search(r"^check: format lint types imports test\b", makefile, re.MULTILINE)
    assert ".NOTPARALLEL:" in makefile
