"""Broken sessions (``conformance/checks/native_session.py``)."""

from protocols.handle.codes import ENCR, OpCode
from tests.broken_nodes.breakage import Breakage, native
from tests.broken_nodes.native_edits import (
    after,
    ask_without,
    body,
    closes,
    edit,
    envelope,
    once_asked,
    says,
    unsigned,
    values,
    when,
)

SETUP, RESOLVE = OpCode.SESSION_SETUP, OpCode.RESOLVE


def _weak(wrong: str) -> Breakage:
    """Takes what should be refused; the first, sound set-up is let through."""
    return native(wrong, after(1, says(1)))


_believes = native("does not look at the MAC", says(100, op_code=RESOLVE))

BREAKAGES: dict[str, Breakage] = {
    "native.session.set-up": native("says another mode", when(body(mode=3), op_code=SETUP, code=1)),
    "native.session.set-up-signed": native("signs nothing", edit(unsigned)),
    "native.session.group-of-1024-bits": native("wants larger groups", says(502, 1, SETUP)),
    "native.session.ids-differ": native(
        "has one session for all", when(envelope(session_id=5), op_code=SETUP)
    ),
    "native.session.weak-number-refused": _weak("takes every number"),
    "native.session.small-group-refused": _weak("takes every group"),
    "native.session.dead-modes-answered": closes("hangs up on dead modes"),
    "native.session.administration": native(
        "challenges under another id", when(envelope(session_id=5), code=402)
    ),
    "native.session.other-connection": native("has lost the session", says(500, 402)),
    "native.session.hidden-values-read": native(
        "hides all the same", values(lambda found: [each for each in found if each.index != 7])
    ),
    "native.session.wrong-mac": _believes,
    "native.session.changed-message": _believes,
    "native.session.replay": native("takes a message twice", says(100, 505)),
    "native.session.counters-out-of-order": native(
        "wants growing counters", after(3, says(505, 100))
    ),
    "native.session.unknown-session": native("says RC 404", says(404, 500)),
    "native.session.mac-of-answer": native("makes no MACs", once_asked(RESOLVE, edit(unsigned))),
    "native.session.encrypted-request": native(
        "breaks the cipher text",
        lambda _, message: message[:-1] + bytes([message[-1] ^ 1]),
    ),
    "native.session.encrypted-answer": native("does not know ENCR", ask=ask_without(ENCR)),
    "native.session.encrypted-unknown-session": native("says RC 4", says(4)),
    "native.session.bad-ciphertext": native("reads it all the same", after(1, says(100))),
    "native.session.terminated": native("lets sessions go on", says(100, 500)),
    "native.session.id-alone-proves-nothing": native(
        "has deleted it for the thief", says(100, 1, RESOLVE)
    ),
}
