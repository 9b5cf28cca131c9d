"""Nodes that let wrong proofs pass (``conformance/checks/native_guessing.py``)."""

from protocols.handle.codes import OpCode
from tests.broken_nodes.breakage import Breakage, native
from tests.broken_nodes.native_edits import once_asked, says

_believes = native("believes every proof", once_asked(OpCode.CHALLENGE_ANSWER, says(1)))
_PROOFS = (
    "wrong-secret", "wrong-key", "unknown-account", "md5-refused", "cost-bomb",
    "algorithm-confusion", "proof-of-another-request",
)  # fmt: skip

BREAKAGES: dict[str, Breakage] = {
    **{f"native.auth.{name}": _believes for name in _PROOFS},
    "native.sdk.failed-login": _believes,
}
