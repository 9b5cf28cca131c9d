"""Searching for a command: in the own node's index, or at another node's ``/hrls/handles``."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from node.asking.web import WebServer
from node.config import Config
from node.hosted import hidden
from node.search.cells import scope_of
from node.search.finding import Asked
from node.search.terms import look_up, public_values, read_prefix, read_terms
from node.search.view import NotThere, TookTooLong, View
from node.store import open_view
from protocols.identifier import parse_identifier
from protocols.message import Outcome
from protocols.rest.codes import response_code
from registry.holdings import folded_key
from registry.stores.lmdb_reader import LmdbReader
from registry.stores.store import Authority


class Wanted(NamedTuple):
    """What is looked for."""

    terms: tuple[tuple[str, str], ...]
    """Type and pattern."""
    prefix: str = ""
    limit: int = 50
    after: str = ""


def search_own(config: Config, wanted: Wanted) -> dict[str, Any]:
    """``{"responseCode", "found": {handle: [{"type", "value"}]}, "behind"}`` or an error document.

    Private prefixes are told: whoever may read the file is the operator. Raises ``ProtocolError``, ``StoreError``.
    """
    if not config.search.enabled:
        return _refusal(Outcome.NOT_SUPPORTED, "search.enabled is false: this node keeps no index")
    scope, view = scope_of(config.search), View(config.node.data_dir)
    terms = read_terms(wanted.terms, scope)
    reader = open_view(config)
    try:
        hits, state = view.find(
            _asked(reader, wanted)._replace(terms=terms), config.search.question_s
        )
        head = reader.head()
        if state.log_id != head.log_id:
            return _refusal(
                Outcome.BUSY,
                "the index is that of another store; start the node, which makes it anew",
            )
        records = ((hit, look_up(reader, hit, terms, state.seq, scope)) for hit in hits)
        found = {
            hit.spelling: public_values(record) for hit, record in records if record is not None
        }
        return _found(found, max(0, head.seq - state.seq))
    except NotThere as reason:
        return _refusal(Outcome.BUSY, f"{reason}; a running node makes it")
    except TookTooLong:
        return _refusal(
            Outcome.BUSY, f"the search was given up after {config.search.question_s:g} s"
        )
    finally:
        reader.close()
        view.close()


def search_far(server: WebServer, wanted: Wanted) -> dict[str, Any]:
    """The same at a node behind its HTTP API. Raises ``WebTrouble``."""
    fields = [*wanted.terms, ("limit", str(wanted.limit)), ("retrieverecords", "true")]
    if wanted.after:
        fields.append(("after", wanted.after))
    below = f"/{quote(wanted.prefix, safe='')}" if wanted.prefix else ""
    answer = server.ask("GET", f"/hrls/handles{below}?{urlencode(fields)}")
    if answer.status != HTTPStatus.OK:
        return answer.document
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return _found(answer.document, int(headers.get("biaojie-search-behind", "0")))


def _asked(reader: LmdbReader, wanted: Wanted) -> Asked:
    """All but the terms."""
    after = ""
    if wanted.after:
        identifier = parse_identifier(wanted.after)
        after = folded_key(identifier, reader.authority(identifier.prefix)).decode()
    unseen = tuple(
        one.prefix.decode() for page in hidden(reader, _is_for_the_operator) for one in page
    )
    return Asked((), wanted.limit, 0, after, read_prefix(wanted.prefix.encode()), unseen)


def _is_for_the_operator(_: Authority) -> bool:
    return True


def _found(found: Mapping[str, Any], behind: int) -> dict[str, Any]:
    return {"responseCode": response_code(Outcome.SUCCESS), "found": found, "behind": behind}


def _refusal(outcome: Outcome, message: str) -> dict[str, Any]:
    return {"responseCode": response_code(outcome), "message": message}
