"""OpenAPI schemas: the JSON documents of the API, as ``protocols/rest`` reads and writes them."""

from protocols.message import Operation
from protocols.trail import Verdict

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_CODE = {"type": "integer", "description": "Response code of the Handle protocol; 1 = success"}


def _object(required: tuple[str, ...], **properties: object) -> dict[str, object]:
    return {"type": "object", "required": list(required), "properties": properties}


def _list_of(schema: str) -> dict[str, object]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}


SCHEMAS: dict[str, object] = {
    "Outcome": _object(
        ("responseCode",),
        responseCode=_CODE,
        handle=_TEXT,
        message={"type": "string", "description": "What, where and why, for people"},
        field={"type": "string", "description": "Where in the request, e.g. values[2].data.value"},
        requestId=_TEXT,
        oldestAvailable=_TEXT,
    ),
    "Record": _object(
        ("responseCode", "handle", "values"),
        responseCode=_CODE,
        handle={"type": "string", "description": "As it was asked, byte for byte"},
        values=_list_of("Value"),
        trail={"$ref": "#/components/schemas/Trail"},
    ),
    "Trail": _object(
        ("node", "verdict", "legs"),
        node={"type": "string", "description": "Prefix or id of the node"},
        verdict={"enum": [verdict.value for verdict in Verdict]},
        legs={
            "type": "array",
            "items": _object(
                ("server", "asked", "seconds", "said"),
                server={"type": "string", "description": "e.g. tcp://192.0.2.7:2641"},
                asked=_TEXT,
                seconds={"type": "number"},
                said={"type": "string", "description": "An outcome, or why there was no answer"},
                trail={"$ref": "#/components/schemas/Trail"},
            ),
        },
    ),
    "Value": _object(
        ("index", "type", "data"),
        index={"type": "integer", "minimum": 1, "maximum": 2_147_483_647},
        type=_TEXT,
        data={
            "oneOf": [
                _TEXT,
                _object(
                    ("format", "value"),
                    format={"enum": ["string", "base64", "hex", "admin", "vlist", "site", "key"]},
                    value={},
                ),
            ]
        },
        ttl={
            "type": ["integer", "string"],
            "description": "Seconds, or a date when it ends at a fixed time",
        },
        timestamp={"type": "string", "format": "date-time"},
        permissions={
            "type": "string",
            "pattern": "^[01]{4}$",
            "default": "1110",
            "description": "admin read, admin write, public read, public write",
        },
        references={
            "type": "array",
            "items": _object(("handle", "index"), handle=_TEXT, index=_NUMBER),
        },
    ),
    "Values": {
        "oneOf": [
            _list_of("Value"),
            _object(("values",), handle=_TEXT, values=_list_of("Value")),
            {"$ref": "#/components/schemas/Value"},
        ]
    },
    "Found": {
        "oneOf": [
            {"type": "array", "items": _TEXT, "description": "Identifiers in order, as spelled"},
            {
                "type": "object",
                "description": "With retrieverecords: public values by identifier",
                "additionalProperties": {
                    "type": "array",
                    "items": _object(("type", "value"), type=_TEXT, value=_TEXT),
                },
            },
        ]
    },
    "Listing": _object(
        ("responseCode", "prefix", "totalCount", "handles"),
        responseCode=_CODE,
        prefix=_TEXT,
        totalCount={
            "type": "string",
            "description": "A number written as text, as other Handle servers do",
        },
        page=_NUMBER,
        pageSize=_NUMBER,
        handles={"type": "array", "items": _TEXT},
    ),
    "BatchRow": _object(
        ("handle",),
        handle=_TEXT,
        values=_list_of("Value"),
        operation={"enum": ["put", "add", "modify", "remove", "delete"], "default": "put"},
        overwrite={"type": "boolean", "default": True},
        ifVersion={"type": "integer", "description": "0 = must not exist"},
        indexes={"type": "array", "items": _NUMBER},
    ),
    "BatchReceipt": _object(
        (),
        line={
            "type": "integer",
            "description": "From 1; the last line of the answer is the summary instead",
        },
        handle=_TEXT,
        status={"enum": ["registered", "updated", "unchanged", "deleted", "rejected"]},
        responseCode=_CODE,
        version=_NUMBER,
        seq={"type": "integer", "description": "Number of the change; 0 when nothing changed"},
        message=_TEXT,
        field=_TEXT,
        summary={"const": True},
        rows=_NUMBER,
        registered=_NUMBER,
        updated=_NUMBER,
        unchanged=_NUMBER,
        deleted=_NUMBER,
        rejected=_NUMBER,
        lastSeq=_NUMBER,
    ),
    "Changes": _object(
        ("responseCode", "logId", "head", "oldestAvailable", "next", "changes"),
        responseCode=_CODE,
        logId={
            "type": "string",
            "description": "Another one after a restore: followers start anew",
        },
        head=_NUMBER,
        oldestAvailable=_NUMBER,
        next={"type": "integer", "description": "Go on with after=this"},
        changes=_list_of("Change"),
    ),
    "Change": _object(
        ("seq", "operation", "handle", "version", "digest"),
        seq=_NUMBER,
        time={"type": "string", "format": "date-time"},
        timeMs=_NUMBER,
        operation={"enum": [operation.value for operation in Operation]},
        handle=_TEXT,
        version=_NUMBER,
        digest={"type": "string", "description": "SHA-256 of the content, hex"},
        actor=_TEXT,
        source=_TEXT,
        requestId=_TEXT,
        previous={"type": "string", "description": "Digest of the entry before, hex"},
    ),
    "PrefixName": _object(("prefix",), prefix=_TEXT),
    "Prefixes": _object(
        ("responseCode", "totalCount", "handles"),
        responseCode=_CODE,
        totalCount=_TEXT,
        page=_NUMBER,
        pageSize=_NUMBER,
        handles={"type": "array", "items": _TEXT, "description": "Prefix records, 0.NA/…"},
    ),
    "Login": _object(
        (),
        version={"const": "0"},
        sessionId=_TEXT,
        id={"type": "string", "description": "index:handle"},
        type={"enum": ["HS_SECKEY", "HS_PUBKEY"]},
        cnonce=_TEXT,
        alg=_TEXT,
        signature=_TEXT,
        salt=_TEXT,
        iterations={"type": ["integer", "string"]},
        length={"type": ["integer", "string"]},
        clientCert={"type": ["boolean", "string"]},
    ),
    "Session": _object(
        (),
        responseCode=_CODE,
        message=_TEXT,
        sessionId=_TEXT,
        nonce={"type": "string", "description": "To sign next, base64"},
        serverAlg=_TEXT,
        serverSignature=_TEXT,
        authenticated={"type": "boolean"},
        id={"type": "string", "description": "index:handle of who is logged in"},
        error=_TEXT,
    ),
    "Verification": _object(
        ("responseCode", "handle", "isValid"),
        responseCode=_CODE,
        handle=_TEXT,
        isValid={"type": "boolean"},
    ),
    "Site": {"type": "object", "description": "HS_SITE as in siteinfo.json (Handle.Net manual)"},
    "OpenApi": {"type": "object"},
}
