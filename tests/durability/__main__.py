"""``python -m tests.durability --cycles 50 --images 300``: durability trials of any length."""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.durability.cycles import Trial, victims
from tests.durability.judge import Judge
from tests.durability.power import Recording, build_recorder, examine_images, record

CONTROL_IMAGES = 100
"""A build that never flushes must be caught within so many images."""


def main() -> int:
    """Exit status 0 only when something was tried and nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability", description=__doc__)
    parser.add_argument("--cycles", type=int, default=0, help="kill -9 cycles on a real node")
    parser.add_argument(
        "--records", type=int, default=20_000, help="records there before the cycles"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument(
        "--directory", type=Path, help="where to work; kept when something is wrong"
    )
    parser.add_argument("--images", type=int, default=0, help="crash images of a power loss")
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="of writing that images are made of"
    )
    options = parser.parse_args()
    say(f"seed {options.seed}")
    directory = options.directory or Path(tempfile.mkdtemp(prefix="durability-"))
    directory.mkdir(exist_ok=True)
    faults = 0
    if options.cycles:
        faults += run_cycles(directory, options.cycles, options.seed, options.records)
    if options.images:
        faults += run_images(directory, options.images, options.seed, options.seconds)
    if not options.cycles and not options.images:
        say("0 kill cycles and 0 images: nothing was tried; say --cycles N or --images N")
        return 2
    if not faults and options.directory is None:
        shutil.rmtree(directory)
    else:
        say(f"the evidence is in {directory}")
    return 1 if faults else 0


def run_cycles(directory: Path, cycles: int, seed: int, records: int) -> int:
    started_s, done, faults = time.monotonic(), [], 0
    with Trial(directory, seed, records) as trial:
        say(f"node started in {trial.start_s:.2f} s, then filled with {records} records")
        for number, victim in enumerate(victims(random.Random(seed), cycles), 1):
            done.append(trial.cycle(number, victim))
            say(str(done[-1]))
            faults += len(done[-1].faults)
    answers = sorted(c.answer_s for c in done)
    say(
        f"{len(done)} kill cycles in {time.monotonic() - started_s:.0f} s; "
        f"{done[-1].acknowledged} acknowledged writes; first answer median {answers[len(answers) // 2]:.2f} s, "
        f"longest {answers[-1]:.2f} s; faults {faults}"
    )
    return faults


def run_images(directory: Path, images: int, seed: int, seconds: float) -> int:
    library = build_recorder(directory)
    faults = 0
    with Judge() as judge:
        for name, without_sync in (("honest", False), ("without sync", True)):
            place = directory / name.replace(" ", "-")
            place.mkdir()
            recording = record(place, library, seed, seconds, without_sync=without_sync)
            kinds = Counter(entry.kind for entry in recording.written)
            say(
                f"{name}: {recording.acknowledged} acknowledged writes in {seconds:g} s, on the disk "
                f"{kinds['W']} cached writes, {kinds['D']} direct writes, {kinds['S']} syncs"
            )
            if without_sync:
                faults += run_control(recording, place, seed, judge)
            else:
                faults += run_honest(recording, place, images, seed, judge)
    return faults


def run_honest(recording: Recording, place: Path, images: int, seed: int, judge: Judge) -> int:
    wrong = done = acknowledged = 0
    started_s = time.monotonic()
    for image in examine_images(recording, place, images, seed, judge):
        done += 1
        acknowledged = max(acknowledged, image.acknowledged)
        if image.faults:
            wrong += 1
            say(
                f"image {image.number} at {image.at_ns / 1e9:.6f} s: FAULT {'; '.join(image.faults)}"
            )
        elif image.number % 50 == 0:
            say(f"image {image.number}: {image.acknowledged} acknowledged writes there")
    say(
        f"{done} images in {time.monotonic() - started_s:.0f} s, up to {acknowledged} acknowledged writes each; "
        f"{wrong} with faults"
    )
    return wrong + (not done)


def run_control(recording: Recording, place: Path, seed: int, judge: Judge) -> int:
    """The same harness on a build without sync must find a loss."""
    for image in examine_images(recording, place, CONTROL_IMAGES, seed, judge):
        if image.faults:
            say(f"negative control: caught by image {image.number}: {image.faults[0]}")
            return 0
    say(f"negative control: NOT caught within {CONTROL_IMAGES} images")
    return 1


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
