"""OpenAPI: the table of routes as an OpenAPI 3.1 document. Only words are here; tests hold them to the table."""

from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

from node.http.openapi_schemas import SCHEMAS
from node.http.route import EVERYWHERE, REST, Operation, Route

_LIST: dict[str, object] = {"type": "array", "items": {"type": "string"}}
PARAMETERS: dict[str, tuple[str, dict[str, object]]] = {
    "index": ("Value index; repeat for several. On PUT, `various` = the indexes of the body", _LIST),
    "type": ("Value type without regard to case; repeat for several; `URL.` also takes subtypes", _LIST),
    "auth": ("Ask authoritatively: the answer must not come from a cache", {"type": "boolean"}),
    "trace": ("Tell under `trail` who was asked; for clients this node asks others for", {"type": "boolean"}),
    "publicOnly": ("Public values only; default true without login, false with", {"type": "boolean"}),
    "overwrite": ("Replace what exists; `false` answers 409 instead", {"type": "boolean", "default": True}),
    "pretty": ("Indent the JSON", {"type": "boolean"}),
    "mintNewSuffix": ("On PUT: this node makes the suffix, behind what is given", {"type": "boolean"}),
    "doNotRefer": ("Do not answer with whom to ask instead", {"type": "boolean"}),
    "callback": ("JSONP, where `http.jsonp` allows it: the name of the function to call", {"type": "string"}),
    "nonce": ("The challenge, base64", {"type": "string"}),
    "cnonce": ("The client's own chance, base64", {"type": "string"}),
    "alg": ("HMAC-SHA256, PBKDF2-HMAC-SHA1, SHA-256, HMAC-SHA1, SHA1", {"type": "string"}),
    "signature": ("The proof over nonce and cnonce, base64", {"type": "string"}),
    "salt": ("Of PBKDF2, base64", {"type": "string"}),
    "iterations": ("Of PBKDF2", {"type": "integer"}),
    "length": ("Bits of the key that PBKDF2 derives", {"type": "integer"}),
    "prefix": ("The prefix whose identifiers or changes are meant", {"type": "string"}),
    "page": ("Page number from 0; for looking around", {"type": "integer", "minimum": 0}),
    "pageSize": ("Identifiers on a page, at most 10,000", {"type": "integer", "minimum": 0, "maximum": 10_000}),
    "after": ("Go on behind this suffix (listing), number (changes) or identifier (search)", {"type": "string"}),
    "limit": ("At most so many in one answer: changes 100, up to 1,000; found identifiers 1,000, up to 100,000",
              {"type": "integer", "minimum": 0}),
    "TYPE": ("Any value type, and what its text is like: `*` is anything. Repeat for several", {"type": "string"}),
    "retrieverecords": ("All public values of what is found, instead of its names", {"type": "boolean"}),
    "receipts": ("`rejected` sends receipts of rejected rows only", {"type": "string", "enum": ["all", "rejected"]}),
    "noredirect": ("Show the values instead of redirecting", {"type": "boolean"}),
    "action": ("`showlocations` or `showvalues` instead of redirecting", {"type": "string"}),
    "cert": ("As `auth`; what proves an answer is in the settings (`upstream.pinned_keys`)", {"type": "boolean"}),
    "ignore_aliases": ("Do not go on to the identifier in HS_ALIAS", {"type": "boolean"}),
    "locatt": ("Choose a location of 10320/loc with this attribute, `name:value`; repeat for several", _LIST),
    "urlappend": ("Put this behind the URL; it cannot change scheme, host or port", {"type": "string"}),
    "lang": ("Language of the page", {"type": "string", "enum": ["zh", "en"]}),
    "handle": ("An identifier to go to", {"type": "string"}),
}  # fmt: skip
HEADERS: dict[str, str] = {
    "Cache-Control": "`no-cache` on GET = `auth=true`",
    "CDN-Loop": "Nodes that forwarded the question (RFC 8586); this node among them is a loop",
    "If-Match": 'Change this version only, e.g. `"7"`; `*` = only if it exists. Too late: 412',
    "If-None-Match": "`*` on PUT = create only; on GET, 304 when the version is still this one",
    "Idempotency-Key": "Repeating a request with the same key and content gives the first receipt and changes nothing",
    "Accept": "`text/html` gets pages for errors, anything else JSON",
    "Accept-Language": "zh or en",
}
STATUS_TEXTS: dict[int, str] = {
    200: "Done", 201: "The record was created", 204: "Nothing to say",
    301: "Go to the identifier in HS_ALIAS", 302: "Go there",
    303: "Go there (as a location wants it)", 307: "Go there (as a location wants it)",
    308: "Go there (as a location wants it)",
    304: "The version you have is the present one",
    400: "Not readable, or not an identifier, or not hosted here: `message` and `field` say what and where",
    401: "Log in, or the password is wrong", 403: "The right is missing, or a password came over plain HTTP",
    404: "No such record", 408: "The request was not complete in time", 409: "Exists already",
    410: "Cut by retention", 412: "The record is at another version", 413: "Body too large",
    415: "Body of another type or compressed", 422: "The Idempotency-Key was used for something else",
    429: "Too many connections from one address", 431: "Head too long",
    500: "A fault of this node; `requestId` finds it in the log",
    502: "Another node's answer could not be proved",
    503: "Busy, draining or writes stopped; see Retry-After",
    504: "No node that is responsible answered in time", 508: "Aliases lead in a circle",
}  # fmt: skip
_OWN_HEADERS = frozenset({"Authorization"})
"""Described as security, not as a parameter (OpenAPI 3.1 §4.8.12.2)."""


