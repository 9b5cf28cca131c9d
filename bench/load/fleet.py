"""Fleet: the client processes of one load, started together, listened to together, added up."""

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from bench.load.latencies import Latencies
from bench.load.plan import (
    MAX_LINE_BYTES,
    Done,
    Interval,
    Ready,
    Run,
    Setup,
    read_event,
    write_line,
)

READY_S = 120.0
"""Reading ten million keys and drawing a full pool takes some twenty seconds on a busy machine."""
GRACE_S = 30.0
"""How much longer than announced a run may take before it is called stuck."""
END_S = 5.0
HEAD_START_S = 0.05
"""From the order to the first send: every process must have read it."""
_NS = 1_000_000_000
_READ_BYTES = 65_536


class FleetTrouble(Exception):
    """A client process could not do its work; ``str()`` says why."""


class Interrupted(Exception):
    """Ctrl-C, after the processes have come to rest."""

    def __init__(self, harvest: "Harvest") -> None:
        super().__init__("interrupted")
        self.harvest = harvest


class Tally:
    """What all processes together brought in one interval, or in all."""

    def __init__(self) -> None:
        self.sent = self.answers = self.misses = 0
        self.errors: dict[str, int] = {}
        self.latencies = Latencies()

    def add(self, interval: Interval) -> None:
        """One process's interval."""
        self.sent += interval.sent
        self.answers += interval.answers
        self.misses += interval.misses
        for kind, count in interval.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        if interval.latencies:
            self.latencies.add_encoded(interval.latencies)

    def merge(self, other: "Tally") -> None:
        """Another run's, or another interval's."""
        self.sent += other.sent
        self.answers += other.answers
        self.misses += other.misses
        for kind, count in other.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        self.latencies.add(other.latencies)

    @property
    def failed(self) -> int:
        """Errors of every kind."""
        return sum(self.errors.values())


class Member(NamedTuple):
    """What one process did."""

    number: int
    sent: int
    cpu_share: float
    lags: Latencies


class Harvest(NamedTuple):
    """One run, all processes together."""

    run: Run
    """Of the whole fleet: its rate is the sum."""
    total: Tally
    moments: dict[int, Tally]
    """By number of the interval."""
    members: list[Member]
    issued: int
    left: int


Watch = Callable[[float, Tally], None]
"""Called now and then with the seconds since the first measured send and what came in the last interval."""


class Fleet:
    """Client processes, ready to run. Use it in a ``with`` statement."""

    def __init__(self, setups: Sequence[Setup]) -> None:
        """Raises ``FleetTrouble`` when one cannot be prepared; none is left behind then."""
        self.setups = setups
        self._selector = selectors.DefaultSelector()
        self._clients: list[_Client] = []
        try:
            for setup in setups:
                client = _Client(setup)
                self._clients.append(client)
                self._selector.register(client.output, selectors.EVENT_READ, client)
            self._collect(READY_S, self._see_ready)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(self, run: Run, watch: Watch | None = None) -> Harvest:
        """One load; ``run`` is for the whole fleet, its ``begin_ns`` is set here. Raises ``FleetTrouble``.

        Ctrl-C ends the load early and raises ``Interrupted`` with what there was until then.
        """
        begin_ns = time.monotonic_ns() + int(HEAD_START_S * _NS)
        for place, client in enumerate(self._clients):
            client.order(_share(run, begin_ns, place, len(self._clients)))
        gathered = _Gathered(begin_ns + int(run.warm_up_s * _NS), run.interval_s, watch)
        timeout_s = self.setups[0].timeout_s
        longest_s = HEAD_START_S + run.warm_up_s + run.seconds + timeout_s + GRACE_S
        try:
            self._collect(longest_s, gathered.see)
        except KeyboardInterrupt:
            for client in self._clients:
                client.terminate()
            self._collect(timeout_s + END_S, gathered.see)
            raise Interrupted(gathered.harvest(run)) from None
        return gathered.harvest(run)

    def close(self) -> None:
        """End the processes."""
        self._selector.close()
        for client in self._clients:
            client.close()
        self._clients.clear()

    def _collect(self, longest_s: float, see: "Callable[[_Client, _Event], bool]") -> None:
        """Listen until every process has said its last word (``see`` says which it is)."""
        waiting = set(self._clients)
        deadline_s = time.monotonic() + longest_s
        while waiting:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise FleetTrouble(f"no news of a client process for {longest_s:.0f} s")
            for key, _ in self._selector.select(left_s):
                client: _Client = key.data
                for event in client.read():
                    if see(client, event):
                        waiting.discard(client)

    @staticmethod
    def _see_ready(client: "_Client", event: "_Event") -> bool:
        assert isinstance(event, Ready)
        if event.trouble:
            raise FleetTrouble(f"{client.setup.target.name}: {event.trouble}")
        return True


