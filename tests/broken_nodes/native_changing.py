"""Broken changes of values (``conformance/checks/native_changing.py``)."""

from typing import Any

from protocols.handle.codec import decode, encode
from protocols.handle.codes import OVRW, OpCode
from tests.broken_nodes.breakage import Breakage, Question, native
from tests.broken_nodes.native_edits import ask_without, body, each_value, once_asked, says, when

ADD, MODIFY, REMOVE = OpCode.ADD_VALUE, OpCode.MODIFY_VALUE, OpCode.REMOVE_VALUE


def _stale(question: Question, message: bytes) -> Any:
    """What was resolved first is told for ever."""
    kept = question.scene.memory.setdefault("kept", message)
    assert isinstance(kept, bytes)
    return encode(decode(message)._replace(body=decode(kept).body))


BREAKAGES: dict[str, Breakage] = {
    "native.add.added": native(
        "has something to add", when(body(surplus=b"done"), op_code=ADD, code=1)
    ),
    "native.add.index-taken": native("says that it was added", says(1, 201, ADD)),
    "native.add.overwrites": native("does not know OVRW", ask=ask_without(OVRW)),
    "native.add.unknown-handle": native("says RC 200", says(200, 100, ADD)),
    "native.add.index-zero": native("says RC 201", says(201, 202, ADD)),
    "native.add.duplicate-index": native("says that it was added", says(1, op_code=ADD)),
    "native.modify.modified": native("modifies nothing", says(2, 1, MODIFY)),
    "native.modify.missing-index": native("says that it was modified", says(1, 200, MODIFY)),
    "native.modify.all-or-nothing": native("says that it was modified", says(1, 200, MODIFY)),
    "native.modify.unknown-handle": native("says RC 200", says(200, 100, MODIFY)),
    "native.modify.type-and-ttl": native("keeps the TTL", each_value(ttl=86_400)),
    "native.modify.timestamp-set": native("tells no time", each_value(timestamp=0)),
    "native.modify.write-protected": native("protects nothing", says(1, 401, MODIFY)),
    "native.remove.removed": native("removes nothing", says(2, 1, REMOVE)),
    "native.remove.missing-index": native("says RC 202", says(202, op_code=REMOVE)),
    "native.remove.unknown-handle": native("says RC 200", says(200, 100, REMOVE)),
    "native.remove.write-protected": native("protects nothing", says(1, 401, REMOVE)),
    "native.change.seen-at-once": native("keeps old answers", once_asked(OpCode.RESOLVE, _stale)),
}
