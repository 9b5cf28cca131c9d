"""Broken ways of people (``conformance/checks/http_proxy.py``)."""

import html
import urllib.parse

from tests.broken_nodes.breakage import Answered, Asked, Breakage, http
from tests.broken_nodes.http_edits import (
    http_body,
    http_field,
    http_forget,
    http_instead,
    http_status,
    http_target,
    http_when,
)


def _plain_page(_: Asked, answered: Answered) -> Answered:
    """As by a template that escapes nothing."""
    return answered._replace(body=html.unescape(answered.body.decode()).encode())


def _plain_location(_: Asked, answered: Answered) -> Answered:
    """Locations are not encoded again."""
    decoded = urllib.parse.unquote(answered.field("Location"), "latin-1")
    fields = [(n, decoded if n == "Location" else v) for n, v in answered.fields]
    return answered._replace(fields=tuple(fields))


def _appended_anyhow(asked: Asked, answered: Answered) -> Answered:
    """Whatever is asked for is put behind the address."""
    more = urllib.parse.unquote(asked.target.partition("urlappend=")[2]).split("\r")[0]
    location = ("Location", f"https://example.org{more}")
    return Answered(302, (location,))


def _leads(wrong: str, location: str, status: int = 302) -> Breakage:
    """A node that leads there, whatever is registered."""
    return http(wrong, ask=http_instead(status, None, Location=location))


SHOWS_ALL = http_body(b"https://example.org/hidden")

BREAKAGES: dict[str, Breakage] = {
    "http.proxy.redirect": http("leads by 303", http_status(303)),
    "http.proxy.redirect-body": http("says nothing beside the head", http_body(b"")),
    "http.proxy.first-url": http("takes the last", ask=http_target(lambda t: f"{t}?index=7")),
    "http.proxy.url-before-subtypes": http(
        "goes by index alone", ask=http_target(lambda target: f"{target}?index=1")
    ),
    "http.proxy.index-selects": http("does not know index", ask=http_forget("index")),
    "http.proxy.no-redirect": http("does not know noredirect", ask=http_forget("noredirect")),
    "http.proxy.show-values": http("shows empty pages", http_body(b"<title>Values</title>")),
    "http.proxy.nothing-to-follow": http("shows empty pages", http_body(b"<title>Values</title>")),
    "http.proxy.not-found": http("says 200 of what is not there", http_status(200)),
    "http.proxy.hidden-values": http("shows everything", SHOWS_ALL),
    "http.proxy.values-escaped": http("escapes nothing", _plain_page),
    "http.proxy.no-header-injection": http(
        "writes values into its head", http_field("X-Injected", "yes")
    ),
    "http.proxy.location-encoded": http("encodes no locations", _plain_location),
    "http.proxy.expires": http(
        "has no lifetimes",
        lambda asked, answered: http_field("Expires", None)(
            asked, answered._replace(fields=(("Location", answered.field("Location")),))
        ),
    ),
    "http.proxy.head": http("leads GET only", http_when(http_status(200), method="HEAD")),
    "http.proxy.alias": _leads("leads home", "/"),
    "http.proxy.ignore-aliases": http(
        "does not know ignore_aliases", ask=http_forget("ignore_aliases")
    ),
    "http.proxy.locations": _leads("takes the lightest", "https://example.org/light"),
    "http.proxy.location-chosen": http("does not know locatt", ask=http_forget("locatt")),
    "http.proxy.location-status": http(
        "leads by 302 always", lambda _, answered: answered._replace(status=302)
    ),
    "http.proxy.url-append": _leads("appends badly", "https://example.org/home??page=2"),
    "http.proxy.append-stays-there": http("appends anyhow", _appended_anyhow),
}
