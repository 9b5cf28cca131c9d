"""The reject file: every refused row with its line number, column, reason and text, as CSV that can be repaired."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from registry.importing.preparing import Reject

HEADER = ("line", "field", "reason", "detail", "row")


class RejectFileCut(Exception):
    """The file is shorter than the interrupted run left it."""


class RejectFile:
    """Written in file order. With no path it writes nothing."""

    def __init__(self, path: Path | None, keep_bytes: int = 0) -> None:
        """Begin anew, or behind the first ``keep_bytes`` of an interrupted run.

        Raises ``RejectFileCut``, ``OSError``.
        """
        self.path = path
        self.size_bytes = 0
        self._descriptor = -1
        if path is None:
            return
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        there = os.fstat(self._descriptor).st_size
        if there < keep_bytes:
            os.close(self._descriptor)
            raise RejectFileCut(
                f"{path} has {there} bytes, the interrupted run had written {keep_bytes}"
            )
        os.ftruncate(self._descriptor, keep_bytes)
        os.lseek(self._descriptor, keep_bytes, os.SEEK_SET)
        self.size_bytes = keep_bytes
        if not keep_bytes:
            self._append([HEADER])

    def write(self, rejects: Sequence[Reject]) -> None:
        """Safe on disk when it returns: the resume point will name the length."""
        if self._descriptor >= 0 and rejects:
            self._append(rejects)
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Nothing more comes."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, rows: Iterable[Iterable[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        left = memoryview(text.getvalue().encode("utf-8", "backslashreplace"))
        self.size_bytes += len(left)
        while left:
            left = left[os.write(self._descriptor, left) :]
