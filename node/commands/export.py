"""``biaojie export``: everything the store holds as lines of JSON, for archives, migration and comparison."""

from pathlib import Path

import click

from node.commands.options import (
    config_option,
    json_option,
    need_folder_of,
    plain_errors,
    read_config,
)
from node.output import CommandError, print_json, progress, say
from node.store import open_view, store_settings
from registry.errors import StoreMoved
from registry.snapshots.backup import hot_copy
from registry.snapshots.export import write_export
from registry.snapshots.export_format import Trailer
from registry.stores.lmdb_reader import LmdbReader


@click.command(name="export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
@json_option
def command(*, file: Path, config_path: Path | None, as_json: bool) -> None:
    """Write all prefixes and records to FILE, running node or not; `biaojie restore FILE` reads it.

    Non-public values stay encrypted: whoever restores them needs this node's key file.
    """
    config = read_config(config_path)
    need_folder_of(file)
    if file.exists():
        raise CommandError(f"{file} exists already", "name a new file")
    with plain_errors():
        reader = open_view(config)
        try:
            try:
                trailer = _write(reader, file, as_json=as_json)
            except StoreMoved:
                # Somebody registers meanwhile: export a copy, so that no long read transaction keeps pages from reuse.
                scratch = file.with_name(file.name + ".copy")
                with hot_copy(reader, scratch, store_settings(config)) as copy:
                    trailer = _write(copy, file, as_json=as_json)
        finally:
            reader.close()
    if as_json:
        print_json({"file": str(file), **_facts(trailer)})
        return
    say(
        f"{file}: "
        + ", ".join(
            f"{count:,} {name}" for name, count in _facts(trailer).items() if isinstance(count, int)
        )
    )


def _write(reader: LmdbReader, file: Path, *, as_json: bool) -> Trailer:
    total = sum(reader.count(authority.prefix) for authority in reader.authorities(limit=10_000))
    reader.release()
    with progress("export", total, is_wanted=not as_json) as bar:
        return write_export(reader, file, lambda lines: bar.update(min(lines, total), f"{lines:,}"))


def _facts(trailer: Trailer) -> dict[str, int | str]:
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in trailer._asdict().items()
    }
