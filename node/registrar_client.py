"""The registrar for commands: a blocking client, and ``open_registrar`` which finds the running one or starts one.

There is one write path: a command on a stopped node starts the same registrar process for its own duration.
"""

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from node.child import EXIT_LOCKED, SILENCE_S, Boot, Child
from node.config import Config
from node.control_socket import connect_control
from node.registrar_wire import (
    MAX_SUBMISSIONS,
    Frame,
    FrameBuffer,
    Parcel,
    encode_frame,
    pack_load,
    pack_parcel,
    pack_submissions,
    unpack_chunk_receipt,
    unpack_load_receipt,
    unpack_receipts,
)
from protocols.errors import ProtocolError
from protocols.message import Receipt
from registry.chunks import ChunkReceipt
from registry.loading import Load, LoadReceipt
from registry.registrar import Submission

MAX_LOADS = 2
"""Unfinished loads: one is committed while the next is read and checked."""
ANSWER_S = 600.0
"""Longest wait for one answer, behind other loads on a slow disk. A dead registrar is noticed at once."""
START_S = 30.0
"""Longest wait for a registrar we started; opening takes milliseconds, a slow disk seconds."""
HOLDER_S = 10.0
"""How long a holder of the store who does not listen yet, or not any more, is waited for: a last load is a second."""
RETRY_S = 0.05
SUBMIT_BYTES = 4_194_304
"""Values sent in one frame at most, so that no frame nears its limit."""
_READ_BYTES = 262_144
_UNKNOWN = "what was asked may or may not have been carried out"


class RegistrarGone(Exception):
    """The registrar closed the connection or cannot be reached; what was not answered may or may not be durable."""


class _Held(RegistrarGone):
    """Another process is the writer: one that is starting, at work, or finishing what a killed command had asked."""


class RegistrarRefused(Exception):
    """The registrar answered "error"; ``str()`` is its sentence."""


