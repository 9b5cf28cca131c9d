"""Options that several commands share, so that they are spelled and explained alike."""

import functools
import shlex
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from node.asking.node import FarNode, Node, OwnNode, Refused
from node.asking.web import Login, Untrusted, WebServer, WebTrouble
from node.config import Config, ConfigError, load_config
from node.keys import KeyTrouble, read_secret
from node.output import EXIT_UNREACHABLE, EXIT_USAGE, CommandError
from node.registrar_client import RegistrarGone, RegistrarRefused
from protocols.errors import ProtocolError
from protocols.identifier import Identifier, parse_identifier
from protocols.values.value import Reference, parse_reference
from registry.errors import StoreError

Function = TypeVar("Function", bound=Callable[..., Any])

config_option: Callable[[Function], Function] = click.option(
    "--config",
    "config_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The node's settings; without it the embedded default.",
)
json_option: Callable[[Function], Function] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object for programs."
)
ca_file_option: Callable[[Function], Function] = click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With an https URL: PEM certificates to trust, instead of the system's.",
)


def read_config(path: Path | None, next_step: str = "") -> Config:
    """The settings, or a ``CommandError`` that says what is wrong; ``next_step``: instead of ``check-config``."""
    try:
        return load_config(path)
    except ConfigError as error:
        step = next_step or f"biaojie check-config{same_node()}"
        raise CommandError(str(error), step, EXIT_USAGE) from None


def same_node(*, is_own: bool = False) -> str:
    """The options that name the node of the present command, so that a recommended one can be pasted as it is.

    ``is_own``: for a command that only takes ``--config``.
    """
    context = click.get_current_context(silent=True)
    given = context.params if context else {}
    names = {"--config": given.get("config_path")}
    if not is_own and "://" in str(given.get("server") or ""):
        names |= {"--server": given["server"], "--user": given.get("user")}
        names |= {"--secret-file": given.get("secret_file"), "--ca-file": given.get("ca_file")}
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in names.items() if value)


