"""``biaojie backup``: a hot copy of the store with a manifest, while the node runs or not."""

import shlex
from pathlib import Path

import click

from node.commands.options import (
    config_option,
    json_option,
    need_folder_of,
    plain_errors,
    read_config,
    same_node,
)
from node.output import CommandError, print_json, say
from node.store import open_view, store_settings
from registry.snapshots.backup import backup


@click.command(name="backup")
@click.argument("directory", type=click.Path(path_type=Path))
@config_option
@json_option
def command(*, directory: Path, config_path: Path | None, as_json: bool) -> None:
    """Copy the store to DIRECTORY (new), consistent to one change, while the node goes on.

    The node key is not in it: keep key files apart from backups, so that a stolen backup stays sealed.
    """
    config = read_config(config_path)
    need_folder_of(directory)
    with plain_errors():
        reader = open_view(config)
        try:
            manifest = backup(reader, directory.absolute(), store_settings(config))
        except FileExistsError as exists:
            raise CommandError(str(exists), "biaojie backup DIRECTORY-OF-TODAY") from None
        finally:
            reader.close()
    if as_json:
        print_json({"directory": str(directory), **manifest._asdict()})
        return
    say(f"{directory}: the store up to change {manifest.seq:,}, {manifest.data_bytes:,} bytes")
    say(f"check: biaojie verify --backup {shlex.quote(str(directory))}{same_node()}")
