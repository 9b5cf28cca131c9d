"""Bell: what wakes the supervisor: signals, the end of a child, the children's reports. No threads, no event loop."""

import contextlib
import os
import select
import signal
from collections.abc import Iterable


class Bell:
    """Make one in the main thread, once; ``catch`` takes the signals over."""

    def __init__(self) -> None:
        self._signals: list[int] = []
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.epoll()
        """Made once: it must work when there is no descriptor left, and ``poll`` and ``select`` have limits."""

    def catch(self) -> None:
        """From now on TERM, INT and HUP are noted, and do nothing else."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, _: self._signals.append(got))
        # A child's end must wake us; there is nothing else to do about it here.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    @property
    def says_stop(self) -> bool:
        """A signal to stop has come and was not taken yet."""
        return any(number != signal.SIGHUP for number in self._signals)

    def take(self) -> list[int]:
        """The signals that have come, in order."""
        taken, self._signals = self._signals, []
        return taken

    def sleep(self, most_s: float, reports: Iterable[int]) -> None:
        """Until something happens, or one of ``reports`` can be read."""
        watched = (self._read, *reports)
        for descriptor in watched:
            self._poll.register(descriptor, select.EPOLLIN)
        self._poll.poll(most_s)
        for descriptor in watched:
            self._poll.unregister(descriptor)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 512):
                pass
