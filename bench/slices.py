"""Alternating slices: each peer is loaded for a short time in turn, so that a noisy machine is noisy for all.

A slice's result is server CPU per answer; a peer's result is the median over its slices; what is reported is the ratio
of medians with the spread of the slice-by-slice ratios.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.cpu import cpu_ns

Load = Callable[[float], int]
"""Loads the peer for so many seconds and returns how many right answers came."""


class Peer(NamedTuple):
    """One server under test: who to charge the CPU to, and how to load it."""

    name: str
    pids: tuple[int, ...]
    load: Load


class Slice(NamedTuple):
    """What one slice measured."""

    answers: int
    server_cpu_ns: int
    client_cpu_ns: int
    wall_ns: int

    @property
    def cpu_us_per_answer(self) -> float:
        return self.server_cpu_ns / self.answers / 1000

    @property
    def answers_per_s(self) -> float:
        return self.answers / self.wall_ns * 1e9

    @property
    def client_share(self) -> float:
        """Share of one core the load generator itself used: near 1, the throughput is the client's."""
        return self.client_cpu_ns / self.wall_ns


def measure(peer: Peer, seconds: float) -> Slice:
    cpu_before = sum(cpu_ns(pid) for pid in peer.pids)
    client_before, wall_before = time.process_time_ns(), time.monotonic_ns()
    answers = peer.load(seconds)
    wall = time.monotonic_ns() - wall_before
    client = time.process_time_ns() - client_before
    return Slice(answers, sum(cpu_ns(pid) for pid in peer.pids) - cpu_before, client, wall)


def alternate(
    peers: Sequence[Peer],
    rounds: int,
    seconds: float,
) -> dict[str, list[Slice]]:
    """``rounds`` slices of ``seconds`` for every peer, in turn, after one unmeasured slice each."""
    results: dict[str, list[Slice]] = {peer.name: [] for peer in peers}
    for peer in peers:
        peer.load(seconds / 2)
    for _ in range(rounds):
        for peer in peers:
            results[peer.name].append(measure(peer, seconds))
    return results


def median_cpu_us(slices: Sequence[Slice]) -> float:
    return statistics.median(one.cpu_us_per_answer for one in slices)


def least_ratio(ours: Sequence[Slice], peer: Sequence[Slice]) -> float:
    """Of the least disturbed slice of each; what noise has least to do with, on a machine shared with strangers."""
    return min(one.cpu_us_per_answer for one in peer) / min(one.cpu_us_per_answer for one in ours)


def ratios(ours: Sequence[Slice], peer: Sequence[Slice]) -> tuple[float, float, float]:
    """(of the medians, lowest, highest): peer's CPU per answer divided by ours; above 1 we are cheaper."""
    each = [p.cpu_us_per_answer / o.cpu_us_per_answer for o, p in zip(ours, peer, strict=True)]
    return median_cpu_us(peer) / median_cpu_us(ours), min(each), max(each)
