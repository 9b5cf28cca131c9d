"""The command ``biaojie conformance``: try a node against the table of checks, and tell what it keeps."""

import contextlib
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from conformance.catalogue import all_checks
from conformance.check import Check, Need
from conformance.http_client import HttpClient, Untrusted
from conformance.native_client import TcpClient
from conformance.native_messages import Fields
from conformance.outcome import Failed, Result, Unable, Verdict
from conformance.registering import WRITE_FLAGS
from conformance.report import check_document, junit_xml, report_document, summary_rows, told
from conformance.run import Report, choose, run_checks
from conformance.target import NATIVE_PORT, Account, Target
from conformance.visit import NAME_LEAD
from node.commands.options import (
    ca_file_option,
    check_ca_file,
    how_to_trust,
    json_option,
    need_folder_of,
    read_config,
    read_name,
)
from node.keys import KeyTrouble, read_secret
from node.output import (
    EXIT_FAILED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    CommandError,
    print_json,
    print_table,
    progress,
    say,
)
from node.trust.key_files import read_key
from protocols.handle.administration import HandleRequest
from protocols.handle.codes import OpCode, ResponseCode

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
HOW = {"pass": "kept", "fail": "broken", "not-offered": "not offered", "not-tried": "not tried",
       "error": "no verdict"}  # fmt: skip


@click.command(name="conformance")
@click.argument("target", required=False, metavar="[HOST[:PORT]]")
@click.option(
    "--http",
    "http_url",
    metavar="URL",
    help="Where its HTTP interface is, e.g. http://127.0.0.1:8000.",
)
@click.option(
    "--prefix", metavar="PREFIX", help="A prefix of the node below which the checks may register."
)
@click.option(
    "--admin", metavar="INDEX:HANDLE", help="Who may register there, e.g. 300:0.NA/88.118."
)
@click.option(
    "--secret-file", type=FILE, metavar="FILE", help="With --admin: the file with the secret."
)
@click.option(
    "--key-file",
    type=FILE,
    metavar="FILE",
    help="With --admin: the RSA key, as PEM or as Handle.Net writes it, without a passphrase.",
)
@click.option(
    "--config",
    "config_path",
    type=FILE,
    metavar="FILE",
    help="Try the running node of these settings.",
)
@click.option("--only", "patterns", multiple=True, metavar="GLOB",
              help="Checks of this group or with such an id, e.g. native.udp or '*.limits.*'. Repeat it.")  # fmt: skip
@click.option(
    "--list",
    "is_list",
    is_flag=True,
    help="Show the checks, their requirements and sources; ask nobody.",
)
@click.option("--no-udp", is_flag=True, help="The node has no UDP.")
@click.option("--timeout", "answer_s", type=click.FloatRange(0.1, 120), default=10.0, show_default=True,
              metavar="SECONDS", help="How long one answer may take.")  # fmt: skip
