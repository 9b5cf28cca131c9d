"""Broken sites (``conformance/checks/native_site.py``)."""

from collections.abc import Callable
from typing import Any

from protocols.handle.administration import HandleRequest
from protocols.values.site import UDP, Site
from tests.broken_nodes.breakage import Breakage, Question, native
from tests.broken_nodes.native_edits import site, site_bytes, where

PACKED = bytes([127, 0, 0, 1])


def _interfaces(**fields: Any) -> Callable[[Site], Site]:
    def change(found: Site) -> Site:
        servers = [
            each._replace(interfaces=tuple(one._replace(**fields) for one in each.interfaces))
            for each in found.servers
        ]
        return found._replace(servers=tuple(servers))

    return change


def _with_key(key: bytes) -> Callable[[Site], Site]:
    def change(found: Site) -> Site:
        return found._replace(
            servers=tuple(each._replace(public_key=key) for each in found.servers)
        )

    return change


def _names_a_handle(question: Question) -> bool:
    body = question.message.body
    return isinstance(body, HandleRequest) and body.handle != b"/"


BREAKAGES: dict[str, Breakage] = {
    "native.site.decodes-exactly": native("adds a byte", site_bytes(lambda data: data + b"\0")),
    "native.site.tcp-interface": native("has only UDP", site(_interfaces(protocol=UDP))),
    "native.site.ipv4-right-aligned": native(
        "aligns addresses to the left",
        site_bytes(lambda data: data.replace(bytes(12) + PACKED, PACKED + bytes(12))),
    ),
    "native.site.handle-ignored": native(
        "tells another serial for every handle",
        where(_names_a_handle, site(lambda found: found._replace(serial=found.serial + 1))),
    ),
    "native.site.version-told": native(
        "says that it speaks 9", site(lambda found: found._replace(major=9))
    ),
    "native.site.interfaces-reachable": native("has port 0", site(_interfaces(port=0))),
    "native.site.public-key": native("has a key that is none", site(_with_key(b"key"))),
}
