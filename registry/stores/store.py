"""The store interface: what every engine promises, whatever it is made of.

One process opens a store as its writer (an exclusive lock), any number open it as readers. ``commit`` is one durable
transaction: records, feed entries, counters, request marks and notes are all there after it, or none of them is.
Every engine passes the battery in ``tests/batteries/store_battery.py``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from protocols.identifier import PREFIX_AUTHORITY, Identifier
from protocols.message import Operation
from protocols.record import Record
from registry.change import Change, genesis


class Authority(NamedTuple):
    """A prefix whose records this node keeps. Authority 0 is ``0.NA`` itself and always exists."""

    id: int
    prefix: bytes
    """Folded."""
    spelling: bytes
    """As first given."""
    is_case_sensitive: bool
    created_s: int
    is_delegated: bool = False
    """Others answer for it: what is kept below it is out of sight until responsibility is taken back."""
    is_unhosted: bool = False
    """Responsibility was given up, nobody was named: what is kept below it is out of sight, too."""
    is_private: bool = False
    """Whoever may not read cannot tell what is absent from what he may not see."""

    @property
    def is_hosted(self) -> bool:
        """Whether this node is responsible, as long as the prefix's own record is there."""
        return not (self.is_delegated or self.is_unhosted)

    @property
    def is_plain(self) -> bool:
        """Whether public values below it are for anybody at once: it is hosted and not private."""
        return not (self.is_delegated or self.is_unhosted or self.is_private)

    def after(self, operation: Operation) -> "Authority":
        """As the operation leaves it; itself when the operation is not about prefixes."""
        match operation:
            case Operation.HOST:
                return self._replace(is_delegated=False, is_unhosted=False)
            case Operation.DELEGATE:
                return self._replace(is_delegated=True, is_unhosted=False)
            case Operation.UNHOST:
                return self._replace(is_delegated=False, is_unhosted=True)
            case Operation.HIDE | Operation.SHOW:
                return self._replace(is_private=operation is Operation.HIDE)
            case _:
                return self


ABOUT_PREFIXES = frozenset(
    {
        Operation.HOST,
        Operation.DELEGATE,
        Operation.UNHOST,
        Operation.HIDE,
        Operation.SHOW,
    }
)
"""Operations that move an authority; they come with a change of the prefix's own record."""


ROOT = Authority(0, PREFIX_AUTHORITY, PREFIX_AUTHORITY, is_case_sensitive=False, created_s=0)
"""Where prefix records live; in every store from the start."""


class Head(NamedTuple):
    """Where the feed stands."""

    log_id: bytes
    """16 bytes; another one after a restore, so that followers notice the fork."""
    seq: int
    """Number of the newest change, 0 when there is none."""
    digest: bytes
    """Digest of the newest entry (``genesis(log_id)`` when there is none)."""
    oldest_available: int
    """Number of the oldest entry still kept (seq + 1 when none is)."""


def forked(head: Head, log_id: bytes) -> Head:
    """The head of a feed that goes on under another log_id: same number, same last entry."""
    return head._replace(log_id=log_id, digest=head.digest if head.seq else genesis(log_id))


class Write(NamedTuple):
    """One change with the record it makes."""

    change: Change
    record: Record
    """After the change; ``is_deleted`` for a deletion (the version goes on counting)."""
    expect_version: int
    """Version the decision was made on, tombstones included; 0 = never existed."""
    was_present: bool
    """Whether the record existed, undeleted, before: the counter moves by present-after minus present-before."""
    authority: Authority | None = None
    """Of an operation about prefixes: the authority to create in the same transaction, or the one there is as the
    operation leaves it. The store numbers it; the ``id`` given here is ignored."""
    is_superseded: bool = False
    """A mirror replays a change whose record has gone on since: the entry joins the feed, the record is left alone."""
    entry: bytes = b""
    """``encode_change(change)`` if the maker has it already."""
    digest: bytes = b""
    """``entry_digest(entry)`` if the maker has it already (it needs it for the next link)."""


class Run(NamedTuple):
    """Consecutive changes that make records of one prefix, already in the bytes in which they are stored.

    Bulk input is several times cheaper this way than as ``Write`` for ``Write``. Whoever makes a run vouches for the
    numbers, links and versions inside it; the store checks where it begins and what it meets.
    """

    prefix: bytes
    """Folded."""
    first_seq: int
    previous: bytes
    """What the first entry is linked to."""
    digest: bytes
    """Of the last entry."""
    entries: list[bytes]
    """Of the feed, one for each record."""
    records: dict[bytes, bytes]
    """Folded identifier -> stored form (protocols/record.py), in the order of ``entries``; not deleted, and no suffix
    longer than ``keys.LONGEST_PLAIN_SUFFIX_BYTES``."""
    replaced: dict[bytes, tuple[int, bool]]
    """(version, present) of what lies under those identifiers that have been there before; all others are new."""


