"""The load generator where there is no compiler: the same checks in Python, too slow for fast servers."""

import random
import select
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.compare.generator import Paced, Target
from bench.compare.requests import Request, read_requests
from bench.slices import Loaded, LoadFailed

BATCH = 32
"""Datagrams in flight, all from one source port at a time."""
PORTS = 64
PATIENCE_S = 0.25
WARM_SLICE_S = 0.2
STREAM_PATIENCE_S = 5.0
SUCCESS = 1


class _Tally:
    def __init__(self) -> None:
        self.answers = self.lost = self.wrong = 0


class PythonGenerator:
    """See ``bench.compare.generator.Generator``."""

    def __init__(self, target: Target) -> None:
        self._requests = read_requests(target.requests)
        self._next = self._times = 0
        """Of the next request; while warming, how often each is made."""
        self._chance = random.Random(1)
        self._code = SUCCESS
        self._kind = KINDS[target.kind]
        address = ("127.0.0.1", target.port)
        self._is_stream = not target.kind.endswith("udp")
        if self._is_stream:
            self._sockets = [socket.create_connection(address) for _ in range(target.sockets)]
        else:
            self._sockets = [_datagrams_to(address) for _ in range(PORTS)]

    def run(self, seconds: float) -> Loaded:
        """As many as it can."""
        tally, cpu, wall = _Tally(), time.process_time_ns(), time.monotonic_ns()
        deadline_s = time.monotonic() + seconds
        if self._is_stream:
            self._streams(tally, deadline_s)
        turn = 0
        while not self._is_stream and time.monotonic() < deadline_s:
            self._window(self._sockets[turn % PORTS], tally)
            turn += 1
        return Loaded(
            tally.answers, tally.lost, tally.wrong,
            time.process_time_ns() - cpu, time.monotonic_ns() - wall,
        )  # fmt: skip

    def warm(self, times: int) -> Loaded:
        """Every request so many times in a row."""
        self._times, self._next = times, 0
        total = Loaded(0, 0, 0, 0, 0)
        while self._next < len(self._requests) * times:
            one = self.run(WARM_SLICE_S)
            total = Loaded(*(a + b for a, b in zip(total, one, strict=True)))
        self._times = 0
        return total

    def pace(self, seconds: float, rate_per_s: float) -> Paced:
        """One question after the other, each at its time or as soon as the one before is answered."""
        tally, waits_ns = _Tally(), []
        cpu, wall = time.process_time_ns(), time.monotonic_ns()
        for count in range(int(seconds * rate_per_s)):
            due_ns = wall + int(count / rate_per_s * 1e9)
            while time.monotonic_ns() < due_ns:
                continue
            before = tally.answers
            self._window(self._sockets[count % PORTS], tally, 1)
            if tally.answers > before:
                waits_ns.append(time.monotonic_ns() - due_ns)
        loaded = Loaded(
            tally.answers, tally.lost, tally.wrong,
            time.process_time_ns() - cpu, time.monotonic_ns() - wall,
        )  # fmt: skip
        return Paced(loaded, _percentiles(sorted(waits_ns)))

    def expect_code(self, code: int) -> None:
        """Which Handle response code is right."""
        self._code = code

    def close(self) -> None:
        """Close all sockets."""
        for each in self._sockets:
            each.close()

    def _take(self) -> tuple[int, Request]:
        number = self._next
        self._next = number + 1
        count = len(self._requests)
        place = number // self._times % count if self._times else self._chance.randrange(count)
        return number, self._requests[place]

    def _window(self, sock: socket.socket, tally: _Tally, size: int = BATCH) -> None:
        at, width = self._kind.id_at, self._kind.id_bytes
        waiting: dict[bytes, Request] = {}
        for _ in range(size):
            number, request = self._take()
            request_id = (number & self._kind.id_mask).to_bytes(width)
            sock.send(request.data[:at] + request_id + request.data[at + width :])
            waiting[request_id] = request
        while waiting:
            try:
                answer = sock.recv(2048)
            except BlockingIOError:
                if not select.select([sock], [], [], PATIENCE_S)[0]:
                    break
                continue
            asked = waiting.pop(answer[at : at + width], None)
            if asked is not None:
                self._count(tally, answer, asked)
        tally.lost += len(waiting)

    def _streams(self, tally: _Tally, deadline_s: float) -> None:
        asked: dict[socket.socket, Request] = {}
        with selectors.DefaultSelector() as selector:
            for sock in self._sockets:
                selector.register(sock, selectors.EVENT_READ)
                asked[sock] = self._ask(sock)
            while asked:
                ready = selector.select(STREAM_PATIENCE_S)
                if not ready:
                    raise LoadFailed("no answer for 5 s")
                goes_on = time.monotonic() < deadline_s
                for key, _ in ready:
                    heard = key.fileobj
                    assert isinstance(heard, socket.socket)
                    self._count(tally, self._read(heard), asked.pop(heard))
                    if goes_on:
                        asked[heard] = self._ask(heard)

    def _ask(self, sock: socket.socket) -> Request:
        number, request = self._take()
        data = request.data
        if self._kind.id_bytes:
            at, width = self._kind.id_at, self._kind.id_bytes
            data = data[:at] + (number & self._kind.id_mask).to_bytes(width) + data[at + width :]
        sock.sendall(data)
        return request

    def _read(self, sock: socket.socket) -> bytes:
        data = b""
        while not (size := self._kind.whole(data)) or len(data) < size:
            more = sock.recv(65536)
            if not more:
                raise LoadFailed("the server closed a connection")
            data += more
        return data

    def _count(self, tally: _Tally, answer: bytes, asked: Request) -> None:
        if self._kind.is_right(answer, self._code) and asked.must in answer:
            tally.answers += 1
        else:
            tally.wrong += 1


