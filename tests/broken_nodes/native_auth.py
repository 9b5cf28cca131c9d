"""Broken challenges and proofs (``conformance/checks/native_auth.py``)."""

from typing import Any

from protocols.handle.codes import OpCode
from tests.broken_nodes.breakage import Breakage, NativeAnswer, Question, native
from tests.broken_nodes.native_edits import body, envelope, header, once_asked, says, when

DELETE, ANSWER = OpCode.DELETE, OpCode.CHALLENGE_ANSWER
MACS = ("sha1", "sha256", "hmac-sha1", "hmac-sha256", "pbkdf2")
_knows_another = native("does not know this proof", once_asked(ANSWER, says(403)))


def _second(change: NativeAnswer) -> NativeAnswer:
    """Only the second message with a proof is answered like this."""

    def answer(question: Question, message: bytes) -> Any:
        memory = question.scene.memory
        if question.header.op_code != ANSWER:
            return message
        memory["proofs"] = seen = int(str(memory.get("proofs", 0))) + 1
        return change(question, message) if seen == 2 else message

    return answer


BREAKAGES: dict[str, Breakage] = {
    "native.auth.challenge": native("sends short nonces", when(body(nonce=b"12345678"), code=402)),
    "native.auth.challenge-has-an-id": native("has no ids", when(envelope(session_id=0), code=402)),
    "native.auth.nonces-differ": native(
        "always sends the same nonce", when(body(nonce=bytes(16)), code=402)
    ),
    "native.auth.reading-needs-none": native("wants a login for everything", says(403)),
    "native.auth.final-op-code": native(
        "ends with op 200", once_asked(ANSWER, header(op_code=200))
    ),
    "native.auth.final-request-id": native(
        "has forgotten who asked", once_asked(ANSWER, envelope(request_id=7))
    ),
    **{f"native.auth.secret-{name}": _knows_another for name in MACS},
    "native.auth.pbkdf2-other-parameters": _knows_another,
    "native.auth.public-key": _knows_another,
    "native.auth.account-elsewhere": _knows_another,
    "native.auth.public-key-as-pem": _knows_another,
    "native.auth.version-2-1": _knows_another,
    "native.auth.repeated-answer": native("is confused by repetition", _second(says(2))),
    "native.auth.replayed-challenge": native("takes a challenge twice", _second(says(100))),
    "native.auth.unknown-challenge": native("takes any proof", says(100)),
    "native.auth.verified": native(
        "finds everything right", when(body(verdict=1), op_code=OpCode.VERIFY_CHALLENGE)
    ),
}