class RegistrarClient:
    """One connection to a registrar. Not for several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(ANSWER_S)
        self._buffer = FrameBuffer()
        self._answers: dict[int, Frame] = {}
        self._last_id = 0
        self._loads: list[int] = []
        self._chunks: list[int] = []

    def submit(self, submissions: Sequence[Submission]) -> list[Receipt]:
        """One receipt for each, in order; durable when returned. Raises ``RegistrarGone``, ``RegistrarRefused``."""
        receipts: list[Receipt] = []
        for batch in split_submissions(submissions):
            receipts += unpack_receipts(self._ask("submit", pack_submissions(batch)))
        return receipts

    def load(self, load: Load) -> LoadReceipt:
        """One load, durable when returned. Raises like ``submit``, and ``TooLarge`` (``MAX_LOAD_BYTES``)."""
        assert not self._loads, "finish the started loads first"
        self.start_load(load)
        return self.finish_load()

    def start_load(self, load: Load) -> None:
        """Send a load without waiting; at most ``MAX_LOADS`` may be unfinished."""
        assert len(self._loads) < MAX_LOADS, "finish a load first"
        self._loads.append(self._send("load", pack_load(load)))

    def finish_load(self) -> LoadReceipt:
        """What became of the oldest unfinished load."""
        return unpack_load_receipt(self._wait(self._loads.pop(0)))

    def start_chunk(self, parcel: Parcel) -> None:
        """Send the rows of a parcel without waiting; at most ``MAX_LOADS`` may be unfinished."""
        assert len(self._chunks) < MAX_LOADS, "finish a chunk first"
        self._chunks.append(self._send("chunk", pack_parcel(parcel)))

    def finish_chunk(self) -> ChunkReceipt:
        """What became of the oldest unfinished parcel. Raises like ``submit``."""
        return unpack_chunk_receipt(self._wait(self._chunks.pop(0)))

    @property
    def unfinished_loads(self) -> int:
        """Loads started and not finished."""
        return len(self._loads)

    def status(self) -> dict[str, Any]:
        """Facts: pid, head, log_id, listening, load_rows (rows a load should have now), free_percent …"""
        return dict(self._ask("status", None))

    def truncate(self, before: int) -> int:
        """Let feed entries numbered below ``before`` go; returns how many went."""
        return int(self._ask("truncate", before))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, kind: str, payload: object) -> Any:
        return self._wait(self._send(kind, payload))

    def _send(self, kind: str, payload: object) -> int:
        self._last_id += 1
        try:
            self._socket.sendall(encode_frame(self._last_id, kind, payload))
        except OSError as error:
            raise RegistrarGone(f"the registrar hung up: {error}") from None
        return self._last_id

    def _wait(self, id_: int) -> Any:
        while id_ not in self._answers:
            try:
                data = self._socket.recv(_READ_BYTES)
                for frame in self._buffer.receive(data):
                    self._answers[frame.id] = frame
            except (OSError, ProtocolError) as error:
                raise RegistrarGone(f"no answer from the registrar ({error}); {_UNKNOWN}") from None
            if not data:
                raise RegistrarGone(f"the registrar hung up; {_UNKNOWN}")
            self._answers.pop(0, None)
        frame = self._answers.pop(id_)
        if frame.kind != "ok":
            raise RegistrarRefused(str(frame.payload))
        return frame.payload


def split_submissions(submissions: Sequence[Submission]) -> Iterator[Sequence[Submission]]:
    """Batches that fit one frame, in order."""
    start = size = 0
    for at, submission in enumerate(submissions):
        command = submission.command
        bytes_ = len(command.identifier.spelling) + sum(len(v.data) + 64 for v in command.values)
        if at > start and (at - start == MAX_SUBMISSIONS or size + bytes_ > SUBMIT_BYTES):
            yield submissions[start:at]
            start, size = at, 0
        size += bytes_
    if start < len(submissions):
        yield submissions[start:]


@contextlib.contextmanager
def open_registrar(config: Config) -> Iterator[RegistrarClient]:
    """The running registrar of this data directory, or one started for the duration of the block.

    Raises ``RegistrarGone`` with a sentence for the operator when neither is possible.
    """
    deadline_s = time.monotonic() + HOLDER_S
    while True:
        connection = _connect(config)
        if connection is not None:
            with RegistrarClient(connection) as client:
                yield client
            return
        with _own_registrar(config) as child:
            try:
                connection = _await_ready(child, config)
            except _Held:
                if time.monotonic() >= deadline_s:
                    raise
            else:
                with RegistrarClient(connection) as client:
                    yield client
                return
        select.select([], [], [], RETRY_S)


@contextlib.contextmanager
def _own_registrar(config: Config) -> Iterator[Child]:
    child = Child("node.registrar_process", Boot(config, 0, {}, {"serving": False}))
    try:
        yield child
    finally:
        child.stop()
        child.process.wait()
        child.close()


def _connect(config: Config) -> socket.socket | None:
    try:
        return connect_control(config.socket_path, timeout_s=ANSWER_S)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except OSError as error:
        raise RegistrarGone(f"{config.socket_path}: {error.strerror}") from None


def _await_ready(child: Child, config: Config) -> socket.socket:
    deadline = time.monotonic() + START_S
    failure = "it ended without a word"
    while (left := deadline - time.monotonic()) > 0:
        select.select([child.report_fd], [], [], min(left, SILENCE_S))
        for said in child.read_reports():
            if said["event"] == "ready":
                return connect_control(config.socket_path, timeout_s=ANSWER_S)
            if said["event"] == "failed":
                failure = str(said.get("reason"))
        code = child.process.poll()
        if code == EXIT_LOCKED:
            raise _Held(f"the registrar could not start: {failure}")
        if code is not None:
            raise RegistrarGone(f"the registrar could not start: {failure}")
    raise RegistrarGone(f"the registrar was not ready within {START_S:g} s")