def _datagrams_to(address: tuple[str, int]) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(address)
    sock.setblocking(False)
    return sock


def _percentiles(waits_ns: Sequence[int]) -> dict[str, float]:
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    last = len(waits_ns) - 1
    return {
        name: waits_ns[min(last, int(share * len(waits_ns)))] / 1000
        for name, share in shares.items()
        if waits_ns
    }


class _Kind(NamedTuple):
    """How one protocol is asked and told."""

    id_at: int
    id_bytes: int
    is_right: Callable[[bytes, int], bool]
    whole: Callable[[bytes], int]
    """Size of the first message of a stream, 0 = its head is not there yet."""

    @property
    def id_mask(self) -> int:
        return 0xFFFF if self.id_bytes == 2 else 0x7FFFFFFF


def whole_handle(data: bytes) -> int:
    """Size of the first native message in ``data``, 0 when its envelope is not all there."""
    return 20 + int.from_bytes(data[16:20]) if len(data) >= 20 else 0


def whole_http(data: bytes) -> int:
    """Size of the first HTTP answer in ``data``, 0 when its head is not all there."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return 0
    _, _, length = head.lower().partition(b"content-length:")
    return len(head) + 4 + int(length.split(b"\r\n")[0] or 0)


def _whole_redis(data: bytes) -> int:
    head, end, _ = data.partition(b"\r\n")
    if not end:
        return 0
    return len(head) + 2 + (int(head[1:]) + 2 if head[:1] == b"$" and head[1:2] != b"-" else 0)


def _right_handle(answer: bytes, code: int) -> bool:
    return len(answer) >= 44 and int.from_bytes(answer[24:28]) == code


def _right_dns(answer: bytes, _: int) -> bool:
    flags = int.from_bytes(answer[2:4])
    return flags & 0x8000 != 0 and flags & 0x020F == 0 and answer[6:8] != bytes(2)


KINDS = {
    "handle-udp": _Kind(8, 4, _right_handle, len),
    "dns-udp": _Kind(0, 2, _right_dns, len),
    "echo-udp": _Kind(8, 4, lambda answer, _: len(answer) >= 12, len),
    "handle-tcp": _Kind(8, 4, _right_handle, whole_handle),
    "http": _Kind(0, 0, lambda answer, _: answer.startswith(b"HTTP/1.1 200"), whole_http),
    "redis": _Kind(
        0,
        0,
        lambda answer, _: answer.startswith(b"$") and not answer.startswith(b"$-"),
        _whole_redis,
    ),
}
