"""What a principal may do: HS_ADMIN and HS_VLIST values evaluated over what the node holds.

An identifier is administered by whoever the HS_ADMIN values of its prefix record (``0.NA/`` + prefix) name, and those
of the record itself. A value names ``handle:index``; index 0 stands for any index there, and if the value at that place
is an HS_VLIST, its members are named (RFC 3651 §3.2.1, §3.2.3; Handle.Net manual, "administrators"). Rights add up.
Only records held here are looked at, nothing is asked of other nodes, and the search is bounded: a group that hides
behind more levels or look-ups than the limits grants nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from protocols.errors import ProtocolError
from protocols.identifier import PREFIX_AUTHORITY, Identifier, parse_identifier
from protocols.message import Outcome, Principal
from protocols.values.admin import Admin, decode_admin
from protocols.values.value import Reference, Value, parse_reference
from protocols.values.vlist import decode_vlist

MAX_GROUP_LEVELS = 4
"""Groups within groups; deeper nesting has not been seen in practice and only serves to slow the node."""
MAX_GROUP_LOOKUPS = 64
"""Groups opened for one question, so that a web of groups costs a bounded time."""
MAX_NAMES = 4096
"""Names compared for one question, some 20 ms of work: one full record of administrators and one full group."""

ADMIN_TYPE, GROUP_TYPE = "HS_ADMIN", "HS_VLIST"


class Directory(Protocol):
    """What the evaluation looks up."""

    def key_of(self, identifier: Identifier) -> bytes:
        """The folded key, by the case rule of the identifier's prefix."""

    def values_of(self, identifier: Identifier) -> tuple[Value, ...] | None:
        """All values, non-public ones too; None when absent."""


def may(principal: Principal, identifier: Identifier, needed: int, directory: Directory) -> Outcome:
    """SUCCESS if the principal has every bit of ``needed`` over the identifier, else what to refuse with."""
    if not principal.handle:
        return Outcome.AUTHENTICATION_NEEDED
    return verdict(rights(principal, identifier, directory), needed)


def verdict(granted: int | None, needed: int) -> Outcome:
    """What ``granted`` rights (None = not an administrator at all) say to a need."""
    if granted is None:
        return Outcome.NOT_ADMINISTRATOR
    return Outcome.SUCCESS if granted & needed == needed else Outcome.PERMISSION_DENIED


def rights(principal: Principal, identifier: Identifier, directory: Directory) -> int | None:
    """All permission bits the principal has over the identifier; None when no HS_ADMIN names it."""
    places = [prefix_record(identifier.responsible_prefix)]
    if not identifier.is_prefix_record:
        places.append(identifier)
    return _rights_at(places, principal, directory)


def rights_below(principal: Principal, prefix: bytes, directory: Directory) -> int | None:
    """``rights`` over what is below a folded prefix and has no HS_ADMIN of its own."""
    return _rights_at([prefix_record(prefix)], principal, directory)


def _rights_at(
    places: Iterable[Identifier], principal: Principal, directory: Directory
) -> int | None:
    if not principal.handle:
        return None
    search = _Search(principal, directory)
    granted: int | None = None
    for admin in _admins_at(places, directory):
        if search.is_named(admin.handle, admin.index):
            granted = (granted or 0) | admin.permissions
    return granted


def is_server_admin(
    principal: Principal, server_admins: Iterable[str], directory: Directory
) -> bool:
    """Whether one of the ``index:handle`` texts is the principal. Groups do not count here."""
    if not principal.handle:
        return False
    search = _Search(principal, directory)
    for text in server_admins:
        try:
            name = parse_reference(text)
        except ProtocolError:
            continue  # settings are checked where they are read; a name that is none is nobody's
        if search.is_me(name.handle, name.index):
            return True
    return False


def prefix_record(prefix: bytes) -> Identifier:
    """The identifier of a folded prefix's record; not limited in length, as it is only looked up."""
    return Identifier(PREFIX_AUTHORITY + b"/" + prefix, PREFIX_AUTHORITY, prefix)


def is_admin_value(value: Value) -> bool:
    """Whether a value grants rights over its record; types match without case."""
    return value.type.upper() == ADMIN_TYPE


def _admins_at(places: Iterable[Identifier], directory: Directory) -> Iterator[Admin]:
    for place in places:
        for value in directory.values_of(place) or ():
            if is_admin_value(value):
                try:
                    yield decode_admin(value.data)
                except ProtocolError:
                    continue  # nothing unreadable is stored by the rules; from elsewhere it grants nothing


class _Search:
    """Is the principal named? Opens each group once, breadth first, within the limits of this module."""

    __slots__ = ("_answers", "_directory", "_groups", "_my_index", "_my_key", "_names_left")

    def __init__(self, principal: Principal, directory: Directory) -> None:
        self._directory = directory
        self._my_index = principal.index
        self._my_key = self._key(principal.handle)
        self._groups: dict[tuple[bytes, int], Sequence[Reference]] = {}
        self._answers: dict[Reference, bool] = {}
        self._names_left = MAX_NAMES

    def is_me(self, handle: str, index: int) -> bool:
        return self._is_me(self._key(handle), index)

    def is_named(self, handle: str, index: int) -> bool:
        name = Reference(handle, index)
        if name not in self._answers:
            self._answers[name] = self._find_me([name])
        return self._answers[name]

    def _find_me(self, names: list[Reference]) -> bool:
        seen: set[tuple[bytes, int]] = set()
        for level in range(MAX_GROUP_LEVELS + 1):
            groups = []
            for name in names:
                if not self._names_left:
                    return False
                self._names_left -= 1
                key = self._key(name.handle)
                if self._is_me(key, name.index):
                    return True
                if key is not None and name.index and (key, name.index) not in seen:
                    seen.add((key, name.index))
                    groups.append((key, name))
            if level == MAX_GROUP_LEVELS:
                break
            names = [member for key, name in groups for member in self._members(key, name)]
        return False

    def _is_me(self, key: bytes | None, index: int) -> bool:
        return key is not None and key == self._my_key and index in (0, self._my_index)

    def _key(self, handle: str) -> bytes | None:
        try:
            return self._directory.key_of(parse_identifier(handle))
        except ProtocolError:
            return None

    def _members(self, key: bytes, name: Reference) -> Sequence[Reference]:
        place = (key, name.index)
        known = self._groups.get(place)
        if known is not None:
            return known
        if len(self._groups) >= MAX_GROUP_LOOKUPS:
            return ()
        self._groups[place] = members = self._read_group(name)
        return members

    def _read_group(self, name: Reference) -> Sequence[Reference]:
        for value in self._directory.values_of(parse_identifier(name.handle)) or ():
            if value.index == name.index and value.type.upper() == GROUP_TYPE:
                try:
                    return decode_vlist(value.data)
                except ProtocolError:
                    return ()
        return ()
