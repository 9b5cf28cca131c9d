"""Broken lists over HTTP (``conformance/checks/http_listing.py``)."""

from tests.broken_nodes.breakage import Breakage, http
from tests.broken_nodes.http_edits import (
    Document,
    http_believe,
    http_body,
    http_document,
    http_forget,
    http_instead,
    http_member,
)


def _number(document: Document) -> None:
    if "totalCount" in document:
        document["totalCount"] = int(document["totalCount"])


def _text_ports(document: Document) -> None:
    for server in document.get("site", document)["servers"]:
        for interface in server["interfaces"]:
            interface["port"] = str(interface["port"])


BELIEVES = http("takes everybody for its administrator", ask=http_believe)

BREAKAGES: dict[str, Breakage] = {
    "http.list.login-needed": BELIEVES,
    "http.list.permission-needed": BELIEVES,
    "http.list.complete": http("forgets handles", http_member(handles=[])),
    "http.list.total-is-text": http("tells totals as numbers", http_document(_number)),
    "http.list.names-prefix": http("names no prefix", http_member(prefix=None)),
    "http.list.pages": http("has one page", ask=http_forget("page")),
    "http.list.page-echoed": http("does not number pages", http_member(page=None)),
    "http.list.derived-left-out": http("lists others", http_member(handles=["88.118.1/a"])),
    "http.site.json": http("tells no servers", http_body(b'{"version": 1}')),
    "http.site.interfaces": http("tells ports as text", http_document(_text_ports)),
    "http.prefixes.listed": http("lists nothing", http_body(b'{"responseCode": 1}')),
    "http.prefixes.login-needed": http(
        "lets everybody home", ask=http_instead(200, {"responseCode": 1})
    ),
}
