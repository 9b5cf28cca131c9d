"""Which nodes a forwarded HTTP question has passed: the CDN-Loop field (RFC 8586)::

    CDN-Loop: 0f3a9c2e11d84b60, 77b1e0a2c4d5f693; hops=2

One member for each node, by its id, the last one last; ``hops`` says how often the question was forwarded, nodes
that do not name themselves included. Members of other makes (content delivery networks) are passed over.
"""

import re

from protocols.trail import is_node_id

MAX_FIELD_CHARS = 1024
"""A longer field is not read: no question comes through so many."""
MAX_HOPS = 255
"""As many as a native header can count; far above what any node forwards."""

_HOPS = re.compile(r"hops=([0-9]{1,3})")


def write_loop(via: tuple[str, ...], hop_count: int) -> str:
    """The field's value; empty when no node is named."""
    return ", ".join(via) + f"; hops={min(hop_count, MAX_HOPS)}" if via else ""


def read_loop(field: str) -> tuple[tuple[str, ...], int]:
    """``(ids, hop_count)`` of a field's value; never raises."""
    if len(field) > MAX_FIELD_CHARS:
        return (), MAX_HOPS
    ids, hops = [], 0
    for member in field.split(","):
        name, *parameters = (part.strip() for part in member.split(";"))
        if is_node_id(name):
            ids.append(name)
            for parameter in parameters:
                if found := _HOPS.fullmatch(parameter):
                    hops = max(hops, int(found[1]))
    return tuple(ids), max(hops, len(ids))
