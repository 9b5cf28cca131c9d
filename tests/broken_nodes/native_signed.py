"""Broken signatures of answers (``conformance/checks/native_signed.py``)."""

from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import CERT
from protocols.handle.credential import Credential
from tests.broken_nodes.breakage import Breakage, Question, native
from tests.broken_nodes.native_edits import edit, flags, says, unsigned

_signs_nothing = native("signs nothing", edit(unsigned))


def _flipped(message: Message) -> Message:
    credential = message.credential
    if credential is None:
        return message
    wrong = bytes([credential.signature[0] ^ 1]) + credential.signature[1:]
    return message._replace(credential=credential._replace(signature=wrong))


def _first_signature(question: Question, message: bytes) -> bytes:
    """Kept for all."""
    decoded = decode(message)
    if decoded.credential is None:
        return message
    kept = question.scene.memory.setdefault("kept", decoded.credential)
    assert isinstance(kept, Credential)
    return encode(decoded._replace(credential=kept))


BREAKAGES: dict[str, Breakage] = {
    "native.signed.answer": native("signs something else", edit(_flipped)),
    "native.signed.error": _signs_nothing,
    "native.signed.site-info": _signs_nothing,
    "native.signed.cert-flag": native("does not say that it signs", flags(clear=CERT)),
    "native.signed.each-anew": native("keeps signatures", _first_signature),
    "native.signed.old-layout": native("signs as in 2.11", edit(_flipped)),
    "native.signed.unsigned-unasked": native(
        "signs everything",
        edit(lambda m: m._replace(credential=Credential("HS_SIGNED", b"SHA-256", bytes(256)))),
    ),
    "native.signed.over-udp": native("says that it is busy", says(3)),
}
