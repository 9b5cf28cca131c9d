"""Leading: where an answer leads: to another identifier (HS_ALIAS), to one of several locations, to a URL, or nowhere.

By the Handle.Net manual, proxy server: an alias is gone to first; then ``10320/loc`` is asked, and URL values are taken
into it as locations of no weight; a record without one leads to its first URL.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from node.http.api import Api
from node.http.links import choose_url, to_uri, url_values
from node.http.proxy.appending import append_to_url
from node.http.proxy.choosing import Asker, choose
from protocols.errors import ProtocolError
from protocols.identifier import Identifier, read_identifier
from protocols.message import Query
from protocols.values.locations import (
    DEFAULT_STEPS,
    Location,
    Locations,
    decode_locations,
    is_locations_type,
)
from protocols.values.value import Value
from resolver.source import Now, Peer

ALIAS_TYPE = "HS_ALIAS"
MAX_ALIASES = 10
"""Aliases in a row; real ones have one, and browsers follow about twenty redirects."""
STATUSES = frozenset({301, 302, 303, 307, 308})
"""What a location may want by ``http`` (also spelled ``http_sc``); anything else is 302."""


class Lead(NamedTuple):
    """Somebody is sent there."""

    status: int
    uri: str
    is_shared: bool = True
    """Whether it is the same for everybody, so that caches on the way may tell it."""


def is_special(values: Sequence[Value]) -> bool:
    """Whether anything but URL values counts."""
    return any(
        value.type.upper() == ALIAS_TYPE or is_locations_type(value.type) for value in values
    )


def alias_of(values: Sequence[Value]) -> Identifier | None:
    """The identifier that this one is another name of."""
    for value in values:
        if value.type.upper() == ALIAS_TYPE:
            try:
                return read_identifier(value.data.strip())
            except ProtocolError:
                continue  # shown on the page, led to by nobody
    return None


def goes_in_circles(
    api: Api, identifier: Identifier, alias: Identifier, peer: Peer, now: Now
) -> bool:
    """Whether the aliases come back to one of them, or do not end. Only what is at hand is looked at."""
    seen = {identifier.folded()}
    for _ in range(MAX_ALIASES):
        if alias.folded() in seen:
            return True
        seen.add(alias.folded())
        answer = api.service.resolve_now(Query(alias, may_recurse=True), peer, now)
        further = None if answer is None else alias_of(answer.values)
        if further is None:
            return False
        alias = further
    return True


def all_locations(values: Sequence[Value]) -> tuple[list[Location], tuple[str, ...]]:
    """Every location of a record, and the steps to choose by. Documents that cannot be read are passed over."""
    documents = list(_documents(values))
    found = [location for document in documents for location in document.locations]
    if all(document.has_urls for document in documents):
        weight = "0" if found else "1"
        for value in url_values(values):
            attributes = {"weight": weight, "mode": "legacy"}
            found.append(Location(value.data.decode(errors="replace").strip(), attributes))
    steps = next((document.steps for document in documents if document.steps), DEFAULT_STEPS)
    return found, steps


def lead_of(
    values: Sequence[Value],
    asker: Asker,
    appended: str,
    schemes: Sequence[str],
    chance: Callable[[], float],
) -> Lead | None:
    """Where a record leads; None = nowhere that may be followed. Raises ``ProtocolError`` about ``urlappend``."""
    if not any(is_locations_type(value.type) for value in values):
        value = choose_url(values, schemes)
        if value is None:
            return None
        return _lead(Location(value.data.decode().strip(), {}), appended, schemes, is_shared=True)
    locations, steps = all_locations(values)
    followed = [one for one in locations if _may_follow(one, schemes)]
    chosen = choose(followed, steps, asker, chance)
    return (
        None if chosen is None else _lead(chosen, appended, schemes, is_shared=len(followed) == 1)
    )


def _lead(
    location: Location, appended: str, schemes: Sequence[str], *, is_shared: bool
) -> Lead | None:
    uri = to_uri(append_to_url(location.href, appended).encode(), schemes)
    return None if uri is None else Lead(_status_of(location), uri, is_shared)


def _may_follow(location: Location, schemes: Sequence[str]) -> bool:
    try:
        return to_uri(location.href.encode(), schemes) is not None
    except UnicodeEncodeError:
        return False


def _status_of(location: Location) -> int:
    said = location.attributes.get("http", location.attributes.get("http_sc", "")).strip()
    status = int(said) if said.isascii() and said.isdigit() and len(said) == 3 else 0
    return status if status in STATUSES else 302


def _documents(values: Sequence[Value]) -> list[Locations]:
    documents = []
    for value in values:
        if is_locations_type(value.type):
            try:
                documents.append(decode_locations(value.data))
            except ProtocolError:
                continue
    return documents
