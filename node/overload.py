"""Overload: which work is refused while the event loop comes late, so that the rest is still done in time.

Beyond its capacity a node that serves everybody serves everybody too late: answers go to clients that have given up,
and what is useful falls to nothing. So the least important work is refused first, at once and cheaply; the work that
costs least and helps most (what the hot paths answer) is never refused here. Time is handed in: the worker tells how
late its loop came, twenty times a second.

One late turn is no overload: a garbage collection, another process, a large record. The loop has to come late for a
whole window, and the least lateness in it counts; one turn in time ends it (the rule of CoDel, RFC 8289 §4.2, which
looks at the least delay of an interval because only a standing queue keeps that high). Nor is it overload when the loop
came late and had nothing to do: a timer waits for the machine, too, but then the turn after it is short. So a turn is
measured with every look, and the shorter of the two is what the loop is late by its own doing.
"""

from collections import deque
from enum import Enum

LOOK_EVERY_S = 0.05
"""How often the worker looks how late it is; a timer costs some 10 µs."""
WINDOW = 4
"""Looks of one window: a fifth of a second when they come in time, longer when they do not."""
MOST_WAIT_S = 0.1
"""A datagram that waited longer is not answered when there is a queue: its client asks again after half a second, and
what came since is answered in time instead."""

TOO_BUSY = "this node has more to do than it can do in time; try again in a moment"


class Work(Enum):
    """What may be refused, the least important first."""

    BULK = "bulk"
    """Batches of registrations, listings, the feed: whoever asks for these can wait."""
    WRITE = "write"
    """Single registrations: they cost a password check and a commit, and their clients try again."""
    FORWARD = "forward"
    """Questions that another node would have to be asked; not what is remembered of earlier ones."""
    READ = "read"
    """Answers made off the hot path: pages, selections, redirects."""


SHED_ABOVE_S = {
    Work.BULK: 0.05,
    Work.WRITE: 0.08,
    Work.FORWARD: 0.1,
    Work.READ: 0.25,
}
"""How late the loop comes before this is refused. A loop late by a quarter of a second leaves a UDP client with half of
its patience: beyond that only the hot paths are served."""


class Overload:
    """One worker's. ``refused`` counts what was refused, for the metrics."""

    def __init__(self) -> None:
        self._lags_s: deque[float] = deque([0.0] * WINDOW, maxlen=WINDOW)
        self.lag_s = 0.0
        """The least lateness of the window: what stands in the way of everything."""
        self.refused = dict.fromkeys(Work, 0)
        self.stale = 0
        """Datagrams dropped unread because their senders have given up."""

    def saw(self, lag_s: float, turn_s: float) -> None:
        """The loop was so late, and its next whole turn took so long; called every ``LOOK_EVERY_S``."""
        self._lags_s.append(min(lag_s, turn_s))
        self.lag_s = min(self._lags_s)

    def refuses(self, work: Work) -> bool:
        """Whether one such piece of work is to be refused now; it is counted if so."""
        if self.lag_s <= SHED_ABOVE_S[work]:
            return False
        self.refused[work] += 1
        return True

    def holds(self, work: Work) -> bool:
        """The same for work that has begun and can pause: nothing is refused, nothing counted."""
        return self.lag_s > SHED_ABOVE_S[work]
