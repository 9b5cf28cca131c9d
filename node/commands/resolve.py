"""``biaojie resolve``: ask as the world asks, over UDP, TCP or HTTP, and say what each try brought."""

import time
from typing import Any, NamedTuple

import click

from node.asking.native import Hop, Resolution, Server, ask, resolve_question
from node.asking.web import WebServer, WebTrouble, handle_target
from node.commands.options import json_option, read_config, read_identifier_argument, same_node
from node.commands.show import refuse_failure, show_record
from node.output import (
    EXIT_FAILED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    CommandError,
    print_json,
    print_table,
)
from protocols.handle.codes import ResponseCode
from protocols.identifier import Identifier
from protocols.rest.value_json import values_to_json

NATIVE_PORT, HTTP_PORT = 2641, 8000


class Asked(NamedTuple):
    """The question, whatever the transport."""

    identifier: Identifier
    indexes: tuple[int, ...]
    types: tuple[str, ...]


@click.command(name="resolve")
@click.argument("identifier")
@click.option("--index", "indexes", type=int, multiple=True, help="Only this index. Repeat it.")
@click.option("--type", "types", multiple=True, help="Only this type; 'URL.' takes subtypes too.")
@click.option("--udp", "transport", flag_value="udp", help="UDP only.")
@click.option("--tcp", "transport", flag_value="tcp", help="TCP only.")
@click.option("--http", "transport", flag_value="http", help="The JSON API.")
@click.option("--server", metavar="HOST[:PORT]|URL", help="Whom to ask; else the node of --config.")
@click.option("--config", "config_path", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="Ask the node of these settings, at the addresses it listens on.")  # fmt: skip
@click.option(
    "--trace", is_flag=True, help="Show every try: transport, server, time, bytes, answer."
)
@json_option
def command(  # noqa: PLR0913  one parameter for each option
    *,
    identifier: str,
    indexes: tuple[int, ...],
    types: tuple[str, ...],
    transport: str | None,
    server: str | None,
    config_path: str | None,
    trace: bool,
    as_json: bool,
) -> None:
    """Resolve IDENTIFIER, e.g. 88.118/SN-1, over the network; UDP first, then TCP, as clients do.

    Any Handle server can be asked: --server HOST:2641, or --http --server https://HOST:8000.
    """
    asked = Asked(read_identifier_argument(identifier), indexes, types)
    is_url = server is not None and server.startswith(("http://", "https://"))
    if transport == "http" or is_url:
        if transport in {"udp", "tcp"}:
            raise CommandError("a URL is asked over HTTP", "leave --udp and --tcp out", EXIT_USAGE)
        hops, document = _over_http(asked, server or _own_server(config_path, "http"))
    else:
        target = _native_server(server or _own_server(config_path, "native"))
        transports = (transport,) if transport else ("udp", "tcp")
        question = resolve_question(asked.identifier.spelling, indexes, types, time.time())  # noqa: TID251  a command's clock
        result = ask(target, question, transports)
        hops, document = result.hops, _document(asked, result)
    _tell(hops, document, trace=trace, as_json=as_json)


def _tell(hops: list[Hop], document: dict[str, Any] | None, *, trace: bool, as_json: bool) -> None:
    if as_json:
        traced = {"trace": [hop._asdict() for hop in hops]} if trace else {}
        print_json({**(document or {"responseCode": 0, "message": "no answer"}), **traced})
        if document is None or document["responseCode"] != ResponseCode.SUCCESS:
            raise SystemExit(EXIT_UNREACHABLE if document is None else EXIT_FAILED)
        return
    if trace:
        rows = [
            (
                hop.transport,
                hop.server,
                f"{hop.seconds * 1000:.2f} ms",
                hop.asked_bytes,
                hop.answer_bytes,
                hop.note,
            )
            for hop in hops
        ]
        print_table("", ("over", "server", "time", "bytes asked", "bytes back", "answer"), rows)
    if document is None:
        last = hops[-1]
        raise CommandError(
            f"{last.server}: {last.note}",
            f"is the node running? biaojie serve{same_node(is_own=True)}",
            EXIT_UNREACHABLE,
        )
    refuse_failure(document)
    show_record(document, as_json=False)


def _document(asked: Asked, result: Resolution) -> dict[str, Any] | None:
    if result.answer is None:
        return None
    document: dict[str, Any] = {
        "responseCode": result.response_code,
        "handle": asked.identifier.text,
    }
    if result.response_code == ResponseCode.SUCCESS:
        return {**document, "values": values_to_json(result.values)}
    return {**document, "message": result.message or "no reason given"}


def _over_http(asked: Asked, url: str) -> tuple[list[Hop], dict[str, Any] | None]:
    if "://" not in url:
        url = f"http://{url}"
    query = "&".join(
        [f"index={index}" for index in asked.indexes] + [f"type={type_}" for type_ in asked.types]
    )
    started_s = time.monotonic()
    try:
        answer = WebServer(url.rstrip("/")).ask("GET", handle_target(asked.identifier.text, query))
    except WebTrouble as trouble:
        return [Hop("http", url, time.monotonic() - started_s, 0, 0, str(trouble))], None
    note = f"HTTP {answer.status}, RC {answer.document.get('responseCode')}"
    hop = Hop("http", url, time.monotonic() - started_s, 0, answer.size_bytes, note)
    return [hop], answer.document


def _own_server(config_path: str | None, kind: str) -> str:
    """Where the node of the settings listens; an "all addresses" listener is asked on loopback."""
    from pathlib import Path

    config = read_config(Path(config_path) if config_path else None)
    section = config.http if kind == "http" else config.listen
    host = section.addresses[0] if section.addresses else "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  read, not bound
    port = section.port or (HTTP_PORT if kind == "http" else NATIVE_PORT)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _native_server(text: str) -> Server:
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, str(NATIVE_PORT)
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise CommandError(
            f"--server {text}: not HOST:PORT", "for example 127.0.0.1:2641", EXIT_USAGE
        )
    return Server(host.strip("[]"), int(port))
