"""Choosing: which of several locations somebody is sent to, step by step (Handle.Net manual, 10320/loc).

Each step leaves those that fit, or all of them when none fits, so that there is always somewhere to go. What is still
several at the end is drawn by weight. Chance is handed in, so that the same draw gives the same place.
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from node.http.proxy.negotiating import ROLE, Wish, negotiate
from protocols.values.locations import Location

MAX_PAIRS = 16
"""``locatt`` parameters looked at; a link has one or two."""
MAX_NETWORKS = 64
"""Networks looked at of one location."""


class Asker(NamedTuple):
    """What is known of who asks."""

    pairs: tuple[tuple[str, str | None], ...] = ()
    """Of ``locatt=name:value``; None = the attribute only has to be there."""
    address: str = ""
    """IP address text."""
    country: str = ""
    """Two letters; "" = not known."""
    wish: Wish = Wish("")
    """By the ``Accept`` header."""


def read_pairs(texts: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    """``locatt`` parameters: ``name:value``, or ``name`` alone."""
    pairs = []
    for text in texts[:MAX_PAIRS]:
        name, colon, value = text.partition(":")
        pairs.append((name.strip().lower(), value if colon else None))
    return tuple(pairs)


def choose(
    locations: Sequence[Location],
    steps: Sequence[str],
    asker: Asker,
    chance: Callable[[], float],
) -> Location | None:
    """One of them; None when there is none. ``chance`` gives a number from 0 up to, not including, 1."""
    left = list(locations)
    for step in steps:
        if len(left) <= 1 or step == "weighted":
            break
        narrow = _STEPS.get(step)
        if narrow is not None:
            left = narrow(left, asker) or left
    if len(left) <= 1:
        return left[0] if left else None
    return _draw(left, chance())


def _by_link(locations: list[Location], asker: Asker) -> list[Location]:
    """What the link asks for, then what the ``Accept`` header does, unless the link has said it."""
    left = locations
    for name, value in asker.pairs:
        left = [one for one in left if _has(one, name, value)] or left
    if any(name == ROLE for name, _ in asker.pairs):
        return left
    return negotiate(left, asker.wish)


def _has(location: Location, name: str, value: str | None) -> bool:
    text = location.attributes.get(name)
    return text is not None and (value is None or text == value)


def _by_address(locations: list[Location], asker: Asker) -> list[Location]:
    return [one for one in locations if _is_near(one, asker.address)]


def _is_near(location: Location, address: str) -> bool:
    said = location.attributes.get("addresses", location.attributes.get("address", ""))
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    for text in said.replace(",", " ").split()[:MAX_NETWORKS]:
        try:
            if parsed in ip_network(text, strict=False):
                return True
        except ValueError:
            continue  # one that is no network is nobody's
    return False


def _by_country(locations: list[Location], asker: Asker) -> list[Location]:
    if not asker.country:
        return locations
    country = asker.country.lower()
    return [
        one for one in locations if one.attributes.get("country", "").strip().lower() == country
    ]


def _by_score(locations: list[Location], _asker: Asker) -> list[Location]:
    best = max(one.score for one in locations)
    return [one for one in locations if one.score == best]


_STEPS: dict[str, Callable[[list[Location], Asker], list[Location]]] = {
    "locatt": _by_link,
    "address": _by_address,
    "country": _by_country,
    "score": _by_score,
}


def _draw(locations: list[Location], draw: float) -> Location:
    """By weight; when nobody has any, all are alike."""
    weights = [min(one.weight, 1e9) for one in locations]  # a sum that stays finite
    total = sum(weights)
    if not total:
        return locations[int(draw * len(locations))]
    rest = draw * total
    for location, weight in zip(locations, weights, strict=True):
        rest -= weight
        if rest < 0:
            return location
    return next(
        one for one, weight in zip(reversed(locations), reversed(weights), strict=True) if weight
    )
