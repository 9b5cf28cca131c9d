"""Nodes that mistake who may do what (``conformance/checks/native_rights.py``)."""

from protocols.handle.codes import OpCode
from tests.broken_nodes.breakage import Breakage, native
from tests.broken_nodes.native_edits import says

MODIFY = OpCode.MODIFY_VALUE
RIGHTS = (
    "add-value", "modify-value", "remove-value", "delete-handle", "add-admin", "modify-admin",
    "remove-admin",
)  # fmt: skip
_takes_for_stranger = native("takes administrators for strangers", says(400, 401))
_does_not_know_groups = native("does not look into groups", says(400, 1, MODIFY))

BREAKAGES: dict[str, Breakage] = {
    **{f"native.rights.{name}": _takes_for_stranger for name in RIGHTS},
    "native.rights.stranger": native("takes strangers for administrators", says(401, 400)),
    "native.rights.other-index": native("does not look at the index", says(1, 400, MODIFY)),
    "native.rights.index-zero-means-any": native("knows no index 0", says(400, 1, MODIFY)),
    "native.rights.group-member": _does_not_know_groups,
    "native.rights.group-in-group": _does_not_know_groups,
    "native.rights.no-member": native("takes every group for all", says(1, 400, MODIFY)),
}
