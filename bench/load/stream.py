"""TCP load, native and HTTP: persistent connections and one loop over them.

In an open loop a question that finds no free connection waits for one, and its latency goes on counting from when it
was due. A time-out closes its connection, because whatever came next on it could be the late answer.
"""

import errno
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from random import Random

from bench.load.connection import Connection, Dialogue
from bench.load.pace import Pace
from bench.load.plan import Run, Setup
from bench.load.questions import MALFORMED, Question
from bench.load.recorder import Recorder
from bench.load.wakeups import Wakeups

BATCH = 32
"""Sends between two looks at what came back."""
MAX_QUEUED = 100_000
"""Questions that are due and find no free connection; more are counted as unsent."""
TICK_NS = 20_000_000
"""How often time-outs are looked for."""
RETRY_NS = 100_000_000
"""Between two tries to connect."""
RECEIVE_BYTES = 262_144
_ID_MASK = 0x7FFF_FFFF
_NS = 1_000_000_000
_GONE = select.EPOLLHUP | select.EPOLLERR

NextQuestion = Callable[[], Question | None]
"""None when there are no more."""


class StreamLoad:
    """The connections of one process; ``run`` any number of times."""

    def __init__(
        self, setup: Setup, next_question: NextQuestion, dialogue: Callable[[], Dialogue]
    ) -> None:
        """Raises ``OSError`` when the server takes no connection."""
        self._address = (setup.target.host, setup.target.port)
        self._timeout_ns = int(setup.timeout_s * _NS)
        self._in_flight = setup.in_flight
        self._random = Random(f"{setup.seed}/{setup.number}/ids")
        self._id = self._random.getrandbits(31)
        self._wakeups = Wakeups()
        self._by_descriptor: dict[int, Connection] = {}
        self._connections = [Connection() for _ in range(setup.connections)]
        self._lost: list[Connection] = []
        self._free: deque[Connection] = deque()
        self._queue: deque[tuple[int, Question]] = deque()
        self._pace: Pace | None = None
        self._on_the_way = 0
        self._is_exhausted = False
        self.ask(next_question, dialogue)
        for connection in self._connections:
            sock = socket.create_connection(self._address, setup.timeout_s)
            self._adopt(connection, sock)
            self._bring_up(connection)

    def ask(self, next_question: NextQuestion, dialogue: Callable[[], Dialogue]) -> None:
        """From now on ask these, with these dialogues on connections that are made from now on."""
        self._next_question = next_question
        self._dialogue = dialogue
        self._is_exhausted = False
        for connection in self._connections:
            if connection.sock is not None:
                connection.dialogue = dialogue()

    def run(self, run: Run, recorder: Recorder) -> None:
        """One load, from its warm-up to the last answer or time-out."""
        pace = self._pace = Pace(run, self._timeout_ns / _NS, self._random)
        clock = time.monotonic_ns
        tick_ns = recorder_ns = pace.begin_ns
        while True:
            now = clock()
            if now >= recorder_ns:
                recorder_ns = recorder.tick(now)
            if now >= tick_ns:
                self._expire(now, recorder)
                tick_ns = now + TICK_NS
            if self._lost:
                self._mend(now, pace, recorder)
            is_over = self._is_exhausted or pace.is_over(now)
            if now >= pace.give_up_ns or (is_over and not (self._on_the_way or self._queue)):
                break
            if pace.is_open:
                self._take_up(now, pace, recorder)
            elif now >= pace.begin_ns:
                self._send_freed(pace, recorder)
            wake_ns = min(pace.due_ns, tick_ns, recorder_ns)
            self._receive((wake_ns - clock()) / _NS, pace, recorder)
        if self._on_the_way or self._queue:
            self._expire(pace.give_up_ns + self._timeout_ns, recorder)
        if not self._is_exhausted:
            for due in pace.leftover():
                recorder.fail("unsent", due)
        recorder.flush()

    def stop(self) -> None:
        """End the present run early; what is on the way is waited for."""
        if self._pace is not None:
            self._pace.cut(time.monotonic_ns(), self._timeout_ns)

    def close(self) -> None:
        """Close the connections."""
        self._wakeups.close()
        for connection in self._connections:
            if connection.sock is not None:
                connection.sock.close()

    def _take_up(self, now: int, pace: Pace, recorder: Recorder) -> None:
        """What is due goes onto free connections, or waits for one."""
        queue, free = self._queue, self._free
        for _ in range(BATCH):
            due = pace.due_ns
            if due > now:
                break
            pace.advance()
            if due >= pace.measure_ns:
                recorder.lags.append(now - due)
            question = self._next_question()
            if question is None or len(queue) >= MAX_QUEUED:
                recorder.fail("unsent", due, question.size if question else 1)
            else:
                queue.append((due, question))
            now = time.monotonic_ns()
        while queue and free:
            if (connection := self._next_free()) is not None:
                due, question = queue.popleft()
                self._send(connection, due, question, recorder)

    def _send_freed(self, pace: Pace, recorder: Recorder) -> None:
        """In a closed loop: a question for every place that is free."""
        for _ in range(min(BATCH, len(self._free) * self._in_flight)):
            now = time.monotonic_ns()
            if now >= pace.end_ns or self._is_exhausted or not self._free:
                return
            if (connection := self._next_free()) is None:
                continue
            question = self._next_question()
            if question is None:
                self._is_exhausted = True
                return
            self._send(connection, now, question, recorder)

    def _next_free(self) -> Connection | None:
        connection = self._free.popleft()
        connection.is_free = False
        return connection if connection.is_up else None

    def _send(
        self, connection: Connection, due: int, question: Question, recorder: Recorder
    ) -> None:
        assert connection.sock is not None
        assert connection.dialogue is not None
        self._id = (self._id + 1) & _ID_MASK
        request_id = connection.dialogue.stamp(question, self._id)
        try:
            taken = connection.sock.send(question.data)
        except BlockingIOError:
            taken = 0
        except OSError:
            recorder.fail("closed", due, question.size)
            self._lose(connection, "closed", recorder)
            return
        if due >= recorder.begin_ns:
            recorder.sent += question.size
        connection.waiting.append((due, question, request_id))
        self._on_the_way += 1
        if taken < len(question.data):
            connection.out = bytes(question.data[taken:])
            self._wakeups.change(connection.sock, writable=True)
        self._offer(connection)

    def _offer(self, connection: Connection) -> None:
        """Into the queue of the free, if it is."""
        has_room = len(connection.waiting) < self._in_flight and not connection.out
        if has_room and connection.is_up and not connection.is_free:
            connection.is_free = True
            self._free.append(connection)

    def _receive(self, wait_s: float, pace: Pace, recorder: Recorder) -> None:
        for descriptor, events in self._wakeups.wait(wait_s):
            connection = self._by_descriptor.get(descriptor)
            if connection is None:
                continue
            if not connection.is_up:
                self._see_connected(connection, pace, recorder)
                continue
            if connection.out and events & select.EPOLLOUT:
                self._send_rest(connection, recorder)
            if events & (select.EPOLLIN | _GONE) and connection.sock is not None:
                self._read(connection, connection.sock, recorder)

    def _read(self, connection: Connection, sock: socket.socket, recorder: Recorder) -> None:
        dialogue = connection.dialogue
        assert dialogue is not None
        try:
            data = sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(connection, "closed", recorder)
            return
        now = time.monotonic_ns()
        before = len(connection.waiting)
        try:
            answers = dialogue.answers(data, connection.waiting)
        except ValueError:
            self._on_the_way -= before - len(connection.waiting)
            self._lose(connection, MALFORMED, recorder)
            return
        self._on_the_way -= len(answers)
        for due, question, trouble in answers:
            if trouble:
                recorder.fail(trouble, due, question.size)
            elif due >= recorder.begin_ns:
                recorder.latencies.append(now - due)
                recorder.rows_beyond_one += question.size - 1
                recorder.misses += question.is_miss
        if dialogue.is_closing:
            self._lose(connection, "closed", recorder)
        else:
            self._offer(connection)

    def _send_rest(self, connection: Connection, recorder: Recorder) -> None:
        assert connection.sock is not None
        try:
            connection.out = connection.out[connection.sock.send(connection.out) :]
        except BlockingIOError:
            return
        except OSError:
            self._lose(connection, "closed", recorder)
            return
        if not connection.out:
            self._wakeups.change(connection.sock, writable=False)
            self._offer(connection)

    def _lose(self, connection: Connection, kind: str, recorder: Recorder) -> None:
        """Close it, fail what waits on it, and have it made again."""
        for due, question, _ in connection.waiting:
            recorder.fail(kind, due, question.size)
        self._on_the_way -= len(connection.waiting)
        connection.waiting.clear()
        if connection.sock is not None:
            del self._by_descriptor[connection.sock.fileno()]
            connection.sock.close()  # which ends the watching, too
        connection.sock, connection.is_up, connection.out = None, False, b""
        self._lost.append(connection)

    def _mend(self, now: int, pace: Pace, recorder: Recorder) -> None:
        """Begin to connect those that are lost. Not among events: descriptors are used again at once."""
        still_lost = [each for each in self._lost if each.retry_ns > now]
        ready = [each for each in self._lost if each.retry_ns <= now]
        self._lost = still_lost
        for connection in ready:
            connection.retry_ns = now + RETRY_NS
            family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            if sock.connect_ex(self._address) not in {0, errno.EINPROGRESS}:
                sock.close()
                self._lost.append(connection)
                if now >= pace.measure_ns:
                    recorder.fail("connect", now)
                continue
            connection.since_ns = now
            self._adopt(connection, sock)

    def _adopt(self, connection: Connection, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = sock
        connection.dialogue = self._dialogue()
        self._by_descriptor[sock.fileno()] = connection
        self._wakeups.watch(sock, writable=True)

    def _see_connected(self, connection: Connection, pace: Pace, recorder: Recorder) -> None:
        assert connection.sock is not None
        if connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            if time.monotonic_ns() < pace.end_ns:
                recorder.fail("connect", time.monotonic_ns())
            self._lose(connection, "connect", recorder)
        else:
            self._bring_up(connection)

    def _bring_up(self, connection: Connection) -> None:
        assert connection.sock is not None
        connection.is_up, connection.retry_ns = True, 0
        self._wakeups.change(connection.sock, writable=False)
        self._offer(connection)

    def _expire(self, now: int, recorder: Recorder) -> None:
        """Give up what has waited for too long."""
        latest = now - self._timeout_ns
        while self._queue and self._queue[0][0] <= latest:
            due, question = self._queue.popleft()
            recorder.fail("unsent", due, question.size)
        for connection in self._connections:
            if connection.waiting and connection.waiting[0][0] <= latest:
                while connection.waiting and connection.waiting[0][0] <= latest:
                    due, question, _ = connection.waiting.popleft()
                    recorder.fail("timeout", due, question.size)
                    self._on_the_way -= 1
                self._lose(connection, "closed", recorder)
            elif connection.sock and not connection.is_up and connection.since_ns <= latest:
                recorder.fail("connect", now)
                self._lose(connection, "connect", recorder)