def need_folder_of(path: Path) -> None:
    """Raises ``CommandError`` when there is no folder to write ``path`` into."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise CommandError(f"{folder}: no such folder", f"mkdir -p {shlex.quote(str(folder))}")


_SERVER_OPTIONS = (
    click.option(
        "--config",
        "config_path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="The node's settings; without it and --server, the embedded default.",
    ),
    click.option(
        "--server", metavar="URL", help="Ask this node over HTTP, e.g. http://127.0.0.1:8000."
    ),
    click.option(
        "--user",
        metavar="INDEX:HANDLE",
        help="With --server: who you are, e.g. 300:0.NA/88.118.",
    ),
    click.option(
        "--secret-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="With --user: the file with the secret.",
    ),
    ca_file_option,
)


def node_options(function: Callable[..., None]) -> Callable[..., None]:
    """``--config FILE`` or ``--server URL [--user … --secret-file … --ca-file …]``; the command gets ``node``."""

    @functools.wraps(function)
    def with_node(
        *,
        config_path: Path | None,
        server: str | None,
        user: str | None,
        secret_file: Path | None,
        ca_file: Path | None,
        **others: Any,
    ) -> None:
        node = choose_node(config_path, server, user, secret_file, ca_file)
        with plain_errors():
            function(node=node, **others)

    wrapped: Callable[..., None] = with_node
    for option in reversed(_SERVER_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def choose_node(
    config_path: Path | None,
    server: str | None,
    user: str | None,
    secret_file: Path | None,
    ca_file: Path | None,
) -> Node:
    """The node that the options name."""
    check_ca_file(ca_file, server)
    if server is None:
        if user or secret_file:
            raise CommandError("--user and --secret-file go with --server", "", EXIT_USAGE)
        return OwnNode(read_config(config_path))
    if config_path is not None:
        raise CommandError("--config and --server exclude each other", "", EXIT_USAGE)
    return FarNode(WebServer(server.rstrip("/"), _read_login(user, secret_file), ca_file))


def check_ca_file(ca_file: Path | None, url: str | None) -> None:
    """Raises ``CommandError`` when nobody would look into ``--ca-file``, or it has no certificates."""
    if ca_file is None:
        return
    if not (url or "").startswith("https://"):
        reason = "--ca-file goes with an https URL"
        raise CommandError(reason, "name the server as https://HOST:PORT", EXIT_USAGE)
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        reason = f"--ca-file {ca_file}: no certificates in it"
        raise CommandError(reason, "name a PEM file", EXIT_USAGE) from None
    except OSError as error:
        reason = f"--ca-file {ca_file}: {error.strerror}"
        raise CommandError(reason, "name a PEM file that can be read", EXIT_USAGE) from None


def _read_login(user: str | None, secret_file: Path | None) -> Login | None:
    if user is None and secret_file is None:
        return None
    if user is None or secret_file is None:
        raise CommandError("--user and --secret-file go together", "", EXIT_USAGE)
    name = read_name(user, "--user")
    try:
        secret = read_secret(secret_file).decode()
    except KeyTrouble as trouble:
        raise CommandError(str(trouble), "", EXIT_USAGE) from None
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{secret_file}: not a secret, byte {error.start} is not text", "", EXIT_USAGE
        ) from None
    return Login(name.index, name.handle, secret)


def read_name(text: str, option: str = "") -> Reference:
    """``300:0.NA/88.118`` of the command line, or a ``CommandError``."""
    try:
        return parse_reference(text)
    except ProtocolError as error:
        where = f"{option}: " if option else ""
        step = "for example 300:0.NA/88.118"
        raise CommandError(f"{where}{error}", step, EXIT_USAGE) from None


def read_identifier_argument(text: str) -> Identifier:
    """An identifier from the command line, or a ``CommandError``."""
    try:
        return parse_identifier(text)
    except ProtocolError as error:
        raise CommandError(
            f"{text!r}: {error}", "an identifier is PREFIX/SUFFIX, e.g. 88.118/SN-1", EXIT_USAGE
        ) from None


@contextmanager
def plain_errors() -> Iterator[None]:
    """What a node, a store or a server can answer instead of a result, told to people with the next step."""
    try:
        yield
    except Untrusted as trouble:
        raise CommandError(str(trouble), how_to_trust(trouble.code), EXIT_UNREACHABLE) from None
    except WebTrouble as trouble:
        step = (
            "is the node running, and is this its address, with http:// or https:// as it speaks?"
        )
        raise CommandError(str(trouble), step, EXIT_UNREACHABLE) from None
    except RegistrarGone as gone:
        raise CommandError(str(gone), _how_to_a_node("check-config"), EXIT_UNREACHABLE) from None
    except KeyTrouble as trouble:
        raise CommandError(str(trouble), "") from None
    except Refused as refused:
        said, code = refused.document.get("message"), refused.document.get("responseCode")
        step = "say who you are, with the right secret: --user INDEX:HANDLE --secret-file FILE"
        if code in _WITHOUT_RIGHTS:
            step = "biaojie admin list PLACE shows who may; the node's operator can grant it"
        raise CommandError(f"{said or 'refused'} (response code {code})", step) from None
    except FileNotFoundError as error:
        raise CommandError(
            f"{error.filename or error}: there is no store yet", _how_to_a_node("serve")
        ) from None
    except (RegistrarRefused, StoreError) as error:
        raise CommandError(str(error), f"biaojie verify{same_node(is_own=True)}") from None


_WITHOUT_RIGHTS = frozenset({400, 401})
"""Response codes of somebody who is known, and may not."""


_OUT_OF_TIME, _OF_ANOTHER = frozenset({9, 10}), frozenset({62, 64})
"""OpenSSL: X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED; _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH."""


def how_to_trust(code: int) -> str:
    """What helps against a certificate that is not believed, by the code of OpenSSL."""
    if code in _OUT_OF_TIME:
        return "its operator renews it; or is this machine's clock wrong?"
    if code in _OF_ANOTHER:
        return "name the server as its certificate does: https://NAME:PORT"
    return "give --ca-file FILE with the certificate of who signed it, or itself (PEM)"


def _how_to_a_node(command: str) -> str:
    """``command`` on the node that was named; when none was, most likely the name is what is missing."""
    named = same_node(is_own=True)
    if named:
        return f"biaojie {command}{named}"
    return "name a node with --config DIR/node.toml, or start one: biaojie serve"
