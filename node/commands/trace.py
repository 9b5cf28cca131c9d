"""How a question's way looks to people: the tries of this command, and below each the servers that were asked in turn.

One row is one question to one server; the indented ones below it were asked by that server, as far as it tells.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from node.asking.native import Hop
from node.asking.referral import referred_servers
from node.asking.trail import SOURCES
from node.output import print_table
from protocols.handle.resolution import Referral
from protocols.trail import Leg, Trail, read_trail_document
from resolver.asking import Target

COLUMNS = ("hop", "node", "asked", "time", "bytes", "answer", "from")
INDENT = "  "


def show_trace(asked: str, hops: Sequence[Hop], document: dict[str, Any] | None) -> None:
    """The whole way, as a table; ``document`` has the answering node's trail when it told one."""
    trail = read_trail_document((document or {}).get("trail"))
    rows = []
    for hop in hops:
        is_last = hop is hops[-1]
        rows.append(_row(hop, asked, trail if is_last else None))
    rows += _leg_rows(trail, 1) if trail else []
    print_table("", COLUMNS, rows)


def _row(hop: Hop, asked: str, trail: Trail | None) -> tuple[str, ...]:
    server = hop.server if "://" in hop.server else f"{hop.transport}://{hop.server}"
    size = f"{hop.asked_bytes} → {hop.answer_bytes}" if hop.asked_bytes else f"{hop.answer_bytes}"
    return (server, *_node_and_time(asked, hop.seconds, trail), size, hop.note, _from(trail))


def _leg_rows(trail: Trail, depth: int) -> Iterator[tuple[str, ...]]:
    for leg in trail.legs:
        yield _leg_row(leg, depth)
        if leg.trail is not None:
            yield from _leg_rows(leg.trail, depth + 1)


def _leg_row(leg: Leg, depth: int) -> tuple[str, ...]:
    server = f"{INDENT * (depth - 1)}└ {leg.server}"
    return (
        server,
        *_node_and_time(leg.asked, leg.seconds, leg.trail),
        "",
        leg.said,
        _from(leg.trail),
    )


def _node_and_time(asked: str, seconds: float, trail: Trail | None) -> tuple[str, str, str]:
    return trail.node if trail else "", asked, f"{seconds * 1000:.2f} ms"


def _from(trail: Trail | None) -> str:
    return SOURCES[trail.verdict] if trail else ""


def show_referral(asked: str, referral: Referral) -> str:
    """The servers as a table; returns the next step to recommend."""
    servers = referred_servers(referral)
    rows = [
        (
            Target(interface.protocol, server.address, interface.port).name,
            "yes" if server.public_key else "no",
        )
        for server, interfaces in servers
        for interface in interfaces
    ]
    title = f"{asked}: another node has it"
    if not rows:
        handle = referral.handle.decode(errors="replace")
        print_table(title, ("ask the service of",), [(handle or "(it does not say who)",)])
        return f"biaojie resolve {shlex.quote(handle)}" if handle else ""
    print_table(title, ("ask there", "with its key"), rows)
    native = [url for url, _ in rows if url.startswith(("udp", "tcp"))]
    target = native[0].partition("://")[2] if native else rows[0][0]
    return f"biaojie resolve {shlex.quote(asked)} --server {target}"
