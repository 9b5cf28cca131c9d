"""``biaojie verify``: read everything the store holds and say what is wrong with it."""

from pathlib import Path

import click

from node.commands.options import (
    config_option,
    json_option,
    plain_errors,
    read_config,
    same_node,
)
from node.config import Config
from node.keys import read_node_key
from node.output import EXIT_FAILED, CommandError, print_json, print_table, progress, say
from node.store import open_view, store_settings
from registry.errors import StoreMoved
from registry.sealing import Sealer
from registry.snapshots.backup import hot_copy, read_manifest
from registry.snapshots.verify import Finding, Report, verify
from registry.stores.lmdb import open_reader
from registry.stores.lmdb_reader import LmdbReader

SHOWN = 20
"""Findings shown in a table; --json has all that were kept."""


@click.command(name="verify")
@click.option(
    "--backup", "backup_path", type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIRECTORY", help="Verify this backup instead of the node's store.",
)  # fmt: skip
@config_option
@json_option
def command(*, backup_path: Path | None, config_path: Path | None, as_json: bool) -> None:
    """Check every record, counter, feed entry and link of the hash chain, running node or not.

    Exits with 1 when something is wrong; each finding names the table, the identifier and the change.
    """
    config = read_config(config_path)
    with plain_errors():
        if backup_path is not None:
            read_manifest(backup_path)
            reader = open_reader(backup_path, store_settings(config))
        else:
            reader = open_view(config)
        try:
            report = _verify(reader, config, as_json=as_json)
        finally:
            reader.close()
    _tell(report, as_json=as_json)


def _verify(reader: LmdbReader, config: Config, *, as_json: bool) -> Report:
    sealer = Sealer(read_node_key(config.node.key_file))
    try:
        return _shown(reader, sealer, as_json=as_json)
    except StoreMoved:
        scratch = config.node.data_dir.with_name(config.node.data_dir.name + ".verify")
        with hot_copy(reader, scratch, store_settings(config)) as copy:
            return _shown(copy, sealer, as_json=as_json)


def _shown(reader: LmdbReader, sealer: Sealer, *, as_json: bool) -> Report:
    with progress("verify", 1, is_wanted=not as_json) as bar:

        def hear(table: str, done: int, total: int) -> None:
            bar.update(done, f"{table}: {done:,} of {total:,}", total=total)

        return verify(reader, sealer, hear)


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "isWhole": report.count == 0,
                "rows": report.rows,
                "findingCount": report.count,
                "findings": [_facts(finding) for finding in report.findings],
            }
        )
    else:
        print_table("", ("table", "rows read"), list(report.rows.items()))
        for finding in report.findings[:SHOWN]:
            say(
                "  " + ", ".join(f"{name} {fact}" for name, fact in _facts(finding).items() if fact)
            )
    if report.count:
        if as_json:
            raise SystemExit(EXIT_FAILED)
        raise CommandError(
            f"{report.count:,} things are wrong",
            f"restore a backup: biaojie restore SOURCE --move-away{same_node()}",
        )
    if not as_json:
        say("everything is whole")


def _facts(finding: Finding) -> dict[str, object]:
    key = finding.key.decode(errors="replace")
    shown = key if key.isprintable() else finding.key.hex()
    return {"table": finding.table, "key": shown, "change": finding.seq, "reason": finding.reason}
