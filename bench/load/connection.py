"""One persistent connection of the load generator, and the two dialects spoken over it."""

import socket
import struct
from collections import deque
from typing import NamedTuple, Protocol, TypeAlias

from bench.load.http_reader import HttpReader
from bench.load.native_reader import NativeReader
from bench.load.questions import REQUEST_ID_OFFSET, HttpCheck, Question, check_native

Waiting: TypeAlias = tuple[int, Question, bytes]
"""(due, question, request id as sent)."""
_put_id = struct.Struct(">I").pack_into


class Answered(NamedTuple):
    """One answer and the question it belongs to; ``trouble`` is empty when it is right."""

    due_ns: int
    question: Question
    trouble: str


class Stray(ValueError):
    """An answer nobody waits for."""


class Dialogue(Protocol):
    """What one connection remembers of its dialect."""

    @property
    def is_closing(self) -> bool:
        """The server said that it closes the connection now."""

    def stamp(self, question: Question, number: int) -> bytes:
        """Patch what changes at each send; returns the request id."""

    def answers(self, data: bytes, waiting: deque[Waiting]) -> list[Answered]:
        """What ``data`` completes, taken out of ``waiting``. Raises ``ValueError`` when it cannot be read."""


class NativeDialogue:
    """Messages by request id; answers in any order."""

    def __init__(self) -> None:
        self._reader = NativeReader()

    @property
    def is_closing(self) -> bool:
        """Never: it just closes."""
        return False

    def stamp(self, question: Question, number: int) -> bytes:
        """As ``Dialogue`` says."""
        _put_id(question.data, REQUEST_ID_OFFSET, number)
        return number.to_bytes(4)

    def answers(self, data: bytes, waiting: deque[Waiting]) -> list[Answered]:
        """As ``Dialogue`` says."""
        found = []
        for message in self._reader.feed(data):
            due_ns, question, _ = _take(waiting, message[REQUEST_ID_OFFSET : REQUEST_ID_OFFSET + 4])
            found.append(Answered(due_ns, question, check_native(question, message)))
        return found


class HttpDialogue:
    """Answers in the order of the requests."""

    def __init__(self, check: HttpCheck) -> None:
        self._reader = HttpReader()
        self._check = check

    @property
    def is_closing(self) -> bool:
        """As ``Dialogue`` says."""
        return self._reader.is_closing

    def stamp(self, question: Question, number: int) -> bytes:  # noqa: ARG002  nothing changes
        """As ``Dialogue`` says."""
        return b""

    def answers(self, data: bytes, waiting: deque[Waiting]) -> list[Answered]:
        """As ``Dialogue`` says."""
        found = []
        for answer in self._reader.feed(data):
            due_ns, question, _ = _take(waiting, b"")
            found.append(Answered(due_ns, question, self._check(question, answer)))
        return found


def _take(waiting: deque[Waiting], request_id: bytes) -> Waiting:
    if waiting and waiting[0][2] == request_id:
        return waiting.popleft()
    for each in waiting:
        if each[2] == request_id:
            waiting.remove(each)
            return each
    raise Stray


class Connection:
    """``sock`` is None while there is none; ``is_up`` once it is connected."""

    __slots__ = ("dialogue", "is_free", "is_up", "out", "retry_ns", "since_ns", "sock", "waiting")

    def __init__(self) -> None:
        self.sock: socket.socket | None = None
        self.dialogue: Dialogue | None = None
        self.is_up = False
        self.is_free = False
        """Whether it stands in the queue of those that may be sent on."""
        self.waiting: deque[Waiting] = deque()
        self.out = b""
        """What the kernel has not taken yet of the last request."""
        self.retry_ns = 0
        """When to connect again."""
        self.since_ns = 0
        """When connecting began."""
