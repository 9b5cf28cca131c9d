"""Importing files that say themselves what to do: GenericBatch files and JSON dumps of Handle.Net servers."""

import secrets
import time
from contextlib import ExitStack
from pathlib import Path

from node.clock import read_clocks
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
from node.config import Config
from node.importing.order_carriers import RegistrarCarrier, TrialCarrier
from node.importing.order_judge import Judge
from node.importing.order_logins import Logins, WrongLogin
from node.importing.order_run import OrderPlan, OrderRun, feed_source
from node.importing.order_source import OrderSource, open_orders
from node.keys import read_node_key
from node.output import CommandError, print_json, print_table, progress, say
from node.registrar_client import open_registrar
from node.store import open_view
from registry.holdings import Holdings
from registry.importing.order_resume import OrderPoint, decode_order_point
from registry.importing.resume import ResumePoint
from registry.importing.tally import Tally
from registry.sealing import Sealer
from registry.stores.store import Reader


def import_orders(asked: Asked, config: Config, format_: str, ways: Ways) -> None:
    """Do all of it, tell what came of it. Raises ``CommandError`` and what the import command tells plainly."""
    source = open_orders(
        asked.path, format_, asked.declared.encoding, may_read_files=ways.allow_files
    )
    feed = feed_source(asked.path)
    with ExitStack() as stack:
        client = None if asked.is_dry_run else stack.enter_context(open_registrar(config))
        step_back(client)
        reader = stack.enter_context(open_view(config))
        sealer = Sealer(read_node_key(config.node.key_file))
        admins = frozenset(config.node.admins)
        note = source.note_name("|".join(map(str, ways)))
        start = _first_point(asked, note, reader)
        if client is None:
            now_ms = int(read_clocks().wall_s * 1000)
            carrier: RegistrarCarrier | TrialCarrier = TrialCarrier(
                reader, sealer, admins, now_ms, feed
            )
        else:
            carrier = RegistrarCarrier(client, reader, sealer, note, start.run_id, feed)
        log_in = None
        if ways.as_admin:
            folder = asked.path.absolute().parent
            log_in = Logins(reader, Holdings(reader, sealer, admins), folder).log_in
        rejects = open_reject_file(asked, start.point)
        plan = OrderPlan(source, ways.overwrite, log_in)
        run = OrderRun(plan, carrier, Judge(reader, sealer, feed), rejects, start)
        _announce(asked, source, start.point)
        started_s = time.monotonic()
        try:
            with progress(asked.path.name, source.size_bytes, is_wanted=not asked.as_json) as bar:
                run.finish(shown_on(bar, started_s, start.point.tally.read, "records"))
        except WrongLogin as wrong:
            raise CommandError(str(wrong), wrong.next_step) from None
        _report(asked, source, run, start.point, time.monotonic() - started_s)
        run.forget()
    if run.broken is not None:
        raise CommandError(
            f"{asked.path.name}, line {run.broken.line}: {run.broken.words}",
            "repair the file, or export it again, and import it again: what is registered stays unchanged",
        )


def _first_point(asked: Asked, note_name: bytes, reader: Reader) -> OrderPoint:
    """Where the interrupted run of the same import stood, or the beginning of a new one."""
    note = None if asked.is_dry_run or asked.is_restart else reader.note(note_name)
    seq = reader.head().seq
    reader.release()
    found = decode_order_point(note) if note else None
    if found is None:
        fresh = ResumePoint(0, seq, asked.reject_path, 0, Tally())
        return OrderPoint(secrets.token_hex(12), fresh)
    same_reject_file(asked, found.point)
    return found


def _announce(asked: Asked, source: OrderSource, point: ResumePoint) -> None:
    if not asked.as_json:
        say(f"{asked.path.name}: {source.text}; {source.encoding.name} ({source.encoding.reason})")
    if point.sent:
        say(f"going on behind record {point.tally.read:,}, where the last run was interrupted")


def _report(
    asked: Asked, source: OrderSource, run: OrderRun, point: ResumePoint, seconds: float
) -> None:
    tally = run.tally
    rate = round((tally.read - point.tally.read) / max(seconds, 1e-6))
    if asked.as_json:
        print_json(_facts(asked.path, source, run) | {
            "rows_per_s": rate,
            "seconds": round(seconds, 3),
            "reject_file": point.reject_file,
            "resumed_behind": point.tally.read,
            "dry_run": asked.is_dry_run,
        })  # fmt: skip
        return
    print_table(asked.title, ("", "records"), [*tally_rows(tally), ("records per second", rate)])
    for words, line in run.remarks.items():
        say(f"  line {line}: {words}")
    tell_rejects(run.shown, tally, point)
    if tally.read and tally.unchanged == tally.read - tally.rejected:
        say(
            "nothing new: everything that was understood was registered already, with the same values"
        )


def _facts(path: Path, source: OrderSource, run: OrderRun) -> dict[str, object]:
    tally = run.tally
    return {
        "read": tally.read,
        "registered": tally.registered,
        "unchanged": tally.unchanged,
        "updated": tally.updated,
        "deleted": tally.deleted,
        "rejected": tally.rejected,
        "reasons": dict(tally.reasons),
        "remarks": [{"line": line, "words": words} for words, line in run.remarks.items()],
        "complete": run.broken is None,
        "file": str(path),
        "format": source.format,
        "encoding": source.encoding.name,
    }
