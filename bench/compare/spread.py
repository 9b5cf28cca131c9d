"""Many keys beside one: a store's identifiers asked uniformly at random, and its hottest one, of the same node."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.compare.fallback import PythonGenerator
from bench.compare.generator import CompiledGenerator, Generator, Target
from bench.compare.requests import drawn, handle_requests, write_requests
from bench.compare.rows import make_row
from bench.compare.tools import Tools
from bench.peers.process import Running
from bench.report.result import CompareRow
from bench.slices import Peer, alternate
from node.clock import read_clocks
from node.version import VERSION

ASKED = 400_000
"""Questions drawn: far more than any cache of the processor keeps, few enough to be made in a second or two."""
AIM, AIM_COUNT = 0.6, 10_000_000
"""The aim, and the number of identifiers from which on it is one."""
HOTTEST, UNIFORM, ABSENT = "the hottest key", "uniform over all keys", "keys that are not there"


class Spread(NamedTuple):
    """Generators for one running node; the hottest key is in the middle of the store."""

    uniform: Generator
    hottest: Generator
    absent: Generator


def make_generator(stack: ExitStack, tools: Tools, target: Target) -> Generator:
    """The compiled one where there is a compiler; closed with ``stack``."""
    made: Generator
    made = CompiledGenerator(tools.load, target) if tools.load else PythonGenerator(target)
    stack.callback(made.close)
    return made


def make_spread(stack: ExitStack, place: Path, tools: Tools, port: int, count: int) -> Spread:
    """For a node with the first ``count`` identifiers."""
    wall_s = read_clocks().wall_s
    numbers = {
        "uniform": drawn(min(ASKED, 4 * count), count),
        "hottest": [count // 2],
        "absent": [count + number for number in drawn(min(ASKED, 4 * count), count)],
    }
    made = {}
    for name, chosen in numbers.items():
        path = place / f"{name}.requests"
        # An absence is not told with its name.
        requests = handle_requests(chosen, wall_s, is_echo=name == "absent")
        made[name] = make_generator(
            stack, tools, Target("handle-udp", port, write_requests(path, requests))
        )
    return Spread(**made)


def compare_spread(
    stack: ExitStack,
    place: Path,
    tools: Tools,
    running: Running,
    count: int,
    turns: tuple[int, float],
    title: str,
    on_slice: Callable[[str], None],
) -> list[CompareRow]:
    """The rows of a comparison; ``turns``: how many slices, how long."""
    spread = make_spread(stack, place, tools, running.port, count)
    peers = [
        Peer(UNIFORM, running.pid, spread.uniform.run),
        Peer(HOTTEST, running.pid, spread.hottest.run),
    ]
    found = alternate(peers, *turns, on_slice)
    path = f"native UDP hit, {count:,} identifiers: {title}"
    uniform = found.slices.get(UNIFORM, [])
    aim = AIM if count >= AIM_COUNT else None
    return [
        make_row(path, UNIFORM, VERSION, found, uniform),
        make_row(path, HOTTEST, VERSION, found, uniform, aim),
    ]
