"""Power loss: every write told before the moment is on every disk that the moment can have left."""

import pytest

from registry.errors import StoreFailed
from registry.stores.lmdb import open_reader
from tests.durability.images import Written, crash_image
from tests.durability.judge import SETTINGS
from tests.durability.power import examine_images, record

pytestmark = pytest.mark.process

SEED = 20_261_122
NAME, ROOT_OFFSET = b"meta", 40
"""A table's name in LMDB's main table, and where behind it the number of the table's first page stands (MDB_db)."""


class Dice:
    """Always the same throw."""

    def __init__(self, chance, throw):
        self.chance, self.throw = chance, throw

    def choice(self, _):
        return self.chance

    def random(self):
        return self.throw


def test_an_image_has_what_was_synced_and_tears_what_was_not():
    journal = [
        Written(1, "W", 0, b"a" * 1024),
        Written(2, "S", 0, b""),
        Written(3, "W", 512, b"b" * 1024),
        Written(4, "D", 0, b"c" * 16),
        Written(5, "W", 2048, b"d" * 512),
    ]
    assert crash_image(b"", journal, 0, Dice(0.0, 0.5)) == b""
    assert crash_image(b"", journal, 2, Dice(0.0, 0.5)) == b"a" * 1024
    assert crash_image(b"", journal, 1, Dice(0.5, 0.6)) == b""
    assert (
        crash_image(b"", journal, 3, Dice(0.9, 0.5))[:1536] == b"c" * 16 + b"a" * 496 + b"b" * 1024
    )
    assert crash_image(b"", journal, 4, Dice(0.0, 0.5)) == b"c" * 16 + b"a" * 1008
    assert crash_image(b"", journal, 4, Dice(0.9, 0.5))[2048:] == b"d" * 512


def test_every_image_of_a_power_loss_holds_what_was_told_before(tmp_path, recorder, judge):
    recording = record(tmp_path, recorder, SEED, 0.6)
    assert recording.acknowledged > 50
    assert {entry.kind for entry in recording.written} == {"W", "D", "S"}
    images = list(examine_images(recording, tmp_path, 12, SEED, judge))
    assert [image for image in images if image.faults] == []
    assert max(image.acknowledged for image in images) > 50


def test_a_damaged_file_is_told_in_a_sentence(ground):
    """A table whose first page is not there, as after a power loss without sync."""
    file = ground.data / "data.mdb"
    pages = bytearray(file.read_bytes())
    at = pages.find(NAME)
    while at >= 0:
        root = at + len(NAME) + ROOT_OFFSET
        pages[root : root + 8] = (1 << 20).to_bytes(8, "little")
        at = pages.find(NAME, root)
    file.write_bytes(pages)
    with pytest.raises(StoreFailed, match="is damaged"):
        open_reader(ground.data, SETTINGS)


def test_a_build_without_sync_is_caught(tmp_path, recorder, judge):
    recording = record(tmp_path, recorder, SEED, 0.4, without_sync=True)
    assert recording.acknowledged > 0
    caught = (
        image for image in examine_images(recording, tmp_path, 100, SEED, judge) if image.faults
    )
    assert next(caught, None) is not None, "no image shows that nothing was ever flushed"
