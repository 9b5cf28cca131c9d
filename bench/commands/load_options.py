"""Options that every measurement of one server shares: whom, how much, from how many sockets, and where results go."""

import dataclasses
import functools
import math
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from bench.load.plan import Run, Setup, Target
from bench.load.targets import TRANSPORTS, BadTarget, Forbidden, parse_target
from node.clock import read_clocks
from node.commands.options import read_config
from node.config import Config
from node.output import EXIT_USAGE, CommandError

Function = TypeVar("Function", bound=Callable[..., Any])

MOST_DURATION_S = 3600.0
"""A longer load is a soak; what it finds does not depend on one histogram."""
MOST_RATE_PER_S = 5_000_000.0
MOST_PROCESSES = 64
MOST_CONNECTIONS = 4096
"""Per process: above, a client needs more file descriptors than shells give."""
USUAL_CONNECTIONS = 16
"""Per process: the source ports of a busy resolver, and far below the 64 connections a node allows one address."""
QUESTION_LIFE_S = 7 * 86_400
"""Until when a question may be answered: longer than any run, so that it is encoded once."""
WRITE_TIMEOUT_S = 30.0
"""The least for writes."""
_INTERVALS = 20


@dataclass(frozen=True, slots=True)
class Load:
    """The shared options as they were given."""

    server: str | None
    config_path: Path | None
    consent: str | None
    duration: float
    warm_up: float
    processes: int
    connections: int
    in_flight: int
    timeout: float
    poisson: bool
    seed: int | None
    cpus: str | None
    server_pids: tuple[int, ...]
    name: str | None
    json_file: Path | None
    html_file: Path | None

    @property
    def arrivals(self) -> str:
        """``constant`` or ``poisson``."""
        return "poisson" if self.poisson else "constant"

    def run(self, rate_per_s: float | None, seconds: float | None = None) -> Run:
        """One load on all processes together; ``rate_per_s`` None = closed loop."""
        lasts_s = seconds or self.duration
        interval_s = min(1.0, max(0.1, lasts_s / _INTERVALS))
        return Run(0, self.warm_up, lasts_s, interval_s, rate_per_s, self.arrivals)

    def setups(self, target: Target, processes: int, seed: int) -> list[Setup]:
        """One for each process, still without what it asks."""
        cores = _read_cpus(self.cpus)
        return [
            Setup(
                target, number, self.connections, self.in_flight, self.timeout, seed,
                int(read_clocks().wall_s) + QUESTION_LIFE_S,
                cpu=cores[number % len(cores)] if cores else None,
            )
            for number in range(processes)
        ]  # fmt: skip

    def patient(self) -> "Load":
        """The same for writes, which wait for the disk: a batch that is given up is registered all the same."""
        return dataclasses.replace(self, timeout=max(self.timeout, WRITE_TIMEOUT_S))

    def target(self, transport: str | None) -> Target:
        """Whom to load. Raises ``CommandError``."""
        server = self.server or own_address(self.config, transport)
        try:
            return parse_target(server, transport, self.consent)
        except Forbidden as error:
            next_step = f"if you may load it, say so: --i-may-load {error.host}"
            raise CommandError(str(error), next_step, EXIT_USAGE) from None
        except BadTarget as error:
            raise CommandError(str(error), "", EXIT_USAGE) from None

    @property
    def config(self) -> Config:
        """The settings that ``--config`` names, or the default ones."""
        return read_config(self.config_path)

    def need_schedule(self, is_scheduled: bool) -> None:
        """Arrivals are for schedules. Raises ``CommandError``."""
        if self.poisson and not is_scheduled:
            next_step = "add --rate, for example --rate 1000"
            raise CommandError("--poisson is how a schedule is kept", next_step, EXIT_USAGE)

    def need_seed(self) -> int:
        """The one given, else a new one."""
        return secrets.randbits(31) if self.seed is None else self.seed


