"""``biaojie resolve``: ask as the world asks, over UDP, TCP or HTTP, and say what each try brought."""

import shlex
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from node.asking.native import Hop, Manner, Resolution, Server, ask, resolve_question
from node.asking.web import Untrusted, WebServer, WebTrouble, handle_target
from node.commands.asked import Asked, Told
from node.commands.options import (
    ca_file_option,
    check_ca_file,
    how_to_trust,
    json_option,
    read_config,
    read_identifier_argument,
    same_node,
)
from node.commands.show import refuse_failure, show_record
from node.commands.trace import show_referral, show_trace
from node.commands.verified import verify_answer
from node.output import EXIT_FAILED, EXIT_UNREACHABLE, EXIT_USAGE, CommandError, print_json, say
from protocols.handle.codes import ResponseCode
from protocols.rest.value_json import values_to_json
from protocols.trail import trail_document
from protocols.trust.chain import FORMAT_LINKS

NATIVE_PORT, HTTP_PORT = 2641, 8000
USUAL = ("udp", "tcp")
"""As clients do."""
TRACED = ("tcp", "udp")
"""The way to an answer seldom fits the rest of a datagram, and asked again it would be another way: to the cache."""


@click.command(name="resolve")
@click.argument("identifier")
@click.option("--index", "indexes", type=int, multiple=True, help="Only this index. Repeat it.")
@click.option("--type", "types", multiple=True, help="Only this type; 'URL.' takes subtypes too.")
@click.option("--udp", "transport", flag_value="udp", help="UDP only.")
@click.option("--tcp", "transport", flag_value="tcp", help="TCP only.")
@click.option("--http", "transport", flag_value="http", help="The JSON API.")
@click.option("--server", metavar="HOST[:PORT]|URL",
              help="Whom to ask, e.g. 192.0.2.1:2641, tcp://192.0.2.1:2641; else the node of --config.")  # fmt: skip
@click.option("--config", "config_path", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="Ask the node of these settings, at the addresses it listens on.")  # fmt: skip
@ca_file_option
@click.option("--no-recurse", is_flag=True,
              help="The server shall not ask others: show whom it refers to (RC 302).")  # fmt: skip
@click.option("--authoritative", is_flag=True,
              help="From the responsible node's records, not from a cache on the way.")  # fmt: skip
@click.option("--trace", is_flag=True,
              help="Show every question on the way: server, node, time, answer, and whether from a cache.")  # fmt: skip
@click.option("--verify", is_flag=True,
              help="Prove every value by signatures up to a root you trust; exit status 0 = all proved.")  # fmt: skip
