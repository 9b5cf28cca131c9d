"""What both ways of importing have in common: the command line as read, reject files, progress, the summary."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from node.importing.reject_file import RejectFile, RejectFileCut
from node.importing.source import Declared
from node.output import EXIT_USAGE, Bar, CommandError, say
from node.registrar_client import RegistrarClient
from registry.importing.preparing import Reject
from registry.importing.resume import ResumePoint
from registry.importing.tally import Tally

BULK_NICENESS = 10
"""How far an import steps back for the processor beside a serving node: readers go first, it gets the rest."""


class Asked(NamedTuple):
    """The command line, read."""

    path: Path
    declared: Declared
    reject_file: Path | None
    is_dry_run: bool
    is_restart: bool
    as_json: bool

    @property
    def reject_path(self) -> str:
        """The reject file as resume points name it, "" without one."""
        return str(self.reject_file.absolute()) if self.reject_file else ""

    @property
    def title(self) -> str:
        """Of the summary."""
        dry = " (dry run: nothing was changed)" if self.is_dry_run else ""
        return f"{self.path.name}{dry}"


class Ways(NamedTuple):
    """How a file of orders is to be done."""

    overwrite: bool
    allow_files: bool
    as_admin: bool


def step_back(client: RegistrarClient | None) -> None:
    """Leave the processor to a serving node."""
    if client is not None and client.status().get("serving"):
        os.nice(BULK_NICENESS)


def same_reject_file(asked: Asked, point: ResumePoint) -> None:
    """Raises ``CommandError`` when the interrupted run wrote another one."""
    if point.reject_file != asked.reject_path:
        given = f"--reject-file {point.reject_file}" if point.reject_file else "no --reject-file"
        raise CommandError(
            f"the interrupted run of this import had {given}",
            f"repeat it with {given}, or begin anew with --restart",
        )


def open_reject_file(asked: Asked, point: ResumePoint) -> RejectFile:
    """Begun, or gone on with. Raises ``CommandError``."""
    path = asked.reject_file.absolute() if asked.reject_file else None
    if path == asked.path.absolute():
        raise CommandError(
            "the reject file is the imported file itself", "name another file", EXIT_USAGE
        )
    try:
        return RejectFile(path, point.reject_bytes)
    except RejectFileCut as cut:
        raise CommandError(str(cut), "begin anew with --restart") from None


def shown_on(
    bar: Bar, started_s: float, before: int, what: str = "rows"
) -> Callable[[Tally, int], None]:
    """Shows progress; ``before`` rows were told by a run before this one."""

    def show(tally: Tally, bytes_read: int) -> None:
        seconds = max(time.monotonic() - started_s, 1e-6)
        rate = round((tally.read - before) / seconds)
        bar.update(bytes_read, f"{tally.read:,} {what}, {rate:,}/s, {tally.rejected:,} rejected")

    return show


def tally_rows(tally: Tally) -> list[tuple[str, object]]:
    """The summary's lines."""
    rows: list[tuple[str, object]] = [
        ("read", tally.read),
        ("registered", tally.registered),
        ("unchanged", tally.unchanged),
        ("updated", tally.updated),
    ]
    if tally.deleted:
        rows.append(("deleted", tally.deleted))
    rows.append(("rejected", tally.rejected))
    return rows + [(f"  {reason}", count) for reason, count in tally.reasons]


def tell_rejects(shown: Sequence[Reject], tally: Tally, point: ResumePoint) -> None:
    """The first refused rows, and where the others are."""
    for refused in shown:
        where = f"line {refused.line}" + (f", {refused.field}" if refused.field else "")
        say(f"  {where}: {refused.reason}" + (f" ({refused.detail})" if refused.detail else ""))
    rest = tally.rejected - len(shown)
    if point.reject_file:
        say(f"  all rejected rows with their reasons: {point.reject_file}")
    elif rest > 0:
        say(f"  and {rest:,} more; --reject-file FILE writes all of them")
