"""Named points inside a commit where a crash test may stop the process; production hands in an empty table.

A point is a callable given when the store is opened. At these moments the promises differ::

    before_write   nothing has been written
    after_write    records and entries are in the transaction, the head is not
    before_sync    everything is in the transaction, nothing is on the disk
    after_sync     everything is durable, nobody has been told
"""

from collections.abc import Callable, Mapping

BEFORE_WRITE, AFTER_WRITE = "before_write", "after_write"
BEFORE_SYNC, AFTER_SYNC = "before_sync", "after_sync"
POINTS = (BEFORE_WRITE, AFTER_WRITE, BEFORE_SYNC, AFTER_SYNC)

Failpoints = Mapping[str, Callable[[], None]]
"""Point name -> what to do there; an exception raised there comes out of the commit."""


def nothing() -> None:
    """What happens at a point that nobody has set."""
