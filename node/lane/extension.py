"""Extension: finds the compiled part where it was built; the environment variable BIAOJIE_PURE_PYTHON leaves it out.

A compiled part that was made for another version of these sources is not used: its ``ABI`` says which it is.
"""

import importlib
import os
from types import ModuleType

ABI = 2
"""Raised with every change of what the compiled part is called with."""


def load() -> ModuleType | None:
    """The compiled part; None where it was not built, is of another version, or is not wanted."""
    if os.environ.get("BIAOJIE_PURE_PYTHON"):
        return None
    module = _find()
    return module if module is not None and not is_outdated() else None


def is_outdated() -> bool:
    """Whether one is there that was built from other sources than these."""
    module = _find()
    return module is not None and getattr(module, "ABI", None) != ABI


def _find() -> ModuleType | None:
    try:
        return importlib.import_module("node.lane._lane")
    except ImportError:
        return None
