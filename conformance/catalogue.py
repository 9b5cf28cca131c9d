"""Catalogue: all checks, in the order of the report."""

import importlib

from conformance.check import TABLE, Check

NATIVE_SUBJECTS = (
    "envelope",
    "header",
    "connection",
    "site",
    "resolve",
    "selection",
    "limits",
    "udp",
    "creating",
    "changing",
    "rights",
    "listing",
    "signed",
    "session",
    "sdk",
    "auth",
)
"""``conformance/checks/native_….py``."""
HTTP_SUBJECTS = (
    "reading",
    "names",
    "values",
    "errors",
    "writing",
    "changing",
    "listing",
    "login",
    "sessions",
    "transport",
    "limits",
    "proxy",
    "search",
    "tunnel",
)
"""``conformance/checks/http_….py``."""

LAST_SUBJECTS = ("native_guessing", "http_guessing")
"""Wrong proofs: a node that slows down guesses would make all checks after them wait."""


def all_checks() -> list[Check]:
    """Imports every file and hands back the table in their order, whoever imported one of them before."""
    names = [f"native_{subject}" for subject in NATIVE_SUBJECTS]
    names += [f"http_{subject}" for subject in HTTP_SUBJECTS]
    modules = [f"conformance.checks.{name}" for name in (*names, *LAST_SUBJECTS)]
    for module in modules:
        importlib.import_module(module)
    return sorted(TABLE.values(), key=lambda check: modules.index(check.run.__module__))
