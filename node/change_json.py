"""A feed entry as JSON, for the HTTP API and the command line alike; it never holds values."""

from protocols.rest.dates import format_date
from registry.change import Change


def change_to_json(change: Change) -> dict[str, object]:
    """What happened to which record, when, by whom and from where, with its place in the chain."""
    return {
        "seq": change.seq,
        "time": format_date(change.time_ms // 1000),
        "timeMs": change.time_ms,
        "operation": change.operation.value,
        "handle": change.key.decode(errors="replace"),
        "version": change.version,
        "digest": change.content.hex(),
        "actor": change.actor,
        "source": change.source,
        "requestId": change.request_id,
        "previous": change.previous.hex(),
    }
