"""``biaojie bench report``: one HTML page of any number of result documents."""

from pathlib import Path

import click

from bench.report.document import decode_result
from bench.report.fields import NotAResult
from bench.report.names import tell_apart
from bench.report.page import render_page
from node.commands.options import need_folder_of
from node.output import EXIT_USAGE, CommandError, print_json, say


@click.command(name="report")
@click.argument("results", nargs=-1, required=True, metavar="RESULT.json…",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("-o", "--output", required=True, metavar="FILE", help="The page to write.",
              type=click.Path(dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--title", help="Of the page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
def command(*, results: tuple[Path, ...], output: Path, title: str | None, as_json: bool) -> None:
    """Make one page of the result documents that --json wrote.

    \b
    biaojie bench report before.json after.json -o report.html

    Series of all documents share their plots, so that two servers or two releases can be seen side by side. The page
    is one file: no scripts, nothing fetched from elsewhere, light and dark; it can be mailed and printed.
    """
    need_folder_of(output)
    read = []
    for path in results:
        try:
            read.append(decode_result(path.read_bytes()))
        except NotAResult as error:
            raise CommandError(f"{path}: {error}", "", EXIT_USAGE) from None
    told_apart = tell_apart(read, [path.stem for path in results])
    output.write_text(render_page(told_apart, title), encoding="utf-8")
    if as_json:
        print_json({"page": str(output), "results": len(read)})
    else:
        say(f"wrote {output}")
