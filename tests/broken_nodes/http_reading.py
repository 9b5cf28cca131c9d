"""Broken reading over HTTP (``conformance/checks/http_reading.py``)."""

from collections.abc import Callable

from tests.broken_nodes.breakage import Answered, Asked, Breakage, http
from tests.broken_nodes.http_edits import (
    Document,
    http_believe,
    http_body,
    http_document,
    http_field,
    http_forget,
    http_member,
    http_status,
    http_target,
    http_when,
)


def _reverse(document: Document) -> None:
    document["values"] = document.get("values", [])[::-1]


def _fold(document: Document) -> None:
    document["handle"] = document["handle"].lower()


def _as_get(asked: Asked, answered: Answered) -> Answered | bytes:
    """HEAD with a body."""
    if asked.method != "HEAD":
        return answered
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def _without(*parts: str) -> Callable[[str], str]:
    """Targets that have lost these parts of their query."""

    def change(target: str) -> str:
        for part in parts:
            target = target.replace(part, "")
        return target

    return change


def _cut(body: bytes) -> bytes:
    return body.replace(b"0123456789" * 3000, b"")


BREAKAGES: dict[str, Breakage] = {
    "http.read.envelope": http("names no handle", http_member(handle=None)),
    "http.read.content-type-json": http("says text", http_field("Content-Type", "text/plain")),
    "http.read.values-sorted-by-index": http("tells values backwards", http_document(_reverse)),
    "http.read.spelling-echoed": http("folds names it tells", http_document(_fold)),
    "http.read.not-found": http(
        "says 200 for absent handles", http_when(http_status(200), status=404)
    ),
    "http.read.not-found-names-handle": http("names no handle", http_member(handle=None)),
    "http.read.head-without-body": http("sends a body after HEAD", _as_get),
    "http.read.head-same-fields": http(
        "has another type for HEAD",
        http_when(http_field("Content-Type", "text/html"), method="HEAD"),
    ),
    "http.read.post-is-get": http("does not read forms", ask=lambda asked: asked.altered(body=b"")),
    "http.read.index-selects": http(
        "looks at one index only", ask=http_target(_without("&index=1"))
    ),
    "http.read.type-selects": http("looks at no types", ask=http_forget("type")),
    "http.read.type-with-dot": http(
        "takes a dot for part of the type's name", ask=http_target(_without("URL."))
    ),
    "http.read.index-or-type": http("looks at the index only", ask=http_forget("type")),
    "http.read.values-not-found": http(
        "says 404 for absent values", lambda asked, answered: answered._replace(status=404)
    ),
    "http.read.auth-parameter": http(
        "does not know auth", http_when(http_status(400), path="auth=")
    ),
    "http.read.cert-parameter": http(
        "does not know cert", http_when(http_status(400), path="cert=")
    ),
    "http.read.callback-scrubbed": http(
        "calls whatever it is told to",
        http_body(lambda body: b"<script>alert(1)</script>(%b)" % body),
    ),
    "http.read.pretty": http(
        "forgets values in pretty JSON",
        http_when(http_body(b'{\n"responseCode": 1\n}'), path="pretty"),
    ),
    "http.read.public-only": http("shows everything to everybody", ask=http_believe),
    "http.read.restricted-not-by-index": http("shows everything to everybody", ask=http_believe),
    "http.read.secret-never-told": http("shows everything to everybody", ask=http_believe),
    "http.read.administrator-reads-all": http(
        "knows no administrators", ask=lambda asked: asked.altered(authorization=None)
    ),
    "http.read.public-only-for-administrators": http(
        "does not know publicOnly", ask=http_forget("publicOnly")
    ),
    "http.read.cors-open": http(
        "names one origin", http_field("Access-Control-Allow-Origin", "https://example.com")
    ),
    "http.read.cors-without-credentials": http(
        "takes credentials from anywhere", http_field("Access-Control-Allow-Credentials", "true")
    ),
    "http.read.not-modified": http(
        "ignores entity tags", ask=lambda asked: asked.altered(if_none_match=None)
    ),
    "http.read.modified": http(
        "takes every entity tag for the present one",
        ask=lambda asked: (
            asked.altered(if_none_match="*") if asked.field("If-None-Match") else asked
        ),
    ),
    "http.read.bad-index": http("takes words for numbers", ask=http_forget("index")),
    "http.read.status-fits-code": http("says 200 to everything", http_status(200)),
    "http.read.every-answer-whole": http("cuts long values", http_body(_cut)),
}
