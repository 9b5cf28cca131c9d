"""Alternating slices: each peer is loaded for a short time in turn, so that a noisy machine is noisy for all.

A slice's result is server CPU per right answer; a peer's result is the median over its slices; what is reported is the
ratio of medians with the spread of the slice-by-slice ratios.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.cpu import tree_times

FULL = 0.9
"""A server that runs or waits for its core for this share of a slice has no time left."""
TRIES_LEAST_S = (0.0, 1.0, 3.0)
"""A slice without a right answer is tried again, and lasts at least so long then."""


class LoadFailed(Exception):
    """A load generator could not go on; ``str()`` says why. The others of a comparison do."""


class Loaded(NamedTuple):
    """What a load generator says of its own work."""

    answers: int
    """Right ones: id, response code and content as asked."""
    lost: int
    wrong: int
    client_cpu_ns: int
    wall_ns: int


Load = Callable[[float], Loaded]
"""Loads a server for so many seconds."""


class Peer(NamedTuple):
    """One server under test: whose processes to charge, with all their children, and how to load it."""

    name: str
    pid: int
    load: Load
    warm: Callable[[], object] | None = None
    """Comes first, unmeasured, instead of a slice: what is asked for shall be where it keeps what is asked."""


class Slice(NamedTuple):
    """What one slice measured."""

    answers: int
    lost: int
    wrong: int
    server_cpu_ns: int
    client_cpu_ns: int
    wall_ns: int
    server_wait_ns: int = 0
    """The server was ready to run and somebody else had its core."""

    @property
    def cpu_us_per_answer(self) -> float:
        return self.server_cpu_ns / self.answers / 1000

    @property
    def answers_per_s(self) -> float:
        return self.answers / self.wall_ns * 1e9

    @property
    def client_share(self) -> float:
        """Share of one core the load generator itself used."""
        return self.client_cpu_ns / self.wall_ns

    @property
    def is_client_limited(self) -> bool:
        """The server had nothing to do for a while: the throughput is the client's, and batches were small."""
        return self.server_cpu_ns + self.server_wait_ns < FULL * self.wall_ns


def measure(peer: Peer, seconds: float) -> Slice:
    """Raises ``LoadFailed`` when nothing is answered, too: such a slice has no cost per answer.

    One such slice may be the machine, which had no time for the server just then; so it is tried again, with patience.
    """
    for least_s in TRIES_LEAST_S:
        before = tree_times(peer.pid)
        loaded = peer.load(max(seconds, least_s))
        after = tree_times(peer.pid)
        if loaded.answers:
            break
    else:
        raise LoadFailed(f"not one right answer: {loaded.lost:,} lost, {loaded.wrong:,} wrong")
    return Slice(
        loaded.answers, loaded.lost, loaded.wrong, after.cpu_ns - before.cpu_ns,
        loaded.client_cpu_ns, loaded.wall_ns, after.wait_ns - before.wait_ns,
    )  # fmt: skip


class Contest(NamedTuple):
    """What alternating slices found: by peer, in the order in which they were loaded."""

    slices: dict[str, list[Slice]]
    """As many for each as there were rounds."""
    failures: dict[str, str]
    """Why a peer has none."""


def alternate(
    peers: Sequence[Peer],
    rounds: int,
    seconds: float,
    on_slice: Callable[[str], None] = lambda name: None,  # noqa: ARG005
) -> Contest:
    """``rounds`` slices of ``seconds`` for every peer, in turn, after each is warm.

    ``on_slice`` is told who is next. Who fails is left out from then on.
    """
    slices: dict[str, list[Slice]] = {peer.name: [] for peer in peers}
    failures: dict[str, str] = {}
    for turn in range(rounds + 1):
        for peer in peers:
            if peer.name in failures:
                continue
            on_slice(peer.name)
            try:
                if turn:
                    slices[peer.name].append(measure(peer, seconds))
                elif peer.warm is not None:
                    peer.warm()
                else:
                    measure(peer, seconds)
            except LoadFailed as failure:
                failures[peer.name] = str(failure)
                del slices[peer.name]
    return Contest(slices, failures)


def median_cpu_us(slices: Sequence[Slice]) -> float:
    return statistics.median(one.cpu_us_per_answer for one in slices)


def median_rate(slices: Sequence[Slice]) -> float:
    return statistics.median(one.answers_per_s for one in slices)


def least_ratio(ours: Sequence[Slice], peer: Sequence[Slice]) -> float:
    """Of the least disturbed slice of each; what noise has least to do with, on a machine shared with strangers."""
    return min(one.cpu_us_per_answer for one in peer) / min(one.cpu_us_per_answer for one in ours)


def ratios(ours: Sequence[Slice], peer: Sequence[Slice]) -> tuple[float, float, float]:
    """(of the medians, lowest, highest): peer's CPU per answer divided by ours; above 1 we are cheaper."""
    each = [p.cpu_us_per_answer / o.cpu_us_per_answer for o, p in zip(ours, peer, strict=True)]
    return median_cpu_us(peer) / median_cpu_us(ours), min(each), max(each)
