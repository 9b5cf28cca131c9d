"""Broken lists and homing (``conformance/checks/native_listing.py``)."""

from collections.abc import Callable

from protocols.handle.administration import HandleRequest
from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import CONT, OpCode
from protocols.handle.listing import NamesAnswer
from tests.broken_nodes.breakage import Breakage, NativeAnswer, Question, native
from tests.broken_nodes.native_edits import edit, flags, says

Names = tuple[bytes, ...]


def _names(change: Callable[[Names], Names]) -> NativeAnswer:
    def each(message: Message) -> Message:
        body = message.body
        if not isinstance(body, NamesAnswer):
            return message
        return message._replace(body=body._replace(names=change(body.names)))

    return edit(each)


def _remembers_the_deleted(question: Question, message: bytes) -> bytes:
    asked, memory = question.message.body, question.scene.memory
    if question.header.op_code == OpCode.DELETE and isinstance(asked, HandleRequest):
        memory["deleted"] = asked.handle
    answer = decode(message)
    if not isinstance(answer.body, NamesAnswer):
        return message
    names = (*answer.body.names[:-1], memory["deleted"])
    return encode(answer._replace(body=answer.body._replace(names=names)))


BREAKAGES: dict[str, Breakage] = {
    "native.list.complete": native("lists nothing", _names(lambda _: ())),
    "native.list.without-deleted": native("lists what was deleted", _remembers_the_deleted),
    "native.list.in-parts": native("does not say that more follows", flags(clear=CONT)),
    "native.list.by-stranger": native("says RC 100", says(100, 400)),
    "native.list.unproved": native("says RC 2", says(2)),
    "native.list.foreign-prefix": native("says RC 2", says(2)),
    "native.list.homed-prefixes": native("lists nothing", _names(lambda _: ())),
    "native.list.derived-prefixes": native("lists others", _names(lambda _: (b"0.NA/88",))),
    "native.home.homed-and-unhomed": native("homes nothing", says(2, 1, OpCode.HOME_PREFIX)),
    "native.home.by-stranger": native("homes for everybody", says(1, 400, OpCode.HOME_PREFIX)),
}
