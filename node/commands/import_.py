"""``biaojie import``: register the rows of a file, however large, and say of every row that was refused why.

Everything that can be wrong with the command line or the file's columns is said before anything is written. The work
itself is ``node/importing/run.py``; files that say themselves what to do go to ``import_orders.py``.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from node.commands.import_orders import import_orders
from node.commands.import_parts import (
    Asked,
    Ways,
    open_reject_file,
    same_reject_file,
    shown_on,
    step_back,
    tally_rows,
    tell_rejects,
)
from node.commands.options import config_option, json_option, read_config, same_node
from node.config import Config
from node.importing.order_source import ORDER_FORMATS, tell_order_format
from node.importing.run import LOAD_ROWS, Plan, Run
from node.importing.scratch import ScratchFiles
from node.importing.source import Declared, Source, open_source
from node.importing.trial import Trial
from node.keys import KeyTrouble
from node.output import (
    EXIT_INTERRUPTED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
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

ASK_PACE_S = 0.25
"""How often the registrar is asked how many rows a load should have: it may be serving others by then."""
NAMED_PREFIXES = 5
"""Hosted prefixes named when the one asked for is not among them."""


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--prefix", default="", help="Prefix to register the rows below, e.g. 88.118.")
@click.option("--suffix", default="", help="Template of the rows' suffix, e.g. '{barcode}'.")
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
    type=click.Choice((*FORMATS, *ORDER_FORMATS)),
    help="Told from the file's name or text if left out.",
)
@click.option(
    "--reject-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write every refused row there, as CSV, with line number and reason.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@click.option("--restart", is_flag=True, help="Forget where an interrupted run stood.")
@click.option("--overwrite", is_flag=True, help="Batch or JSON: CREATE replaces what is there.")
@click.option(
    "--allow-files", is_flag=True, help="Batch: FILE values may be read, from its folder."
)
@click.option(
    "--as-admin", is_flag=True,
    help="Batch: act as the administrator of its AUTHENTICATE, whose secret or key it has.",
)  # fmt: skip
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
    overwrite: bool,
    allow_files: bool,
    as_admin: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Register the rows of FILE (CSV, TSV or NDJSON) as identifiers below a prefix.

    Braces stand for columns: --suffix '{barcode}' --value 'URL={image_url}' --value 'NAME={product_name}'.
    A value whose column is empty is left out. Good rows are registered, bad ones reported one by one; running it again
    registers only what is new, and after an interruption it goes on where it stood.

    GenericBatch files and JSON dumps of Handle.Net servers say themselves what to do: biaojie import FILE
    """
    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    declared = Declared(format_ or "", encoding, names)
    asked = Asked(file, declared, reject_file, dry_run, restart, as_json)
    config = read_config(config_path)
    ways = Ways(overwrite, allow_files, as_admin)
    with _told_plainly():
        order_format = _order_format(asked, ways, has_mapping=bool(prefix or suffix or values))
        if order_format:
            import_orders(asked, config, order_format, ways)
            return
        for name, given in (("--prefix", prefix), ("--suffix", suffix)):
            if not given:
                raise CommandError(f"Missing option '{name}'", "biaojie import --help", EXIT_USAGE)
        mapping = parse_mapping(prefix, suffix, values, checks)
        _import(asked, config, mapping, open_source(file, declared, mapping))


def _order_format(asked: Asked, ways: Ways, *, has_mapping: bool) -> str:
    """The format of a file that says itself what to do; "" for one whose rows a mapping is made for."""
    declared = asked.declared.format
    found = declared if declared in ORDER_FORMATS else ""
    if not declared and not has_mapping:
        found = tell_order_format(asked.path, asked.declared.encoding)
    if found and has_mapping:
        raise CommandError(
            f"a {found} file says itself what to register", "leave --prefix, --suffix and --value out", EXIT_USAGE
        )  # fmt: skip
    if not found and any(ways):
        words = (
            "--overwrite, --allow-files and --as-admin are for GenericBatch files and JSON dumps"
        )
        raise CommandError(words, "biaojie import --help", EXIT_USAGE)
    return found


@contextmanager
def _told_plainly() -> Iterator[None]:
    """What can end an import, told to people with the next step."""
    again = "run the same command again to go on where it stopped"
    try:
        yield
    except MappingError as error:
        raise CommandError(error.reason, error.next_step, EXIT_USAGE) from None
    except (RegistrarRefused, StoreError) as error:
        raise CommandError(str(error), again) from None
    except KeyTrouble as trouble:
        raise CommandError(str(trouble)) from None
    except RegistrarGone as gone:
        raise CommandError(str(gone), again, EXIT_UNREACHABLE) from None
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"{name}{error.strerror or error}", "") from None
    except KeyboardInterrupt:
        raise CommandError("interrupted", again, EXIT_INTERRUPTED) from None


def _import(asked: Asked, config: Config, mapping: Mapping, source: Source) -> None:
    with ExitStack() as stack:
        client = None if asked.is_dry_run else stack.enter_context(open_registrar(config))
        step_back(client)
        reader = stack.enter_context(open_view(config))
        plan = _plan(config, mapping, source, reader)
        point = _first_point(asked, plan, reader)
        rejects = open_reject_file(asked, point)
        run = Run(plan, client or Trial(reader), reader, rejects, point)
        _announce(asked, source, point)
        started_s = time.monotonic()
        size_bytes = source.identity.size_bytes
        with progress(asked.path.name, size_bytes, is_wanted=not asked.as_json) as bar:
            run.finish(shown_on(bar, started_s, point.tally.read), _pace_of(client))
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
    seq = reader.head().seq
    reader.release()
    point = decode_resume_point(note) if note else None
    if point is None:
        return ResumePoint(0, seq, asked.reject_path, 0, Tally())
    same_reject_file(asked, point)
    return point


def _announce(asked: Asked, source: Source, point: ResumePoint) -> None:
    if not asked.as_json:
        say(
            f"{asked.path.name}: {source.format.text}; {source.encoding.name} ({source.encoding.reason})"
        )
    if point.sent:
        say(f"going on behind row {point.tally.read:,}, where the last run was interrupted")


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
    print_table(asked.title, ("", "rows"), [*tally_rows(tally), ("rows per second", rate)])
    tell_rejects(run.shown, run.tally, point)
    if tally.read and tally.unchanged == tally.read - tally.rejected:
        say("nothing new: every good row was registered already, with the same values")
