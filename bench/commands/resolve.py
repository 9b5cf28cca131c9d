"""``biaojie bench resolve``: questions to one server, at a rate, in a closed loop, or up to its limit."""

import dataclasses
from typing import TypeAlias

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
from bench.commands.server_cpu import ServerCpu
from bench.load.fleet import Fleet
from bench.load.search import Search
from bench.load.series import Named, series_of, step_of
from bench.report.result import Result, Series
from node.output import EXIT_USAGE, CommandError, say

CLOSED_LOOP_S = 2.0
"""A search begins with a closed loop of this length, to learn where to look."""
Goals: TypeAlias = tuple[float, float]
"""(largest share of losses, longest p99 in ms)."""


@click.command(name="resolve")
@transport_options
@key_options
@click.option("--rate", type=click.FloatRange(0.1, MOST_RATE_PER_S), metavar="PER_SECOND",
              help="Open loop: send on schedule, whatever the server does; latency counts from it.")  # fmt: skip
@click.option("--search", is_flag=True,
              help="Find the highest rate with few losses and a short p99; --duration is each step's.")  # fmt: skip
@click.option("--max-loss", type=click.FloatRange(0, 1), default=0.001, show_default=True,
              help="With --search: share of questions that may fail.")  # fmt: skip
@click.option("--max-p99", type=click.FloatRange(0.01), default=20.0, show_default=True, metavar="MS",
              help="With --search: 99 % of the answers take at most so long.")  # fmt: skip
@load_options
def command(
    *,
    load: Load,
    wishes: KeyWishes,
    transport: str | None,
    rate: float | None,
    search: bool,
    max_loss: float,
    max_p99: float,
) -> None:
    """Ask one server and check every answer.

    \b
    as many as it answers:  biaojie bench resolve --keys '88.118/SN-{000000..999999}'
    at a steady rate:       biaojie bench resolve --keys-file keys.txt --rate 20000 --poisson --zipf 0.9
    up to its limit:        biaojie bench resolve --sample 88.118 --search --max-p99 5 --duration 2

    Without --rate and --search every connection asks again as soon as it is answered (closed loop): good for the
    throughput, but its latencies flatter the server. What users feel is what --rate shows.
    """
    if search and rate is not None:
        raise CommandError("--search looks for a rate; leave --rate out", "", EXIT_USAGE)
    load.need_schedule(rate is not None or search)
    target = load.target(transport)
    seed = load.need_seed()
    result = begin_result("resolve", target.name, seed, load)
    named = Named(load.name or target.transport, wishes.words)
    with open_keys(wishes, load, pool_size(rate, load, POOL)) as reads, told_troubles():
        setups = [
            dataclasses.replace(setup, reads=reads)
            for setup in load.setups(target, load.processes, seed)
        ]
        with Fleet(setups) as fleet:
            if search:
                found = _search(fleet, load, named, (max_loss, max_p99), result)
            else:
                found = [_measure(fleet, load, named, rate)]
    finish(dataclasses.replace(result, series=found), load)


def _measure(
    fleet: Fleet, load: Load, named: Named, rate: float | None, seconds: float | None = None
) -> Series:
    """One load."""
    run = load.run(rate, seconds)
    with ServerCpu(load.server_pids) as cpu:
        harvest = run_shown(fleet, run, named.name)
    series = series_of(harvest, list(fleet.setups), named)
    return dataclasses.replace(series, server_cpu_us=cpu.us_per(harvest))


def _search(fleet: Fleet, load: Load, named: Named, goals: Goals, result: Result) -> list[Series]:
    """The closed loop that the search began with, and the highest rate that passed."""
    closed = _measure(
        fleet, load, named._replace(name=f"{named.name}, closed loop"), None,
        min(load.duration, CLOSED_LOOP_S),
    )  # fmt: skip
    if not closed.answers:
        return [closed]
    best: Series | None = None
    search = Search(closed.achieved_per_s, MOST_RATE_PER_S)
    while (rate := search.next_rate) is not None:
        harvest = run_shown(fleet, load.run(rate), f"{rate:,.0f}/s")
        step = step_of(harvest, *goals)
        search.tell(step)
        verdict = "passed" if step.passed else "did not pass"
        p99 = "" if step.p99_ms is None else f", p99 {step.p99_ms:.2f} ms"
        limited = ", client-limited" if step.client_limited else ""
        say(f"{rate:,.0f}/s: {verdict}{p99}, lost {step.loss:.3%}{limited}")
        if step is search.best:
            best = series_of(harvest, list(fleet.setups), named)
    result.search.extend(search.steps)
    loss, p99_ms = goals
    wanted = f"losses ≤ {loss:.3%} and p99 ≤ {p99_ms:g} ms"
    if best is None:
        limits = sum(step.client_limited for step in search.steps)
        blame = f", and {limits} of {len(search.steps)} steps were client-limited" if limits else ""
        result.remarks.append(f"no rate with {wanted}: {search.ending}{blame}")
        return [closed]
    result.remarks.append(
        f"{best.offered_per_s:,.0f}/s is the highest rate with {wanted}: {search.ending}"
    )
    return [closed, dataclasses.replace(best, name=f"{named.name}, highest rate")]
