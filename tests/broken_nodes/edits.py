"""Edits: what most breakages are made of. ``http_…`` for HTTP, the others for native messages."""

import json
import re
import urllib.parse
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from protocols.handle.codec import Message, decode, encode
from protocols.handle.envelope import ENVELOPE_BYTES, decode_envelope, encode_envelope
from protocols.handle.header import HEADER_BYTES, decode_header, encode_header
from tests.broken_nodes.breakage import (
    Answered,
    Asked,
    Cut,
    HttpAnswer,
    HttpAsk,
    NativeAnswer,
    NativeAsk,
    Question,
)

Document = dict[str, Any]
_BODY_AT = ENVELOPE_BYTES + HEADER_BYTES

# ------------------------------------------------------------------------------------------------ native


def edit(change: Callable[[Message], Message]) -> NativeAnswer:
    """Change the decoded answer."""

    def answer(_: Question, message: bytes) -> bytes:
        return encode(change(decode(message)))

    return answer


def edit_header(**fields: int) -> NativeAnswer:
    """Other numbers in the answer's header; works on any answer, signed or encrypted ones included."""

    def answer(_: Question, message: bytes) -> bytes:
        header, length = decode_header(message, ENVELOPE_BYTES)
        changed = encode_header(header._replace(**fields), length)
        return message[:ENVELOPE_BYTES] + changed + message[_BODY_AT:]

    return answer


def edit_envelope(**fields: int) -> NativeAnswer:
    """Other numbers in the answer's envelope."""

    def answer(_: Question, message: bytes) -> bytes:
        envelope = decode_envelope(message)._replace(**fields)
        return encode_envelope(envelope) + message[ENVELOPE_BYTES:]

    return answer


def edit_body(**fields: object) -> NativeAnswer:
    """Other fields in the answer's body."""

    def change(message: Message) -> Message:
        body: Any = message.body
        return message._replace(body=body._replace(**fields))

    return edit(change)


def when(
    change: NativeAnswer, *, op_code: int | None = None, code: int | None = None
) -> NativeAnswer:
    """Only answers of this op code, with this response code."""

    def answer(question: Question, message: bytes) -> Any:
        header, _ = decode_header(message, ENVELOPE_BYTES)
        is_meant = op_code in {None, header.op_code} and code in {None, header.response_code}
        return change(question, message) if is_meant else message

    return answer


def always(said: Cut) -> Callable[[object, object], Cut]:
    """Whatever is asked, on either side."""
    return lambda _asked, _answer: said


def ask_edit(change: Callable[[Message], Message]) -> NativeAsk:
    """Ask the sound node something else."""
    return lambda question: encode(change(question.message))


# -------------------------------------------------------------------------------------------------- HTTP


def http_when(
    change: HttpAnswer, *, method: str = "", status: int = 0, path: str = ""
) -> HttpAnswer:
    """Only answers to this method, with this status, to a target with ``path`` in it."""

    def answer(asked: Asked, answered: Answered) -> Any:
        is_meant = (
            method in {"", asked.method} and status in {0, answered.status} and path in asked.target
        )
        return change(asked, answered) if is_meant else answered

    return answer


def http_status(status: int) -> HttpAnswer:
    """Another status for every answer."""
    return lambda _, answered: answered._replace(status=status)


def http_field(name: str, value: str | None) -> HttpAnswer:
    """A header field with another value; None = without it."""

    def answer(_: Asked, answered: Answered) -> Answered:
        kept = [(n, v) for n, v in answered.fields if n.lower() != name.lower()]
        return answered._replace(fields=(*kept, *([(name, value)] if value is not None else ())))

    return answer


def http_document(change: Callable[[Document], object]) -> HttpAnswer:
    """Change a JSON object in place, or hand back another document; what is no object stays."""

    def answer(_: Asked, answered: Answered) -> Answered:
        try:
            document = json.loads(answered.body)
        except ValueError:
            return answered
        if not isinstance(document, dict):
            return answered
        changed = change(document)
        return answered._replace(body=json.dumps(document if changed is None else changed).encode())

    return answer


def http_member(**members: object) -> HttpAnswer:
    """Members of the answer's JSON object; None = without it."""

    def change(document: Document) -> Document:
        return {k: v for k, v in {**document, **members}.items() if v is not None}

    return http_document(change)


def http_values(change: Callable[[Document], object]) -> HttpAnswer:
    """Change every value in place, or hand back another; False = leave it out."""

    def each(document: Document) -> None:
        changed = [(change(value), value) for value in document.get("values", ())]
        if "values" in document:
            document["values"] = [
                v if c is None or c is True else c for c, v in changed if c is not False
            ]

    return http_document(each)


def http_body(body: bytes | Callable[[bytes], bytes]) -> HttpAnswer:
    """Another body for every answer."""

    def answer(_: Asked, answered: Answered) -> Answered:
        return answered._replace(body=body if isinstance(body, bytes) else body(answered.body))

    return answer


def http_forget(*names: str) -> HttpAsk:
    """A node that does not know these parameters of the query."""

    def ask(asked: Asked) -> Asked:
        path, _, query = asked.target.partition("?")
        kept = [part for part in query.split("&") if part.partition("=")[0] not in names]
        return asked.altered(target=path + ("?" + "&".join(kept) if any(kept) else ""))

    return ask


def http_target(change: Callable[[str], str]) -> HttpAsk:
    """A node that takes the target for another one."""
    return lambda asked: asked.altered(target=change(asked.target))


def http_believe(asked: Asked) -> Asked:
    """A node that takes everybody for its administrator."""
    user = urllib.parse.quote(asked.scene.administrator, safe="").encode()
    pair = b64encode(user + b":" + asked.scene.secret).decode()
    return asked.altered(authorization=f"Basic {pair}")


def http_instead(status: int, document: object = None, **fields: str) -> HttpAsk:
    """A node that answers by itself, without doing anything."""
    body = b"" if document is None else json.dumps(document).encode()
    kept = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return lambda _: Answered(status, (("Content-Type", "application/json"), *kept), body)


def http_ask_when(change: HttpAsk, *, method: str = "", path: str = "") -> HttpAsk:
    """Only requests of this method, for a target with ``path`` in it (a regular expression)."""

    def ask(asked: Asked) -> Asked | Answered:
        is_meant = method in {"", asked.method} and re.search(path, asked.target)
        return change(asked) if is_meant else asked

    return ask
