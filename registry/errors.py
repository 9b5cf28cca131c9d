"""Broken promises of a store, with their facts. Expected outcomes are ``Receipt``s, not exceptions."""


class StoreError(Exception):
    """Root of all store errors; ``str()`` is a sentence for the operator."""


class Conflict(StoreError):
    """A commit did not fit the stored state; nothing was changed."""


class StoreFull(StoreError):
    """No room on the disk or in the map; nothing was changed, reads go on."""


class StoreFailed(StoreError):
    """The engine reported an I/O error or damage: stop writing, reopen, verify."""


class StoreLocked(StoreError):
    """Another process is this store's writer."""


class WrongFormat(StoreError):
    """The store, backup or export was written by a newer or foreign program."""


class Gone(StoreError):
    """The feed entry was cut by retention; the follower must start from a snapshot."""

    def __init__(self, wanted: int, oldest_available: int) -> None:
        super().__init__(f"change {wanted} is gone, the oldest kept is {oldest_available}")
        self.wanted = wanted
        self.oldest_available = oldest_available
