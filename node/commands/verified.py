"""``biaojie resolve --verify``: the whole record, the certificates above it, and the verdict on every value."""

import shlex
import time
from collections.abc import Callable
from functools import partial

import click

from node.asking.native import Manner
from node.asking.node import document_values
from node.commands.asked import Asked, Told
from node.commands.options import same_node
from node.commands.show import refuse_failure, shown_data, shown_ttl
from node.config import Config
from node.keys import KeyTrouble
from node.output import EXIT_FAILED, EXIT_UNREACHABLE, CommandError, print_json, print_table, say
from node.trust.anchors import limits_of, read_anchors, root_names
from node.trust.verification import chain_lines, reason_of, step_of, verdict_document
from protocols.errors import ProtocolError
from protocols.handle.codes import ResponseCode
from protocols.identifier import parse_identifier
from protocols.rest.value_json import value_to_json
from protocols.trust.chain import Anchor, Found, Need, NotFound, conclude, verify_record
from protocols.values.value import Value
from protocols.values.value_list import select

MAX_CELL = 60
"""Characters of one value: signatures are long, and nobody reads them; ``--json`` shows all."""
_ABSENT = (ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND)


def verify_answer(
    asked: Asked,
    ask_server: Callable[[Asked], Told],
    settings: Config,
    max_links: int | None,
    *,
    as_json: bool,
) -> None:
    """Ask for the whole record, prove it, show what was asked for. Exit status 1 unless all of that is proved."""
    anchors = _need_anchors(settings)
    told = ask_server(asked._replace(indexes=(), types=()))
    if told.document is None or told.document.get("responseCode") != ResponseCode.SUCCESS:
        _refuse(told, as_json=as_json)
    values = _values_of(told)

    now_s = int(time.time())  # noqa: TID251  a command's clock
    climb = verify_record(asked.identifier, values, anchors, now_s, limits_of(settings, max_links))
    verdict = conclude(climb, partial(_fetch, ask_server))
    wanted = select(values, asked.indexes, asked.types)
    if asked.indexes or asked.types:
        verdict = verdict.about({value.index for value in wanted} | set(asked.indexes))
    if as_json:
        document = {**(told.document or {}), "values": [value_to_json(value) for value in wanted]}
        proof = {**verdict_document(verdict), "roots": root_names(anchors)}
        print_json({**document, "verification": proof})
        raise SystemExit(0 if verdict.is_verified else EXIT_FAILED)
    states = {index: state.value for index, state in verdict.states.items()}
    _show(asked, wanted, states)
    for line in chain_lines(verdict):
        say(line)
    if not verdict.is_verified:
        name = shlex.quote(asked.identifier.text)
        raise CommandError(f"{name}: {reason_of(verdict)}", step_of(verdict, name))
    say(f"verified: every value, by {root_names(anchors)}")


def _show(asked: Asked, values: list[Value], states: dict[int, str]) -> None:
    rows = [
        (
            value.index,
            value.type,
            shown_data(document)[:MAX_CELL],
            shown_ttl(document),
            states.get(value.index, ""),
        )
        for value in values
        for document in (value_to_json(value),)
    ]
    print_table(asked.identifier.text, ("index", "type", "data", "TTL", "verdict"), rows)


def _need_anchors(settings: Config) -> tuple[Anchor, ...]:
    try:
        anchors = read_anchors(settings)
    except KeyTrouble as trouble:
        raise CommandError(str(trouble), "name the public key of the root in PEM") from None
    if not anchors:
        step = 'write [trust] roots = ["301:88.111.1/0.0=root.pem.pub"] into a file: --trust FILE'
        raise CommandError("no trusted root is named, so nothing can be proved", step)
    return anchors


def _fetch(ask_server: Callable[[Asked], Told], need: Need) -> Found:
    told = ask_server(Asked(parse_identifier(need.handle), (need.index,), (need.type,), Manner()))
    if told.document is None:
        return NotFound(told.hops[-1].note if told.hops else "no answer")
    code = told.document.get("responseCode")
    if code == ResponseCode.SUCCESS:
        try:
            return _values_of(told)
        except ProtocolError as error:
            return NotFound(str(error))
    reason = str(told.document.get("message") or "refused")
    return NotFound(f"{reason} (response code {code})", is_unreachable=code not in _ABSENT)


def _values_of(told: Told) -> tuple[Value, ...]:
    """As they came; over HTTP out of the document."""
    return told.values or document_values(told.document or {})


def _refuse(told: Told, *, as_json: bool) -> None:
    """Nothing came that could be proved."""
    if as_json:
        print_json(told.document or {"responseCode": 0, "message": "no answer"})
        raise SystemExit(EXIT_UNREACHABLE if told.document is None else EXIT_FAILED)
    if told.document is None:
        last = told.hops[-1]
        step = f"is the node running? biaojie serve{same_node(is_own=True)}"
        raise CommandError(f"{last.server}: {last.note}", step, EXIT_UNREACHABLE)
    if told.referral is not None:
        step = "ask a server that resolves for others, or the one it refers to"
        raise CommandError("the server does not ask others for you (RC 302)", step)
    refuse_failure(told.document)
    raise click.ClickException("unreachable")
