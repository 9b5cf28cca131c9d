"""``biaojie bench register``: durable registrations per second, one by one or in batches, and deleted again."""

import dataclasses

import click

from bench.commands.load_options import MOST_RATE_PER_S, Load, load_options
from bench.commands.outcome import begin_result, finish, run_shown, told_troubles
from bench.commands.server_cpu import ServerCpu
from bench.commands.write_options import WriteWishes, cleared_away, try_one, write_options
from bench.load.fleet import Fleet
from bench.load.series import Named, series_of


@click.command(name="register")
@write_options
@click.option("--rate", type=click.FloatRange(0.1, MOST_RATE_PER_S), metavar="ROWS_PER_SECOND",
              help="Open loop: send on schedule; without it as fast as it goes.")  # fmt: skip
@load_options
def command(*, load: Load, written: WriteWishes, rate: float | None) -> None:
    """Register identifiers nobody has, check every receipt, and delete them again.

    \b
    one by one:  biaojie bench register --config my-node/node.toml --prefix 88.118 \\
                   --user 300:0.NA/88.118 --secret-file my-node/keys/admin.secret --connections 32
    in batches:  the same with --batch 1000 --connections 2

    A receipt means: durable. Give --connections as many writers as you have; the node commits what they send at the
    same time together. A node on this machine takes the password over plain HTTP; a far one wants a proxy with TLS.
    """
    target = load.target("http")
    seed = load.need_seed()
    writes = written.writes()
    result = begin_result("register", target.name, seed, load)
    try_one(target, writes)
    setups = [
        dataclasses.replace(setup, writes=writes)
        for setup in load.patient().setups(target, load.processes, seed)
    ]
    how = f"batches of {written.batch:,}" if written.batch else "one PUT each"
    named = Named(load.name or f"register, {how}", f"{written.prefix}/{writes.tag}-…, {how}")
    requests = None if rate is None else rate / (written.batch or 1)
    with told_troubles(), Fleet(setups) as fleet, cleared_away(fleet, load, written):
        with ServerCpu(load.server_pids) as cpu:
            harvest = run_shown(fleet, load.run(requests), named.name)
        series = series_of(harvest, setups, named)
        series = dataclasses.replace(series, server_cpu_us=cpu.us_per(harvest))
    finish(dataclasses.replace(result, series=[series]), load)
