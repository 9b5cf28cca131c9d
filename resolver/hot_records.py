"""Hot records: what the hottest foreign records are saved as, so that a restart does not forget them.

All integers are big-endian, ``counted`` is a length of 4 bytes and that many bytes. Version 1::

    8   "biaojieH"
    4   version
    32  SHA-256 of everything after it: damage of any kind makes the whole file be ignored
    16  log id of the store beside it: records of another node's past are none of ours
    8   number of the last change of the feed that had been heard of: who loads it hears of the later ones first
    32  digest of the settings that decide whom to believe; with others, others would have to be asked
    16  boot id of the machine, zeros when unknown: while it is the same, the monotonic clock is the better one
    8   monotonic clock at saving, milliseconds
    8   wall clock at saving, milliseconds since 1970
    4   count of records, the hottest last

    record: counted spelling, 1 rank, 1 heat, 8 age at saving (ms), 8 TTL when learned (ms), counted value list

A record's age is what the monotonic clock made it, so a wall clock that was set while the node ran changes nothing.
Absences and failures are not among them: what is not there may be there after the restart.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocols.cursor import Reader, Writer
from protocols.errors import Malformed, Unsupported
from resolver.source import Now

MAGIC = b"biaojieH"
VERSION = 1
DIGEST_BYTES, LOG_ID_BYTES, BOOT_ID_BYTES = 32, 16, 16
LEAST_RECORD_BYTES = 26
MOST_FILE_BYTES = 32 * 1_048_576
"""Of one file; it is held in memory while it is written."""
MEAN_RECORD_BYTES = 3072
"""So much for each on average; records of products take a tenth of it. With larger ones fewer are saved."""
MOST_RECORDS = 1_000_000
RANKS = range(1, 4)
"""``resolver.cache.Rank``."""
NO_BOOT_ID = bytes(BOOT_ID_BYTES)
_SEALED_FROM = len(MAGIC) + 4 + DIGEST_BYTES
HEAD_BYTES = _SEALED_FROM + LOG_ID_BYTES + 8 + DIGEST_BYTES + BOOT_ID_BYTES + 8 + 8 + 4


class Stamp(NamedTuple):
    """When and where hot records were saved."""

    log_id: bytes
    seq: int
    """Changes up to this one are taken into account."""
    settings: bytes
    """32 bytes."""
    boot_id: bytes
    """16 bytes, ``NO_BOOT_ID`` when the machine does not tell."""
    monotonic_s: float
    wall_s: float


class HotRecord(NamedTuple):
    """One record and what is to be known of it."""

    spelling: bytes
    rank: int
    """``resolver.cache.Rank``: how hard it is to forge what was told."""
    heat: int
    age_s: float
    """Since it was learned."""
    ttl_s: float
    """When it was learned."""
    encoded: bytes
    """The value list, TTLs as learned."""


def most_bytes(records: int) -> int:
    """What so many records may take in all."""
    return min(MOST_FILE_BYTES, MEAN_RECORD_BYTES * records)


def encode_record(record: HotRecord) -> bytes:
    """One record as it is saved."""
    writer = Writer()
    writer.write_counted(record.spelling)
    writer.write_u8(record.rank)
    writer.write_u8(record.heat)
    writer.write_u64(_ms(record.age_s))
    writer.write_u64(_ms(record.ttl_s))
    writer.write_counted(record.encoded)
    return writer.finish()


def seal(stamp: Stamp, records: Sequence[bytes]) -> bytes:
    """What stands before the encoded records in the file, checksum included."""
    writer = Writer()
    writer.write_bytes(stamp.log_id)
    writer.write_u64(stamp.seq)
    writer.write_bytes(stamp.settings)
    writer.write_bytes(stamp.boot_id)
    writer.write_u64(_ms(stamp.monotonic_s))
    writer.write_u64(_ms(stamp.wall_s))
    writer.write_u32(len(records))
    rest = writer.finish()
    digest = hashlib.sha256(rest)
    for record in records:
        digest.update(record)
    return MAGIC + VERSION.to_bytes(4) + digest.digest() + rest


def open_sealed(data: bytes) -> tuple[Stamp, Iterator[HotRecord]]:
    """The stamp and the records, which are read as they are asked for.

    Raises ``Malformed`` when a single bit is not as it was written, ``Unsupported`` for another version.
    """
    reader = Reader(data)
    if reader.read_bytes(len(MAGIC), "magic") != MAGIC:
        raise Malformed("hot records: not such a file", 0)
    version = reader.read_u32("version")
    if version != VERSION:
        raise Unsupported(f"hot records: version {version}, this node knows {VERSION}")
    if reader.read_bytes(DIGEST_BYTES, "checksum") != hashlib.sha256(data[_SEALED_FROM:]).digest():
        raise Malformed("hot records: the checksum is not that of the content", len(MAGIC) + 4)
    stamp = Stamp(
        reader.read_bytes(LOG_ID_BYTES, "log id"),
        reader.read_u64("change"),
        reader.read_bytes(DIGEST_BYTES, "settings"),
        reader.read_bytes(BOOT_ID_BYTES, "boot id"),
        reader.read_u64("monotonic clock") / 1000,
        reader.read_u64("wall clock") / 1000,
    )
    count = reader.read_count("records", LEAST_RECORD_BYTES, MOST_RECORDS)
    return stamp, _read_records(reader, count)


def elapsed_s(stamp: Stamp, boot_id: bytes, now: Now) -> float | None:
    """Seconds since the stamp, rather too many than too few; None when nobody can tell: a clock was set back.

    In the same boot the monotonic clock knows; it stands still while a machine is suspended, then the wall clock
    knows better. After another boot there is only the wall clock.
    """
    wall_s = now.wall_s - stamp.wall_s
    if boot_id == stamp.boot_id != NO_BOOT_ID:
        monotonic_s = now.monotonic_s - stamp.monotonic_s
        return max(monotonic_s, wall_s) if monotonic_s >= 0 else None
    return wall_s if wall_s >= 0 else None


def _read_records(reader: Reader, count: int) -> Iterator[HotRecord]:
    for _ in range(count):
        spelling = reader.read_counted("spelling")
        at = reader.offset
        rank, heat = reader.read_u8("rank"), reader.read_u8("heat")
        if rank not in RANKS:
            raise Malformed(f"hot records: there is no rank {rank}", at)
        age_s, ttl_s = reader.read_u64("age") / 1000, reader.read_u64("TTL") / 1000
        yield HotRecord(spelling, rank, heat, age_s, ttl_s, reader.read_counted("values"))
    if reader.remaining:
        raise Malformed("hot records: bytes left over", reader.offset)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
