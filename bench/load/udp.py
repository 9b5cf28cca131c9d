"""UDP load: one loop of plain non-blocking sockets, a batch of sends per wake-up, answers matched by request id."""

import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from random import Random

from bench.load.pace import Pace
from bench.load.plan import Run, Setup
from bench.load.questions import REQUEST_ID_OFFSET, Question, check_native
from bench.load.recorder import Recorder
from bench.load.wakeups import Wakeups

MAX_ANSWER_BYTES = 65_535
RECEIVE_BUFFER_BYTES = 4 * 1_048_576
"""Asked for; the kernel may give less. Answers must not be lost here while the loop is sending."""
BATCH = 32
"""Sends between two looks at what came back."""
MAX_WAITING = 262_144
"""Questions without an answer, per process; what is due beyond them is not sent and counted as such."""
TICK_NS = 20_000_000
"""How often time-outs are looked for."""
_ID_MASK = 0x7FFF_FFFF
_NS = 1_000_000_000
_put_id = struct.Struct(">I").pack_into


class _Port:
    """One socket, and how many questions it has on the way."""

    __slots__ = ("on_the_way", "recv", "send", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.send = sock.send
        self.recv = sock.recv
        self.on_the_way = 0


class UdpLoad:
    """The sockets of one process; ``run`` any number of times."""

    def __init__(self, setup: Setup, next_question: Callable[[], Question]) -> None:
        """Raises ``OSError``."""
        target = setup.target
        self._timeout_ns = int(setup.timeout_s * _NS)
        self._in_flight = setup.in_flight
        self._next_question = next_question
        self._wakeups = Wakeups()
        self._random = Random(f"{setup.seed}/{setup.number}/ids")
        self._id = self._random.getrandbits(31)
        self._waiting: dict[int, tuple[int, Question, _Port]] = {}
        """Request id -> (due, question, port), oldest first."""
        self._by_descriptor: dict[int, _Port] = {}
        family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
        for _ in range(setup.connections):
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            sock.connect((target.host, target.port))
            sock.setblocking(False)
            self._by_descriptor[sock.fileno()] = _Port(sock)
            self._wakeups.watch(sock)
        self._turns = deque(self._by_descriptor.values())
        self._free: deque[_Port] = deque()
        self._pace: Pace | None = None

    def run(self, run: Run, recorder: Recorder) -> None:
        """One load, from its warm-up to the last answer or time-out."""
        pace = self._pace = Pace(run, self._timeout_ns / _NS, self._random)
        self._waiting.clear()
        for port in self._turns:
            port.on_the_way = 0
        self._free = deque([] if pace.is_open else list(self._turns) * self._in_flight)
        clock, waiting = time.monotonic_ns, self._waiting
        tick_ns = recorder_ns = pace.begin_ns
        while True:
            now = clock()
            if now >= recorder_ns:
                recorder_ns = recorder.tick(now)
            if now >= tick_ns:
                self._expire(now, recorder, pace)
                tick_ns = now + TICK_NS
            if now >= pace.give_up_ns or (pace.is_over(now) and not waiting):
                break
            if pace.is_open:
                self._send_due(now, pace, recorder)
            elif now >= pace.begin_ns:
                self._send_freed(pace, recorder)
            wake_ns = min(pace.due_ns, tick_ns, recorder_ns)
            self._receive((wake_ns - clock()) / _NS, pace, recorder)
        self._expire(pace.give_up_ns + self._timeout_ns, recorder, pace)
        for due in pace.leftover():
            recorder.fail("unsent", due)
        recorder.flush()

    def stop(self) -> None:
        """End the present run early; what is on the way is waited for."""
        if self._pace is not None:
            self._pace.cut(time.monotonic_ns(), self._timeout_ns)

    def close(self) -> None:
        """Close the sockets."""
        self._wakeups.close()
        for port in self._turns:
            port.sock.close()

    def _send_due(self, now: int, pace: Pace, recorder: Recorder) -> None:
        turns, lag = self._turns, recorder.lags.append
        for _ in range(BATCH):
            due = pace.due_ns
            if due > now:
                return
            pace.advance()
            if due >= pace.measure_ns:
                lag(now - due)
            if len(self._waiting) >= MAX_WAITING:
                recorder.fail("unsent", due)
                continue
            port = turns[0]
            turns.rotate(-1)
            self._send(port, due, pace, recorder)
            now = time.monotonic_ns()

    def _send_freed(self, pace: Pace, recorder: Recorder) -> None:
        """In a closed loop: a question for each that was answered or given up."""
        free = self._free
        for _ in range(min(BATCH, len(free))):
            now = time.monotonic_ns()
            if now >= pace.end_ns:
                free.clear()
                return
            self._send(free.popleft(), now, pace, recorder)

    def _send(self, port: _Port, due: int, pace: Pace, recorder: Recorder) -> None:
        question = self._next_question()
        number = self._id = (self._id + 1) & _ID_MASK
        data = question.data
        _put_id(data, REQUEST_ID_OFFSET, number)
        try:
            port.send(data)
        except OSError as error:
            kind = "refused" if isinstance(error, ConnectionRefusedError) else "unsent"
            recorder.fail(kind, due)
            if not pace.is_open:
                self._free.append(port)
            return
        port.on_the_way += 1
        self._waiting[number] = (due, question, port)
        if due >= pace.measure_ns:
            recorder.sent += 1

    def _receive(self, wait_s: float, pace: Pace, recorder: Recorder) -> None:
        clock, take = time.monotonic_ns, self._waiting.pop
        took, measure_ns = recorder.latencies.append, pace.measure_ns
        frees = None if pace.is_open else self._free.append
        for descriptor, _ in self._wakeups.wait(wait_s):
            port = self._by_descriptor[descriptor]
            receive = port.recv
            for _ in range(max(1, min(port.on_the_way, BATCH))):
                try:
                    answer = receive(MAX_ANSWER_BYTES)
                except (
                    OSError
                ):  # nothing more, or an ICMP refusal, which time-outs and sends tell of
                    break
                now = clock()
                found = take(int.from_bytes(answer[8:12]), None)
                if found is None:
                    continue  # too late, and counted as a time-out; or not for us
                due, question, asked = found
                asked.on_the_way -= 1
                if frees is not None:
                    frees(asked)
                kind = check_native(question, answer)
                if kind:
                    recorder.fail(kind, due)
                elif due >= measure_ns:
                    took(now - due)
                    if question.is_miss:
                        recorder.misses += 1

    def _expire(self, now: int, recorder: Recorder, pace: Pace) -> None:
        """Give up what has waited for too long."""
        latest = now - self._timeout_ns
        given_up = []
        for number, (due, _, port) in self._waiting.items():
            if due > latest:
                break
            given_up.append(number)
            port.on_the_way = max(0, port.on_the_way - 1)
            recorder.fail("timeout", due)
            if not pace.is_open:
                self._free.append(port)
        for number in given_up:
            del self._waiting[number]
