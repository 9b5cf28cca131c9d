"""Rendered answers: whole HTTP responses to plain requests that come again and again.

The key is the raw request target, for some followed by what the answer depends on besides (a language, or that the
client has the entity already). The bytes are those that went out, two fields of which have their time: the ``Date``
line and, of some, the value of ``Expires``; both are set anew when an answer goes out in another second.

What was made from this node's own records holds until a change names the record. What another node told holds exactly
as long as the encoded answer it was made from (``answers.py``): the maker leaves those bytes here, and who wants the
answer has to find the same object still in force.

Nobody comes onto the shelf at the first question: of keys that are asked for once, in a scan, a mark is all that stays.
"""

from array import array
from collections.abc import Callable

from protocols.identifier import PREFIX_AUTHORITY, split
from resolver.shelf import ENTRY_BYTES, Entry, Shelf

DOOR_SLOTS = 65_536
"""Keys whose first question is remembered, eight bytes each; a power of two."""
RENDERED_BYTES = ENTRY_BYTES + 190
"""An entry with its numbers and the heads of its bytes (measured as in ``shelf.py``)."""


class Count:
    """Answers of one kind, counted where nothing slower may be: ``count.answers += 1``."""

    __slots__ = ("answers",)

    def __init__(self) -> None:
        self.answers = 0


class Rendered(Entry):
    """One response. ``response`` holds ``date`` at ``date_at`` and, if not 0, an HTTP date at ``expires_at``."""

    __slots__ = (
        "count", "date", "date_at", "expires_at", "head_bytes", "response", "source", "spelling", "tag", "ttl_s",
    )  # fmt: skip

    def __init__(self, key: bytes, spelling: bytes, response: bytes, count: Count) -> None:
        cost_bytes = RENDERED_BYTES + len(key) + len(spelling) + len(response)
        super().__init__(key, cost_bytes)
        self.spelling = spelling
        """The identifier as asked for."""
        self.response = response
        self.count = count
        """Where its answers are counted."""
        self.date = b""
        """The ``Date`` line in ``response``; the maker's own object, so that being the same is enough."""
        self.date_at = self.head_bytes = self.expires_at = self.ttl_s = 0
        self.tag: str | None = None
        """Its entity tag, where the answer may be "not modified" instead."""
        self.source: bytes | None = None
        """The encoded answer of another node it was made from; None = made from a record here."""

    def patch(self, date: bytes, expires: bytes) -> bytes:
        """The response with another ``Date`` line and another ``Expires`` value, both as long as the former ones."""
        whole, start, end = self.response, self.date_at, self.date_at + len(self.date)
        assert len(date) == end - start, date
        at = self.expires_at
        if at:
            after = at + len(expires)
            whole = whole[:start] + date + whole[end:at] + expires + whole[after:]
        else:
            whole = whole[:start] + date + whole[end:]
        self.response, self.date = whole, date
        return whole


class RenderedAnswers:
    """At most ``most_bytes`` of memory; ``read_spelling`` gives the identifier that a key asks for."""

    def __init__(self, most_bytes: int, read_spelling: Callable[[bytes], bytes]) -> None:
        def read_name(key: bytes) -> bytes:
            prefix, suffix = split(read_spelling(key))
            return prefix + b"/" + suffix.upper()

        self.most_bytes = most_bytes
        self._shelf: Shelf[Rendered] = Shelf(most_bytes, read_name)
        self.entries = self._shelf.entries
        """For the hot path, which looks at ``branch.is_cut`` itself and sets ``is_asked``."""
        self._door = array("q", bytes(8 * DOOR_SLOTS))

    @property
    def used_bytes(self) -> int:
        """Memory that is taken, as an estimate (see ``shelf.py``); never above the budget."""
        return self._shelf.used_bytes

    @property
    def evictions(self) -> int:
        """Responses that had to make way so far."""
        return self._shelf.evictions

    @property
    def count(self) -> int:
        """Responses that can be found."""
        return self._shelf.count

    def is_wanted(self, key: bytes) -> bool:
        """Whether the key was asked for before, of late; from now on it was."""
        mark = hash(key)
        slot = mark & (DOOR_SLOTS - 1)
        if self._door[slot] == mark:
            return True
        self._door[slot] = mark
        return False

    def put(self, entry: Rendered) -> None:
        """Keep it in place of the one with the same key."""
        self._shelf.put(entry)

    def drop(self, folded: bytes) -> None:
        """A change names this record: forget it in every spelling; of a prefix record, all below the prefix with it."""
        self._shelf.drop(folded)
        prefix, suffix = split(folded)
        if prefix == PREFIX_AUTHORITY:
            self._shelf.drop_below(suffix)

    def clear(self) -> None:
        """Forget everything."""
        self._shelf.clear()
