"""Names of series on a page of several documents: two that are called the same get their documents' names in front."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from bench.report.result import Result


def tell_apart(results: Sequence[Result], labels: Sequence[str]) -> list[Result]:
    """The same documents; a series whose name another document uses too is called ``label: name``."""
    names = Counter(name for result in results for name in {each.name for each in result.series})
    found = []
    for result, label in zip(results, labels, strict=True):
        series = [
            dataclasses.replace(each, name=f"{label}: {each.name}")
            if names[each.name] > 1
            else each
            for each in result.series
        ]
        found.append(dataclasses.replace(result, series=series))
    return found
