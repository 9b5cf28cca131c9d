"""The JSON API as checks use it: targets, credentials, documents.

Handle.Net Technical Manual 9, "Handle HTTP JSON REST API".
"""

import base64
import json
import urllib.parse
from collections.abc import Sequence

from conformance.http_client import FieldList, HttpAnswer
from conformance.outcome import Failed, NotOffered, expect
from conformance.target import Account
from conformance.visit import Visit

API = 'Handle.Net Technical Manual 9, "Handle HTTP JSON REST API"'
"""The source of most HTTP checks."""
PYHANDLE = "PYHANDLE 1.x, rest API client"
"""What the Python client of the e-infrastructures sends and takes for granted."""
JSON_BODY = (("Content-Type", "application/json"),)
ANYBODY: FieldList = ()
Json = dict[str, object]


def target_of(name: bytes, query: str = "") -> str:
    """``/api/handles/…`` with everything percent-encoded but what may stand in a path anyway."""
    return f"/api/handles/{urllib.parse.quote(name, safe='/')}" + (f"?{query}" if query else "")


def login(account: Account) -> FieldList:
    """Basic credentials: the user is ``index:handle``, percent-encoded (RFC 7617 §2 forbids its colon)."""
    user = urllib.parse.quote(account.reference, safe="")
    pair = user.encode() + b":" + (account.secret or b"")
    return (("Authorization", "Basic " + base64.b64encode(pair).decode()),)


def get(visit: Visit, name: bytes, query: str = "", fields: FieldList = ANYBODY) -> HttpAnswer:
    """What anybody sees of a record, or whom ``fields`` name."""
    return visit.http().ask("GET", target_of(name, query), None, fields)


def put(
    visit: Visit, name: bytes, body: object, query: str = "", who: Account | None = None
) -> HttpAnswer:
    """Write as JSON, as the administrator or ``who``. Raises ``NotOffered`` without TLS where that is needed."""
    fields = (*login(who or visit.administrator), *JSON_BODY)
    return taken(visit.http().ask("PUT", target_of(name, query), json.dumps(body).encode(), fields))


def delete(visit: Visit, name: bytes, query: str = "", who: Account | None = None) -> HttpAnswer:
    """Delete, as the administrator or ``who``."""
    fields = login(who or visit.administrator)
    return taken(visit.http().ask("DELETE", target_of(name, query), None, fields))


def as_administrator(visit: Visit, method: str, target: str) -> HttpAnswer:
    """Any other request without a body, as the administrator."""
    return taken(visit.http().ask(method, target, None, login(visit.administrator)))


def taken(answer: HttpAnswer) -> HttpAnswer:
    """Raises ``NotOffered`` for a node that takes credentials over TLS only, as the reference server does."""
    if answer.status == 403 and code_of(answer) == 402:
        raise NotOffered("credentials are taken over TLS only: name an https address")
    return answer


def code_of(answer: HttpAnswer) -> object:
    """``responseCode``; None where there is none."""
    try:
        return answer.document.get("responseCode")
    except Failed:
        return None


def expect_told(answer: HttpAnswer, status: int, *codes: int) -> HttpAnswer:
    """The status, and one of the response codes if any are named; hands the answer on."""
    wanted = f"status {status}" + (f" with RC {' or '.join(map(str, codes))}" if codes else "")
    expect(answer.status == status, wanted, answer.told)
    if codes:
        expect(answer.document.get("responseCode") in codes, wanted, answer.told)
    return answer


def expect_client_error(answer: HttpAnswer) -> HttpAnswer:
    """A 4xx status: it was the asker's fault, and the node says so."""
    expect(400 <= answer.status < 500, "a 4xx status", answer.told)
    return answer


def values_of(answer: HttpAnswer) -> list[Json]:
    """``values`` of a successful answer. Raises ``Failed``."""
    expect_told(answer, 200, 1)
    values = answer.document.get("values")
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise Failed("values, an array of objects", answer.told)
    return values


def indexes_of(answer: HttpAnswer) -> list[object]:
    """The indexes of its values, in the order they came."""
    return [value.get("index") for value in values_of(answer)]


def value_of(answer: HttpAnswer, index: int) -> Json:
    """The value at ``index``. Raises ``Failed``."""
    for value in values_of(answer):
        if value.get("index") == index:
            return value
    raise Failed(f"a value with index {index}", answer.told)


def expect_indexes(answer: HttpAnswer, indexes: Sequence[int]) -> None:
    """Exactly these values, in this order."""
    came = indexes_of(answer)
    expect(came == list(indexes), f"values {list(indexes)}", came)


def as_object(thing: object) -> Json:
    """A JSON object, or an empty one where something else came: what is looked for is then missing."""
    return thing if isinstance(thing, dict) else {}


def as_objects(thing: object) -> list[Json]:
    """An array's elements, each by ``as_object``; none where no array came."""
    return [as_object(item) for item in thing] if isinstance(thing, list) else []


def text_value(index: int, text: str, type_: str = "URL") -> Json:
    """A value of a PUT body."""
    return {"index": index, "type": type_, "data": {"format": "string", "value": text}}


def admin_json(visit: Visit, index: int = 100) -> Json:
    """HS_ADMIN for the administrator, as a value of a PUT body."""
    who = visit.administrator
    value = {"handle": who.handle.decode(), "index": who.index, "permissions": "011111110011"}
    return {"index": index, "type": "HS_ADMIN", "data": {"format": "admin", "value": value}}


def record(visit: Visit, *values: Json) -> Json:
    """A PUT body of a whole record, with its administrator."""
    return {"values": [*values, admin_json(visit)]}


def created(visit: Visit, *values: Json, more: str = "") -> bytes:
    """A new record, made over HTTP; its name."""
    name = visit.new_name(more)
    expect_told(put(visit, name, record(visit, *values)), 201, 1)
    return name