class RequestMark(NamedTuple):
    """Remembers an idempotency key: what it did and what it said."""

    key: bytes
    """16 bytes: hash of principal and request id."""
    content: bytes
    """16 bytes: hash of the command, to tell a retry from a reuse."""
    seq: int
    """The change it made; the receipt is told again from that entry."""


class Note(NamedTuple):
    """A small named value kept in the same transaction (an import's resume point). Empty value = remove."""

    name: bytes
    value: bytes


class AtHand(NamedTuple):
    """What a look-up in one snapshot takes; valid until ``release`` or ``refresh``."""

    hosted: dict[bytes, tuple[bytes, bool]]
    """Folded prefix, ``is_plain`` -> (how its store keys begin, whether its suffixes are folded)."""
    get: Callable[[bytes], bytes | None]
    """Store key (``keys.py``) -> stored form."""
    snapshot_number: int


class Reader(Protocol):
    """The reading half. All look-ups see one snapshot between ``refresh`` and ``release``."""

    def refresh(self) -> None:
        """See the newest commit. Cheap (a renewed read transaction); call once per wake-up."""

    def release(self) -> None:
        """Give the snapshot up, so that pages can be reused; the next look-up takes a new one by itself."""

    @property
    def snapshot_number(self) -> int:
        """A number that each commit with changes makes another, of the last snapshot; cheaper than ``head``."""

    def at_hand(self) -> AtHand:
        """What ``stored`` looks into, in the present snapshot: for whoever repeats it faster."""

    def stored(self, spelling: bytes) -> bytes | None:
        """Hot path: the stored form (protocols/record.py) under an identifier in any spelling, tombstones included.

        None when absent or the prefix is not ``is_plain``. May be a view that is valid until ``release``.
        """

    def kept(self, spelling: bytes) -> bytes | None:
        """``stored``, whatever state the prefix is in: for who writes below it."""

    def lookup(self, identifier: Identifier) -> Record | None:
        """The record, None when absent or deleted."""

    def lookup_any(self, identifier: Identifier) -> Record | None:
        """The record even if it is deleted (a tombstone carries the version)."""

    def is_vacant(self, prefix: bytes, first: bytes, last: bytes) -> bool:
        """Whether no record, tombstones included, lies from one folded suffix to another, both included.

        One look-up instead of one for each row of a sorted file. False is always allowed.
        """

    def authority(self, prefix: bytes) -> Authority | None:
        """By folded prefix, hosted or not."""

    def has_prefix_record(self, prefix: bytes) -> bool:
        """Whether the folded prefix's own record is there and not deleted. Cheaper than ``lookup``; checks nothing."""

    def authorities(self, after: bytes = b"", limit: int = 1000) -> list[Authority]:
        """In order of folded prefix, those behind ``after``, hosted or not; 0.NA is not among them."""

    def list_records(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000, with_deleted: bool = False
    ) -> list[Record]:
        """Keyset page: one folded prefix's records in order of folded suffix, from behind ``after`` (folded) on."""

    def count(self, prefix: bytes) -> int:
        """Exact number of undeleted records of one folded prefix."""

    def head(self) -> Head:
        """Where the feed stands in this snapshot."""

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Changes ``after + 1 …``; empty when there is none. Raises ``Gone`` if ``after + 1`` was cut by retention."""

    def request(self, key: bytes) -> RequestMark | None:
        """The mark of an idempotency key, None when it was never used or is forgotten."""

    def note(self, name: bytes) -> bytes | None:
        """A note's value, None when there is none."""

    def close(self) -> None:
        """Give everything back; the object is useless afterwards."""


class Store(Reader, Protocol):
    """The whole store, for its single writer. The writer reads its own latest commit without ``refresh``."""

    def commit(
        self,
        writes: Sequence[Write | Run],
        marks: Sequence[RequestMark] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        """Make all of it durable, or raise and change nothing.

        Raises ``Conflict`` (a version is not as expected, a number or link does not continue the feed),
        ``StoreFull`` (disk or map full), ``StoreFailed`` (the engine failed: the writer must stop and reopen).
        """

    def truncate_changes(self, before: int, limit: int = 10_000) -> int:
        """Drop at most ``limit`` of the oldest feed entries numbered below ``before``; returns how many. Request marks
        of dropped entries go with them. The newest entry is always kept."""

    def reader(self) -> Reader:
        """Another reader in this process, with a snapshot of its own (for export and checks beside the writer)."""

    def seed(self, head: Head, authorities: Iterable[Authority], records: Iterable[Record]) -> None:
        """Fill an empty store from a snapshot, in one transaction: the feed then goes on behind ``head``.

        ``authorities`` in order of folded prefix (their ids are given anew), ``records`` in export order: those of
        0.NA, then authority by authority, each in the order of ``list_records``, tombstones included. Raises
        ``Conflict`` when the store is not empty or a record does not fit; whatever the iterables raise comes through;
        either way nothing is changed.
        """
