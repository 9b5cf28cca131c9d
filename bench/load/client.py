"""``python -m bench.load.client``: one process of the load generator. Orders come on its input, news goes to output.

SIGTERM ends the present run early. The process ends when its input does, so it never outlives the bench that started it
by more than one run.
"""

import gc
import os
import signal
import sys
import time
from typing import BinaryIO

from bench.load.connection import Dialogue, HttpDialogue, NativeDialogue
from bench.load.keys import BadKeys
from bench.load.plan import Done, Interval, Ready, Run, Setup, read_order, write_line
from bench.load.questions import HttpCheck, check_json, check_redirect
from bench.load.receipts import check_batch, check_delete, check_delete_batch, check_put
from bench.load.recorder import Recorder
from bench.load.sources import PooledReads, Registrations
from bench.load.stream import StreamLoad
from bench.load.udp import UdpLoad
from bench.load.wakeups import wake_on_time

_CHECKS: dict[str, HttpCheck] = {"http": check_json, "redirect": check_redirect}
_NS = 1_000_000_000


def main() -> int:
    """Serve one bench."""
    orders, news = sys.stdin.buffer, sys.stdout.buffer
    setup = read_order(Setup, orders.readline())
    if setup.cpu is not None:
        os.sched_setaffinity(0, {setup.cpu})
    wake_on_time()
    try:
        client = _Reader(setup) if setup.reads else _Writer(setup)
    except (OSError, BadKeys) as error:
        _tell(news, Ready(trouble=getattr(error, "strerror", None) or str(error)))
        return 1
    gc.collect()
    gc.freeze()
    gc.disable()  # nothing here refers to itself; a collection would only be a pause
    signal.signal(signal.SIGTERM, lambda *_: client.load.stop())
    _tell(news, Ready())
    while line := orders.readline():
        _run(client, read_order(Run, line), news)
    client.load.close()
    return 0


class _Reader:
    """Asks."""

    def __init__(self, setup: Setup) -> None:
        assert setup.reads is not None
        source = PooledReads(setup, setup.reads)
        self.load: UdpLoad | StreamLoad
        if setup.target.transport == "udp":
            self.load = UdpLoad(setup, source.next_question)
        elif setup.target.transport == "tcp":
            self.load = StreamLoad(setup, source.next_question, NativeDialogue)
        else:
            check = _CHECKS[setup.target.transport]
            self.load = StreamLoad(setup, source.next_question, lambda: HttpDialogue(check))
        self.issued = 0

    def prepare(self, run: Run) -> None:
        """Nothing to be done before a run."""
        assert not run.deletes


class _Writer:
    """Registers, and deletes what it registered."""

    def __init__(self, setup: Setup) -> None:
        assert setup.writes is not None
        self._source = Registrations(setup.target, setup.number, setup.writes)
        self._is_batch = setup.writes.batch_rows > 0
        self.load = StreamLoad(setup, self._source.next_question, self._registering)

    @property
    def issued(self) -> int:
        """Rows that were handed out to be registered."""
        return self._source.issued

    def prepare(self, run: Run) -> None:
        """Ask for the one or the other."""
        if run.deletes:
            deletes = self._source.deletes()
            self.load.ask(lambda: next(deletes, None), self._deleting)
        else:
            self.load.ask(self._source.next_question, self._registering)

    def _registering(self) -> Dialogue:
        return HttpDialogue(check_batch if self._is_batch else check_put)

    def _deleting(self) -> Dialogue:
        return HttpDialogue(check_delete_batch if self._is_batch else check_delete)


def _run(client: "_Reader | _Writer", run: Run, news: BinaryIO) -> None:
    begin_ns = run.begin_ns + int(run.warm_up_s * _NS)
    answers = 0

    def tell(interval: Interval) -> None:
        nonlocal answers
        answers += interval.answers
        _tell(news, interval)

    span_ns = (begin_ns, begin_ns + int(run.seconds * _NS))
    recorder = Recorder(span_ns, int(run.interval_s * _NS), tell, time.process_time_ns)
    client.prepare(run)
    client.load.run(run, recorder)
    left = client.issued - answers if run.deletes else 0
    _tell(news, Done(recorder.cpu_ns, recorder.wall_ns, client.issued, left))


def _tell(news: BinaryIO, event: Ready | Interval | Done) -> None:
    news.write(write_line(event))
    news.flush()


if __name__ == "__main__":
    sys.exit(main())
