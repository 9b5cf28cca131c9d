"""Acceptance: how far an answer is believed. Every rule is a function of what was asked and what came.

The node has seen to it that a reply comes from the asked server and carries the asked request id. Here: only the asked
identifier, only in time, only public values, and no sending away to prefixes the sender has no say over.
"""

from collections.abc import Sequence

from protocols.errors import ProtocolError
from protocols.identifier import Identifier, is_within, read_identifier
from protocols.message import Outcome
from protocols.values.site import HTTPS, UDP
from protocols.values.value import Value
from resolver.asking import Reply, Target, Trouble
from resolver.cache import Rank


def flaw_of(reply: Reply, asked: bytes, wall_s: float) -> Trouble | None:
    """Why a reply is not believed at all, None when nothing speaks against it (RFC 3652 §2.2)."""
    if reply.spelling and reply.spelling.upper() != asked.upper():
        return Trouble.WRONG_IDENTIFIER
    if not reply.spelling and reply.outcome is Outcome.SUCCESS:
        return Trouble.WRONG_IDENTIFIER
    if reply.expires_s and reply.expires_s < wall_s:
        return Trouble.EXPIRED
    return None


def rank_of(reply: Reply, target: Target) -> Rank:
    """How much an answer is worth; a lesser one never takes the place of a better one that still holds."""
    if reply.is_signed or target.protocol == HTTPS:
        return Rank.SIGNED
    return Rank.UDP if target.protocol == UDP else Rank.TCP


def public_values(values: Sequence[Value]) -> tuple[Value, ...]:
    """What may be kept and told on: public values, one for each index, sorted."""
    by_index = {value.index: value for value in values if value.is_public}
    return tuple(by_index[index] for index in sorted(by_index))


def is_in_bailiwick(handle: bytes, identifier: Identifier, zone: bytes | None) -> bool:
    """Whether servers responsible for ``zone`` (None = anything) may say that ``handle`` tells where to go on.

    A prefix record must be of a prefix that the identifier lies below; nothing may lie outside the servers' own zone.
    """
    try:
        named = read_identifier(handle)
    except ProtocolError:
        return False
    prefix = named.responsible_prefix
    if named.is_prefix_record and not is_within(identifier.responsible_prefix, prefix):
        return False
    return zone is None or is_within(prefix, zone)
