"""Broken promises of a store, with their facts. Expected outcomes are ``Receipt``s, not exceptions."""


class StoreError(Exception):
    """Root of all store errors; ``str()`` is a sentence for the operator."""


class Conflict(StoreError):
    """A commit did not fit the stored state; nothing was changed."""


class StoreFull(StoreError):
    """No room on the disk or in the map; nothing was changed, reads go on."""


class StoreFailed(StoreError):
    """The engine reported an I/O error or damage: stop writing, reopen, verify."""


class DamagedRecord(StoreFailed):
    """One record is damaged or does not open. All others are fine: whoever meets it leaves it alone and goes on."""


class StoreLocked(StoreError):
    """Another process is this store's writer."""


class WrongFormat(StoreError):
    """The store, backup or export was written by a newer or foreign program."""


class NeverFinished(WrongFormat):
    """The making of the store was interrupted; nothing was ever in it, and it can be made again in place."""


class Gone(StoreError):
    """The feed entry was cut by retention; the follower must start from a snapshot."""

    def __init__(self, wanted: int, oldest_available: int) -> None:
        super().__init__(f"change {wanted} is gone, the oldest kept is {oldest_available}")
        self.wanted = wanted
        self.oldest_available = oldest_available


class DamagedExport(StoreError):
    """An export file that cannot be read in: which line, which field of it, and what is wrong there."""

    def __init__(self, line: int, field: str, reason: str) -> None:
        super().__init__(f"line {line}{', field ' + field if field else ''}: {reason}")
        self.line = line
        self.field = field
        self.reason = reason


class StoreMoved(StoreError):
    """A walk over the whole store needs it to stand still, and somebody wrote: walk over a hot copy instead."""
