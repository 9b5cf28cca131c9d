"""Scribe: writes well-formed changes into a store without a registrar, for tests of stores and snapshots."""

import hashlib

from protocols.identifier import parse_identifier, prefix_record_of
from protocols.message import Operation
from protocols.record import NO_VALUES, Record
from protocols.values.site import TCP, UDP, Interface, Server, Site, encode_site
from protocols.values.value import TTL_ABSOLUTE, Value
from protocols.values.value_list import encode_values, least_ttl_s
from registry.change import Change, encode_change, entry_digest
from registry.sealing import stamped
from registry.stores.keys import folded_suffix
from registry.stores.store import ROOT, Authority, Store, Write

LOG_ID = bytes(range(16))
T0_MS = 1_780_000_000_000
_SITE = Site((Server(1, "192.0.2.8", (Interface(UDP, 2641), Interface(TCP, 2641))),))
SOMEWHERE = Value(1, "HS_SITE", encode_site(_SITE))


class Scribe:
    """Collects writes that continue ``store``'s feed; ``commit`` hands them over."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.writes: list[Write] = []
        self._new: dict[bytes, Authority] = {}
        head = store.head()
        self.seq, self.digest = head.seq, head.digest

    def host(self, prefix: str, *, case_sensitive: bool = False) -> Write:
        """Take responsibility for a prefix, for the first time or back."""
        return self._move(prefix, Operation.HOST, (), case_sensitive)

    def delegate(self, prefix: str, *, case_sensitive: bool = False) -> Write:
        """Give responsibility for a prefix away, to a server that nobody runs."""
        return self._move(prefix, Operation.DELEGATE, (SOMEWHERE,), case_sensitive)

    def move(self, prefix: str, operation: Operation, *, case_sensitive: bool = False) -> Write:
        """Any operation about prefixes. Its record names a server that nobody runs."""
        return self._move(prefix, operation, (SOMEWHERE,), case_sensitive)

    def _move(
        self, prefix: str, operation: Operation, values: tuple[Value, ...], case_sensitive: bool
    ) -> Write:
        name = prefix.encode()
        authority = self._new.get(name.upper()) or self.store.authority(name.upper())
        if authority is None:
            authority = Authority(0, name.upper(), name, case_sensitive, T0_MS // 1000)
        authority = authority.after(operation)
        self._new[authority.prefix] = authority
        record = prefix_record_of(prefix)
        return self.write(record.spelling, operation, values, authority=authority)

    def put(self, spelling: str | bytes, *values: Value, sealed: bytes = b"") -> Write:
        """Create or replace a record; without values, one that is made up from the number of the change."""
        if not values and not sealed:
            values = (Value(1, "URL", f"https://example.com/{self.seq + 1}".encode()),)
        return self.write(spelling, Operation.PUT, values, sealed=sealed)

    def delete(self, spelling: str | bytes) -> Write:
        """Leave a tombstone."""
        return self.write(spelling, Operation.DELETE, (), is_deleted=True)

    def write(
        self,
        spelling: str | bytes,
        operation: Operation,
        values: tuple[Value, ...],
        *,
        sealed: bytes = b"",
        is_deleted: bool = False,
        authority: Authority | None = None,
    ) -> Write:
        """One write more; version and presence come from the store or from an earlier write of this commit."""
        text = spelling if isinstance(spelling, str) else spelling.decode()
        identifier = parse_identifier(text)
        home = self._new.get(identifier.prefix) or self.store.authority(identifier.prefix) or ROOT
        key = identifier.prefix + b"/" + folded_suffix(home, identifier.suffix)
        before = self._before(key, text)
        self.seq += 1
        version = before.version + 1 if before else 1
        public = encode_values(values) if values else NO_VALUES
        content = hashlib.sha256(stamped(public, 0) + sealed).digest()
        change = Change(
            self.seq, T0_MS + self.seq, operation, key, version, content,
            "operator", "test", f"r{self.seq}", self.digest,
        )  # fmt: skip
        record = Record(
            key,
            before.spelling if before else text.encode(),
            version,
            self.seq,
            (T0_MS + self.seq) // 1000,
            least_ttl_s(values),
            public,
            sealed,
            is_deleted,
            any(value.ttl_type == TTL_ABSOLUTE for value in values),
        )
        self.digest = entry_digest(encode_change(change))
        was_present = before is not None and not before.is_deleted
        write = Write(change, record, version - 1, was_present, authority)
        self.writes.append(write)
        return write

    def commit(self, marks=(), notes=()) -> list[Write]:
        """Make the collected writes durable; returns them."""
        writes, self.writes = self.writes, []
        self.store.commit(writes, marks, notes)
        self._new.clear()
        return writes

    def _before(self, key: bytes, text: str) -> Record | None:
        for write in reversed(self.writes):
            if write.record.key == key:
                return write.record
        return self.store.lookup_any(parse_identifier(text))


def fill(store: Store, *spellings: str, prefix: str = "88.118") -> Scribe:
    """Host ``prefix`` and register the given identifiers, in one commit."""
    scribe = Scribe(store)
    scribe.host(prefix)
    for spelling in spellings:
        scribe.put(spelling)
    scribe.commit()
    return scribe


def changed(write: Write, **fields: object) -> Write:
    """The write with other fields in its record (linked and numbered as before)."""
    return write._replace(record=write.record._replace(**fields))