def openapi_document(routes: Iterable[Route]) -> dict[str, object]:
    """The whole document, ready for JSON."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Biaojie HTTP API",
            "version": _version(),
            "description": "Handle JSON API of a secondary node: register, resolve, list, bulk load, follow changes.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {path_text(route): _path(route) for route in routes},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "User `index:handle` percent-encoded, password = HS_SECKEY; HTTPS or loopback",
                },
                "handle": {
                    "type": "http",
                    "scheme": "handle",
                    "description": "A proof over the nonce of a session, the session alone, or a client certificate",
                },
            },
        },
    }


def path_text(route: Route) -> str:
    """A route's path as OpenAPI writes it."""
    path = route.path.decode()
    return path + "{handle}" if route.takes_identifier and route.path != REST else path


def _path(route: Route) -> dict[str, object]:
    item: dict[str, object] = {}
    if route.takes_identifier:
        item["parameters"] = [
            {
                "name": "handle",
                "in": "path",
                "required": True,
                "description": "The identifier, percent-encoded UTF-8, at most 2,048 bytes; `/` may stay as it is",
                "schema": {"type": "string"},
            }
        ]
    for method, operation in route.operations.items():
        item[method.lower()] = _operation(method, operation)
    return item


def _operation(method: str, operation: Operation) -> dict[str, object]:
    shown: dict[str, object] = {
        "summary": operation.summary,
        "operationId": f"{method.lower()}_{operation.handler.__name__}",
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": PARAMETERS[name][0],
                "schema": PARAMETERS[name][1],
            }
            for name in operation.parameters
        ]
        + [
            {
                "name": name,
                "in": "header",
                "description": HEADERS[name],
                "schema": {"type": "string"},
            }
            for name in operation.headers
            if name not in _OWN_HEADERS
        ],
        "responses": {
            str(status): _response(status, operation)
            for status in sorted({*operation.statuses, *EVERYWHERE})
        },
    }
    if operation.body:
        schema = (
            {"type": "object"}
            if not operation.takes
            else {"$ref": f"#/components/schemas/{operation.takes}"}
        )
        shown["requestBody"] = {"content": {operation.body: {"schema": schema}}}
    if "Authorization" in operation.headers:
        logins: list[dict[str, list[str]]] = [{"basic": []}, {"handle": []}]
        shown["security"] = logins if operation.needs_login else [{}, *logins]
    return shown


def _response(status: int, operation: Operation) -> dict[str, object]:
    shown: dict[str, object] = {
        "description": STATUS_TEXTS[status] if status in STATUS_TEXTS else HTTPStatus(status).phrase
    }
    if status in {204, 304}:
        return shown
    media = operation.answer.partition(";")[0] if status < 400 else "application/json"
    if media.startswith("text/"):
        shown["content"] = {media: {"schema": {"type": "string"}}}
    else:
        is_success = status in {200, 201} and operation.schema != "Outcome"
        schema = operation.schema if is_success else "Outcome"
        shown["content"] = {media: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return shown


def _version() -> str:
    try:
        return version("biaojie")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0"