@click.option("--trust", "trust_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="With --verify: the roots, as [trust] in a TOML file; else those of --config.")  # fmt: skip
@click.option("--max-links", type=click.IntRange(1, FORMAT_LINKS), metavar="N",
              help="With --verify: certificates between the record and a root; else trust.max_links.")  # fmt: skip
@json_option
def command(  # noqa: PLR0913  one parameter for each option
    *,
    identifier: str,
    indexes: tuple[int, ...],
    types: tuple[str, ...],
    transport: str | None,
    server: str | None,
    config_path: str | None,
    ca_file: Path | None,
    no_recurse: bool,
    authoritative: bool,
    trace: bool,
    verify: bool,
    trust_path: Path | None,
    max_links: int | None,
    as_json: bool,
) -> None:
    """Resolve IDENTIFIER, e.g. 88.118/SN-1, over the network; UDP first, then TCP, as clients do.

    Any Handle server can be asked: --server HOST:2641, or --http --server https://HOST:8000. With --trace, a Biaojie
    node that resolves elsewhere for you tells whom it asked, and so do the nodes behind it; TCP comes first then,
    because all that seldom fits a datagram.

    \b
    With --verify the answer is proved, whoever gave it:
      biaojie resolve 88.118.7/SN-1 --verify --trust trust.toml
    where trust.toml says [trust] roots = ["301:88.111.1/0.0=root.pem.pub"].
    """
    manner = Manner(may_recurse=not no_recurse, is_authoritative=authoritative, wants_trail=trace)
    if (trust_path or max_links) and not verify:
        raise CommandError("--trust and --max-links go with --verify", "", EXIT_USAGE)
    asked = Asked(read_identifier_argument(identifier), indexes, types, manner)
    ask_server = _choose_server(server, transport, config_path, ca_file, asked)
    if verify:
        settings = read_config(trust_path or (Path(config_path) if config_path else None))
        verify_answer(asked, ask_server, settings, max_links, as_json=as_json)
        return
    _tell(asked, ask_server(asked), as_json=as_json)


def _choose_server(
    server: str | None,
    transport: str | None,
    config_path: str | None,
    ca_file: Path | None,
    asked: Asked,
) -> Callable[[Asked], Told]:
    """How one question is asked, of whom the options name."""
    server, transport = _read_scheme(server, transport)
    is_url = server is not None and server.startswith(("http://", "https://"))
    if transport == "http" or is_url:
        if transport in {"udp", "tcp"}:
            raise CommandError("a URL is asked over HTTP", "leave --udp and --tcp out", EXIT_USAGE)
        if not asked.manner.may_recurse:
            next_step = "ask over --udp or --tcp"
            raise CommandError(
                "over HTTP a node never refers to another one", next_step, EXIT_USAGE
            )
        url = server or _own_server(config_path, "http")
        check_ca_file(ca_file, url)
        return partial(_over_http, url=url, ca_file=ca_file)
    check_ca_file(ca_file, None)
    target = _native_server(server or _own_server(config_path, "native"))
    usual = TRACED if asked.manner.wants_trail else USUAL
    transports = (transport,) if transport else usual
    return partial(_over_native, server=target, transports=transports)


def _tell(asked: Asked, told: Told, *, as_json: bool) -> None:
    hops, document = told.hops, told.document
    if as_json:
        traced = {"trace": [hop._asdict() for hop in hops]} if asked.manner.wants_trail else {}
        print_json({**(document or {"responseCode": 0, "message": "no answer"}), **traced})
        if not _is_as_wanted(asked, told):
            raise SystemExit(EXIT_UNREACHABLE if document is None else EXIT_FAILED)
        return
    if asked.manner.wants_trail:
        show_trace(asked.identifier.text, hops, document)
    if document is None:
        last = hops[-1]
        raise CommandError(
            f"{last.server}: {last.note}",
            f"is the node running? biaojie serve{same_node(is_own=True)}",
            EXIT_UNREACHABLE,
        )
    if told.referral is not None:
        next_step = show_referral(asked.identifier.text, told.referral)
        if not _is_as_wanted(asked, told):
            raise CommandError("the server does not ask others for you (RC 302)", next_step)
        say(f"next:  {next_step}" if next_step else "")
        return
    refuse_failure(document, _step_after(asked, document))
    show_record(document, as_json=False)


def _step_after(asked: Asked, document: dict[str, Any]) -> str:
    """What to do about trouble with another server that the node names; "" = it names none."""
    server, said, _ = str(document.get("message") or "").partition(": ")
    if not said or "://" not in server:
        return ""
    if document["responseCode"] == ResponseCode.NOT_RESPONSIBLE:
        return f'if {server} resolves for others, set upstream.mode = "recurse" in the asking node\'s node.toml'
    if asked.manner.wants_trail:
        return "/upstreams on the node's operations port tells how its servers are; see docs/resolution.md"
    given = click.get_current_context().params["server"] or ""
    is_place = given and "://" not in given
    node = f" --server {shlex.quote(given)}" if is_place else same_node()
    name = shlex.quote(asked.identifier.text)
    return f"biaojie resolve {name}{node} --trace shows whom the node asked"


def _is_as_wanted(asked: Asked, told: Told) -> bool:
    """Success, or the referral that ``--no-recurse`` asks for."""
    if told.referral is not None:
        return not asked.manner.may_recurse
    return told.document is not None and told.document["responseCode"] == ResponseCode.SUCCESS


def _over_native(asked: Asked, server: Server, transports: tuple[str, ...]) -> Told:
    question = resolve_question(
        asked.identifier.spelling,
        asked.indexes,
        asked.types,
        time.time(),  # noqa: TID251  a command's clock
        asked.manner,
    )
    result = ask(server, question, transports)
    return Told(result.hops, _document(asked, result), result.referral, result.values)


def _document(asked: Asked, result: Resolution) -> dict[str, Any] | None:
    if result.answer is None:
        return None
    document: dict[str, Any] = {
        "responseCode": result.response_code,
        "handle": asked.identifier.text,
    }
    if result.response_code == ResponseCode.SUCCESS:
        document["values"] = values_to_json(result.values)
    elif result.referral is not None:
        document["message"] = "another node has it; ask there"
        document["referral"] = result.referral.handle.decode(errors="replace")
        document["values"] = values_to_json(result.referral.values or ())
    else:
        document["message"] = result.message or "no reason given"
    if asked.manner.wants_trail and result.trail is not None:
        document["trail"] = trail_document(result.trail)
    return document


def _over_http(asked: Asked, url: str, ca_file: Path | None) -> Told:
    if "://" not in url:
        url = f"http://{url}"
    wishes = [f"index={index}" for index in asked.indexes]
    wishes += [f"type={quote(type_)}" for type_ in asked.types]
    wishes += ["auth=true"] if asked.manner.is_authoritative else []
    wishes += ["trace=true"] if asked.manner.wants_trail else []
    target = handle_target(asked.identifier.text, "&".join(wishes))
    started_s = time.monotonic()
    try:
        answer = WebServer(url.rstrip("/"), ca_file=ca_file).ask("GET", target)
    except Untrusted as trouble:
        raise CommandError(str(trouble), how_to_trust(trouble.code), EXIT_UNREACHABLE) from None
    except WebTrouble as trouble:
        return Told([Hop("http", url, time.monotonic() - started_s, 0, 0, str(trouble))], None)
    note = f"HTTP {answer.status}, RC {answer.document.get('responseCode')}"
    cache = next((v for k, v in answer.headers.items() if k.lower() == "cache-status"), "")
    note += f", {cache}" if cache else ""
    hop = Hop("http", url, time.monotonic() - started_s, 0, answer.size_bytes, note)
    return Told([hop], answer.document)


def _own_server(config_path: str | None, kind: str) -> str:
    """Where the node of the settings listens; an "all addresses" listener is asked on loopback."""
    config = read_config(Path(config_path) if config_path else None)
    section = config.http if kind == "http" else config.listen
    host = section.addresses[0] if section.addresses else "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  read, not bound
    port = section.port or (HTTP_PORT if kind == "http" else NATIVE_PORT)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"https://{place}" if kind == "http" and config.http.tls_cert_file else place


def _read_scheme(server: str | None, transport: str | None) -> tuple[str | None, str | None]:
    """``tcp://HOST:PORT``, as traces show it, is HOST:PORT and --tcp."""
    scheme, mark, rest = (server or "").partition("://")
    if not mark or scheme not in USUAL:
        return server, transport
    if transport not in {None, scheme}:
        raise CommandError(f"--server {server} with --{transport}", "leave one out", EXIT_USAGE)
    return rest, scheme


def _native_server(text: str) -> Server:
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, str(NATIVE_PORT)
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise CommandError(
            f"--server {text}: not HOST:PORT", "for example 127.0.0.1:2641", EXIT_USAGE
        )
    return Server(host.strip("[]"), int(port))