_OPTIONS = (
    click.option("--server", metavar="HOST[:PORT]|URL",
                 help="Whom to load, e.g. 127.0.0.1:2641, http://127.0.0.1:8000; else the node of --config."),
    click.option("--config", "config_path", metavar="FILE",
                 type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="Load the node of these settings, at the addresses it listens on."),
    click.option("--i-may-load", "consent", metavar="HOST",
                 help="Consent to load HOST, which is not this machine. Only with its operator's permission."),
    click.option("--duration", type=click.FloatRange(0.1, MOST_DURATION_S), default=10.0, show_default=True,
                 help="Seconds that are measured."),
    click.option("--warm-up", type=click.FloatRange(0, 600), default=1.0, show_default=True,
                 help="Seconds of the same load before, which do not count."),
    click.option("--processes", type=click.IntRange(1, MOST_PROCESSES), default=1, show_default=True,
                 help="Client processes; more when a result is client-limited and there are cores left."),
    click.option("--connections", type=click.IntRange(1, MOST_CONNECTIONS), default=USUAL_CONNECTIONS,
                 show_default=True, help="Of each process: source ports (UDP) or connections."),
    click.option("--in-flight", type=click.IntRange(1, 1024), default=1, show_default=True,
                 help="Questions on the way at once on each of them (UDP at a rate: no limit)."),
    click.option("--timeout", type=click.FloatRange(0.05, 60), default=2.0, show_default=True,
                 help="Seconds from when a question was due until it is given up, for good (writes: at least 30)."),
    click.option("--poisson", is_flag=True,
                 help="Arrivals as of many independent askers, bursts included, instead of equal gaps."),
    click.option("--seed", type=int, help="Of all chance; the result names the one that was used."),
    click.option("--cpus", metavar="LIST", help="Cores for the client processes in turn, e.g. 1,3."),
    click.option("--server-pid", "server_pids", type=int, multiple=True, metavar="PID",
                 help="A process of the server on this machine, its children included: CPU per answer is shown."),
    click.option("--name", help="What the series is called in tables and plots."),
    click.option("--json", "json_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
                 help="Write the result document: docs/bench.md."),
    click.option("--html", "html_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
                 help="Write a page with plots that needs nothing else."),
)  # fmt: skip


def load_options(function: Callable[..., None]) -> Callable[..., None]:
    """The shared options; the command gets them as ``load``."""

    @functools.wraps(function)
    def with_load(**given: Any) -> None:
        load = Load(**{each.name: given.pop(each.name) for each in fields(Load)})
        if load.server and load.config_path:
            raise CommandError("--server and --config exclude each other", "", EXIT_USAGE)
        function(load=load, **given)

    wrapped: Callable[..., None] = with_load
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def transport_options(function: Function) -> Function:
    """``--udp``, ``--tcp``, ``--http``, ``--redirect``; the command gets ``transport`` or None."""
    helps = {
        "udp": "Native UDP (the default).",
        "tcp": "Native TCP, connections kept open.",
        "http": "GET of the JSON API, connections kept open.",
        "redirect": "GET /IDENTIFIER, and be redirected.",
    }
    wrapped = function
    for name in reversed(TRANSPORTS):
        wrapped = click.option(f"--{name}", "transport", flag_value=name, help=helps[name])(wrapped)
    return wrapped


def own_address(config: Config, transport: str | None) -> str:
    """Where the node of the settings listens; an "all addresses" listener is asked on loopback."""
    is_web = transport in {"http", "redirect"}
    section = config.http if is_web else config.listen
    host = section.addresses[0] if section.addresses else "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    port = f":{section.port}" if section.port else ""
    return f"[{host}]{port}" if ":" in host else f"{host}{port}"


def pool_size(rate_per_s: float | None, load: Load, most: int) -> int:
    """Questions that one process draws beforehand: all it will send, up to ``most``."""
    if rate_per_s is None:
        return most
    return min(most, math.ceil(rate_per_s * (load.warm_up + load.duration) / load.processes) + 1)


def _read_cpus(text: str | None) -> list[int]:
    if text is None:
        return []
    try:
        cores = [int(part) for part in text.split(",")]
    except ValueError:
        raise CommandError(f"--cpus {text}: not a list like 1,3", "", EXIT_USAGE) from None
    ours = os.sched_getaffinity(0)
    if not ours.issuperset(cores):
        usable = ",".join(map(str, sorted(ours)))
        raise CommandError(f"--cpus {text}: not all are here", f"usable are {usable}", EXIT_USAGE)
    return cores
