"""The command ``biaojie``: one table of commands, each in its own file, imported only when it is called.

To add one: write ``node/commands/NAME.py`` with a click command called ``command``, and add its line to ``COMMANDS``.
``--help`` reads only the table, so it is as fast as Python starts. Options shared by all commands are decorators in
``node/commands/options.py``; errors for people are ``node.output.CommandError``.
"""

import click

from node.lazy_group import Entry, LazyGroup

COMMANDS = {
    "init": Entry(
        "node.commands.init", "make a new node: settings, keys, store, first administrator"
    ),
    "serve": Entry("node.commands.serve", "run a node"),
    "check-config": Entry(
        "node.commands.check_config", "print every effective setting; refuse what cannot work"
    ),
    "prefix": Entry("node.commands.prefix", "host prefixes, delegate them, list them"),
    "admin": Entry("node.commands.admin", "say who may change what, with which rights"),
    "key": Entry("node.commands.key", "make keys, show them, change them while everything goes on"),
    "put": Entry("node.commands.put", "register one identifier"),
    "get": Entry("node.commands.get", "show one record as it is kept"),
    "resolve": Entry(
        "node.commands.resolve", "ask over UDP, TCP or HTTP, as the world does, and trace it"
    ),
    "sign": Entry("node.commands.sign", "vouch for records, certify keys"),
    "search": Entry("node.commands.search", "find identifiers by their public values"),
    "import": Entry(
        "node.commands.import_",
        "register a whole file: CSV, TSV, NDJSON, or a Handle.Net server's data",
    ),
    "export": Entry("node.commands.export", "write everything to a file of JSON lines"),
    "backup": Entry("node.commands.backup", "copy the store while the node runs"),
    "restore": Entry("node.commands.restore", "make a store from a backup or an export"),
    "verify": Entry("node.commands.verify", "check every record, counter and feed entry"),
    "changes": Entry("node.commands.changes", "show the feed: what changed, when and by whom"),
    "conformance": Entry(
        "conformance.command", "try any Handle or IDIS node against the standards, and report"
    ),
    "bench": Entry("bench.command", "measure a node and prove it to others"),
    "demo": Entry("node.commands.demo", "show three nodes at work on real rows"),
    "version": Entry("node.commands.version", "show the version"),
}


@click.group(
    cls=LazyGroup, entries=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
def main() -> None:
    """Biaojie (标解): register and resolve identifiers of the Industrial Internet.

    Every command explains itself with --help and, but for serve, prints JSON with --json. It exits with 0 when all
    went well, 1 when it could not be done, 2 when it was not understood, 3 when nobody answered.
    """


if __name__ == "__main__":
    main()
