"""``biaojie bench mixed``: reads at a steady rate, alone and beside writes, in turn: what readers feel of writing."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import click

from bench.commands.key_options import POOL, KeyWishes, key_options, open_keys
from bench.commands.load_options import (
    MOST_RATE_PER_S,
    Load,
    load_options,
    pool_size,
    transport_options,
)
from bench.commands.outcome import begin_result, finish, run_shown, told_troubles
from bench.commands.write_options import WriteWishes, cleared_away, try_one
from bench.load.fleet import Fleet, Harvest
from bench.load.plan import Run
from bench.load.series import Named, series_of, together
from bench.report.result import Result, Series, Table
from node.output import EXIT_USAGE, CommandError, print_table, say

UNPACED = "max"
SHOWN = ("p50", "p90", "p99", "p99.9", "max")


@click.command(name="mixed")
@transport_options
@key_options
@click.option("--rate", type=click.FloatRange(0.1, MOST_RATE_PER_S), default=1000.0, show_default=True,
              metavar="PER_SECOND", help="Reads, on schedule.")  # fmt: skip
@click.option(
    "--prefix", required=True, help="Register below it: PREFIX/BENCH-…, names nobody has."
)
@click.option("--value", "values", multiple=True, metavar="TYPE=DATA",
              help="A value of every identifier; {n} is its number. Repeat it; else a URL and a NAME.")  # fmt: skip
@click.option("--batch", type=click.IntRange(0, 100_000), default=1000, show_default=True, metavar="ROWS",
              help="Rows of one NDJSON request to /api/batch; 0 = one PUT each.")  # fmt: skip
@click.option("--write-rate", default="30000", show_default=True, metavar="ROWS_PER_SECOND|max",
              help="Rows registered meanwhile, on schedule; max = as fast as it goes.")  # fmt: skip
@click.option("--write-to", metavar="URL", help="With a native --server: its HTTP address.")
@click.option("--write-connections", type=click.IntRange(1, 64), default=2, show_default=True,
              help="Writers.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True,
              help="Alone and beside writes in turn so often, --duration seconds each.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Do not delete afterwards what was registered.")
@load_options
def command(
    *,
    load: Load,
    wishes: KeyWishes,
    transport: str | None,
    rate: float,
    prefix: str,
    values: tuple[str, ...],
    batch: int,
    write_rate: str,
    write_to: str | None,
    write_connections: int,
    rounds: int,
    keep: bool,
) -> None:
    """Read at a steady rate, alone and while others register, and compare what readers feel.

    \b
    biaojie bench mixed --config my-node/node.toml --keys '88.118/SN-{000000..000999}' --rate 2000 \\
      --prefix 88.118 --user 300:0.NA/88.118 --secret-file my-node/keys/admin.secret --write-rate 30000

    The two take turns, because no machine is equally quiet for long. --user and --secret-file say who registers.
    """
    if wishes.user is None or wishes.secret_file is None:
        raise CommandError("say who registers: --user and --secret-file", "", EXIT_USAGE)
    written = WriteWishes(prefix, wishes.user, wishes.secret_file, values, batch, keep)
    target, seed = load.target(transport), load.need_seed()
    writer = dataclasses.replace(load, server=write_to) if write_to else load
    if load.server and not write_to and not load.server.startswith("http://"):
        raise CommandError(
            "writes go over HTTP", "name the node's HTTP address: --write-to http://…", EXIT_USAGE
        )
    writer = dataclasses.replace(writer.patient(), connections=write_connections, in_flight=1)
    rows_per_s = _read_rate(write_rate)
    requests = None if rows_per_s is None else rows_per_s / (batch or 1)
    writes, write_target = written.writes(), writer.target("http")
    result = begin_result("mixed", target.name, seed, load)
    try_one(write_target, writes)
    with open_keys(wishes, load, pool_size(rate, load, POOL)) as reads, told_troubles():
        reading = [
            dataclasses.replace(setup, reads=reads)
            for setup in load.setups(target, load.processes, seed)
        ]
        writing = [
            dataclasses.replace(setup, writes=writes)
            for setup in writer.setups(write_target, 1, seed)
        ]
        with (
            Fleet(reading) as readers,
            Fleet(writing) as writers,
            cleared_away(writers, load, written),
        ):
            alone, beside, wrote = _take_turns(readers, writers, load.run(rate), requests, rounds)
    name = load.name or target.transport
    how = f"batches of {batch:,}" if batch else "one PUT each"
    series = [
        series_of(together(alone), reading, Named(f"{name}, reads alone", wishes.words)),
        series_of(together(beside), reading, Named(f"{name}, reads beside writes", wishes.words)),
        series_of(together(wrote), writing, Named("writes", f"{prefix}/{writes.tag}-…, {how}")),
    ]
    result = dataclasses.replace(result, series=series, tables=[_table(series)])
    finish(result, load)
    _show(result)


def _read_rate(text: str) -> float | None:
    """Rows per second; None for ``max``."""
    if text == UNPACED:
        return None
    try:
        rate = float(text.replace(",", ""))
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MOST_RATE_PER_S:
        raise CommandError(f"--write-rate {text}: not rows per second", "or max", EXIT_USAGE)
    return rate


def _take_turns(
    readers: Fleet, writers: Fleet, run: Run, write_rate: float | None, rounds: int
) -> tuple[list[Harvest], list[Harvest], list[Harvest]]:
    """Reads alone, reads beside writes, and those writes, ``rounds`` times."""
    alone, beside, wrote = [], [], []
    writing = dataclasses.replace(run, rate_per_s=write_rate, arrivals="constant")
    for turn in range(1, rounds + 1):
        alone.append(run_shown(readers, run, f"reads alone, {turn} of {rounds}"))
        with ThreadPoolExecutor(1) as other:
            beside_it: Callable[[], Harvest] = lambda: writers.run(writing)  # noqa: E731
            future = other.submit(beside_it)
            beside.append(run_shown(readers, run, f"beside writes, {turn} of {rounds}"))
            wrote.append(future.result())
    return alone, beside, wrote


def _table(series: list[Series]) -> Table:
    """What readers feel, and by how much more."""
    alone, beside, wrote = series
    rows: list[list[str | float | int | None]] = []
    for name in SHOWN:
        quiet, busy = alone.latency_ms.get(name), beside.latency_ms.get(name)
        ratio = round(busy / quiet, 2) if quiet and busy else None
        rows.append([name, _rounded(quiet), _rounded(busy), ratio])
    note = f"{wrote.achieved_per_s:,.0f} rows/s were registered meanwhile"
    columns = ["latency of reads", "alone, ms", "beside writes, ms", "ratio"]
    return Table("What readers feel of writing", columns, rows, note)


def _rounded(ms: float | None) -> float | None:
    """To microseconds: what comes after them is not known."""
    return None if ms is None else round(ms, 3)


def _show(result: Result) -> None:
    table = result.tables[0]
    print_table(
        table.title,
        table.columns,
        [["" if cell is None else cell for cell in row] for row in table.rows],
    )
    say(table.note)
