"""What most breakages of HTTP are made of: changes of an answer (``http_…``) and of a request (``ask=…``)."""

import json
import re
import urllib.parse
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from tests.broken_nodes.breakage import Answered, Asked, HttpAnswer, HttpAsk

Document = dict[str, Any]


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
