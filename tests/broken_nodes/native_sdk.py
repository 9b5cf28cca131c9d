"""Nodes that the national SDK stumbles over (``conformance/checks/native_sdk.py``)."""

from protocols.handle.codes import OpCode
from tests.broken_nodes.breakage import Breakage, native
from tests.broken_nodes.native_edits import closes, envelope, header, says, when

LOGIN, CREATE, DELETE, RESOLVE = OpCode.SDK_LOGIN, OpCode.CREATE, OpCode.DELETE, OpCode.RESOLVE
_ends_with_200 = native(
    "ends a login with op 200", when(header(op_code=200), op_code=LOGIN, code=1)
)

BREAKAGES: dict[str, Breakage] = {
    "native.sdk.login-challenged": native(
        "challenges with op 200", when(header(op_code=200), op_code=LOGIN)
    ),
    "native.sdk.login-succeeds": _ends_with_200,
    "native.sdk.login-by-secret": _ends_with_200,
    "native.sdk.commands-after-login": native("forgets the login", says(400, 1, CREATE)),
    "native.sdk.session-id-kept": native(
        "has session ids of its own", when(envelope(session_id=77), op_code=RESOLVE)
    ),
    "native.sdk.login-bound-to-connection": native(
        "knows logins by their session ids", says(1, op_code=DELETE)
    ),
    "native.sdk.command-without-login": native("says RC 100", says(100, op_code=CREATE)),
    "native.sdk.resolve-with-token": closes("hangs up on tokens"),
    "native.sdk.low-flags-survived": native("refuses unknown flags", says(4)),
    "native.sdk.own-session-ids-survived": native("wants its own session ids", says(500)),
    "native.sdk.version-2-10": native("speaks 2.11 only", says(4)),
    "native.sdk.site-before-login": native("wants its own session ids", says(500)),
}
