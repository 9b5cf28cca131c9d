"""``--ca-file``: every command that asks over https trusts whom it is told to, and else says what to give it."""

import json
import re

import pytest
from click.testing import CliRunner

from node.cli import main
from node.demo.node_process import NodeProcess
from node.free_ports import free_ports
from tests.node.http.certificates import issue_below_authority
from tests.node.processes import until

pytestmark = pytest.mark.process
PREFIX = "88.118"
HANDLE = f"{PREFIX}/tls"


class SecureNode:
    def __init__(self, directory):
        self.authority, issued = issue_below_authority(directory)
        self.process = NodeProcess(directory / "node", PREFIX)
        made = self.process.made
        self.url = self.process.url.replace("http:", "https:")
        self.login = ("--user", made.administrator, "--secret-file", made.secret)
        text = made.settings.read_text()
        for name, path in (("tls_cert_file", issued.certificate), ("tls_key_file", issued.key)):
            text = re.sub(f"(?m)^{name} = .*$", f'{name} = "{path}"', text)
        made.settings.write_text(text)

    @property
    def trusted(self):
        return "--server", self.url, "--ca-file", self.authority


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    secure = SecureNode(tmp_path_factory.mktemp("ca"))
    try:
        secure.process.start()
        yield secure
    finally:
        secure.process.stop()


def run(*words, code=0):
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == code, result.output
    return result


def searched(*words):
    """What is found; nothing while the index is being made."""
    return CliRunner().invoke(main, ["search", *map(str, words), "--json"]).stdout


def test_who_signed_the_certificate_is_trusted_by_every_command_that_asks_over_https(node):
    login = (*node.trusted, *node.login)
    run("put", HANDLE, "--value", "URL=https://example.org/tls", *login)
    for words in (("get", HANDLE), ("resolve", HANDLE)):
        assert "https://example.org/tls" in run(*words, *node.trusted).stdout
    assert f"0.NA/{PREFIX}" in run("admin", "list", PREFIX, *login).stdout
    assert HANDLE.upper() in run("changes", *login, "--json").stdout.upper()
    until(lambda: HANDLE in searched("URL=https://example.org/tls", *login))
    run("put", HANDLE, "--delete", *login)
    settings = node.process.made.settings
    own = ("--http", "--config", settings, "--ca-file", node.authority)
    assert run("resolve", HANDLE, *own, "--json", code=1).stdout.startswith('{"responseCode": 100')


def test_the_checks_of_conformance_and_the_sample_of_the_bench_trust_it_too(node):
    port = node.process.made.settings.read_text().partition("\nport = ")[2].split()[0]
    words = ("conformance", f"127.0.0.1:{port}", "--http", node.url, "--only", "http.errors")
    rows = json.loads(run(*words, "--json", "--ca-file", node.authority).stdout)["checks"]
    assert "pass" in {row["verdict"] for row in rows}
    told = json.loads(run(*words, "--json", code=3).stderr)
    assert "not trusted" in told["error"]
    assert "--ca-file" in told["next"]
    words = ("bench", "resolve", "--server", f"127.0.0.1:{port}", "--sample", "99.9", "--list-url")
    assert "next:  give --ca-file" in run(*words, node.url, *node.login, code=3).stderr
    said = run(*words, *node.trusted[1:], *node.login, code=1).stderr
    assert "does not list" in said


@pytest.mark.parametrize("words", [("get", HANDLE), ("resolve", HANDLE)])
def test_a_certificate_of_somebody_unknown_is_told_with_the_option_that_helps(node, words):
    told = json.loads(run(*words, "--server", node.url, "--json", code=3).stderr)
    assert "its certificate is not trusted: unable to get local issuer" in told["error"]
    assert "give --ca-file FILE" in told["next"]


def test_a_certificate_for_another_name_is_not_helped_by_trusting_it(node):
    other = node.url.replace("127.0.0.1", "localhost")
    told = json.loads(
        run("get", HANDLE, "--server", other, "--ca-file", node.authority, "--json", code=3).stderr
    )
    assert "not valid for 'localhost'" in told["error"]
    assert "as its certificate does" in told["next"]


@pytest.mark.parametrize("command", [("get", HANDLE), ("resolve", HANDLE)])
def test_a_file_that_nobody_would_look_into_or_without_certificates_is_refused(
    node, tmp_path, command
):
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    url = ("--server", node.url)
    assert "no certificates in it" in run(*command, *url, "--ca-file", empty, code=2).stderr
    plain = ("--server", "http://127.0.0.1:9")
    for asked in (plain, ("--config", node.process.made.settings)):
        said = run(*command, *asked, "--ca-file", node.authority, code=2).stderr
        assert "goes with an https URL" in said


def test_a_recommended_command_names_the_certificate_as_well(node):
    """Here after rights for a name without a key, which is told over HTTP, too."""
    said = run("admin", "grant", PREFIX, f"301:0.NA/{PREFIX}", *node.trusted, *node.login).stderr
    assert f"next:  biaojie key new FILE --store 301:0.NA/{PREFIX} --server {node.url}" in said
    assert f"--ca-file {node.authority}" in said
    settings = node.process.made.settings
    (nobody,) = free_ports(1)
    dead = f"tcp://127.0.0.1:{nobody}"
    run("prefix", "delegate", f"{PREFIX}.7", "--to", dead, "--config", settings)
    said = run("resolve", f"{PREFIX}.7/x", *node.trusted, code=1).stderr
    assert f"error: {dead}: " in said
    assert f"--server {node.url} --ca-file {node.authority} --trace" in said
