"""10320/loc data: several places of one identifier, and by what one is chosen (Handle.Net manual, proxy server).

::

    <locations chooseby="locatt, country, weighted">
      <location id="0" href="https://example.org/" weight="1" country="cn" http="303" />
    </locations>
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from protocols.errors import Malformed, TooLarge
from protocols.values.plain_xml import Element, read_xml

LOCATIONS_TYPE = "10320/LOC"
"""Folded; values of type ``10320/loc`` or ``10320/loc.…`` hold locations."""
DEFAULT_STEPS = ("locatt", "address", "country", "score", "weighted")
"""What is looked at, in this order, when the document does not say (``chooseby``)."""
MAX_LOCATIONS = 500
"""More than anybody registers; each is looked at for every redirect."""

_TRUE = frozenset({"1", "true", "yes"})


class Location(NamedTuple):
    """One place. ``href`` is no attribute any more; the others have their names in lower case."""

    href: str
    attributes: Mapping[str, str]

    @property
    def weight(self) -> float:
        """Share of the random choices; 1 when it is not said, 0 when it is no number from 0 up."""
        return _number(self.attributes.get("weight"), 1.0)

    @property
    def score(self) -> float:
        """The highest ones are preferred; 0 when it is not said."""
        return _number(self.attributes.get("score"), 0.0)


class Locations(NamedTuple):
    """One document."""

    locations: tuple[Location, ...]
    steps: tuple[str, ...] = ()
    """Names of ``DEFAULT_STEPS`` and perhaps others, in lower case; none = the document does not say."""
    has_urls: bool = True
    """Whether the URL values of the record count as locations, too (``no_legacy`` switches them off)."""


def is_locations_type(type_: str) -> bool:
    """Whether a value of this type holds locations."""
    folded = type_.upper()
    return folded == LOCATIONS_TYPE or folded.startswith(LOCATIONS_TYPE + ".")


def decode_locations(data: bytes) -> Locations:
    """Raises ``Malformed`` (see ``read_xml``, or no ``locations`` element) or ``TooLarge``."""
    root = read_xml(data, "locations")
    if root.name != "locations":
        raise Malformed(f"locations: the document is a {root.name[:40]!r}")
    said = root.attributes.get("choose_by", root.attributes.get("chooseby", ""))
    steps = tuple(step for part in said.split(",") if (step := part.strip().lower()))
    has_urls = root.attributes.get("no_legacy", "").strip().lower() not in _TRUE
    found = [_location(child) for child in root.children if child.name == "location"]
    if len(found) > MAX_LOCATIONS:
        raise TooLarge(f"locations: {len(found)} of them, at most {MAX_LOCATIONS} allowed")
    return Locations(tuple(one for one in found if one.href), steps, has_urls)


def _location(element: Element) -> Location:
    others = {name: text for name, text in element.attributes.items() if name != "href"}
    return Location(element.attributes.get("href", "").strip(), others)


def _number(text: str | None, absent: float) -> float:
    if text is None:
        return absent
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
