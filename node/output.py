"""What commands say: tables for people, JSON for programs, progress on a terminal, errors that name the next step.

Results go to standard output, everything else to standard error, so that ``--json`` can be piped. rich is imported
when it is needed: it takes longer than most commands.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Protocol

import click

EXIT_FAILED = 1
"""What was asked could not be done."""
EXIT_USAGE = 2
"""The command line or the settings cannot work (click uses the same)."""
EXIT_UNREACHABLE = 3
"""The node or a server did not answer."""
WIDTH_OF_FILES = 140
"""Columns of a table that goes to a file or a pipe, where nothing says how wide the page is."""
EXIT_INTERRUPTED = 130
"""Ctrl-C, as shells count it."""


class CommandError(click.ClickException):
    """Ends a command: what went wrong and where, and what to do next."""

    def __init__(self, reason: str, next_step: str = "", exit_code: int = EXIT_FAILED) -> None:
        super().__init__(reason)
        self.next_step = next_step
        context = click.get_current_context(silent=True)  # gone by the time the error is shown
        self._as_json = bool(context and context.params.get("as_json"))
        self.exit_code = exit_code  # type: ignore[misc]  # click reads the instance's

    def show(self, file: IO[Any] | None = None) -> None:
        """With ``--json`` one JSON object, else two lines; on standard error either way."""
        if self._as_json:
            facts = {"error": self.message, "next": self.next_step, "exit": self.exit_code}
            click.echo(json.dumps(facts, ensure_ascii=False), file=file, err=True)
            return
        click.secho(f"error: {self.message}", file=file, err=True, fg="red")
        if self.next_step:
            click.echo(f"next:  {self.next_step}", file=file, err=True)


def print_json(facts: Mapping[str, object]) -> None:
    """One line on standard output."""
    click.echo(json.dumps(facts, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; numbers to the right, no markup taken from data."""
    from rich.console import Console  # noqa: PLC0415  a tenth of a second, not for --help and --json
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if title:
        click.echo(title)  # a table's own title is folded to the width of the table
    table = Table(header_style="bold", show_header=any(columns))
    for place, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(show_number(cell)) for cell in row))
    width = None if sys.stdout.isatty() else WIDTH_OF_FILES
    Console(highlight=False, soft_wrap=False, width=width).print(table)


def show_number(cell: object) -> str:
    """Thousands apart: ``27,946``."""
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def say(text: str) -> None:
    """A remark for people, on standard error."""
    click.echo(text, err=True)


class Bar(Protocol):
    """A progress bar, or nothing at all."""

    def update(self, done: int, note: str, total: int | None = None) -> None:
        """``done`` of the announced total, or of a new one; ``note`` is shown beside it."""


class _NoBar:
    def update(self, done: int, note: str, total: int | None = None) -> None:
        pass


@contextmanager
def progress(title: str, total: int, *, is_wanted: bool) -> Iterator[Bar]:
    """A bar with the time left on standard error, when that is a terminal."""
    if not (is_wanted and sys.stderr.isatty()):
        yield _NoBar()
        return
    from rich.console import Console  # noqa: PLC0415  see print_table
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
               TextColumn("{task.fields[note]}"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=5) as bars:
        task = bars.add_task(title, total=total, note="")

        class _RichBar:
            def update(self, done: int, note: str, total: int | None = None) -> None:
                bars.update(task, completed=done, note=note, total=total)

        yield _RichBar()
