"""``biaojie import``: register the rows of a file, however large, and say of every row that was refused why.

Everything that can be wrong with the command line or the file's columns is said before anything is written. The work
itself is ``node/importing/run.py``.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click

from node.commands.options import config_option, json_option, read_config, same_node
from node.config import Config
from node.importing.reject_file import RejectFile, RejectFileCut
from node.importing.run import LOAD_ROWS, Plan, Run
from node.importing.scratch import ScratchFiles
from node.importing.source import Declared, Source, open_source
from node.importing.trial import Trial
from node.output import (
    EXIT_INTERRUPTED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    Bar,
    CommandError,
    print_json,
    print_table,
    progress,
    say,
)
from node.registrar_client import RegistrarClient, RegistrarGone, RegistrarRefused, open_registrar
from node.store import open_view
from registry.errors import StoreError
from registry.importing.encoding import DECLARABLE
from registry.importing.format import FORMATS
from registry.importing.mapping import Mapping, parse_mapping
from registry.importing.preparing import Preparer
from registry.importing.resume import ResumePoint, decode_resume_point, note_name
from registry.importing.seen import Seen
from registry.importing.tally import Tally
from registry.importing.template import MappingError
from registry.stores.store import Reader

BULK_NICENESS = 10
"""How far an import steps back for the processor beside a serving node: readers go first, it gets the rest."""
ASK_PACE_S = 0.25
"""How often the registrar is asked how many rows a load should have: it may be serving others by then."""
NAMED_PREFIXES = 5
"""Hosted prefixes named when the one asked for is not among them."""


class Asked(NamedTuple):
    """The command line, read."""

    path: Path
    declared: Declared
    reject_file: Path | None
    is_dry_run: bool
    is_restart: bool
    as_json: bool


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--prefix", required=True, help="Prefix to register below, e.g. 88.118.")
@click.option("--suffix", required=True, help="Template of the suffix, e.g. '{barcode}'.")
@click.option(
    "--value", "values", multiple=True, metavar="TYPE=TEMPLATE",
    help="A value of every row, e.g. 'URL={image_url}' or '7:NAME={name}'. Repeat it; indexes count from 1.",
)  # fmt: skip
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="NAME[:COLUMN]",
    help="gtin: length and check digit.",
)
@click.option(
    "--columns",
    default="",
    metavar="A,B,C",
    help="Names of the columns of a file without a header.",
)
@click.option(
    "--encoding", default="auto", show_default=True, help=f"One of {', '.join(DECLARABLE)}."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Told from the file's name or text if left out.",
)
@click.option(
    "--reject-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write every refused row there, as CSV, with line number and reason.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@click.option("--restart", is_flag=True, help="Forget where an interrupted run stood.")
@config_option
@json_option
def command(  # noqa: PLR0913  one parameter for each option
    *,
    file: Path,
    prefix: str,
    suffix: str,
    values: tuple[str, ...],
    checks: tuple[str, ...],
    columns: str,
    encoding: str,
    format_: str | None,
    reject_file: Path | None,
    dry_run: bool,
    restart: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Register the rows of FILE (CSV, TSV or NDJSON) as identifiers below a prefix.

    Braces stand for columns: --suffix '{barcode}' --value 'URL={image_url}' --value 'NAME={product_name}'.
    A value whose column is empty is left out. Good rows are registered, bad ones reported one by one; running it again
    registers only what is new, and after an interruption it goes on where it stood.
    """
    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    declared = Declared(format_ or "", encoding, names)
    asked = Asked(file, declared, reject_file, dry_run, restart, as_json)
    config = read_config(config_path)
    try:
        mapping = parse_mapping(prefix, suffix, values, checks)
        source = open_source(file, declared, mapping)
        _import(asked, config, mapping, source)
    except MappingError as error:
        raise CommandError(error.reason, error.next_step, EXIT_USAGE) from None
    except (RegistrarRefused, StoreError) as error:
        raise CommandError(
            str(error), "run the same command again to go on where it stopped"
        ) from None
    except RegistrarGone as gone:
        again = "run the same command again to go on where it stopped"
        raise CommandError(str(gone), again, EXIT_UNREACHABLE) from None
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"{name}{error.strerror or error}", "") from None
    except KeyboardInterrupt:
        again = "run the same command again to go on where it stopped"
        raise CommandError("interrupted", again, EXIT_INTERRUPTED) from None


def _import(asked: Asked, config: Config, mapping: Mapping, source: Source) -> None:
    with ExitStack() as stack:
        client = None if asked.is_dry_run else stack.enter_context(open_registrar(config))
        if client is not None and client.status().get("serving"):
            os.nice(BULK_NICENESS)
        reader = stack.enter_context(open_view(config))
        plan = _plan(config, mapping, source, reader)
        point = _first_point(asked, plan, reader)
        rejects = _reject_file(asked, point)
        run = Run(plan, client or Trial(reader), reader, rejects, point)
        _announce(asked, source, point)
        started_s = time.monotonic()
        size_bytes = source.identity.size_bytes
        with progress(asked.path.name, size_bytes, is_wanted=not asked.as_json) as bar:
            run.finish(_shown_on(bar, started_s, point.tally.read), _pace_of(client))
        _report(asked, source, run, point, time.monotonic() - started_s)
        run.forget()


