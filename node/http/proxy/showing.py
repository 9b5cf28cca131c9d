"""Showing: all locations of a record as one XML document, for ``action=showlocations``."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from protocols.values.locations import Location

_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""Characters no XML document may have (XML 1.0 §2.2); a URL value may."""


def locations_document(locations: Sequence[Location], steps: Sequence[str]) -> bytes:
    """``<locations>`` as 10320/loc has it; URL values of the record are among them with ``mode="legacy"``."""
    lines = [f"<locations chooseby={quoteattr(','.join(steps))}>"]
    for location in locations:
        attributes = {"href": location.href, **location.attributes}
        said = " ".join(
            f"{name}={quoteattr(_NOT_XML.sub('?', text))}" for name, text in attributes.items()
        )
        lines.append(f"  <location {said}/>")
    lines.append("</locations>")
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + "\n".join(lines) + "\n").encode()
