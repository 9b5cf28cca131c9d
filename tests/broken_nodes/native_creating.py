"""Broken creation and deletion of handles (``conformance/checks/native_creating.py``)."""

from protocols.handle.codes import OVRW, OpCode
from tests.broken_nodes.breakage import Breakage, native
from tests.broken_nodes.native_edits import ask_without, body, each_value, says, when

CREATE, DELETE = OpCode.CREATE, OpCode.DELETE
_tells_another = when(body(handle=b"88.118/other"), op_code=CREATE, code=1)

BREAKAGES: dict[str, Breakage] = {
    "native.create.created": native("creates nothing", says(2, 1, CREATE)),
    "native.create.handle-told": native("tells another name", _tells_another),
    "native.create.exists": native("says that it was created", says(1, 101, CREATE)),
    "native.create.exists-in-other-case": native(
        "says that it has no such value", says(200, 101, CREATE)
    ),
    "native.create.overwritten": native("does not know OVRW", ask=ask_without(OVRW)),
    "native.create.duplicate-index": native("says that it was created", says(1, op_code=CREATE)),
    "native.create.index-zero": native("says RC 201", says(201, 202, CREATE)),
    "native.create.index-negative": native("says that it was created", says(1, op_code=CREATE)),
    "native.create.timestamp-set": native("tells no time", each_value(timestamp=0)),
    "native.create.large-record": native("cuts values", each_value(data=b"A")),
    "native.create.empty-handle": native("says RC 2", says(2, op_code=CREATE)),
    "native.create.foreign-prefix": native("creates anything", says(1, op_code=CREATE)),
    "native.create.by-stranger": native("says RC 401", says(401, 400, CREATE)),
    "native.create.unproved": native("believes everybody", says(1, op_code=CREATE)),
    "native.create.minted": native("tells another name", _tells_another),
    "native.delete.deleted": native("deletes nothing", says(2, 1, DELETE)),
    "native.delete.unknown": native("says that it was deleted", says(1, 100, DELETE)),
    "native.delete.by-stranger": native("says RC 401", says(401, 400, DELETE)),
}
