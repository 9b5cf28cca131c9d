"""``biaojie prefix``: hosting, giving away, taking back, and the list of it all."""

import json
import shutil

import pytest
from click.testing import CliRunner

from node.cli import main
from node.config import load_config
from node.init_node import init_node
from node.registrar_client import open_registrar
from protocols.values.site import TCP, UDP, Interface, decode_site
from protocols.values.value_list import decode_values
from registry.stores.lmdb import open_reader

PREFIX = "88.118"


class Node:
    """A node that is not running; ``node("prefix", "list")`` runs the command on it."""

    def __init__(self, directory):
        self.directory = directory
        self.settings = directory / "node.toml"

    def __call__(self, *words, fails=0):
        words = (*map(str, words), "--config", str(self.settings))
        result = CliRunner().invoke(main, words)
        assert result.exit_code == fails, result.output
        return result

    def told(self, *words):
        return json.loads(self(*words, "--json").stdout)

    def lines(self):
        return {line["prefix"]: line for line in self.told("prefix", "list")["prefixes"]}

    def values(self, prefix):
        return self.told("get", f"0.NA/{prefix}", "--all")["values"]

    def sites(self, prefix):
        with open_reader(self.directory / "data") as reader:
            stored = reader.stored(f"0.NA/{prefix}".encode())
            assert stored is not None
            record = reader.list_records(b"0.NA", prefix.encode()[:-1], 1)[0]
            assert record.key == f"0.NA/{prefix}".encode()
        found = [v for v in decode_values(record.public) if v.type.startswith("HS_SITE")]
        return [(value.type, decode_site(value.data)) for value in found]


def strip(values):
    return [{key: v for key, v in value.items() if key != "timestamp"} for value in values]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    directory = tmp_path_factory.mktemp("template") / "node"
    init_node(directory, PREFIX)
    return directory


@pytest.fixture
def node(template, tmp_path):
    made = Node(shutil.copytree(template, tmp_path / "node"))
    with open_registrar(load_config(made.settings)):  # one for all commands, instead of one each
        yield made


@pytest.mark.process
def test_a_prefix_is_delegated_to_udp_and_tcp_unless_something_else_is_said(node):
    said = node("prefix", "delegate", "88.118.7", "--to", "192.0.2.8:3641").stderr
    assert "0.NA/88.118.7: delegated" in said
    assert "to udp://192.0.2.8:3641, tcp://192.0.2.8:3641" in said
    ((kind, site),) = node.sites("88.118.7")
    assert (kind, site.is_primary, site.serial, site.hash_option) == ("HS_SITE", True, 1, 2)
    (server,) = site.servers
    assert (server.id, server.address) == (1, "192.0.2.8")
    assert server.interfaces == (Interface(UDP, 3641), Interface(TCP, 3641))
    assert {v["type"] for v in node.values("88.118.7")} == {"HS_SITE", "HS_ADMIN"}
    assert node.lines()["88.118.7"] == {
        "prefix": "88.118.7",
        "state": "delegated",
        "identifiers": 0,
        "case": "folded",
        "servers": ["udp://192.0.2.8:3641", "tcp://192.0.2.8:3641"],
        "private": False,
    }
    told = node.told("prefix", "delegate", "88.118.7", "--to", "192.0.2.9:1", "--udp")
    assert (told["version"], told["servers"]) == (2, ["udp://192.0.2.9:1"])
    assert node.sites("88.118.7")[0][1].serial == 2
    said = node("prefix", "delegate", "88.118.7", "--to", "192.0.2.9:1", "--udp").stderr
    assert "was so already" in said
    assert "none of them speaks TCP" in said
    node("put", "0.NA/88.118.7", "--delete")
    line = node.lines()["88.118.7"]
    assert (line["state"], line["servers"]) == ("deleted", [])


@pytest.mark.process
def test_what_was_hosted_goes_out_of_sight_and_comes_back_as_it_was(node, tmp_path):
    node("prefix", "add", "88.118.7", "--new-admin", tmp_path / "secret")
    node("put", "88.118.7/x", "--value", "URL=https://x")
    node("put", "0.NA/88.118.7", "--add", "--value", "5:DESC=plant 7")
    before = node.values("88.118.7"), node.told("get", "88.118.7/x")["values"]
    said = node("prefix", "delegate", "88.118.7", "--to", "192.0.2.8:1").stderr
    assert "identifiers kept here out of sight: 1" in said
    assert "delegated" in node("get", "88.118.7/x", fails=1).stderr
    others = [v for v in before[0] if v["type"] != "HS_SITE"]
    assert [v for v in node.values("88.118.7") if v["type"] != "HS_SITE"] == others
    assert node.lines()["88.118.7"]["identifiers"] == 1
    said = node("prefix", "add", "88.118.7").stderr
    assert "0.NA/88.118.7: taken back" in said
    assert "identifiers answered from here again: 1" in said
    assert strip(node.values("88.118.7")) == strip(before[0])
    assert node.told("get", "88.118.7/x")["values"] == before[1]
    assert node.lines()["88.118.7"]["state"] == "hosted"
    assert [c["operation"] for c in node.told("changes")["changes"]][-2:] == ["delegate", "host"]
    node("verify")


