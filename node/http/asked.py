"""Asked: what of a request every handler of a record reads: the identifier, the selection, the expected version."""

from collections.abc import Sequence
from hashlib import sha256

from node.http.errors import failure
from node.http.reply import Reply
from node.http.request import Request
from node.http.target import decode_path
from protocols.errors import Malformed, ProtocolError
from protocols.identifier import Identifier, read_identifier
from protocols.message import Outcome, Query
from protocols.rest.loop import read_loop
from protocols.values.value import MAX_INDEX, TTL_RELATIVE, Value
from protocols.values.value_list import MAX_VALUES, encode_values

VARIOUS = "various"
"""``index=various`` on PUT: the indexes are those of the body (Handle.Net manual, JSON API)."""


def read_asked_identifier(request: Request) -> Identifier | Reply:
    """The identifier behind the route's own path, or why it cannot be one."""
    spelling = b""
    try:
        spelling = decode_path(request.suffix)
        return read_identifier(spelling)
    except ProtocolError as error:
        shown = spelling.decode(errors="replace")[:200]
        return failure(
            Outcome.INVALID_IDENTIFIER,
            request.method,
            handle=shown,
            message=str(error),
            field="path",
        )


def read_indexes(request: Request) -> tuple[int, ...]:
    """The ``index`` parameters, ``various`` apart. Raises ``Malformed``."""
    texts = [text for text in request.parameters.all("index") if text != VARIOUS]
    if len(texts) > MAX_VALUES:
        raise Malformed(
            f"index: {len(texts)} given, a record has at most {MAX_VALUES}", field="index"
        )
    indexes = []
    for text in texts:
        if not (
            text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= MAX_INDEX
        ):
            raise Malformed(
                f"index: {text[:20]!r} is not a number from 1 to {MAX_INDEX}", field="index"
            )
        indexes.append(int(text))
    return tuple(indexes)


def is_authoritative(request: Request) -> bool:
    """Whether the answer must not come from a cache of ours: ``?auth``, ``?cert``, or ``no-cache`` (RFC 9111 §5.2.1.4).

    A certified answer is one that is proved; what proves one is in the settings, but a new one is fetched for it.
    """
    if "no-cache" in request.headers.get("Cache-Control", "").lower():
        return True
    if not (request.query or request.form):
        return False
    return request.parameters.flag("auth") is True or request.parameters.flag("cert") is True


def foreign_query(request: Request, identifier: Identifier) -> Query:
    """The question with the way it came, for the whole public record; other nodes may be asked for it."""
    via, hop_count = read_loop(request.headers.get("CDN-Loop", ""))
    return Query(
        identifier,
        authoritative=is_authoritative(request),
        may_recurse=True,
        hop_count=hop_count,
        via=via,
    )


def read_number(request: Request, name: str, default: int, most: int) -> int:
    """A parameter that counts, from 0 to ``most``. Raises ``Malformed``."""
    text = request.parameters.first(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) <= most):
        raise Malformed(f"{name}: {text[:20]!r} is not a number from 0 to {most}", field=name)
    return int(text)


def etag(version: int) -> str:
    """A record's version as an entity tag (RFC 9110 §8.8.3)."""
    return f'"{version}"'


def content_etag(values: Sequence[Value]) -> str:
    """An entity tag of values that another node told: of their content, for TTLs run down all the time."""
    timeless = [v._replace(ttl=0) if v.ttl_type == TTL_RELATIVE else v for v in values]
    return f'"{sha256(encode_values(timeless)).hexdigest()[:20]}"'


def read_etags(header: str) -> set[str]:
    """The tags of ``If-Match`` or ``If-None-Match``; a weak one counts like a strong one, ``*`` stays ``*``."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",") if tag.strip()}
