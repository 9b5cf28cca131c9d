"""``biaojie check-config``: every effective setting with its origin, and what cannot work."""

from pathlib import Path

import click

from node.commands.options import config_option, json_option, read_config
from node.config import ConfigError, show_config
from node.config_check import check_config
from node.output import EXIT_USAGE, CommandError, print_json, print_table, say

EXPLAINED = "docs/reference/settings.md explains every key"


@click.command(name="check-config")
@config_option
@json_option
def command(*, config_path: Path | None, as_json: bool) -> None:
    """Print every effective setting and where it came from; refuse settings that cannot work."""
    config = read_config(config_path, EXPLAINED)
    settings = show_config(config)
    try:
        warnings = check_config(config)
    except ConfigError as error:
        raise CommandError(str(error), EXPLAINED, EXIT_USAGE) from None
    if as_json:
        shown = {key: {"value": value, "origin": origin} for key, value, origin in settings}
        print_json({"settings": shown, "warnings": warnings})
        return
    print_table(str(config_path or "embedded default"), ("setting", "value", "from"), settings)
    for warning in warnings:
        say(f"warning: {warning}")
    say("the settings can work")
