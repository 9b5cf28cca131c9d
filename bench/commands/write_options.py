"""Options that say what is registered and as whom; and the clearing away of it afterwards."""

import functools
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from bench.commands.load_options import Load
from bench.commands.outcome import run_shown
from bench.load.fleet import Fleet, FleetTrouble
from bench.load.keys import BadKeys, PatternKeys
from bench.load.plan import Run, Target, Writes
from node.asking.web import Login, WebAnswer, WebServer, WebTrouble, handle_target
from node.commands.options import read_name
from node.output import EXIT_UNREACHABLE, EXIT_USAGE, CommandError, say

MOST_BATCH_ROWS = 100_000
"""One request; the node settles it in parts anyway."""
CLEARING_S = 600.0
"""Deleting takes about as long as registering did; a node that hangs is left alone after this."""
CLEARING_TRIES = 3
"""A delete may be refused by a busy node; those that went well go fast again."""
TRYING_TIMES, MOST_PAUSE_S = 10, 2
"""The first registration, while the node is too busy for it; one that asks for a longer pause waits for somebody."""
USUAL_VALUES = ("URL=https://static.example.org/products/{n}.html", "NAME=Pump {n}")
"""About the size of a product's record."""


@dataclass(frozen=True, slots=True)
class WriteWishes:
    """The options as they were given."""

    prefix: str
    user: str
    secret_file: Path
    values: tuple[str, ...]
    batch: int
    keep: bool

    def writes(self) -> Writes:
        """What the clients are told; every call makes other identifiers. Raises ``CommandError``."""
        tag = f"BENCH-{secrets.token_hex(4)}"
        try:
            PatternKeys(f"{self.prefix}/{tag}-0-0")
        except BadKeys as error:
            raise CommandError(f"--prefix {self.prefix}: {error}", "", EXIT_USAGE) from None
        values = list(self.values or USUAL_VALUES)
        if bad := [value for value in values if not value.partition("=")[1]]:
            raise CommandError(f"--value {bad[0]}: not TYPE=DATA", "", EXIT_USAGE)
        name = read_name(self.user, "--user")
        secret = self.secret_file.read_text(encoding="utf-8").strip()
        login = Login(name.index, name.handle, secret).header
        return Writes(self.prefix, tag, values, self.batch, login)


_OPTIONS = (
    click.option("--prefix", required=True, help="Register below it: PREFIX/BENCH-…, names nobody has."),
    click.option("--user", required=True, metavar="INDEX:HANDLE",
                 help="Who registers, e.g. 300:0.NA/88.118."),
    click.option("--secret-file", required=True, metavar="FILE",
                 type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="The file with the secret."),
    click.option("--value", "values", multiple=True, metavar="TYPE=DATA",
                 help="A value of every identifier; {n} is its number. Repeat it; else a URL and a NAME."),
    click.option("--batch", type=click.IntRange(0, MOST_BATCH_ROWS), default=0, show_default=True, metavar="ROWS",
                 help="Rows of one NDJSON request to /api/batch; 0 = one PUT each, as any Handle node takes it."),
    click.option("--keep", is_flag=True, help="Do not delete afterwards what was registered."),
)  # fmt: skip


def write_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options; the command gets them as ``wishes``."""

    @functools.wraps(function)
    def with_writes(**given: Any) -> None:
        wishes = {each.name: given.pop(each.name) for each in fields(WriteWishes)}
        function(written=WriteWishes(**wishes), **given)

    wrapped: Callable[..., None] = with_writes
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def try_one(target: Target, writes: Writes) -> None:
    """Register one identifier and delete it, so that a wrong password is tried once and not a thousand times.

    Raises ``CommandError`` with the node's own words.
    """
    server = WebServer(f"http://{target.host_header}")
    handle = f"{writes.prefix}/{writes.tag}-try"
    url = f"{handle_target(handle)}?overwrite=false"
    login = {"Authorization": writes.authorization}
    values = [
        {"index": index, "type": type_, "data": data}
        for index, (type_, _, data) in enumerate((each.partition("=") for each in writes.values), 1)
    ]
    try:
        answer = _ask_patiently(server, url, {"values": values}, login)
        if answer.status not in {200, 201}:
            words = answer.document.get("message") or f"HTTP {answer.status}"
            raise CommandError(f"the node does not register {handle}: {words}", "")
        server.ask("DELETE", handle_target(handle), None, login)
    except WebTrouble as trouble:
        next_step = "is the node running, and is this its address?"
        raise CommandError(str(trouble), next_step, EXIT_UNREACHABLE) from None


def _ask_patiently(
    server: WebServer, url: str, body: dict[str, Any], login: dict[str, str]
) -> WebAnswer:
    """PUT; a node that is too busy just now is asked again when it says (``Retry-After``)."""
    for _ in range(TRYING_TIMES):
        answer = server.ask("PUT", url, body, login)
        pause = answer.headers.get("Retry-After", "")
        is_busy = answer.status == HTTPStatus.SERVICE_UNAVAILABLE and pause.isdecimal()
        if not is_busy or int(pause) > MOST_PAUSE_S:
            return answer
        time.sleep(int(pause))
    return server.ask("PUT", url, body, login)


@contextmanager
def cleared_away(fleet: Fleet, load: Load, written: WriteWishes) -> Iterator[None]:
    """Afterwards, however it went, what the fleet registered is deleted again or named."""
    try:
        yield
    except FleetTrouble:
        _tell_left(fleet)  # its processes cannot say what they sent
        raise
    except BaseException:
        _clear(fleet, load, written)
        raise
    else:
        _clear(fleet, load, written)


def _clear(fleet: Fleet, load: Load, written: WriteWishes) -> None:
    if written.keep:
        _tell_left(fleet)
        return
    run = Run(0, 0.0, CLEARING_S, 1.0, None, load.arrivals, deletes=True)
    left = 0
    for _ in range(CLEARING_TRIES):
        left = run_shown(fleet, run, "deleting again").left
        if not left:
            return
    _tell_left(fleet)
    say(f"deleting failed for {left:,} rows")


def _tell_left(fleet: Fleet) -> None:
    writes = fleet.setups[0].writes
    assert writes is not None
    say(f"left registered: {writes.prefix}/{writes.tag}-…")
