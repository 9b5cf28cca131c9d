"""Power loss: a registrar under the recorder, writing clients, and images of the disk at N moments."""

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from registry.stores.lmdb_environment import DATA_FILE
from tests.durability.clients import Clients, LoadClient, SocketClient
from tests.durability.images import Written, crash_image, read_written
from tests.durability.journal import Journal, read_journal
from tests.durability.judge import Judge
from tests.durability.lone_registrar import Ground, LoneRegistrar

SOURCE = Path(__file__).with_name("record_writes.c")
NEAR_NS = 300_000
"""How near an acknowledgement "just before" and "just after" are."""


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build_recorder(directory: Path) -> Path:
    """The preloaded library. Raises ``FileNotFoundError`` without a C compiler."""
    found = compiler()
    if found is None:
        raise FileNotFoundError("no C compiler: install cc, gcc or clang")
    library = directory / "record_writes.so"
    subprocess.run(
        [found, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl", "-lpthread"], check=True
    )
    return library


class Recording(NamedTuple):
    """One registrar's life, as the disk and as its clients saw it."""

    ground: Ground
    base: bytes
    """The file before that life."""
    written: list[Written]
    journal: Path
    acknowledged: int
    began_ns: int
    ended_ns: int


class Image(NamedTuple):
    """What one crash image showed."""

    number: int
    at_ns: int
    """Since the recording began."""
    acknowledged: int
    faults: tuple[str, ...]


def record(
    directory: Path, library: Path, seed: int, seconds: float, *, without_sync: bool = False
) -> Recording:
    """Let two frame clients and two load clients write for some seconds."""
    ground = Ground(directory / "node", min_free_percent=0.0)
    base = (ground.data / DATA_FILE).read_bytes()
    environment = {"LD_PRELOAD": str(library), "RECORD_WRITES": str(directory / "written")}
    if without_sync:
        environment["WITHOUT_SYNC"] = "1"
    journal = Journal(directory / "journal.ndjson")
    with LoneRegistrar(ground, environment) as registrar:
        began_ns = time.monotonic_ns()
        clients = Clients(
            [
                kind(name, ground.place, journal, seed)
                for name, kind in (("a", SocketClient), ("b", SocketClient), ("c", LoadClient), ("d", LoadClient))
            ]
        )  # fmt: skip
        clients.go()
        time.sleep(seconds)
        clients.pause()
        ended_ns = time.monotonic_ns()
        clients.end()
        registrar.stop()
    journal.close()
    written = read_written(directory / "written")
    return Recording(
        ground, base, written, journal.path, journal.acknowledged, began_ns, ended_ns
    )  # fmt: skip


def moments(recording: Recording, count: int, dice: random.Random) -> Iterator[int]:
    """A third anywhere, a third right around acknowledgements, a third right after a write or sync."""
    told_ns = sorted({told.time_ns for told in read_journal(recording.journal)[1].values()})
    for number in range(count):
        match number % 3:
            case 0:
                yield dice.randrange(recording.began_ns, recording.ended_ns)
            case 1:
                yield dice.choice(told_ns) + dice.choice((-NEAR_NS, -1, 0, 1, NEAR_NS))
            case _:
                yield dice.choice(recording.written).time_ns + dice.choice((-1, 0, 1))


def examine_images(
    recording: Recording, directory: Path, count: int, seed: int, judge: Judge
) -> Iterator[Image]:
    """Build each image, open it as a registrar does, and hold it against the journal as it was at that moment."""
    dice = random.Random(seed)
    place = directory / "image"
    for number, at_ns in enumerate(moments(recording, count, dice), 1):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        image = crash_image(recording.base, recording.written, at_ns, dice)
        (place / DATA_FILE).write_bytes(image)
        verdict = judge.examine(
            place, recording.journal, recording.ground.node_key, until_ns=at_ns, as_writer=True
        )
        yield Image(number, at_ns - recording.began_ns, verdict.acknowledged, verdict.faults)
