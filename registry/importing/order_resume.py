"""Resume point of an import of orders: what is told, and up to which order something may have been sent.

Kept as a note. Between ``tally.read`` and ``sent`` anything may have been committed or nothing: creations are sent
again, and what exists is seen to be this run's by the feed; other orders are known by request ids that begin with
``run_id``.

On disk one msgpack array: ``[format, run_id, deleted, a ResumePoint]``.
"""

from typing import NamedTuple

import msgpack

from registry.importing.resume import ResumePoint, decode_resume_point, encode_resume_point

FORMAT = 1


class OrderPoint(NamedTuple):
    """Where a run stood when it said so."""

    run_id: str
    """New for every run that begins at the beginning."""
    point: ResumePoint
    """``sent`` counts orders, and is a promise not to have sent more."""


def encode_order_point(point: OrderPoint) -> bytes:
    """The note's value."""
    inner = encode_resume_point(point.point)
    packed: bytes = msgpack.packb([FORMAT, point.run_id, point.point.tally.deleted, inner])
    return packed


def decode_order_point(value: bytes) -> OrderPoint | None:
    """None when it was written by a program that counted otherwise, or is damaged: the import then starts anew."""
    try:
        format_, run_id, deleted, inner = msgpack.unpackb(value)
        point = decode_resume_point(inner)
        if format_ != FORMAT or point is None:
            return None
        tally = point.tally._replace(deleted=int(deleted))
        return OrderPoint(str(run_id), point._replace(tally=tally))
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
