"""Groups of commands, a table each: help reads the table, and a module is imported when its command is called."""

import errno
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from node.output import CommandError


class Entry(NamedTuple):
    """Where a command lives and what it is for, in half a line."""

    module: str
    """Has the click command as ``command``."""
    help: str


class LazyGroup(click.Group):
    """``click.group(cls=LazyGroup, entries=…)``; ``entries``: the table, in the order in which people read it."""

    def __init__(self, entries: Mapping[str, Entry], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """In the order of the table."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """None for an unknown name; click then suggests the nearest."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        command = importlib.import_module(entry.module).command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """What no command expects of files and disks (no permission, no room) is still told in a sentence."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read our output has seen enough; click ends quietly
            name = f"{error.filename}: " if error.filename else ""
            raise CommandError(f"{name}{error.strerror or error}") from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table itself, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._entries.items()])
