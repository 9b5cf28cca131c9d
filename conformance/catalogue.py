"""Catalogue: all checks, in the order of the report."""

import importlib

from conformance.check import TABLE, Check

MODULES = ("conformance.checks.native_envelope",)
"""Files of checks; those of HTTP come after the native ones."""


def all_checks() -> list[Check]:
    """Imports every file and hands back the table in order."""
    for module in MODULES:
        importlib.import_module(module)
    return list(TABLE.values())
