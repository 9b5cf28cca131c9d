"""The demo's steps, in order. Each is a function of a ``Stage`` that returns the line it saw.

Read them where they are: ``at_work`` (one node), ``journeys`` (three nodes), ``outage`` (two nodes and a gap).
"""

from collections.abc import Callable

from node.demo import at_work, journeys, outage
from node.demo.stage import Line, Stage

STEPS: tuple[Callable[[Stage], Line], ...] = (
    at_work.import_sample, at_work.register, at_work.update,
    at_work.resolve_udp, at_work.resolve_tcp, at_work.resolve_http,
    at_work.bad_row, at_work.bad_value, at_work.stranger, at_work.bad_bytes,
    at_work.kill_and_restart, at_work.resolve_again,
    journeys.delegate, journeys.register_elsewhere,
    journeys.resolve_delegated, journeys.resolve_foreign,
    journeys.resolve_from_below, journeys.resolve_from_above,
    journeys.resolve_absent, journeys.resolve_cached, journeys.resolve_cached_absence,
    journeys.resolve_cached_http, journeys.refer, journeys.move_prefix,
    outage.resolve_short_lived, outage.freeze_top,
    outage.resolve_stale, outage.resolve_stale_again,
    outage.resolve_seen_before, outage.resolve_own, outage.resolve_below,
    outage.stop_top, outage.resolve_unreachable, outage.top_is_back,
)  # fmt: skip
