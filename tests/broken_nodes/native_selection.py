"""Broken selection of values (``conformance/checks/native_selection.py``)."""

from protocols.handle.codec import Message
from protocols.handle.resolution import ResolveAnswer
from protocols.values.value import Value
from tests.broken_nodes.breakage import Breakage, NativeAnswer, native
from tests.broken_nodes.native_edits import ask_body, edit, says, values, when

HIDDEN = Value(7, "SECRET", b"hidden", permissions=12)


def _hands_out(*found: Value) -> NativeAnswer:
    return edit(
        lambda message: message._replace(
            header=message.header._replace(response_code=1), body=ResolveAnswer(b"x", found)
        )
    )


def _with_hidden(message: Message) -> Message:
    body = message.body
    if not isinstance(body, ResolveAnswer):
        return message
    found = sorted((*body.values, HIDDEN), key=lambda each: each.index)
    return message._replace(body=body._replace(values=tuple(found)))


_no_choice = ask_body(indexes=(), types=())

BREAKAGES: dict[str, Breakage] = {
    "native.selection.all-when-nothing-named": native(
        "leaves out the last", values(lambda found: found[:-1])
    ),
    "native.selection.by-index": native("knows no choice", ask=_no_choice),
    "native.selection.by-type": native("knows no choice", ask=_no_choice),
    "native.selection.index-or-type": native("overlooks types", ask=ask_body(types=())),
    "native.selection.type-case": native("tells cases apart", ask=ask_body(types=("NONE",))),
    "native.selection.type-family": native("knows no families", ask=ask_body(types=("URL",))),
    "native.selection.nothing-matches": native("sends an empty list", _hands_out()),
    "native.selection.public-only": native("hands out all values", edit(_with_hidden)),
    "native.selection.public-named-hidden": native("hands out what is named", _hands_out(HIDDEN)),
    "native.selection.hidden-challenged": native(
        "says that there is nothing", says(200, instead_of=402)
    ),
    "native.selection.public-without-challenge": native("challenges everybody", says(402)),
    "native.selection.hidden-read-by-administrator": native(
        "hides from administrators",
        values(lambda found: [each for each in found if each.index != 7]),
    ),
    "native.selection.hidden-not-read-by-stranger": native(
        "takes strangers for administrators", says(401, instead_of=400)
    ),
    "native.selection.hidden-needs-read-bit": native(
        "takes administrators for strangers", says(400, instead_of=401)
    ),
    "native.selection.unreadable-value": native(
        "hands out everything to administrators", when(_hands_out(HIDDEN), code=401)
    ),
}
