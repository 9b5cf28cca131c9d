"""Broken values in JSON (``conformance/checks/http_values.py``)."""

import json

from tests.broken_nodes.breakage import Answered, Asked, Breakage, http
from tests.broken_nodes.http_edits import Document, http_body, http_status, http_values, http_when


def _bare(value: Document) -> None:
    """As by a node that leaves out the format."""
    value["data"] = value["data"]["value"]


def _formatted(format_: str) -> Breakage:
    """Every value in this form, whatever it is."""
    return http(
        f"calls everything {format_}",
        http_values(lambda value: value["data"].update(format=format_)),
    )


def _set(wrong: str, **members: object) -> Breakage:
    """Members that every value has alike; None = left out."""

    def change(value: Document) -> Document:
        return {k: v for k, v in {**value, **members}.items() if v is not None}

    return http(wrong, http_values(change))


def _forget_in_body(*names: str) -> Breakage:
    """A node that does not read these members of written values."""

    def ask(asked: Asked) -> Asked:
        if asked.method != "PUT":
            return asked
        document = json.loads(asked.body)
        for value in document["values"]:
            for name in names:
                value.pop(name, None)
        return asked.altered(body=json.dumps(document).encode())

    return http(f"does not read {', '.join(names)}", ask=ask)


def _lowest_first(value: Document) -> None:
    if value["type"] == "HS_ADMIN":
        admin = value["data"]["value"]
        admin["permissions"] = admin["permissions"][::-1]


def _refuse_writes(_: Asked, answered: Answered) -> Answered:
    return answered._replace(status=400, body=b'{"responseCode": 202}')


def _latin(body: bytes) -> bytes:
    return body.decode().encode("latin-1", "replace")


NO_WRITES = http("does not read what it should", http_when(_refuse_writes, method="PUT"))

BREAKAGES: dict[str, Breakage] = {
    "http.values.string": http("leaves out formats", http_values(_bare)),
    "http.values.unicode": http("writes Latin-1", http_body(_latin)),
    "http.values.empty": _set("tells null for nothing", data={"format": "string"}),
    "http.values.base64": _formatted("string"),
    "http.values.admin": _formatted("base64"),
    "http.values.vlist": _formatted("base64"),
    "http.values.site": _formatted("base64"),
    "http.values.key": _set("tells keys as bytes", data={"format": "base64", "value": "AAAA"}),
    "http.values.permissions-usual": _set("tells usual permissions", permissions="1110"),
    "http.values.permissions": _set("tells no permissions", permissions=None),
    "http.values.ttl-relative": _set("tells seconds as text", ttl="3600"),
    "http.values.ttl-absolute": _set("tells dates as numbers", ttl=2_000_000_000),
    "http.values.timestamp": _set("tells timestamps as numbers", timestamp=1_000_000_000),
    "http.values.timestamp-set": _set("has no timestamps", timestamp=None),
    "http.values.references": _set("has no references", references=None),
    "http.values.write-base64": NO_WRITES,
    "http.values.write-hex": NO_WRITES,
    "http.values.write-bare-string": NO_WRITES,
    "http.values.write-ttl-and-permissions": _forget_in_body("ttl", "references"),
    "http.values.write-admin-index-as-text": NO_WRITES,
    "http.values.write-ttl-date": _forget_in_body("ttl"),
    "http.values.write-admin-permissions": http(
        "tells the lowest bit first", http_values(_lowest_first)
    ),
    "http.values.bad-data": http("takes any data", http_when(http_status(201), method="PUT")),
}
