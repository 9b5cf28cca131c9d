"""How documents of the JSON API look to people: a record, a receipt, the reason of a refusal."""

import shlex
from typing import Any

from node.commands.options import same_node
from node.output import EXIT_FAILED, CommandError, print_json, print_table, say

GOOD = 1
"""``responseCode`` of success."""
ABSENT = 100
"""``responseCode`` of a record that is not registered."""
EXISTS = 101
"""``responseCode`` of a record that is there already."""
MAX_CELL = 200
"""Characters of one value shown in a table; ``--json`` shows all."""


def show_record(document: dict[str, Any], *, as_json: bool) -> None:
    """The record, or the refusal as an error (in JSON: the document itself, exit status 1)."""
    if as_json:
        print_json(document)
        if document.get("responseCode") != GOOD:
            raise SystemExit(EXIT_FAILED)
        return
    refuse_failure(document)
    version = f", version {document['version']}" if "version" in document else ""
    rows = [
        (
            value["index"],
            value["type"],
            shown_data(value),
            shown_ttl(value),
            shown_permissions(value),
        )
        for value in document["values"]
    ]
    print_table(
        f"{document['handle']}{version}", ("index", "type", "data", "TTL", "permissions"), rows
    )


def show_receipt(document: dict[str, Any], *, as_json: bool, done: str = "") -> None:
    """What became of a write; ``done`` is the word for it when it is neither a new record nor an update."""
    if as_json:
        print_json(document)
        if document.get("responseCode") != GOOD:
            raise SystemExit(EXIT_FAILED)
        return
    refuse_failure(document)
    created = document.get("created")
    what = done or ("done" if created is None else "registered" if created else "updated")
    what = "was so already" if document.get("unchanged") else what
    at = f", version {document['version']}" if document.get("version") else ""
    change = f", change {document['seq']}" if document.get("seq") else ""
    say(f"{document['handle']}: {what}{at}{change}")
    if document.get("message"):
        say(f"warning: {document['message']}")


def refuse_failure(document: dict[str, Any], next_step: str = "") -> None:
    """Raises ``CommandError`` unless the document tells of success; ``next_step``: instead of the code's usual one."""
    code = document.get("responseCode")
    if code == GOOD:
        return
    where = f" [{document['field']}]" if document.get("field") else ""
    said = document.get("message") or {200: "there is no such value"}.get(code or 0, "refused")
    where = "" if where[2:-1] in str(said) else where  # most sentences begin with the place
    step = next_step or usual_step(code or 0, document.get("handle", "IDENTIFIER"))
    raise CommandError(f"{said}{where} (response code {code})", step)


def usual_step(code: int, handle: str) -> str:
    """What to do after this ``responseCode`` about this identifier; nothing where the message has to do."""
    usual = _NEXT_STEPS.get(code, "")
    if handle.startswith("0.NA/"):
        usual = _PREFIX_STEPS.get(code, usual)
    return usual.format(
        handle=shlex.quote(handle),
        prefix=shlex.quote(handle.removeprefix("0.NA/")),
        node=same_node(),
        own=same_node(is_own=True),
    )


_PREFIX_STEPS = {
    ABSENT: "host it: biaojie prefix add {prefix}{own}; or see what there is: biaojie prefix list{own}",
    EXISTS: "biaojie prefix list{own} shows it, biaojie prefix set {prefix} changes it",
}
"""For records of prefixes, instead of the others."""
_WHO_MAY = "biaojie admin list {handle}{node} shows who may; one of them, or the node's operator, can grant it"
_NEXT_STEPS = {
    ABSENT: "register it, on the node of its prefix: biaojie put {handle} --value URL=https://…{node}",
    EXISTS: "biaojie get {handle}{node} shows what there is",
    201: "biaojie get {handle} --all{node} shows which indexes are taken",
    301: "biaojie prefix list{own} shows what this node hosts and has delegated; what else it asks for, and for whom, "
    "say upstream.servers and access.recursion_networks",
    302: "biaojie resolve {handle}{own} --trace asks them",
    400: _WHO_MAY,
    401: _WHO_MAY,
    402: "say who you are, with the right secret: --user INDEX:HANDLE --secret-file FILE",
    403: "check the secret and the index:handle it belongs to",
}


def shown_data(value: dict[str, Any]) -> str:
    """A value's data in one cell."""
    data = value["data"]
    inner = data["value"] if isinstance(data, dict) else data
    text = inner if isinstance(inner, str) else ", ".join(_facts(inner))
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _facts(inner: Any) -> list[str]:
    if isinstance(inner, list):
        return [" ".join(_facts(item)) if isinstance(item, dict) else str(item) for item in inner]
    if not isinstance(inner, dict):
        return [str(inner)]
    if "servers" in inner:
        return [_server(server) for server in inner["servers"]]
    return [f"{key} {fact}" for key, fact in inner.items()]


def _server(server: dict[str, Any]) -> str:
    ports = [f"{one['protocol']} {one['port']}" for one in server["interfaces"]]
    return f"{server['address']}: {' · '.join(ports)}"


def shown_ttl(value: dict[str, Any]) -> str:
    """``86400 s``, or the moment when it is absolute."""
    ttl = value.get("ttl", "")
    return f"{ttl} s" if isinstance(ttl, int) else str(ttl)


def shown_permissions(value: dict[str, Any]) -> str:
    """Administrators and the public: read, write."""
    bits = value.get("permissions", "1110")
    names = ("admin r", "admin w", "public r", "public w")
    return ", ".join(name for bit, name in zip(bits, names, strict=False) if bit == "1")
