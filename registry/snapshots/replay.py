"""Brings a second store up to the first by reading its feed: snapshot + feed give the same export, byte for byte.

A change does not carry the values; they are read from the source's record. When the record has gone on since, the
change is superseded: its entry joins the feed and the record waits for the change that made it what it is.
"""

from protocols.identifier import read_identifier
from registry.change import Change
from registry.errors import Conflict
from registry.stores.store import ABOUT_PREFIXES, Authority, Reader, Store, Write

PAGE = 1000


def replay(source: Reader, target: Store, limit: int = PAGE) -> int:
    """Apply at most ``limit`` changes that ``target`` does not have yet, in one commit; returns how many.

    Raises ``Gone`` when retention cut what is wanted, ``Conflict`` when the two do not share one feed: in both cases
    ``target`` must begin anew from a snapshot.
    """
    source.refresh()
    theirs, ours = source.head(), target.head()
    if theirs.log_id != ours.log_id or theirs.seq < ours.seq:
        raise Conflict(
            f"another feed: {theirs.log_id.hex()} at {theirs.seq}, here {ours.log_id.hex()} at {ours.seq}"
        )
    changes = source.changes(ours.seq, limit)
    if changes:
        reached = _Reached(target)
        target.commit([_write(change, source, reached) for change in changes])
    source.release()
    return len(changes)


class _Reached:
    """Version and presence of each record in the target, as the commit being built leaves them; authorities, too."""

    def __init__(self, target: Reader) -> None:
        self._target = target
        self._states: dict[bytes, tuple[int, bool]] = {}
        self._authorities: dict[bytes, Authority] = {}

    def moved_authority(self, change: Change, source: Reader) -> Authority | None:
        """The authority that the change creates or moves; None when it stays as it is."""
        if change.operation not in ABOUT_PREFIXES:
            return None
        prefix = read_identifier(change.key).responsible_prefix
        theirs = source.authority(prefix)
        if theirs is None:
            raise Conflict(f"change {change.seq}: the source has no authority over {prefix!r}")
        # The source may have moved it again since; the changes up to here say where it was then.
        ours = self._authorities.get(prefix) or self._target.authority(prefix)
        before = ours or theirs._replace(is_delegated=False, is_unhosted=False, is_private=False)
        moved = self._authorities[prefix] = before.after(change.operation)
        return None if moved == ours else moved

    def move(self, key: bytes, version: int, *, is_present: bool) -> tuple[int, bool]:
        """Where the record was; from now on it is at ``version``."""
        before = self._states.get(key)
        if before is None:
            record = self._target.lookup_any(read_identifier(key))
            before = (record.version, not record.is_deleted) if record else (0, False)
        self._states[key] = (version, is_present)
        return before


def _write(change: Change, source: Reader, reached: _Reached) -> Write:
    record = source.lookup_any(read_identifier(change.key))
    if record is None or record.seq < change.seq:
        raise Conflict(f"change {change.seq}: the source has no such state of {change.key!r}")
    authority = reached.moved_authority(change, source)
    if record.seq > change.seq:
        return Write(change, record, 0, was_present=False, authority=authority, is_superseded=True)
    expect_version, was_present = reached.move(
        change.key, record.version, is_present=not record.is_deleted
    )
    return Write(change, record, expect_version, was_present, authority)