@ca_file_option
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Also write JUnit XML, for build servers.")  # fmt: skip
@json_option
def command(  # noqa: PLR0913  one parameter for each option
    *,
    target: str | None,
    http_url: str | None,
    prefix: str | None,
    admin: str | None,
    secret_file: Path | None,
    key_file: Path | None,
    config_path: Path | None,
    patterns: tuple[str, ...],
    is_list: bool,
    no_udp: bool,
    answer_s: float,
    ca_file: Path | None,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Try any Handle or IDIS node, ours or another's, against what the standards and today's clients expect of it.

    \b
    anybody's node, reading only:   biaojie conformance handle.example.org:2641
    all of it, on a test prefix:    biaojie conformance 127.0.0.1 --http http://127.0.0.1:8000 \\
                                      --prefix 88.118 --admin 300:0.NA/88.118 --secret-file admin.secret
    one's own running node:         biaojie conformance --config my-node/node.toml --prefix 88.118 --admin ...
    what would be tried:            biaojie conformance --list --only native.session

    Each check makes identifiers of its own below the test prefix (conformance-...) and removes them. "not offered"
    is what a node refuses in the way the standard prescribes, "not tried" what you did not name the means for, and
    "no verdict" a check that could not be carried out. The exit status is 0 when no check was broken or without
    verdict, 1 otherwise, 3 when the node cannot be reached.

    Do not point it at a node in production without asking its operator: some checks send wrong proofs and bad lengths.
    """
    checks = choose(all_checks(), patterns)
    if not checks:
        raise CommandError("no check has such an id", "biaojie conformance --list", EXIT_USAGE)
    if is_list:
        _show_checks(checks, as_json=as_json)
        return
    if junit is not None:
        need_folder_of(junit)
    host, port, own_http = _place(target, config_path)
    check_ca_file(ca_file, http_url or own_http)
    who = _account(admin, secret_file, key_file)
    if who is not None and prefix is None:
        raise CommandError("--admin goes with --prefix", "name a prefix for tests", EXIT_USAGE)
    aim = Target(
        host,
        port,
        (http_url or own_http or "").rstrip("/") or None,
        prefix,
        who,
        has_udp=not no_udp,
        answer_s=answer_s,
        ca_file=str(ca_file) if ca_file else None,
    )
    _need_reachable(aim)
    if any(Need.HTTP in check.needs for check in checks):
        _need_trusted(aim)
    if any(Need.ADMIN in check.needs for check in checks):
        _need_administrator(aim)
    report = _run(aim, checks, as_json=as_json)
    name = f"{host}:{port}"
    if junit is not None:
        junit.write_bytes(junit_xml(name, checks, report))
    _tell(name, checks, report, as_json=as_json)
    if not report.is_conformant:
        raise click.exceptions.Exit(EXIT_FAILED)


def _show_checks(checks: list[Check], *, as_json: bool) -> None:
    if as_json:
        print_json({"checks": [check_document(check) for check in checks]})
        return
    rows = [(check.id, check.requirement, check.source) for check in checks]
    print_table(f"{len(rows)} checks", ("check", "requirement", "source"), rows)


def _place(target: str | None, config_path: Path | None) -> tuple[str, int, str | None]:
    """Host, native port, HTTP address if the settings tell one."""
    if (target is None) == (config_path is None):
        next_step = "biaojie conformance 127.0.0.1:2641, or --config my-node/node.toml"
        raise CommandError("name a node: HOST[:PORT], or --config", next_step, EXIT_USAGE)
    if target is None:
        config = read_config(config_path)
        scheme = "https" if config.http.tls_cert_file else "http"
        http_url = f"{scheme}://127.0.0.1:{config.http.port}" if config.http.enabled else None
        return "127.0.0.1", config.listen.port, http_url
    try:
        parts = urlsplit("//" + (target.partition("://")[2] or target))
        host, port = parts.hostname, parts.port or NATIVE_PORT
    except ValueError:
        host, port = None, 0
    if not host:
        raise CommandError(f"{target}: not HOST or HOST:PORT", "e.g. 127.0.0.1:2641", EXIT_USAGE)
    return host, port, None


def _account(admin: str | None, secret_file: Path | None, key_file: Path | None) -> Account | None:
    if admin is None:
        if secret_file or key_file:
            raise CommandError("--secret-file and --key-file go with --admin", "", EXIT_USAGE)
        return None
    name = read_name(admin, "--admin")
    if secret_file is None and key_file is None:
        next_step = "name --secret-file, --key-file or both"
        raise CommandError("--admin without a proof", next_step, EXIT_USAGE)
    try:
        secret = read_secret(secret_file) if secret_file else None
        key = _read_key(key_file) if key_file else None
    except KeyTrouble as trouble:
        raise CommandError(str(trouble), "", EXIT_USAGE) from None
    return Account(name.handle.encode(), name.index, secret, key)


def _read_key(path: Path) -> RSAPrivateKey:
    """Raises ``KeyTrouble``."""
    key = read_key(path)
    if not isinstance(key, RSAPrivateKey):
        raise KeyTrouble(f"{path}: not an RSA key")
    return key


def _need_reachable(target: Target) -> None:
    try:
        TcpClient(target.host, target.native_port or 0, target.answer_s).close()
    except Unable as trouble:
        next_step = "is the node running, and is this its native port?"
        raise CommandError(str(trouble), next_step, EXIT_UNREACHABLE) from None


def _need_trusted(target: Target) -> None:
    """Or every check over HTTPS would end without a verdict."""
    client = HttpClient(target.http_url or "", target.answer_s, target.ca_file)
    if not client.is_tls:
        return
    try:
        client.send(b"")
    except Untrusted as trouble:
        raise CommandError(str(trouble), how_to_trust(trouble.code), EXIT_UNREACHABLE) from None
    except Unable:
        return  # each check tells so
    finally:
        client.close()


def _need_administrator(target: Target) -> None:
    """Or what is wrong in the command line would be told as what is wrong in the node, after minutes."""
    if target.administrator is None or target.prefix is None:
        return
    # To be deleted, though nobody made it: nothing changes, but rights are looked at first.
    name = f"{target.prefix}/{NAME_LEAD}{secrets.token_hex(6)}".encode()
    try:
        client = TcpClient(target.host, target.native_port or 0, target.answer_s)
        with contextlib.closing(client):
            body, fields = HandleRequest(name), Fields(WRITE_FLAGS)
            code = client.ask_as(target.administrator, OpCode.DELETE, body, fields).code
    except (Failed, Unable):
        return  # each check tells so
    who = target.administrator.reference
    if code == ResponseCode.NOT_RESPONSIBLE:
        reason = f"--prefix {target.prefix}: the node is not responsible for it"
        raise CommandError(f"{reason} (RC {code})", "name a prefix that it hosts", EXIT_USAGE)
    if code == ResponseCode.AUTHENTICATION_FAILED:
        step = "is it the secret or key of that index and handle?"
        raise CommandError(f"--admin {who}: the proof is refused (RC {code})", step, EXIT_USAGE)
    if code in {ResponseCode.NOT_ADMINISTRATOR, ResponseCode.INSUFFICIENT_PERMISSIONS}:
        reason = f"--admin {who}: may not delete below {target.prefix} (RC {code})"
        step = "name an administrator who may create, change, delete and list there"
        raise CommandError(reason, step, EXIT_USAGE)


def _run(target: Target, checks: list[Check], *, as_json: bool) -> Report:
    with progress("conformance", len(checks), is_wanted=not as_json) as bar:
        done = 0

        def show(check: Check, _: Result) -> None:
            nonlocal done
            done += 1
            bar.update(done, check.id)

        return run_checks(target, checks, show)


def _tell(name: str, checks: list[Check], report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report_document(name, checks, report))
        return
    columns = ("group", *(HOW[verdict.value] for verdict in Verdict))
    print_table(f"conformance of {name}", columns, summary_rows(checks, report))
    for verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.NOT_OFFERED):
        rows = [
            (check.id, told(check, result))
            for check, result in zip(checks, report.results, strict=True)
            if result.verdict is verdict
        ]
        if rows:
            print_table(HOW[verdict.value], ("check", ""), rows)
    untried = sorted({r.came for r in report.results if r.verdict is Verdict.NOT_TRIED})
    for reason in untried:
        say(f"not tried: {reason}")
    say(f"{len(checks)} checks in {report.took_s:.1f} s")
