"""The client's journal: what was asked and what was answered, written before the next request.

One JSON array a line: ``["ask", number, key, token, request_id, group, time_ns]`` before anything is sent and
``["told", number, version, seq, time_ns]`` once a receipt says SUCCESS. Times are CLOCK_MONOTONIC, the same clock that
``record_writes.c`` stamps the disk's writes with. Every token is used once, so a record tells which request made it.
"""

import json
import os
import threading
import time
import zlib
from pathlib import Path
from typing import NamedTuple

from protocols.values.value import SECRET_PERMISSIONS, Value


class Asked(NamedTuple):
    """One command of a client. Keys belong to one client, so those of one key are in order."""

    number: int
    key: str
    token: str
    """Stands in every value of the record; "" = the record is to be deleted."""
    request_id: str
    group: str
    """Commands with the same group are one transaction; "" = on its own."""
    time_ns: int


class Told(NamedTuple):
    """A receipt: the command is done and durable. A number that the answer did not carry is 0."""

    version: int
    seq: int
    time_ns: int


class Journal:
    """Both directions; several threads may write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._last = 0
        self.acknowledged = 0

    def ask(self, key: str, token: str, request_id: str = "", group: str = "") -> Asked:
        with self._lock:
            self._last += 1
            asked = Asked(self._last, key, token, request_id, group, time.monotonic_ns())
            self._write(["ask", *asked])
        return asked

    def tell(self, asked: Asked, version: int = 0, seq: int = 0) -> Told:
        """Call it as soon as the receipt is there."""
        told = Told(version, seq, time.monotonic_ns())
        with self._lock:
            self.acknowledged += 1
            self._write(["told", asked.number, *told])
        return told

    def close(self) -> None:
        os.close(self._fd)

    def _write(self, entry: list[object]) -> None:
        os.write(self._fd, json.dumps(entry).encode() + b"\n")


def read_journal(path: Path, until_ns: int | None = None) -> tuple[list[Asked], dict[int, Told]]:
    """What was known at ``until_ns`` (None = all of it)."""
    asked: list[Asked] = []
    told: dict[int, Told] = {}
    for line in path.read_bytes().splitlines():
        kind, *fields = json.loads(line)
        if until_ns is not None and fields[-1] > until_ns:
            continue
        if kind == "ask":
            asked.append(Asked(*fields))
        else:
            told[fields[0]] = Told(*fields[1:])
    return asked, told


def values_of(token: str, *, with_secret: bool = True) -> tuple[Value, ...]:
    """A record's values: the token in each of them, of a size that differs from token to token."""
    filler = "." * (zlib.crc32(token.encode()) % 1200)
    values = [
        Value(1, "URL", f"https://example.org/{token}".encode()),
        Value(2, "NAME", f"{token} {filler}".encode()),
    ]
    if with_secret:
        values.append(Value(300, "HS_SECKEY", token.encode(), permissions=SECRET_PERMISSIONS))
    return tuple(values)
