"""Sources: the questions of one client process, one after the other."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from random import Random
from urllib.parse import quote

import orjson

from bench.load.keys import MISS_MARK, Keys, PatternKeys, read_keys
from bench.load.plan import Reads, Setup, Target, Writes
from bench.load.popularity import Popularity, Uniform, Zipf
from bench.load.questions import UNENCODED, Question, http_question, native_question

JSON_PATH = "/api/handles/"
_ACCEPT = {"http": "application/json", "redirect": "*/*"}
_PATH = {"http": JSON_PATH, "redirect": "/"}


class PooledReads:
    """Questions drawn and encoded beforehand, so that sending costs no more than patching an id.

    After ``Reads.pool`` of them the sequence begins again. Questions for the same key are one object.
    """

    def __init__(self, setup: Setup, reads: Reads) -> None:
        """Raises ``BadKeys``, ``OSError``."""
        random = Random(f"{setup.seed}/{setup.number}")
        keys: Keys = PatternKeys(reads.pattern) if reads.pattern else read_keys(Path(reads.file))
        popularity: Popularity = Uniform(keys.count, random)
        if reads.zipf_exponent is not None:
            popularity = Zipf(keys.count, reads.zipf_exponent, random)
        made: dict[tuple[int, bool], Question] = {}
        pool = []
        for _ in range(reads.pool):
            number, is_miss = popularity.draw(), random.random() < reads.miss_share
            question = made.get((number, is_miss))
            if question is None:
                key = keys.key(number) + (MISS_MARK if is_miss else b"")
                question = made[number, is_miss] = _question(setup, reads, key, is_miss=is_miss)
            pool.append(question)
        self.next_question = cycle(pool).__next__


def _question(setup: Setup, reads: Reads, key: bytes, *, is_miss: bool) -> Question:
    transport = setup.target.transport
    if transport in {"udp", "tcp"}:
        return native_question(key, setup.expiration_s, is_miss=is_miss)
    return http_question(
        key, setup.target.host_header, reads.headers,
        path=_PATH[transport], accept=_ACCEPT[transport], is_miss=is_miss,
    )  # fmt: skip


class Registrations:
    """Requests that register identifiers nobody has registered before, or delete them again."""

    def __init__(self, target: Target, number: int, writes: Writes) -> None:
        self.issued = 0
        """Rows handed out to be registered."""
        self._writes = writes
        self._stem = f"{writes.prefix}/{writes.tag}-{number}-"
        self._head = (
            f"Host: {target.host_header}\r\nAuthorization: {writes.authorization}\r\n"
            "Accept: application/json\r\n"
        )
        self._values = [value.partition("=")[::2] for value in writes.values]

    def next_question(self) -> Question:
        """The next row, or the next batch of rows."""
        first = self.issued
        rows = self._writes.batch_rows
        self.issued += rows or 1
        if not rows:
            return self._put(first)
        return self._batch(self._rows(first, rows), rows)

    def deletes(self) -> Iterator[Question]:
        """Requests that delete all that was handed out."""
        step = self._writes.batch_rows or 1
        for first in range(0, self.issued, step):
            handles = [self._handle(number) for number in range(first, first + step)]
            if not self._writes.batch_rows:
                yield self._request("DELETE", JSON_PATH + quote(handles[0], safe=UNENCODED), b"",
                                    handles[0])  # fmt: skip
                continue
            rows = (orjson.dumps({"handle": each, "operation": "delete"}) for each in handles)
            yield self._batch(b"\n".join(rows), step)

    def _handle(self, number: int) -> str:
        return f"{self._stem}{number}"

    def _put(self, number: int) -> Question:
        handle = self._handle(number)
        body = orjson.dumps({"values": self._values_of(number)})
        target = JSON_PATH + quote(handle, safe=UNENCODED) + "?overwrite=false"
        return self._request("PUT", target, body, handle)

    def _rows(self, first: int, rows: int) -> bytes:
        return b"\n".join(
            orjson.dumps({"handle": self._handle(number), "values": self._values_of(number)})
            for number in range(first, first + rows)
        )

    def _batch(self, body: bytes, rows: int) -> Question:
        return self._request("POST", "/api/batch?receipts=rejected", body + b"\n", "", rows)

    def _request(
        self, method: str, target: str, body: bytes, handle: str, rows: int = 1
    ) -> Question:
        kind = "application/x-ndjson" if method == "POST" else "application/json"
        head = (
            f"{method} {target} HTTP/1.1\r\n{self._head}"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return Question(bytearray(head.encode() + body), handle.encode(), size=rows)

    def _values_of(self, number: int) -> list[dict[str, object]]:
        return [
            {"index": index, "type": type_, "data": data.replace("{n}", str(number))}
            for index, (type_, data) in enumerate(self._values, 1)
        ]
