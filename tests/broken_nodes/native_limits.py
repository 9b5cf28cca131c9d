"""Nodes that bad lengths and counts confuse (``conformance/checks/native_limits.py``)."""

from conformance.checks.native_limits import BAD_NAMES
from tests.broken_nodes.breakage import SILENT, Breakage, native
from tests.broken_nodes.native_edits import closes, says

_HUNG_UP_ON = ("length-huge", "length-negative", "length-above-limit", "without-header")

BREAKAGES: dict[str, Breakage] = {
    **{
        f"native.limits.{name}": native("takes it for a good question", says(100))
        for name in BAD_NAMES
    },
    **{f"native.limits.message-{name}": closes("serves nobody afterwards") for name in _HUNG_UP_ON},
    "native.limits.value-count-huge": native(
        "waits for the values", lambda _question, _message: SILENT, is_silent=True
    ),
    "native.limits.longest-handle-taken": native("takes 2,047 bytes", says(102)),
    "native.limits.longer-handle-refused": native("takes any length", says(100)),
    "native.limits.other-protocol-survived": closes("serves nobody afterwards"),
    "native.limits.many-selected-taken": native("is confused by many indexes", says(2)),
    "native.limits.recursion-count": closes("hangs up on such a question"),
}
