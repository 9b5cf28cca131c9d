"""Broken connections (``conformance/checks/native_connection.py``)."""

from collections.abc import Sequence

from tests.broken_nodes.breakage import CLOSED, Breakage, Cut, Question, native
from tests.broken_nodes.native_edits import after, ask_bytes, closes, says


def _backwards(question: Question, message: bytes) -> Sequence[bytes]:
    """Two by two."""
    held = question.scene.memory.pop("held", None)
    if held is None:
        question.scene.memory["held"] = message
        return ()
    assert isinstance(held, bytes)
    return message, held


def _growing_ids_only(question: Question, message: bytes) -> bytes | Cut:
    memory = question.scene.memory
    highest = int(str(memory.get("highest", 0)))
    memory["highest"] = max(highest, question.envelope.request_id)
    return message if question.envelope.request_id > highest else CLOSED


BREAKAGES: dict[str, Breakage] = {
    "native.connection.stays-open": native("hangs up after one answer", after(1, CLOSED)),
    "native.connection.one-answer-a-request": native(
        "says everything twice", lambda _, message: (message, message)
    ),
    "native.connection.pipelined-in-order": native("answers the second first", _backwards),
    "native.connection.pieces-joined": closes("hangs up on pieces"),
    "native.connection.half-message-survived": closes("is lost after half a message"),
    "native.connection.many-at-once": native("serves three at a time", after(3, CLOSED)),
    "native.connection.ids-need-not-grow": native("wants growing ids", _growing_ids_only),
    "native.connection.errors-keep-it-open": native("hangs up after an error", after(1, CLOSED)),
    "native.connection.answers-not-answered": native(
        "answers answers", ask=ask_bytes(lambda data: data[:24] + bytes(4) + data[28:])
    ),
    "native.connection.heartbeat": native("refers the heartbeat elsewhere", says(301)),
}
