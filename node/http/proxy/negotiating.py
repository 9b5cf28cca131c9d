"""Negotiating: what the ``Accept`` header wants of locations (RFC 9110 §12.5.1; Handle.Net manual, ``http_role``).

Who prefers HTML is a browser and gets no negotiated content. Who accepts anything, or says nothing, gets what is for
everybody. Who names other types gets the first location for them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.values.locations import Location

ROLE = "http_role"
CONNEG, NO_CONNEG, BROWSER = "conneg", "no_conneg", "browser"
MAX_HEADER_CHARS = 2_000
MAX_TYPES = 32
"""Media ranges looked at; browsers send about eight."""
_ANYTHING = "*/*"
_BROWSER_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/*", _ANYTHING})
_TYPE_ATTRIBUTES = ("media-type", "ctype")


class Wish(NamedTuple):
    """``role`` is one of the three; ``types`` are the named media ranges, the most wanted first."""

    role: str
    types: tuple[str, ...] = ()


def read_accept(header: str) -> Wish:
    """What an ``Accept`` header says; never raises."""
    ranges = _ranges(header)
    if all(range_ == _ANYTHING for range_, _ in ranges):
        return Wish(NO_CONNEG)
    best = max(weight for _, weight in ranges)
    best_for_browsers = max((w for range_, w in ranges if range_ in _BROWSER_TYPES), default=0.0)
    if best_for_browsers >= best:
        return Wish(BROWSER, ("text/html",))
    wanted = sorted(ranges, key=lambda one: -one[1])
    types = tuple(range_ for range_, weight in wanted if weight > 0 and range_ != _ANYTHING)
    return Wish(CONNEG, types)


def negotiate(locations: Sequence[Location], wish: Wish) -> list[Location]:
    """Those that fit; all that are not for somebody else when none does, and all when none is left."""
    if wish.role == CONNEG:
        fitting = _of_type([one for one in locations if _role(one) == CONNEG], wish.types)
    else:
        fitting = [one for one in locations if _role(one) == wish.role]
    for_anybody = [one for one in locations if _role(one) not in {CONNEG, NO_CONNEG, BROWSER}]
    return fitting or for_anybody or list(locations)


def _of_type(locations: list[Location], types: tuple[str, ...]) -> list[Location]:
    for wanted in types:
        found = [one for one in locations if any(_fits(type_, wanted) for type_ in _types(one))]
        if found:
            return found
    return [one for one in locations if not _types(one)]


def _fits(type_: str, wanted: str) -> bool:
    return type_ == wanted or (wanted.endswith("/*") and type_.startswith(wanted[:-1]))


def _role(location: Location) -> str:
    return location.attributes.get(ROLE, "").strip().lower()


def _types(location: Location) -> list[str]:
    said = (location.attributes.get(name, "") for name in _TYPE_ATTRIBUTES)
    return [text.partition(";")[0].strip().lower() for text in said if text]


def _ranges(header: str) -> list[tuple[str, float]]:
    found = []
    for part in header[:MAX_HEADER_CHARS].split(",")[:MAX_TYPES]:
        range_, *parameters = part.split(";")
        name = range_.strip().lower()
        if "/" in name:
            found.append((name, _weight(parameters)))
    return found


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                weight = float(text)
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0
