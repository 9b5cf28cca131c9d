"""Writing: ``PUT`` and ``DELETE`` of ``/api/handles/{handle}`` (Handle.Net manual, JSON API).

Versions make changes safe against each other (RFC 9110 §13.1): ``If-Match: "7"`` changes version 7 or nothing,
``If-None-Match: *`` creates or nothing; what comes too late gets 412.
"""

from hashlib import sha256
from uuid import UUID, uuid4

from node.http.api import Api, challenge
from node.http.asked import VARIOUS, etag, read_asked_identifier, read_etags, read_indexes
from node.http.errors import failure
from node.http.reply import Reply, json_reply
from node.http.request import Request
from node.http.target import encode_path
from protocols.errors import Malformed
from protocols.identifier import Identifier, parse_identifier
from protocols.message import Command, Operation, Outcome, Principal, Receipt
from protocols.rest.codes import CODES, write_status
from protocols.rest.json_reader import MAX_JSON_BYTES
from protocols.rest.record_json import parse_put_body

MAX_REQUEST_ID_CHARS = 200
"""Room for any UUID, URL or file name with line number; it is kept in the feed with every change."""
_FIELDS = {"identifier": "handle", "expect_version": "If-Match", "request_id": "Idempotency-Key"}
"""What the fields of a command are called in the request that made it."""
_WRITES = frozenset({Operation.PUT, Operation.ADD})
_UNSEEN = "kept out of sight until the prefix is hosted here: it is delegated"
_UUID_CHARS = 36
NO_VERSION = -1
"""``If-Match`` names versions, and none of them is the present one."""


async def put_record(api: Api, request: Request) -> Reply:
    """Create or replace the record; with ``index`` add or replace these values of it."""
    is_minted = request.parameters.flag("mintNewSuffix") is True
    if is_minted:
        request.suffix = _with_slash(request.suffix) + str(uuid4()).encode()
    identifier = read_asked_identifier(request)
    if isinstance(identifier, Reply):
        return identifier
    principal = await api.need(request)
    if isinstance(principal, Reply):
        return principal
    if is_minted:
        identifier = _minted(identifier, principal, read_request_id(request))
    if request.media_type() != "application/json":
        return failure(
            Outcome.PROTOCOL_ERROR, "PUT", handle=identifier.text,
            message="Content-Type must be application/json", field="Content-Type",
        )  # fmt: skip
    values = parse_put_body(await request.read_body(MAX_JSON_BYTES), identifier)
    index_texts = request.parameters.all("index")
    indexes = read_indexes(request)
    if indexes and set(indexes) != {value.index for value in values}:
        raise Malformed(
            "index: the parameters and the body do not name the same indexes", field="index"
        )
    overwrite = request.parameters.first("overwrite")
    command = Command(
        Operation.ADD if index_texts and not is_minted else Operation.PUT,
        identifier,
        values,
        overwrite=not is_minted and (overwrite is None or overwrite == "true"),
        request_id=read_request_id(request),
    )
    if VARIOUS in index_texts and not values:
        raise Malformed("values: at least one is needed with index=various", field="values")
    return await _register(api, request, principal, command)


def _with_slash(suffix: bytes) -> bytes:
    """A prefix alone is not to become another prefix."""
    return suffix if b"/" in suffix or b"%2f" in suffix.lower() else suffix + b"/"


def _minted(random: Identifier, principal: Principal, request_id: str) -> Identifier:
    """An identifier that nobody has: ``random``, which ends in a UUID; the same again for the same ``Idempotency-Key``.

    Or a client that has not heard the answer, and asks again, would get a second one.
    """
    if not request_id:
        return random
    base = random.text[:-_UUID_CHARS]
    digest = sha256("\0".join((base, principal.name, request_id)).encode()).digest()
    return parse_identifier(base + str(UUID(bytes=digest[:16], version=4)))


async def delete_record(api: Api, request: Request) -> Reply:
    """Delete the record; with ``index`` remove these values from it."""
    identifier = read_asked_identifier(request)
    if isinstance(identifier, Reply):
        return identifier
    principal = await api.need(request)
    if isinstance(principal, Reply):
        return principal
    indexes = read_indexes(request)
    command = Command(
        Operation.REMOVE if indexes else Operation.DELETE,
        identifier,
        indexes=indexes,
        request_id=read_request_id(request),
    )
    return await _register(api, request, principal, command)


def read_request_id(request: Request) -> str:
    """The ``Idempotency-Key``, "" without one. Raises ``Malformed``."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MAX_REQUEST_ID_CHARS or not key.isprintable():
        raise Malformed(
            f"Idempotency-Key: at most {MAX_REQUEST_ID_CHARS} printable characters",
            field="Idempotency-Key",
        )
    return key


async def _register(api: Api, request: Request, principal: Principal, command: Command) -> Reply:
    expected = _expected_version(api, request, command.identifier)
    command = command._replace(expect_version=expected)
    if expected == NO_VERSION:
        # It cannot succeed, but who may not write here is to hear that, and not what is there.
        command = command._replace(request_id="")
    receipt = await api.service.register(principal, command, f"http {request.peer.address}")
    if expected == NO_VERSION and receipt.outcome is Outcome.VERSION_CONFLICT:
        receipt = Receipt(receipt.outcome, reason=_present_version(api, command.identifier))
    is_unseen = command.operation in _WRITES and not _is_seen(api, command.identifier)
    return _told(request, command.identifier, receipt, _UNSEEN if is_unseen else "")


def _is_seen(api: Api, identifier: Identifier) -> bool:
    """Whether questions for it are answered from here. The operator may register where they are not (yet)."""
    return identifier.is_prefix_record or api.service.hosts(identifier.prefix)


def _expected_version(api: Api, request: Request, identifier: Identifier) -> int | None:
    """What ``If-Match`` and ``If-None-Match`` ask of the stored version: None = nothing, 0 = that there is none."""
    match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if match is None and none_match is None:
        return None
    record = api.service.reader.lookup(identifier)
    present = etag(record.version) if record else ""
    if match is not None:
        tags = read_etags(match)
        if record is None or not tags & {present, "*"}:
            return NO_VERSION
    if none_match is not None:
        tags = read_etags(none_match)
        if record is not None and tags & {present, "*"}:
            return NO_VERSION
    return record.version if record else 0


def _present_version(api: Api, identifier: Identifier) -> str:
    record = api.service.reader.lookup(identifier)
    if record is None:
        return "there is no such record; the request expects one"
    return f"the record is at version {record.version}, which is not what the request expects"


def _told(request: Request, identifier: Identifier, receipt: Receipt, remark: str) -> Reply:
    """A receipt as JSON; ``remark`` goes with success."""
    handle = identifier.text
    if receipt.outcome is Outcome.AUTHENTICATION_NEEDED:
        return challenge(request, receipt.outcome, receipt.reason, handle)
    if receipt.outcome is not Outcome.SUCCESS:
        return failure(
            receipt.outcome,
            request.method,
            handle=handle,
            message=receipt.reason,
            field="index"
            if receipt.field.startswith("indexes")
            else _FIELDS.get(receipt.field, receipt.field),
        )
    content = {"responseCode": CODES[receipt.outcome].response_code, "handle": handle}
    if remark:
        content["message"] = remark
    headers: tuple[tuple[str, str], ...] = (("ETag", etag(receipt.version)),)
    status = write_status(receipt.outcome, was_created=receipt.was_created)
    if receipt.was_created:
        headers = (*headers, ("Location", f"/api/handles/{encode_path(identifier.spelling)}"))
    return json_reply(status, content, headers, is_pretty=request.is_pretty)
