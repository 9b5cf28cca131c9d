"""Hot keys: what is asked for most of what other nodes hold, kept over a restart in a file beside the store.

Worker 0 saves for all of them. Clients are spread over the workers by address, so what is hot with one is hot with
the others; one file needs no merging and no lock, only a rename. All workers load it, so that after a restart, a crash
or a reload none of them starts cold. A successor loads what was saved last; its predecessor saves when it drains, too.

What is saved is the record with its age, in the form of ``resolver/hot_records.py``. It is taken over only when nothing
can be wrong with it: the file is whole and this user's alone, belongs to this store and to these upstream settings, and
the feed since then is there, so that what changed meanwhile is forgotten before anybody is served. Otherwise it is
ignored with one line in the log: the node then begins cold, as it would without the file.

Saving holds up nobody: entries are looked at a slice at a time between other work, and a thread writes. How often
depends on how much it is, so that neither costs anything that could be felt.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from node.disk import free_percent
from node.follower import Follower
from node.logs import get_log
from node.metrics import KEPT_KEYS
from protocols.errors import ProtocolError
from protocols.identifier import read_identifier
from registry.errors import Gone
from registry.stores.store import Reader
from resolver.cache import Held
from resolver.forwarding import Forwarder
from resolver.hot_records import (
    BOOT_ID_BYTES,
    HEAD_BYTES,
    MOST_FILE_BYTES,
    NO_BOOT_ID,
    HotRecord,
    Stamp,
    elapsed_s,
    encode_record,
    most_bytes,
    open_sealed,
    seal,
)
from resolver.hottest import Survey
from resolver.limits import Limits
from resolver.source import Now

FILE_NAME = "hot_keys"
LEAST_PAUSE_S, MOST_PAUSE_S = 5.0, 300.0
BYTES_PER_S, ENTRIES_PER_S = 50_000, 2_000
"""Written and looked at, on average: ten thousand records of 300 bytes a minute, and 0.2 % of a core."""
BETWEEN_SLICES_S = 0.002
"""Other work's turn after some tenths of a millisecond of this."""
MOST_CHANGES = 100_000
"""Changes to be heard of before anybody is served, half a second; after more, others are asked again."""
CHANGES_AT_ONCE = 1000
LEFTOVER_S = 600.0
"""A half-written file as old as that has no writer any more."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = get_log("hot_keys")


class Ignored(Exception):
    """Why a file is not used."""


class Plan(NamedTuple):
    """What the settings say."""

    path: Path
    most: int
    """0 = nothing is kept or loaded."""
    saves: bool
    """Whether this worker is the one that does."""
    trust_digest: bytes
    """Of the settings that decide whom to believe."""
    not_before_wall_s: float
    """What was learned earlier was believed without the proof that is needed since."""
    least_free_percent: float
    most_changes: int = MOST_CHANGES


class HotKeys:
    """Of one worker."""

    def __init__(
        self,
        plan: Plan,
        forwarder: Forwarder,
        follower: Follower,
        reader: Reader,
        limits: Limits,
        read_clocks: Callable[[], Now],
    ) -> None:
        self._plan, self._limits, self._read_clocks = plan, limits, read_clocks
        self._forwarder, self._follower, self._reader = forwarder, follower, reader
        self._boot_id = _read_boot_id()
        self._turn = asyncio.Lock()
        self._saved_until_s = float("-inf")
        """When the youngest record of the last file was learned."""
        self._pause_s, self._between_s = LEAST_PAUSE_S, BETWEEN_SLICES_S
        self._has_trouble = False

    def load(self) -> int:
        """Take over what was saved; before anybody is served. The number of records, 0 also when they are ignored."""
        if not self._plan.most:
            return 0
        now = self._read_clocks()
        try:
            if self._plan.saves:
                _clear_away(self._plan.path, now.wall_s)
            data = _read_file(self._plan.path)
            if data is None:
                return 0
            count, changes = self._take_over(data, now)
        except (Ignored, ProtocolError, OSError) as trouble:
            self._forwarder.drop_all()
            log.warning("hot keys are ignored", extra={"reason": str(trouble)})
            return 0
        KEPT_KEYS.labels("loaded").set(count)
        log.info("hot keys loaded", extra={"records": count, "changes": changes})
        return count

    async def run(self) -> None:
        """Save from time to time."""
        while self._plan.most and self._plan.saves:
            await asyncio.sleep(self._pause_s)
            await self.save()

    async def close(self) -> None:
        """Save for the last time; there is hardly any other work left to give its turn to."""
        self._between_s = 0.0
        await self.save()

    async def save(self) -> None:
        """Save what is hottest now, unless nobody has asked for anything since the last time."""
        plan = self._plan
        if not plan.most or not plan.saves:
            return
        async with self._turn:
            seq = (
                self._follower.seq
            )  # what is heard of while we look is heard of again by who loads
            survey = Survey(
                self._forwarder.cache, self._forwarder.answers, plan.most, plan.not_before_wall_s
            )
            while not survey.step(self._read_clocks().monotonic_s):  # noqa: ASYNC110  # work, not waiting
                await asyncio.sleep(self._between_s)
            now, records, youngest_s = self._read_clocks(), deque[bytes](), self._saved_until_s
            while held := survey.take():
                youngest_s = max(youngest_s, *(one.learned_s for one in held))
                records.extend(_encode(one, now.monotonic_s) for one in held)
                await asyncio.sleep(self._between_s)
            if not survey.asked and youngest_s <= self._saved_until_s:
                return
            size = sum(map(len, records))
            while size > most_bytes(plan.most):
                size -= len(records.popleft())
            await self._write(seq, now, records)
            self._saved_until_s = youngest_s
            pause_s = max(size / BYTES_PER_S, survey.entries / ENTRIES_PER_S)
            self._pause_s = min(MOST_PAUSE_S, max(LEAST_PAUSE_S, pause_s))

    async def _write(self, seq: int, now: Now, records: Sequence[bytes]) -> None:
        plan, log_id = self._plan, self._reader.head().log_id
        stamp = Stamp(log_id, seq, plan.trust_digest, self._boot_id, now.monotonic_s, now.wall_s)
        try:
            if free_percent(plan.path.parent) < plan.least_free_percent:
                return  # the registrar says so
            await asyncio.to_thread(_write_file, plan.path, stamp, records)
        except OSError as trouble:
            if not self._has_trouble:
                log.warning("hot keys cannot be saved", extra={"reason": str(trouble)})
            self._has_trouble = True
            return
        self._has_trouble = False
        KEPT_KEYS.labels("saved").set(len(records))

    def _take_over(self, data: bytes, now: Now) -> tuple[int, int]:
        """Records taken over, and changes heard of since. Raises ``Ignored``, ``ProtocolError``."""
        stamp, records = open_sealed(data)
        self._reader.refresh()
        head, cache = self._reader.head(), self._forwarder.cache
        if stamp.log_id != head.log_id or stamp.seq > head.seq:
            raise Ignored("they belong to another store, or to a later state of this one")
        if stamp.settings != self._plan.trust_digest:
            raise Ignored("the upstream settings were others")
        later_s = elapsed_s(stamp, self._boot_id, now)
        if later_s is None:
            raise Ignored("they were saved in the future: a clock was set back")
        if later_s > self._limits.ttl_most_s + self._limits.stale_s:
            raise Ignored("they are too old")
        if head.seq - stamp.seq > self._plan.most_changes:
            raise Ignored("too much has changed since")
        # The hottest come last: should there be too many for the cache, others make way for them.
        for record in deque(records, self._plan.most):
            older = record._replace(age_s=record.age_s + later_s)
            cache.restore(older, read_identifier(record.spelling), now)
        self._hear_of_changes(stamp.seq, head.seq)
        return cache.count, head.seq - stamp.seq

    def _hear_of_changes(self, after: int, last: int) -> None:
        while after < last:
            try:
                changes = self._reader.changes(after, CHANGES_AT_ONCE)
            except Gone:
                raise Ignored("the feed since then is not kept any more") from None
            for change in changes:
                self._forwarder.drop(change.key)
            after = changes[-1].seq


def _encode(held: Held, now_s: float) -> bytes:
    age_s = now_s - held.learned_s
    return encode_record(
        HotRecord(held.spelling, held.rank, held.heat, age_s, held.ttl_s, held.encoded)
    )


def _read_file(path: Path) -> bytes | None:
    """The whole file, None when there is none. Raises ``Ignored``, ``OSError``."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        facts = os.fstat(fd)
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise Ignored(f"{path}: others than this user can read or write it")
        if facts.st_size > MOST_FILE_BYTES + HEAD_BYTES:
            raise Ignored(f"{path}: {facts.st_size} bytes, at most {MOST_FILE_BYTES} are read")
        return file.read(MOST_FILE_BYTES + HEAD_BYTES)


def _write_file(path: Path, stamp: Stamp, records: Sequence[bytes]) -> None:
    """In a thread: write beside its place, flush, rename. Worker 0 and its predecessor may do so at the same time."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(seal(stamp, records))
            file.writelines(records)
            file.flush()
            os.fsync(fd)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _clear_away(path: Path, wall_s: float) -> None:
    """Remove what workers that were killed while they wrote have left."""
    for left in path.parent.glob(path.name + ".*"):
        if wall_s - left.stat().st_mtime > LEFTOVER_S:
            left.unlink(missing_ok=True)


def _read_boot_id() -> bytes:
    """16 bytes, another after each boot of the machine; ``NO_BOOT_ID`` where the system does not tell."""
    try:
        digits = bytes.fromhex(BOOT_ID.read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return NO_BOOT_ID
    return digits if len(digits) == BOOT_ID_BYTES else NO_BOOT_ID
