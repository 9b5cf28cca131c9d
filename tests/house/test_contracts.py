"""Who may import whom: the contracts hold, and each one breaks when somebody breaks it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT

LINT = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

PROVOCATIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "floors": (("resolver/source.py", "import registry.change"),),
    "any-node": (("bench/report/axes.py", "import node.version"),),
    "any-other-node": (("conformance/__init__.py", "import node.version"),),
    "loop-only-in-node": (("registry/change.py", "import asyncio"),),
    "pure-core": (("protocols/record.py", "import time"),),
    "told-the-time": (("registry/rules.py", "import random"),),
    "vocabulary-not-wire": (("resolver/source.py", "import protocols.handle.codes"),),
    "formats-apart": (("protocols/rest/__init__.py", "import protocols.handle"),),
    "policies-apart": (
        ("resolver/policies/one.py", "import resolver.policies.two"),
        ("resolver/policies/two.py", ""),
    ),
    "listeners-apart": (("node/listeners/udp.py", "import node.listeners.http"),),
    "engines-apart": (("registry/stores/memory.py", "import registry.stores.lmdb"),),
    "engine-chosen-in-node": (("registry/registrar.py", "import registry.stores.lmdb"),),
    "lmdb-only-in-its-engine": (("node/store.py", "import lmdb"),),
    "inside-protocols": (("protocols/novelty.py", "import protocols.errors"),),
    "inside-resolver": (("resolver/novelty.py", "import resolver.source"),),
    "inside-registry": (("registry/stores/store.py", "import registry.rules"),),
    "inside-node": (("node/http/reply.py", "import node.listeners.udp"),),
    "no-cycles": (
        ("registry/one.py", "import registry.two"),
        ("registry/two.py", "import registry.one"),
    ),
}
"""Contract id -> lines that somebody adds to files (made if absent), each of which must be noticed."""


def lint(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the linter on the tree at ``where``; nothing is cached, nothing is coloured."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--no-cache", *arguments],
        cwd=where, capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "", "NO_COLOR": "1", "COLUMNS": "200", "PYTHONPATH": str(where)},
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in (*PACKAGES, "bench", "conformance"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept():
    run = lint(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in run.stdout


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["id"])
def test_a_contract_breaks_when_provoked(contract, copy: Path):
    for name, line in PROVOCATIONS[contract["id"]]:
        path = copy / name
        old = path.read_text() if path.exists() else '"""New."""\n'
        path.write_text(old + f"\n{line}\n")
    run = lint(copy, "--contract", contract["id"])
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"{contract['name']} BROKEN" in run.stdout


def test_no_provocation_is_left_over():
    assert set(PROVOCATIONS) == {contract["id"] for contract in CONTRACTS}
