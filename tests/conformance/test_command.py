"""``biaojie conformance`` as people and build servers use it, on a real node."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from conformance.checks.native_listing import handles_of, list_of, names_of
from conformance.registering import Registering
from conformance.target import Account, Target
from conformance.visit import Visit
from node.cli import main
from node.free_ports import free_ports
from protocols.handle.codes import OpCode
from tests.conformance.parts import Peer, answering
from tests.node.processes import PREFIX, RunningNode, make_node

ADMIN = f"300:0.NA/{PREFIX}"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    directory = tmp_path_factory.mktemp("conformance")
    with RunningNode(make_node(directory / "node"), directory / "log") as running:
        yield running.await_ready()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["conformance", *map(str, arguments)])


def login(node: RunningNode) -> tuple[object, ...]:
    secret = node.settings.parent / "keys" / "admin.secret"
    return "--prefix", PREFIX, "--admin", ADMIN, "--secret-file", secret


def documented(result: Result) -> dict[str, dict[str, str]]:
    """Check id -> row."""
    return {row["id"]: row for row in json.loads(result.stdout)["checks"]}


@pytest.mark.process
def test_our_own_node_keeps_what_is_asked_of_it(node: RunningNode, tmp_path: Path) -> None:
    groups = ("envelope", "header", "signed", "session", "sdk", "home", "create")
    only = [word for group in groups for word in ("--only", f"native.{group}")]
    junit = tmp_path / "report.xml"
    result = run("--config", node.settings, *login(node), *only, "--json", "--junit", junit)
    rows = documented(result)
    broken = {id_: row for id_, row in rows.items() if row["verdict"] != "pass"}
    assert (result.exit_code, broken) == (0, {})
    assert len(rows) > 80
    cases = list(ET.fromstring(junit.read_bytes()).iter("testcase"))
    assert [case.get("id") for case in cases] == list(rows)


@pytest.mark.process
def test_nothing_is_left_below_the_test_prefix(node: RunningNode) -> None:
    only = ("--only", "native.delete", "--only", "native.home")
    result = run("--config", node.settings, *login(node), *only, "--json")
    assert result.exit_code == 0
    secret = (node.settings.parent / "keys" / "admin.secret").read_bytes().strip()
    who = Account(f"0.NA/{PREFIX}".encode(), 300, secret)
    target = Target("127.0.0.1", node.config.listen.port, prefix=PREFIX, administrator=who)
    with Visit(target, Registering(target)) as visit:
        assert [name for name in names_of(handles_of(visit)) if b"CONFORMANCE" in name] == []
        homed = names_of(list_of(visit, who, OpCode.LIST_HOMED_PREFIXES, b"/"))
        assert [name.upper() for name in homed] == [f"0.NA/{PREFIX}".encode()]


@pytest.mark.process
def test_without_an_administrator_only_reading_is_tried(node: RunningNode) -> None:
    target = f"127.0.0.1:{node.config.listen.port}"
    result = run(target, "--only", "native.resolve", "--only", "native.site", "--json")
    verdicts = {id_: row["verdict"] for id_, row in documented(result).items()}
    assert verdicts["native.site.decodes-exactly"] == "pass"
    assert verdicts["native.resolve.empty-handle"] == "pass"
    assert verdicts["native.resolve.unknown-handle"] == "not-tried"
    assert verdicts["native.resolve.data-exact"] == "not-tried"
    assert result.exit_code == 0


@pytest.mark.process
def test_people_see_a_table_of_groups(node: RunningNode) -> None:
    result = run("--config", node.settings, "--only", "native.connection")
    assert result.exit_code == 0
    assert "native.connection" in result.stdout
    assert "10 checks" in result.stderr


@pytest.mark.process
def test_what_is_wrong_with_the_account_is_not_blamed_on_the_node(
    node: RunningNode, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.secret"
    wrong.write_text("wrong")
    wrong.chmod(0o600)
    secret = login(node)[-1]
    for prefix, file, said in (
        (PREFIX, wrong, "proof is refused"),
        ("99.9", secret, "not responsible"),
    ):
        account = ("--prefix", prefix, "--admin", ADMIN, "--secret-file", file)
        result = run("--config", node.settings, *account, "--only", "native.create", "--json")
        assert result.exit_code == 2
        told = json.loads(result.stderr)
        assert said in told["error"]
        assert told["next"]


def test_a_node_that_breaks_promises_is_told_so_with_their_source(tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    with Peer(answering(lambda request: request)) as peer:  # an echo: the request is no answer
        only = ("--only", "native.header.expiration-in-future")
        result = run(f"127.0.0.1:{peer.port}", *only, "--junit", junit)
    assert result.exit_code == 1
    assert "RFC 3652" in result.stdout
    assert "broken" in result.stdout
    assert [mark.tag for mark in ET.fromstring(junit.read_bytes()).iter("failure")] == ["failure"]


def test_nobody_there_is_exit_status_3() -> None:
    (port,) = free_ports(1)
    result = run(f"127.0.0.1:{port}", "--json")
    assert result.exit_code == 3
    assert "is the node running" in json.loads(result.stderr)["next"]


def test_the_list_has_every_requirement_and_asks_nobody() -> None:
    result = run("--list", "--json", "--only", "native.udp")
    rows = json.loads(result.stdout)["checks"]
    assert result.exit_code == 0
    assert {row["id"].rpartition(".")[0] for row in rows} == {"native.udp"}
    assert all(row["requirement"] and row["source"] and row["needs"] for row in rows)
    assert "native.udp.amplification" in run("--list", "--only", "*.amplification").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a node"),
        (("127.0.0.1", "--only", "no.such"), "no check has such an id"),
        (("127.0.0.1:notaport",), "not HOST or HOST:PORT"),
        (("127.0.0.1:99999",), "not HOST or HOST:PORT"),
        (("127.0.0.1", "--admin", "300:a/b"), "without a proof"),
        (("127.0.0.1", "--admin", "a/b", "--secret-file", __file__), "not INDEX:HANDLE"),
        (("127.0.0.1", "--admin", "²:a/b", "--secret-file", __file__), "not an index"),
        (("127.0.0.1", "--secret-file", __file__), "go with --admin"),
        (("127.0.0.1", "--admin", "300:a/b", "--secret-file", __file__), "lets others read it"),
        (("127.0.0.1", "--admin", "300:a/b", "--key-file", __file__), "lets others read it"),
        (("127.0.0.1", "--junit", "/no/such/folder/x.xml"), "no such folder"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(
    arguments: tuple[str, ...], said: str
) -> None:
    result = run(*arguments)
    assert result.exit_code in {1, 2}
    assert said in result.stderr


def test_an_account_needs_a_prefix_and_a_key_that_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a.secret"
    path.write_text("not a key")
    path.chmod(0o600)
    account = ("127.0.0.1", "--admin", "300:a/b")
    for option, said in (("--secret-file", "goes with --prefix"), ("--key-file", str(path))):
        result = run(*account, option, path)
        assert result.exit_code == 2
        assert said in result.stderr


def test_a_key_that_is_not_rsa_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    result = run("127.0.0.1", "--prefix", "1", "--admin", "300:a/b", "--key-file", path)
    assert result.exit_code == 2
    assert "not an RSA key" in result.stderr
