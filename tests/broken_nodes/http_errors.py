"""Broken errors over HTTP (``conformance/checks/http_errors.py``)."""

from tests.broken_nodes.breakage import Breakage, http
from tests.broken_nodes.http_edits import (
    http_body,
    http_field,
    http_instead,
    http_member,
    http_status,
)

A_PAGE = b"<!doctype html><title>Not found</title>"
A_TRACE = b'{"responseCode": 2, "message": "Traceback (most recent call last)"}'

BREAKAGES: dict[str, Breakage] = {
    "http.errors.bogus-api-path": http("shows pages for errors", http_body(A_PAGE)),
    "http.errors.search-at-the-api": http(
        "lists handles to anybody", ask=http_instead(200, {"responseCode": 1, "handles": []})
    ),
    "http.errors.bogus-search-path": http("searches anywhere", ask=http_instead(200, [])),
    "http.errors.unknown-method": http("takes unknown methods for GET", http_status(200)),
    "http.errors.wrong-method": http("says 404 for methods", http_status(404)),
    "http.errors.wrong-method-says-allow": http("names no methods", http_field("Allow", None)),
    "http.errors.json-with-code": http("tells codes as text", http_member(responseCode="100")),
    "http.errors.foreign-prefix": http("fails", http_status(500)),
    "http.errors.api-is-never-html": http("shows pages for errors", http_body(A_PAGE)),
    "http.errors.no-traces": http("shows its stack", http_body(A_TRACE)),
}
