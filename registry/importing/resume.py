"""Resume point: how far an import has come, kept as a note in the same transaction as the rows it speaks of.

Receipts come later than their batch is committed, and two batches are on their way at a time. So a note says two
things: up to which row everything is *told* (counted, rejects written), and that the rows behind it, up to ``sent``,
are committed. A run that goes on starts behind the told rows; of those that were only sent, the store itself tells
what became of them (they were changed after ``told_seq``), so that the counts come out as if nothing had happened.

On disk a note's value is one msgpack array::

    [format, sent, told_seq, reject_file, reject_bytes, read, registered, unchanged, updated, [[reason, count], …]]
"""

import hashlib
from typing import NamedTuple

import msgpack

from registry.importing.tally import Tally

FORMAT = 1
NAME = b"import/"


class FileIdentity(NamedTuple):
    """Whether a file is still the same one: no single fact is enough, all of them together are."""

    size_bytes: int
    modified_ns: int
    ends: bytes
    """Digest of its first and last stretch."""


class ResumePoint(NamedTuple):
    """Where a run stood when its latest batch was committed."""

    sent: int
    """Rows read up to the end of the latest committed batch."""
    told_seq: int
    """Number of the newest change when everything told was told."""
    reject_file: str
    """Path of the reject file, empty when there is none."""
    reject_bytes: int
    """Its length with exactly the told rows in it."""
    tally: Tally
    """What is told; ``tally.read`` rows need not be looked at again."""


def note_name(identity: FileIdentity, mapping_digest: bytes, reading: str) -> bytes:
    """The name of the note of one import: this file, this mapping, read in this way (format, encoding, columns)."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(msgpack.packb([*identity, mapping_digest, reading]))
    return NAME + digest.hexdigest().encode()


_PATH_ERRORS = "surrogateescape"
"""A path may be any bytes; this is how the system spells those that are not UTF-8."""


def encode_resume_point(point: ResumePoint) -> bytes:
    """The note's value."""
    tally = point.tally
    packed: bytes = msgpack.packb(
        [
            FORMAT,
            point.sent,
            point.told_seq,
            point.reject_file,
            point.reject_bytes,
            tally.read,
            tally.registered,
            tally.unchanged,
            tally.updated,
            tally.reasons,
        ],
        unicode_errors=_PATH_ERRORS,
    )
    return packed


def decode_resume_point(value: bytes) -> ResumePoint | None:
    """None when it was written by a program that counted otherwise, or is damaged: the import then starts anew."""
    try:
        (
            format_,
            sent,
            seq,
            reject_file,
            reject_bytes,
            read,
            registered,
            unchanged,
            updated,
            reasons,
        ) = msgpack.unpackb(value, unicode_errors=_PATH_ERRORS)
        if format_ != FORMAT:
            return None
        counts = tuple((str(reason), int(count)) for reason, count in reasons)
        return ResumePoint(
            int(sent), int(seq), str(reject_file), int(reject_bytes),
            Tally(int(read), int(registered), int(unchanged), int(updated), counts),
        )  # fmt: skip
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
