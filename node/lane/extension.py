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
    try:
        module = importlib.import_module("node.lane._lane")
    except ImportError:
        return None
    return module if getattr(module, "ABI", None) == ABI else None
