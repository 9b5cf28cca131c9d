"""All breakages, by the id of the check that must notice them. A file for each file of checks."""

import importlib
from pathlib import Path

from tests.broken_nodes.breakage import Breakage

_TABLES = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if path.stem.startswith(("native_", "http_", "sdk_")) and "BREAKAGES" in path.read_text()
)


def all_breakages() -> dict[str, Breakage]:
    """Check id -> breakage. Raises ``AssertionError`` for an id that stands in two files."""
    found: dict[str, Breakage] = {}
    for name in _TABLES:
        module = importlib.import_module(f"tests.broken_nodes.{name}")
        twice = found.keys() & module.BREAKAGES.keys()
        assert not twice, f"{name}: {sorted(twice)} stand in another table too"
        found.update(module.BREAKAGES)
    return found
