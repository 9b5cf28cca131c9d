"""Figures of a measurement: what was asked, what was answered, how long it took."""

import statistics
from collections.abc import Sequence

from bench.outages.asker import Asker, Heard


def figures(askers: Sequence[Asker], heard: Sequence[Heard] | None = None) -> dict[str, object]:
    """Over everything the askers heard, or a part of it."""
    if heard is None:
        heard = [one for asker in askers for one in asker.heard]
    asked = sum(asker.sent for asker in askers)
    right = [one for one in heard if one.is_right]
    codes: dict[str, int] = {}
    for one in heard:
        if not one.is_right:
            name = f"RC {one.code}" if one.code != 1 else "WRONG VALUES"
            codes[name] = codes.get(name, 0) + 1
    facts: dict[str, object] = {
        "asked": asked,
        "right": len(right),
        "right_percent": round(100 * len(right) / max(asked, 1), 4),
        "stale": sum(one.is_stale for one in right),
        "unanswered": sum(asker.unanswered for asker in askers),
        "other": codes,
    }
    return facts | waits([one.wait_s for one in right])


def waits(seconds: Sequence[float]) -> dict[str, object]:
    """Median, p99 and longest, in milliseconds."""
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=1000)
    return {
        "median_ms": round(statistics.median(seconds) * 1000, 2),
        "p99_ms": round(cuts[989] * 1000, 2),
        "most_ms": round(max(seconds) * 1000, 2),
    }