def _plan(config: Config, mapping: Mapping, source: Source, reader: Reader) -> Plan:
    """Raises ``CommandError`` when the node does not host the prefix."""
    authority = reader.authority(mapping.prefix)
    name = mapping.prefix.decode()
    if authority is None or authority.id == 0 or authority.is_unhosted:
        known = reader.authorities(limit=NAMED_PREFIXES)
        hosted = [one.spelling.decode() for one in known if one.is_hosted]
        raise CommandError(
            f"this node does not host the prefix {name}; it hosts: {', '.join(hosted) or 'none yet'}",
            f"biaojie prefix add {name}{same_node()}",
        )
    if authority.is_delegated:
        say(
            f"warning: {name} is delegated: kept out of sight until `biaojie prefix add {name}` takes it back"
        )
    reader.release()
    seen = Seen(ScratchFiles(config.node.data_dir))
    preparer = Preparer(mapping, source.shape, seen, is_case_sensitive=authority.is_case_sensitive)
    note = note_name(source.identity, mapping.digest(), source.reading)
    return Plan(source, mapping, preparer, note)


def _first_point(asked: Asked, plan: Plan, reader: Reader) -> ResumePoint:
    """Where the interrupted run of the same import stood, or the beginning."""
    note = None if asked.is_dry_run or asked.is_restart else reader.note(plan.note)
    path = str(asked.reject_file.absolute()) if asked.reject_file else ""
    seq = reader.head().seq
    reader.release()
    point = decode_resume_point(note) if note else None
    if point is None:
        return ResumePoint(0, seq, path, 0, Tally())
    if point.reject_file != path:
        given = f"--reject-file {point.reject_file}" if point.reject_file else "no --reject-file"
        raise CommandError(
            f"the interrupted run of this import had {given}",
            f"repeat it with {given}, or begin anew with --restart",
        )
    return point


def _reject_file(asked: Asked, point: ResumePoint) -> RejectFile:
    path = asked.reject_file.absolute() if asked.reject_file else None
    if path == asked.path.absolute():
        raise CommandError(
            "the reject file is the imported file itself", "name another file", EXIT_USAGE
        )
    try:
        return RejectFile(path, point.reject_bytes)
    except RejectFileCut as cut:
        raise CommandError(str(cut), "begin anew with --restart") from None


def _announce(asked: Asked, source: Source, point: ResumePoint) -> None:
    if not asked.as_json:
        say(
            f"{asked.path.name}: {source.format.text}; {source.encoding.name} ({source.encoding.reason})"
        )
    if point.sent:
        say(f"going on behind row {point.tally.read:,}, where the last run was interrupted")


def _shown_on(bar: Bar, started_s: float, before: int) -> Callable[[Tally, int], None]:
    def show(tally: Tally, bytes_read: int) -> None:
        seconds = max(time.monotonic() - started_s, 1e-6)
        rate = round((tally.read - before) / seconds)
        bar.update(bytes_read, f"{tally.read:,} rows, {rate:,}/s, {tally.rejected:,} rejected")

    return show


def _pace_of(client: RegistrarClient | None) -> Callable[[], int]:
    """How many rows a load should have: what the registrar last said, asked again now and then."""
    asked_s, rows = -ASK_PACE_S, LOAD_ROWS

    def pace() -> int:
        nonlocal asked_s, rows
        now_s = time.monotonic()
        if client is not None and now_s - asked_s >= ASK_PACE_S:
            asked_s, rows = now_s, int(client.status().get("load_rows", LOAD_ROWS))
        return rows

    return pace


def _report(asked: Asked, source: Source, run: Run, point: ResumePoint, seconds: float) -> None:
    tally = run.tally
    rate = round((tally.read - point.tally.read) / max(seconds, 1e-6))
    if asked.as_json:
        print_json(
            {
                "read": tally.read,
                "registered": tally.registered,
                "unchanged": tally.unchanged,
                "updated": tally.updated,
                "rejected": tally.rejected,
                "reasons": dict(tally.reasons),
                "rows_per_s": rate,
                "seconds": round(seconds, 3),
                "file": str(asked.path),
                "format": source.format.name,
                "delimiter": source.format.delimiter,
                "encoding": source.encoding.name,
                "reject_file": point.reject_file,
                "resumed_behind": point.tally.read,
                "dry_run": asked.is_dry_run,
            }
        )
        return
    rows: list[tuple[str, object]] = [
        ("read", tally.read),
        ("registered", tally.registered),
        ("unchanged", tally.unchanged),
        ("updated", tally.updated),
        ("rejected", tally.rejected),
    ]
    rows += [(f"  {reason}", count) for reason, count in tally.reasons]
    rows += [("rows per second", rate)]
    title = (
        f"{asked.path.name} (dry run: nothing was changed)" if asked.is_dry_run else asked.path.name
    )
    print_table(title, ("", "rows"), rows)
    _tell_rejects(run, point)
    if tally.read and tally.unchanged == tally.read - tally.rejected:
        say("nothing new: every good row was registered already, with the same values")


def _tell_rejects(run: Run, point: ResumePoint) -> None:
    for refused in run.shown:
        where = f"line {refused.line}" + (f", {refused.field}" if refused.field else "")
        say(f"  {where}: {refused.reason}" + (f" ({refused.detail})" if refused.detail else ""))
    rest = run.tally.rejected - len(run.shown)
    if point.reject_file:
        say(f"  all rejected rows with their reasons: {point.reject_file}")
    elif rest > 0:
        say(f"  and {rest:,} more; --reject-file FILE writes all of them")
