"""``biaojie restore``: a store from a backup or an export. Nothing that is there is ever overwritten."""

import os
import shlex
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
from node.control_socket import connect_control
from node.output import CommandError, print_json, say
from node.store import store_settings
from registry.errors import DamagedExport
from registry.snapshots.read_export import file_lines
from registry.snapshots.restore import restore_backup, restore_export
from registry.stores.store import Head

MAX_OLD_STORES = 1000


@click.command(name="restore")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--move-away", is_flag=True, help="Rename the present data directory instead of refusing."
)
@config_option
@json_option
def command(*, source: Path, move_away: bool, config_path: Path | None, as_json: bool) -> None:
    """Make the node's store from SOURCE: a directory made by `backup`, or a file made by `export`.

    The node must be stopped. The feed goes on under a new log id, so that followers notice the fork.
    """
    config = read_config(config_path)
    _need_stopped(config)
    with plain_errors():
        old = _move_away(config.node.data_dir) if move_away else None
        try:
            head = _restore(source, config)
        except (FileExistsError, DamagedExport) as trouble:
            _put_back(config.node.data_dir, old)
            again = f"biaojie restore {shlex.quote(str(source))} --move-away{same_node()}"
            step = "" if isinstance(trouble, DamagedExport) else again
            raise CommandError(str(trouble), step) from None
        except BaseException:
            _put_back(config.node.data_dir, old)
            raise
    if as_json:
        facts = {"seq": head.seq, "logId": head.log_id.hex(), "movedTo": str(old or "")}
        print_json({"data": str(config.node.data_dir), **facts})
        return
    if old is not None:
        say(f"the store that was there is now in {old}")
    say(f"{config.node.data_dir}: restored up to change {head.seq:,}")


def _restore(source: Path, config: Config) -> Head:
    log_id, settings = os.urandom(16), store_settings(config)
    if source.is_dir():
        return restore_backup(source, config.node.data_dir, log_id, settings)
    with source.open("rb") as file:
        return restore_export(file_lines(file), config.node.data_dir, log_id, settings)


def _need_stopped(config: Config) -> None:
    try:
        connect_control(config.socket_path, timeout_s=1).close()
    except OSError:
        return
    raise CommandError(
        "the node is running", "stop it first: a store is not exchanged under readers"
    )


def _move_away(data_dir: Path) -> Path | None:
    if not data_dir.exists() or not any(data_dir.iterdir()):
        return None
    for number in range(1, MAX_OLD_STORES):
        place = data_dir.with_name(f"{data_dir.name}.old-{number}")
        if not place.exists():
            data_dir.rename(place)
            return place
    raise CommandError(f"there are {MAX_OLD_STORES} old stores beside {data_dir}", "remove some")


def _put_back(data_dir: Path, old: Path | None) -> None:
    if old is not None and not data_dir.exists():
        old.rename(data_dir)