@pytest.mark.process
def test_a_prefix_can_be_filled_before_it_is_taken_back(node):
    node("prefix", "delegate", "88.118.7", "--to", "192.0.2.8:1", "--case-sensitive")
    node("put", "88.118.7/Ab", "--value", "URL=https://x")
    assert "delegated" in node("get", "88.118.7/Ab", fails=1).stderr
    node("prefix", "add", "88.118.7")
    assert node.told("get", "88.118.7/Ab")["values"][0]["type"] == "URL"
    node("get", "88.118.7/AB", fails=1)
    assert node.lines()["88.118.7"]["case"] == "kept"


@pytest.mark.process
def test_taken_back_with_a_new_administrator_the_old_one_is_gone(node, tmp_path):
    node("prefix", "add", "88.118.7", "--new-admin", tmp_path / "old")
    node("prefix", "delegate", "88.118.7", "--to", "192.0.2.8:1")
    node("prefix", "add", "88.118.7", "--new-admin", tmp_path / "new")
    secrets = [v for v in node.values("88.118.7") if v["type"] == "HS_SECKEY"]
    assert [v["data"]["value"] for v in secrets] == [(tmp_path / "new").read_text().strip()]


@pytest.mark.process
def test_a_record_with_a_site_is_listed_as_a_delegation_and_can_be_taken_over(node, tmp_path):
    node("prefix", "delegate", "88.118.7", "--to", "192.0.2.8:1")
    values = [v for v in node.values("88.118.7") if v["type"] == "HS_SITE"]
    path = tmp_path / "values.json"
    path.write_text(json.dumps({"values": values}))
    node("put", "0.NA/88.118.5", "--from", path)
    assert node.lines()["88.118.5"] == {
        "prefix": "88.118.5",
        "state": "delegated",
        "identifiers": 0,
        "case": "",
        "servers": ["udp://192.0.2.8:1", "tcp://192.0.2.8:1"],
        "private": False,
    }
    assert "taken back" in node("prefix", "add", "88.118.5").stderr
    assert node.lines()["88.118.5"]["state"] == "hosted"


USELESS = {
    "ourselves": ("127.0.0.1:2641", "this node itself"),
    "ourselves by name": ("localhost:2641", "this node itself"),
    "ourselves by HTTP": ("http://127.0.0.1:8000", "this node itself"),
    "nowhere": ("0.0.0.0:2641", "nobody can be asked"),
    "a group": ("224.0.0.1:2641", "nobody can be asked"),
    "no port": ("192.0.2.8", "not a server"),
    "another protocol": ("ftp://192.0.2.8:21", "not a server"),
    "a name without address": ("nowhere.invalid:2641", "no address found"),
    "two hosts as one": ("192.0.2.8+192.0.2.9:2641", "one address of each kind"),
}


@pytest.mark.parametrize(("place", "reason"), USELESS.values(), ids=USELESS)
def test_a_server_that_cannot_be_asked_is_refused_and_nothing_is_changed(node, place, reason):
    assert reason in node("prefix", "delegate", "88.118.7", "--to", place, fails=2).stderr
    words = ("--to", "192.0.2.8:1", "--mirror", place)
    assert reason in node("prefix", "delegate", "88.118.7", *words, fails=2).stderr
    assert list(node.lines()) == [PREFIX]


def test_a_node_that_listens_everywhere_knows_itself_by_any_of_its_addresses(node):
    text = node.settings.read_text()
    node.settings.write_text(
        text.replace('["127.0.0.1", "::1"]', '["0.0.0.0"]').replace('["127.0.0.1"]', "[]")
    )
    refused = node("prefix", "delegate", "88.118.7", "--to", "127.0.0.2:2641", fails=2).stderr
    assert "this node itself" in refused
    node("prefix", "delegate", "88.118.7", "--to", "127.0.0.2:2642")


