"""Broken reverse look-up (``conformance/checks/http_search.py``)."""

import json

from tests.broken_nodes.breakage import Answered, Asked, Breakage, http
from tests.broken_nodes.http_edits import (
    http_ask_when,
    http_believe,
    http_body,
    http_forget,
    http_instead,
    http_target,
    http_when,
)

SEARCH = "/hrls/"


def _like(target: str) -> str:
    """As by a node that hands patterns to SQL as they are: % and _ and the like are wildcards too."""
    path, _, query = target.partition("?")
    pattern = query.replace("%25", "*").replace("_", "*").replace("%3F", "*").replace("[X]", "*")
    return f"{path}?{pattern}"


def _stale(asked: Asked, answered: Answered) -> Answered:
    """What was found once is found for ever."""
    if SEARCH not in asked.target:
        return answered
    known = asked.scene.memory.setdefault(asked.target, answered)
    assert isinstance(known, Answered)
    return known


def _finds(found: object) -> Breakage:
    """A node that finds the same, whatever is asked for."""
    told = http_ask_when(http_instead(200, found), path=SEARCH)
    return http(f"finds {json.dumps(found)} always", ask=told)


SOMETHING = _finds(["88.118/SOMETHING"])

BREAKAGES: dict[str, Breakage] = {
    "http.search.ping": http("greets otherwise", http_body(b"pong")),
    "http.search.login-needed": http("lets everybody search", ask=http_believe),
    "http.search.exact": http("finds what begins so", ask=http_target(lambda t: f"{t}*")),
    "http.search.nothing": http(
        "tells null for nothing", http_when(http_body(b"null"), path=SEARCH)
    ),
    "http.search.wildcards": http(
        "takes stars for themselves", ask=http_target(lambda target: target.replace("*", "%3F"))
    ),
    "http.search.other-wildcards": http("hands patterns to SQL", ask=http_target(_like)),
    "http.search.no-injection": SOMETHING,
    "http.search.all-keys": http("looks at one key", ask=http_forget("CHECKSUM")),
    "http.search.below-prefix": http(
        "does not look at prefixes",
        ask=http_target(lambda target: target.replace("/99.999", "").replace("/88.118?", "?")),
    ),
    "http.search.limit-and-page": http("has one page", ask=http_forget("page")),
    "http.search.records": http("tells no values", ask=http_forget("retrieverecords")),
    "http.search.deleted-not-found": http("never forgets", _stale),
    "http.search.secrets-not-found": SOMETHING,
    "http.search.restricted-not-found": SOMETHING,
}
