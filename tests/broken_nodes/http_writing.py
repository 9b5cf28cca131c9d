"""Broken writing over HTTP (``conformance/checks/http_writing.py`` and ``http_changing.py``)."""

import json

from tests.broken_nodes.breakage import Answered, Asked, Breakage, http
from tests.broken_nodes.http_edits import (
    Document,
    http_ask_when,
    http_believe,
    http_document,
    http_forget,
    http_instead,
    http_status,
    http_target,
    http_when,
)


def _fold(document: Document) -> None:
    document["handle"] = document["handle"].lower()


def _merging(asked: Asked) -> Asked:
    """A second PUT of a record adds to the first."""
    is_first = asked.method == "PUT" and asked.scene.memory.setdefault("first", asked) is asked
    if asked.method != "PUT" or is_first:
        return asked
    return asked.altered(target=f"{asked.target}?index=various")


def _forget_handle(asked: Asked) -> Asked:
    """The handle in a body is not looked at."""
    document = json.loads(asked.body)
    document.pop("handle", None)
    return asked.altered(body=json.dumps(document).encode())


def _stale(asked: Asked, answered: Answered) -> Answered:
    """What was read once is told for ever."""
    if asked.method != "GET":
        return answered
    known = asked.scene.memory.setdefault(asked.target, answered)
    assert isinstance(known, Answered)
    return known


def _refuses(wrong: str, path: str, status: int = 400, code: int = 4) -> Breakage:
    """A node that refuses what it should do: PUTs to targets that match ``path``."""
    told = http_instead(status, {"responseCode": code})
    return http(wrong, ask=http_ask_when(told, method="PUT", path=path))


def _forgets(*names: str) -> Breakage:
    """A node that does not know these parameters of PUT."""
    forget = http_ask_when(http_forget(*names), method="PUT")
    return http(f"does not know {', '.join(names)}", ask=forget)


def _says(status: int, method: str = "PUT") -> Breakage:
    return http(f"says {status} to every {method}", http_when(http_status(status), method=method))


def _any_index(asked: Asked) -> Asked:
    """The indexes in the URL are not compared with those of the body."""
    return asked.altered(target=asked.target.partition("?")[0] + "?index=various")


DONE = http_instead(200, {"responseCode": 1})
PRETENDS = http("deletes nothing and says so to nobody", ask=http_ask_when(DONE, method="DELETE"))
BELIEVES = http("takes everybody for its administrator", ask=http_believe)

BREAKAGES: dict[str, Breakage] = {
    "http.write.created": _says(200),
    "http.write.replaced": _says(201),
    "http.write.replaces-all": http("adds to what is there", ask=_merging),
    "http.write.names-handle": http("folds names it tells", http_document(_fold)),
    "http.write.overwrite-false": _forgets("overwrite"),
    "http.write.overwrite-false-new": _refuses("never overwrites", "overwrite=false", 409, 101),
    "http.write.array": _refuses("reads no arrays", ""),
    "http.write.one-value": _refuses("reads no single values", "index="),
    "http.write.handle-in-body": http("looks at no handle in a body", ask=_forget_handle),
    "http.write.content-type": http(
        "takes anything for JSON", ask=lambda asked: asked.altered(content_type="application/json")
    ),
    "http.write.bad-json": _says(500),
    "http.write.bad-index": _says(201),
    "http.write.index-twice": _says(201),
    "http.write.read-at-once": http("tells what it once knew", _stale),
    "http.write.pyhandle-register": _refuses("does both or neither", "index=2", 409, 101),
    "http.write.login-needed": BELIEVES,
    "http.write.strangers-refused": BELIEVES,
    "http.write.strangers-create-nothing": BELIEVES,
    "http.write.permission-bits": BELIEVES,
    "http.write.mint": _forgets("mintNewSuffix"),
    "http.change.add-by-index": _forgets("index"),
    "http.change.replace-by-index": _forgets("index"),
    "http.change.add-and-replace": _refuses("adds or replaces, not both", "index=", 409, 201),
    "http.change.index-various": _forgets("index"),
    "http.change.indexes-must-agree": http(
        "compares no indexes", ask=http_ask_when(_any_index, method="PUT", path="index=")
    ),
    "http.change.record-must-exist": _forgets("index"),
    "http.change.overwrite-false-by-index": _forgets("overwrite"),
    "http.change.delete-record": PRETENDS,
    "http.change.delete-absent": PRETENDS,
    "http.change.delete-by-index": http(
        "looks at one index only", ask=http_target(lambda target: target.replace("&index=3", ""))
    ),
    "http.change.delete-absent-values": PRETENDS,
    "http.change.delete-needs-login": BELIEVES,
    "http.change.create-after-delete": _refuses(
        "never forgets a name", "overwrite=false", 409, 101
    ),
}
