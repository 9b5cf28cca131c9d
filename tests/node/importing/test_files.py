"""Scratch space leaves nothing behind; the reject file can be cut back and gone on with."""

import csv

import pytest

from node.importing.reject_file import HEADER, RejectFile, RejectFileCut
from node.importing.scratch import ScratchFiles
from registry.importing.preparing import Reject
from registry.importing.seen import Seen

ROWS = [Reject(n, "barcode", "length", "'1'", f'{n},"x, y"') for n in range(5)]


def test_scratch_space_is_zeroed_writable_and_has_no_name(tmp_path):
    scratch = ScratchFiles(tmp_path)
    space = scratch.take(65_536)
    assert space[:16] == bytes(16)
    space[16:32] = b"x" * 16
    assert space[16:32] == b"x" * 16
    assert list(tmp_path.iterdir()) == []
    scratch.give_back(space)


def test_too_little_disk_is_an_error_and_not_a_crash(tmp_path):
    with pytest.raises(OSError):  # noqa: PT011  ENOSPC or EFBIG, as the file system says
        ScratchFiles(tmp_path).take(1 << 62)


def test_many_suffixes_spill_into_scratch_files(tmp_path):
    seen = Seen(ScratchFiles(tmp_path), keep=50)
    assert all(seen.add(b"%d" % n) for n in range(3000))
    assert not any(seen.add(b"%d" % n) for n in range(3000))


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_rejects_are_csv_with_a_header_and_the_raw_row(tmp_path):
    file = RejectFile(tmp_path / "r.csv")
    file.write(ROWS)
    assert file.size_bytes == (tmp_path / "r.csv").stat().st_size
    file.close()
    assert read(tmp_path / "r.csv") == [list(HEADER), *([str(r.line), *r[1:]] for r in ROWS)]


def test_going_on_cuts_what_the_resume_point_does_not_know(tmp_path):
    path = tmp_path / "r.csv"
    first = RejectFile(path)
    first.write(ROWS[:2])
    known = first.size_bytes
    first.write(ROWS[2:])
    first.close()
    second = RejectFile(path, known)
    second.write(ROWS[4:])
    second.close()
    assert [row[0] for row in read(path)] == ["line", "0", "1", "4"]


def test_a_new_run_begins_the_file_anew(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("something else entirely\n" * 99)
    RejectFile(path).close()
    assert read(path) == [list(HEADER)]


def test_a_file_shorter_than_it_was_is_not_gone_on_with(tmp_path):
    (tmp_path / "r.csv").write_text("line\n")
    with pytest.raises(RejectFileCut, match="5 bytes"):
        RejectFile(tmp_path / "r.csv", 100)


def test_without_a_path_nothing_is_written(tmp_path):
    file = RejectFile(None)
    file.write(ROWS)
    assert file.size_bytes == 0
