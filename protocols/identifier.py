"""Identifier: what is registered and resolved, e.g. ``88.118.7/SN-000123`` (RFC 3651 §2).

* ``prefix/suffix``, split at the first ``/``; a name without ``/`` is the prefix's own record, ``0.NA/`` + name.
* Folding is ASCII upper-case only (``é``, ``ß``, ``ı`` stay as they are): the prefix always, the suffix unless the
  prefix was created case-sensitive. Everything below ``0.`` is folded in any case.
* The asked spelling is kept: answers echo it byte for byte.
"""

from typing import NamedTuple

from protocols.errors import Malformed, TooLarge

MAX_IDENTIFIER_BYTES = 2048
"""Handle.Net and this node refuse longer identifiers; RFC 3651 itself sets no limit."""

MAX_PREFIX_BYTES = 255
"""Of a prefix that is hosted or delegated: a few labels; it must fit a table key beside other fields."""

PREFIX_AUTHORITY = b"0.NA"
"""The prefix under which the records of all prefixes live: ``0.NA/88.118``."""


class Identifier(NamedTuple):
    """One identifier as asked for. Make it with ``read_identifier`` or ``parse_identifier``."""

    spelling: bytes
    """UTF-8 exactly as it came, e.g. ``b"88.118.7/sn-1"`` or a bare prefix ``b"88.118.7"``."""
    prefix: bytes
    """Folded prefix, e.g. ``b"88.118.7"`` or ``b"0.NA"``."""
    suffix: bytes
    """Suffix as spelled; of a prefix record, the prefix as spelled."""

    @property
    def text(self) -> str:
        """The spelling as text."""
        return self.spelling.decode()

    @property
    def is_prefix_record(self) -> bool:
        """True for ``0.NA/…`` (and for a bare prefix, which names the same record)."""
        return self.prefix == PREFIX_AUTHORITY

    @property
    def responsible_prefix(self) -> bytes:
        """The folded prefix whose administrators are responsible: of ``0.NA/A.B`` that is ``A.B``."""
        return self.suffix.upper() if self.is_prefix_record else self.prefix

    def folded(self, case_sensitive: bool = False) -> bytes:
        """The one spelling under which the record is kept, as text bytes ``PREFIX/SUFFIX``."""
        return self.prefix + b"/" + fold_suffix(self.prefix, self.suffix, case_sensitive)


def fold_suffix(prefix: bytes, suffix: bytes, case_sensitive: bool) -> bytes:
    """The suffix's kept spelling below the folded ``prefix``."""
    if case_sensitive and not prefix.startswith(b"0."):
        return suffix
    return suffix.upper()


def split(spelling: bytes) -> tuple[bytes, bytes]:
    """``(folded prefix, suffix as spelled)``; no validation, for the hot path."""
    prefix, slash, suffix = spelling.partition(b"/")
    if slash:
        return prefix.upper(), suffix
    return PREFIX_AUTHORITY, prefix


def read_identifier(spelling: bytes) -> Identifier:
    """Check and split bytes off the wire. Raises ``Malformed`` (empty, not UTF-8, empty prefix), ``TooLarge``."""
    if len(spelling) > MAX_IDENTIFIER_BYTES:
        raise TooLarge(f"identifier: {len(spelling)} bytes, at most {MAX_IDENTIFIER_BYTES} allowed")
    try:
        spelling.decode()
    except UnicodeDecodeError as error:
        raise Malformed("identifier: not UTF-8", error.start) from None
    prefix, suffix = split(spelling)
    if not prefix or not suffix:
        what = "empty" if not spelling else "prefix is empty" if not prefix else "suffix is empty"
        raise Malformed(f"identifier: {what}")
    return Identifier(spelling, prefix, suffix)


def parse_identifier(text: str) -> Identifier:
    """``read_identifier`` for text; a lone surrogate is ``Malformed``."""
    try:
        return read_identifier(text.encode())
    except UnicodeEncodeError:
        raise Malformed("identifier: not encodable as UTF-8") from None


def prefix_record_of(prefix: str | bytes) -> Identifier:
    """The identifier of a prefix's own record: ``88.118.7`` -> ``0.NA/88.118.7``."""
    spelling = prefix.encode() if isinstance(prefix, str) else prefix
    return read_identifier(PREFIX_AUTHORITY + b"/" + spelling)


def prefix_record_named(spelling: bytes) -> Identifier:
    """A prefix's own record by either name, ``0.NA/88.118.7`` or ``88.118.7``. Raises like ``read_identifier``."""
    lead = len(PREFIX_AUTHORITY) + 1
    is_full = spelling[:lead].upper() == PREFIX_AUTHORITY + b"/"
    return prefix_record_of(spelling[lead:] if is_full else spelling)


def parent_prefix(prefix: bytes) -> bytes | None:
    """The prefix one label up (``88.118.7`` -> ``88.118``), or None for a top-level one (RFC 3651 §2)."""
    head, dot, _ = prefix.rpartition(b".")
    return head if dot else None


def is_within(prefix: bytes, above: bytes) -> bool:
    """Whether ``prefix`` is ``above`` or derived from it; both folded."""
    return prefix == above or prefix.startswith(above + b".")