_Event = Ready | Interval | Done


class _Client:
    """One process and its pipes."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._process = subprocess.Popen(  # our own interpreter and our own module
            [sys.executable, "-m", "bench.load.client"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self.output = self._process.stdin, self._process.stdout
        self._rest = b""
        self._write(write_line(setup))

    def order(self, run: Run) -> None:
        """Begin."""
        self._write(write_line(run))

    def read(self) -> list[_Event]:
        """What it has said. Raises ``FleetTrouble`` when it is gone."""
        data = os.read(self.output.fileno(), _READ_BYTES)
        if not data:
            raise FleetTrouble(f"client process {self.setup.number} ended ({self._process.wait()})")
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise FleetTrouble(f"client process {self.setup.number} does not make sense")
        return [read_event(line) for line in lines]

    def terminate(self) -> None:
        """End the present run."""
        self._process.terminate()

    def close(self) -> None:
        """Ask it to end, and make it."""
        self._process.terminate()
        with contextlib.suppress(OSError):
            self._input.close()
        self.output.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, line: bytes) -> None:
        try:
            self._input.write(line)
            self._input.flush()
        except OSError:
            raise FleetTrouble(f"client process {self.setup.number} is gone") from None


class _Gathered:
    """Adds up what the processes say."""

    def __init__(self, measure_ns: int, interval_s: float, watch: Watch | None) -> None:
        self._measure_ns = measure_ns
        self._interval_s = interval_s
        self._watch = watch
        self._total = Tally()
        self._moments: dict[int, Tally] = {}
        self._sent: dict[int, int] = {}
        self._lags: dict[int, Latencies] = {}
        self._done: dict[int, Done] = {}

    def see(self, client: _Client, event: _Event) -> bool:
        """Whether it was the process's last word."""
        number = client.setup.number
        if isinstance(event, Done):
            self._done[number] = event
            return True
        assert isinstance(event, Interval)
        self._total.add(event)
        moment = self._moments.setdefault(event.number, Tally())
        moment.add(event)
        self._sent[number] = self._sent.get(number, 0) + event.sent
        lags = self._lags.setdefault(number, Latencies())
        if event.lags:
            lags.add_encoded(event.lags)
        if self._watch is not None:
            self._watch((time.monotonic_ns() - self._measure_ns) / _NS, moment)
        return False

    def harvest(self, run: Run) -> Harvest:
        """When all are done."""
        members = [
            Member(
                number, self._sent.get(number, 0),
                done.cpu_ns / done.wall_ns if done.wall_ns else 0.0,
                self._lags.get(number) or Latencies(),
            )
            for number, done in sorted(self._done.items())
        ]  # fmt: skip
        issued = sum(done.issued for done in self._done.values())
        left = sum(done.left for done in self._done.values())
        return Harvest(run, self._total, self._moments, members, issued, left)


def _share(run: Run, begin_ns: int, place: int, count: int) -> Run:
    """One process's part of a run."""
    rate = None if run.rate_per_s is None else run.rate_per_s / count
    return Run(
        begin_ns, run.warm_up_s, run.seconds, run.interval_s, rate, run.arrivals, place / count,
        run.deletes,
    )  # fmt: skip
