"""The command ``biaojie``: one table of commands, each in its own file, imported only when it is called.

To add one: write ``node/commands/NAME.py`` with a click command called ``command``, and add its line to ``COMMANDS``.
``--help`` reads only the table, so it is as fast as Python starts. Options shared by all commands are decorators in
``node/commands/options.py``; errors for people are ``node.output.CommandError``.
"""

import errno
import importlib
from typing import Any, NamedTuple

import click

from node.output import CommandError


class Entry(NamedTuple):
    """Where a command lives and what it is for, in half a line."""

    module: str
    help: str


COMMANDS: dict[str, Entry] = {
    "init": Entry(
        "node.commands.init", "make a new node: settings, keys, store, first administrator"
    ),
    "serve": Entry("node.commands.serve", "run a node"),
    "check-config": Entry(
        "node.commands.check_config", "print every effective setting; refuse what cannot work"
    ),
    "prefix": Entry("node.commands.prefix", "host prefixes, delegate them, list them"),
    "put": Entry("node.commands.put", "register one identifier"),
    "get": Entry("node.commands.get", "show one record as it is kept"),
    "resolve": Entry(
        "node.commands.resolve", "ask over UDP, TCP or HTTP, as the world does, and trace it"
    ),
    "import": Entry("node.commands.import_", "register the rows of a CSV, TSV or NDJSON file"),
    "export": Entry("node.commands.export", "write everything to a file of JSON lines"),
    "backup": Entry("node.commands.backup", "copy the store while the node runs"),
    "restore": Entry("node.commands.restore", "make a store from a backup or an export"),
    "verify": Entry("node.commands.verify", "check every record, counter and feed entry"),
    "changes": Entry("node.commands.changes", "show the feed: what changed, when and by whom"),
    "bench": Entry("bench.command", "measure a node and prove it to others"),
    "demo": Entry("node.commands.demo", "show three nodes at work on real rows"),
    "version": Entry("node.commands.version", "show the version"),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """In the order of the table: that of a node's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """None for an unknown name; click then suggests the nearest."""
        entry = COMMANDS.get(cmd_name)
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
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Biaojie (标解): register and resolve identifiers of the Industrial Internet.

    Every command explains itself with --help and, but for serve, prints JSON with --json. It exits with 0 when all
    went well, 1 when it could not be done, 2 when it was not understood, 3 when nobody answered.
    """


if __name__ == "__main__":
    main()
