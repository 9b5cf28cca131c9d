"""Deciding one command: rules first, then the record and the feed entry it makes, laid into the overlay."""

from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import PREFIX_AUTHORITY, Identifier
from protocols.message import Command, Operation, Outcome, Principal, Receipt
from protocols.record import Record
from protocols.values.value_list import least_ttl_s
from registry.errors import DamagedRecord
from registry.holdings import Holdings
from registry.overlay import Act, Overlay
from registry.revision import fill, make_tombstone
from registry.rules import Context, first_reject
from registry.sealing import Sealer
from registry.stores.store import ABOUT_PREFIXES, Authority


class Submission(NamedTuple):
    """One command as it arrived."""

    principal: Principal
    command: Command
    source: str
    """For the feed, e.g. ``http 127.0.0.1``."""


def decide_one(
    submission: Submission, overlay: Overlay, holdings: Holdings, sealer: Sealer
) -> Receipt:
    """The receipt; if it tells of a change, the change is in ``overlay``."""
    principal, command, _ = submission
    try:
        found = overlay.lookup_any(command.identifier)
        present = None if found is None or found.is_deleted else found
        context = Context(command, present, holdings, overlay)
        reject = first_reject(principal, command, present, context)
    except (DamagedRecord, ProtocolError) as damage:
        # One damaged record must not stop the commands for all the others.
        return Receipt(Outcome.ERROR, reason=f"{command.identifier.text}: {damage}")
    if reject is not None:
        return Receipt(reject.outcome, reason=reject.reason, field=reject.field)
    is_deletion = command.operation is Operation.DELETE
    authority = _moved_authority(command, overlay, context.now_s)
    is_same = context.revised is context.old and authority is None
    if present is not None and not is_deletion and is_same:
        return Receipt(Outcome.SUCCESS, present.version, is_unchanged=True)
    return _change(submission, found, context, overlay, sealer, authority)


def _change(
    submission: Submission,
    found: Record | None,
    context: Context,
    overlay: Overlay,
    sealer: Sealer,
    authority: Authority | None,
) -> Receipt:
    principal, command, source = submission
    seq = overlay.next_seq
    if command.operation is Operation.DELETE:
        if found is None:
            raise AssertionError("a rule refuses to delete what does not exist")
        record, content = make_tombstone(found, seq, context.now_s, sealer)
    else:
        blank = _next_version(command.identifier, found, overlay)
        record, content = fill(blank, context.revised, sealer)
    act = Act(command.operation, principal.name, source, command.request_id)
    overlay.add(act, record, found, content, authority)
    was_created = found is None or found.is_deleted
    return Receipt(Outcome.SUCCESS, record.version, seq, was_created)


def _next_version(identifier: Identifier, found: Record | None, overlay: Overlay) -> Record:
    """Without values yet. A record keeps its spelling while it lives; a new one starts behind its tombstone."""
    key, now_s = overlay.key_of(identifier), overlay.time_ms // 1000
    version = 1 if found is None else found.version + 1
    spelling = canonical_spelling(identifier)
    if found is not None and not found.is_deleted:
        spelling = found.spelling
    return Record(key, spelling, version, overlay.next_seq, now_s, least_ttl_s(()))


def canonical_spelling(identifier: Identifier) -> bytes:
    """As spelled, but of a prefix record always with ``0.NA/`` in front."""
    if identifier.is_prefix_record:
        return PREFIX_AUTHORITY + b"/" + identifier.suffix
    return identifier.spelling


def _moved_authority(command: Command, overlay: Overlay, now_s: int) -> Authority | None:
    """The prefix's authority as a command about prefixes leaves it; None when it stays as it is.

    A new one is for the store to number; an authority outlives its deleted record.
    """
    if command.operation not in ABOUT_PREFIXES:
        return None
    prefix = command.identifier.responsible_prefix
    found = overlay.authority(prefix)
    if found is None:
        fresh = Authority(0, prefix, command.identifier.suffix, command.case_sensitive, now_s)
        return fresh.after(command.operation)
    moved = found.after(command.operation)
    return None if moved == found else moved
