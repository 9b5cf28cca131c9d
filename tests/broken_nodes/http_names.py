"""Broken handles in URLs (``conformance/checks/http_names.py``)."""

import re
import urllib.parse

from tests.broken_nodes.breakage import Asked, Breakage, http
from tests.broken_nodes.http_edits import (
    http_body,
    http_field,
    http_member,
    http_status,
    http_target,
)


def _decoded_first(target: str) -> str:
    """As by a node that decodes a name and then decodes it again."""
    return urllib.parse.quote(urllib.parse.unquote(target), safe="/%?=&")


def _clean(target: str) -> str:
    """As by a framework that tidies paths up."""
    return re.sub("/[^/]+/[.][.]", "", re.sub("//+", "/", target))


def _cut_at(mark: str) -> Breakage:
    return http(
        f"takes {mark} for the end of a name", ask=http_target(lambda t: t.partition(mark)[0])
    )


def _never_decoded(asked: Asked) -> Asked:
    return asked.altered(target=asked.target.replace("%", "%25"))


BREAKAGES: dict[str, Breakage] = {
    "http.names.encoded-slash": http("does not decode names", ask=_never_decoded),
    "http.names.lower-case-hex": http(
        "knows upper-case hex only", ask=http_target(lambda target: target.replace("%2f", "%252f"))
    ),
    "http.names.slash-in-suffix": http("tidies paths up", ask=http_target(_clean)),
    "http.names.dots-in-suffix": http("tidies paths up", ask=http_target(_clean)),
    "http.names.percent-in-suffix": http("decodes names twice", ask=http_target(_decoded_first)),
    "http.names.unreserved-encoded": http("does not decode names", ask=_never_decoded),
    "http.names.unicode-suffix": http("does not decode names", ask=_never_decoded),
    "http.names.query-characters": http(
        "decodes names too early", ask=http_target(lambda target: urllib.parse.unquote(target))
    ),
    "http.names.plus-is-plus": http(
        "takes a plus for a blank", ask=http_target(lambda target: target.replace("+", "%20"))
    ),
    "http.names.space-in-suffix": _cut_at("%20"),
    "http.names.semicolon-in-suffix": _cut_at(";"),
    "http.names.not-utf-8": http("fails", http_status(500)),
    "http.names.bad-escape": http("fails", http_status(500)),
    "http.names.control-characters": http(
        "writes names into its head", http_field("X-Injected", "yes")
    ),
    "http.names.too-long": http("fails", http_status(500)),
    "http.names.empty-handle": http("shows a page", http_body(b"<h1>Handles</h1>")),
    "http.names.case-of-prefix-record": http(
        "has one spelling of 0.NA", http_member(handle="0.NA/88.118")
    ),
}
