"""A question of ``biaojie resolve`` and what became of it, whatever the transport."""

from typing import Any, NamedTuple

from node.asking.native import Hop, Manner
from protocols.handle.resolution import Referral
from protocols.identifier import Identifier
from protocols.values.value import Value


class Asked(NamedTuple):
    """The question, whatever the transport."""

    identifier: Identifier
    indexes: tuple[int, ...]
    types: tuple[str, ...]
    manner: Manner


class Told(NamedTuple):
    """What became of it."""

    hops: list[Hop]
    document: dict[str, Any] | None
    """As the JSON API tells it, with the node's trail when it was wanted and told; None = nobody answered."""
    referral: Referral | None = None
    values: tuple[Value, ...] = ()
    """As they came, when they came in wire form."""