@pytest.mark.parametrize(
    ("prefix", "reason"), [(PREFIX, "own prefix"), ("88/7", "prefix"), ("0.NA", "0.NA")]
)
def test_not_every_prefix_can_be_given_away(node, prefix, reason):
    words = ["prefix", "delegate", prefix, "--to", "192.0.2.8:1", "--config", str(node.settings)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code in (1, 2)
    assert reason in result.stderr
    assert list(node.lines()) == [PREFIX]


def test_a_protocol_that_no_place_is_named_without_is_an_error_and_says_what_to_write(node):
    words = ("prefix", "delegate", "88.118.7", "--to", "tcp://192.0.2.8:1")
    said = node(*words, "--mirror", "tcp://192.0.2.9:1", "--tcp", "--udp", fails=2).stderr
    assert "--udp says nothing about tcp://192.0.2.8:1" in said
    assert "write 192.0.2.8:1 without a protocol, or add --to udp://192.0.2.8:1" in said
    assert list(node.lines()) == [PREFIX]
    told = node.told(*words, "--mirror", "192.0.2.9:1", "--udp")
    assert told["servers"] == ["tcp://192.0.2.8:1", "udp://192.0.2.9:1"]
    told = node.told(*words, "--tcp")
    assert told["servers"] == ["tcp://192.0.2.8:1"]


@pytest.mark.process
def test_what_is_registered_below_a_delegated_prefix_is_said_to_be_out_of_sight(node):
    node("prefix", "delegate", "88.118.7", "--to", "192.0.2.8:1")
    hidden = node("put", "88.118.7/x", "--value", "NAME=x").stderr
    assert "88.118.7 is delegated: kept out of sight until `biaojie prefix add`" in hidden
    rows = node.directory / "rows.csv"
    rows.write_text("id\n1\n")
    imported = ("import", rows, "--prefix", "88.118.7", "--suffix", "{id}", "--value", "NAME={id}")
    assert "88.118.7 is delegated: kept out of sight" in node(*imported).stderr
    node("prefix", "add", "88.118.7")
    assert "out of sight" not in node("put", "88.118.7/y", "--value", "NAME=y").stderr


@pytest.mark.process
def test_a_prefix_given_up_keeps_its_record_and_comes_back_as_it_was(node):
    node("prefix", "add", "88.118.7", "--case-sensitive")
    node("put", "88.118.7/Ab", "--value", "URL=https://x")
    node("put", "0.NA/88.118.7", "--add", "--value", "5:DESC=plant 7")
    before = node.values("88.118.7")
    said = node("prefix", "unhost", "88.118.7").stderr
    assert "0.NA/88.118.7: given up" in said
    assert "identifiers kept here out of sight: 1" in said
    assert node.values("88.118.7") == before
    assert "not hosted" in node("get", "88.118.7/Ab", fails=1).stderr
    assert node.lines()["88.118.7"]["state"] == "unhosted"
    assert "not hosted" in node("put", "88.118.7/c", "--value", "URL=x", fails=1).stderr
    rows = node.directory / "rows.csv"
    rows.write_text("id\n1\n")
    words = ("import", rows, "--prefix", "88.118.7", "--suffix", "{id}", "--value", "NAME={id}")
    assert "does not host" in node(*words, fails=1).stderr
    assert "was so already" in node("prefix", "unhost", "88.118.7").stderr
    assert "taken back" in node("prefix", "add", "88.118.7").stderr
    assert strip(node.values("88.118.7")) == strip(before)
    assert node.told("get", "88.118.7/Ab")["values"][0]["type"] == "URL"
    node("verify")


@pytest.mark.process
def test_a_prefix_is_private_from_its_first_moment_and_can_be_made_ordinary(node):
    said = node("prefix", "add", "88.118.7", "--private").stderr
    assert "0.NA/88.118.7: hosted, private" in said
    assert node.lines()["88.118.7"]["private"] is True
    assert "hosted, private" in node("prefix", "list").stdout
    assert [c["operation"] for c in node.told("changes")["changes"]][-2:] == ["host", "hide"]
    assert "ordinary from now on" in node("prefix", "set", "88.118.7", "--public").stderr
    assert node.lines()["88.118.7"]["private"] is False
    assert "private from now on" in node("prefix", "set", "88.118.7", "--private").stderr
    assert "was so already" in node("prefix", "set", "88.118.7", "--private").stderr
    node("prefix", "delegate", "88.118.7", "--to", "192.0.2.8:1")
    assert "taken back, private" in node("prefix", "add", "88.118.7", "--private").stderr


@pytest.mark.process
def test_hosting_what_is_hosted_does_not_make_it_private_by_the_way(node):
    refused = node("prefix", "add", PREFIX, "--private", fails=1).stderr
    assert "hosted already" in refused
    assert node.lines()[PREFIX]["private"] is False


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("unhost", PREFIX), "own prefix"),
        (("unhost", "88.118.404"), "does not exist"),
        (("set", "88.118.404", "--private"), "does not exist"),
        (("set", "88.118.7"), "--private"),
        (("unhost", "0.NA"), "0.NA"),
    ],
)
def test_what_cannot_be_given_up_or_hidden_is_said(node, words, reason):
    result = CliRunner().invoke(main, ["prefix", *words, "--config", str(node.settings)])
    assert result.exit_code in (1, 2)
    assert reason in result.stderr


@pytest.mark.process
def test_a_deleted_prefix_and_one_with_a_record_only_can_begin_as_private(node):
    node("prefix", "add", "88.118.7")
    node("put", "0.NA/88.118.7", "--delete")
    node("put", "0.NA/88.118.5", "--value", "5:DESC=plant 5")
    for prefix in ("88.118.7", "88.118.5"):
        assert "hosted, private" in node("prefix", "add", prefix, "--private").stderr
        assert node.lines()[prefix]["private"] is True
    assert {value["index"] for value in node.values("88.118.5")} > {5}
    node("verify")
