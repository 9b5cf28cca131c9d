"""``biaojie admin``: rights in words, granted, listed and taken, and never the last administrator by mistake."""

import json
import stat

import pytest
from click.testing import CliRunner

from node.cli import main
from node.init_node import init_node
from node.keys import read_node_key
from node.store import open_view
from protocols.identifier import parse_identifier
from protocols.message import Outcome, Principal
from protocols.values.admin import (
    ADD_ADMIN,
    ADD_HANDLE,
    ALL_PERMISSIONS,
    AUTHORIZED_READ,
    MODIFY_VALUE,
)
from registry.holdings import Holdings
from registry.sealing import Sealer
from tests.node.commands.still_node import StillNode, copy_of

PREFIX, BELOW = "88.118", "88.118.7"
OWN = f"300:0.NA/{PREFIX}"


class Node(StillNode):
    """Its administrators."""

    def listed(self, place):
        return json.loads(self("admin", "list", place, "--json").stdout)["administrators"]

    def names(self, place):
        return [(row["administrator"], row["record"]) for row in self.listed(place)]

    def may(self, name, handle, permission):
        """What the registry itself says, by its own reading of the records."""
        index, _, admin = name.partition(":")
        with open_view(self.config) as reader:
            holdings = Holdings(reader, Sealer(read_node_key(self.config.node.key_file)))
            principal = Principal(admin, int(index))
            return holdings.may(principal, parse_identifier(handle), permission) is Outcome.SUCCESS


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("admin") / "node"
    init_node(folder, PREFIX)
    node = Node(folder)
    node("prefix", "add", BELOW)
    node("put", f"{BELOW}/SN-1", "--value", "URL=https://example.org/1")
    return folder


@pytest.fixture
def node(template, tmp_path):
    with copy_of(template, tmp_path / "node", Node) as made:
        yield made


@pytest.fixture(scope="module")
def still(template, tmp_path_factory):
    """A node for tests that write nothing into it: all of them share it, and it is as it was in the end."""
    with copy_of(template, tmp_path_factory.mktemp("still") / "node", Node) as made:
        before = made("changes", "--json").stdout
        yield made
        assert made("changes", "--json").stdout == before


def test_the_list_opens_groups_and_tells_rights_in_words_and_bits(still):
    (row,) = still.listed(PREFIX)
    assert row["administrator"] == OWN
    assert row["via"] == [f"200:0.NA/{PREFIX}"]
    assert row["bits"] == "111111111111"
    assert "add_handle" in row["rights"]
    assert "list_derived_prefixes" not in row["rights"]
    assert "all" in still("admin", "list", PREFIX).stdout


def test_an_identifier_is_administered_by_those_of_its_prefix_too(node):
    assert node.names(f"{BELOW}/SN-1") == [(OWN, f"0.NA/{BELOW}")]
    node("admin", "grant", f"{BELOW}/SN-1", "300:88.118/AUDIT", "--rights", "read")
    assert node.names(f"{BELOW}/SN-1") == [
        ("300:88.118/AUDIT", f"{BELOW}/SN-1"),
        (OWN, f"0.NA/{BELOW}"),
    ]


def test_a_grant_is_what_the_registry_then_believes_and_no_more(node):
    name = f"301:0.NA/{BELOW}"
    secret = node.folder / "workshop.secret"
    assert not node.may(name, f"{BELOW}/x", ADD_HANDLE)
    node("admin", "grant", BELOW, name, "--rights", "register", "--new-secret", secret)
    assert node.may(name, f"{BELOW}/x", ADD_HANDLE | MODIFY_VALUE)
    assert not node.may(name, f"{BELOW}/x", ADD_ADMIN)
    assert not node.may(name, f"{BELOW}/x", AUTHORIZED_READ)
    node("admin", "revoke", BELOW, name, "--remove-key")
    assert not node.may(name, f"{BELOW}/x", ADD_HANDLE)
    assert node.may(OWN, f"{BELOW}/x", ALL_PERMISSIONS)


def test_a_second_grant_adds_rights_and_the_same_again_changes_nothing(node):
    name = "300:88.118/AUDIT"
    node("admin", "grant", BELOW, name, "--rights", "read")
    node("admin", "grant", BELOW, name, "--rights", "add-handle")
    (row,) = [row for row in node.listed(BELOW) if row["administrator"] == name]
    assert row["rights"] == ["add_handle", "authorized_read"]
    again = json.loads(
        node("admin", "grant", BELOW, name.lower(), "--rights", "read", "--json").stdout
    )
    assert again["changed"] is False


def test_a_new_secret_is_in_its_file_and_in_the_record_and_nowhere_else(node):
    secret = node.folder / "new.secret"
    said = node("admin", "grant", BELOW, f"301:0.NA/{BELOW}", "--new-secret", secret, "--json")
    text = secret.read_text().strip()
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert text not in said.output
    stored = json.loads(node("get", f"0.NA/{BELOW}", "--all", "--json").stdout)["values"]
    (value,) = [value for value in stored if value["index"] == 301]
    assert (value["type"], value["permissions"]) == ("HS_SECKEY", "1100")
    assert text not in node("get", f"0.NA/{BELOW}", "--json").output


def test_a_new_key_leaves_its_private_half_in_the_file(node):
    path = node.folder / "new.pem"
    node("admin", "grant", BELOW, f"302:0.NA/{BELOW}", "--new-key", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stored = json.loads(node("get", f"0.NA/{BELOW}", "--json").stdout)["values"]
    assert [value["type"] for value in stored if value["index"] == 302] == ["HS_PUBKEY"]
    shown = json.loads(node("key", "show", path, "--json").stdout)
    assert shown["namedBy"] == [f"302:0.NA/{BELOW} HS_PUBKEY"]


def test_an_attempt_that_was_cut_off_is_gone_on_with(node):
    secret = node.folder / "new.secret"
    secret.write_text("made-before-the-crash\n")
    secret.chmod(0o600)
    for _ in range(2):
        node("admin", "grant", BELOW, f"301:0.NA/{BELOW}", "--new-secret", secret)
    assert [name for name, _ in node.names(BELOW)].count(f"301:0.NA/{BELOW}") == 1
    assert secret.read_text() == "made-before-the-crash\n"


def test_an_index_that_is_taken_is_not_overwritten_and_leaves_no_file(still):
    secret = still.folder / "new.secret"
    done = still("admin", "grant", BELOW, f"1:0.NA/{BELOW}", "--new-secret", secret, code=1)
    assert "index 1 is taken by HS_SITE" in done.stderr
    assert not secret.exists()


def test_a_key_may_belong_to_another_record(node):
    secret = node.folder / "new.secret"
    node("put", f"{PREFIX}/PEOPLE", "--value", "NAME=people")
    node("admin", "grant", BELOW, f"301:{PREFIX}/PEOPLE", "--new-secret", secret)
    stored = json.loads(node("get", f"{PREFIX}/PEOPLE", "--all", "--json").stdout)["values"]
    assert [value["type"] for value in stored] == ["NAME", "HS_SECKEY"]
    assert node.may(f"301:{PREFIX}/PEOPLE", f"{BELOW}/x", ALL_PERMISSIONS)


def test_rights_for_a_name_without_a_key_are_told_with_the_command_that_makes_one(node):
    who = f"303:0.NA/{BELOW}"
    grant = ("admin", "grant", BELOW, who, "--rights", "read")
    said = node(*grant).stderr
    assert f"warning: no HS_PUBKEY and no HS_SECKEY stands at {who}" in said
    step = f"biaojie key new FILE --store {who} --config {node.folder / 'node.toml'}"
    assert f"next:  {step}" in said
    told = json.loads(node(*grant, "--json").stdout)
    assert (told["warning"][:12], told["next"]) == ("no HS_PUBKEY", step)
    node("key", "new", node.folder / "reader.pem", "--store", who)
    again = node(*grant)
    assert "warning" not in again.stderr
    assert "warning" not in json.loads(node(*grant, "--json").stdout)


def test_groups_and_names_that_other_nodes_keep_need_no_key_here(node):
    for who in (f"200:0.NA/{PREFIX}", "300:99.1/ELSEWHERE", f"0:0.NA/{PREFIX}"):
        assert "warning" not in node("admin", "grant", BELOW, who, "--rights", "read").stderr, who
    said = node("admin", "grant", BELOW, f"0:{PREFIX}/NOBODY", "--rights", "read").stderr
    assert f"--store 300:{PREFIX}/NOBODY" in said
    assert f"next:  biaojie put {PREFIX}/NOBODY --value NAME=… " in said, "its record first"


def test_members_join_and_leave_a_group(node):
    node("admin", "grant", PREFIX, f"300:{PREFIX}/B", "--group", 200)
    assert node.names(PREFIX) == [(OWN, f"0.NA/{PREFIX}"), (f"300:{PREFIX}/B", f"0.NA/{PREFIX}")]
    node("admin", "revoke", PREFIX, OWN)
    assert node.names(PREFIX) == [(f"300:{PREFIX}/B", f"0.NA/{PREFIX}")]
    assert not node.may(OWN, f"{PREFIX}/x", ADD_HANDLE)


def test_there_is_no_group_where_there_is_none(still):
    done = still("admin", "grant", PREFIX, f"300:{PREFIX}/B", "--group", 100, code=1)
    assert "no HS_VLIST at index 100" in done.stderr


def test_the_last_administrator_stays_unless_forced(node):
    done = node("admin", "revoke", PREFIX, OWN, code=1)
    assert "last administrator" in done.stderr
    node("admin", "grant", PREFIX, f"300:{PREFIX}/READER", "--rights", "read")
    node("admin", "revoke", PREFIX, OWN, code=1)  # who only reads cannot make administrators
    node("admin", "revoke", PREFIX, OWN, "--force")
    assert [name for name, _ in node.names(PREFIX)] == [f"300:{PREFIX}/READER"]


def test_rights_that_come_from_elsewhere_are_revoked_there_and_the_place_is_named(still):
    done = still("admin", "revoke", BELOW, OWN, code=1)
    assert f"by 200:0.NA/{PREFIX}" in done.stderr
    assert f"biaojie admin revoke 0.NA/{PREFIX} {OWN}" in done.stderr


def test_a_key_that_stayed_behind_can_be_removed_later(node):
    who = f"301:0.NA/{BELOW}"
    node("admin", "grant", BELOW, who, "--new-secret", node.folder / "new.secret")
    told = node("admin", "revoke", BELOW, who).stderr
    assert f"biaojie admin revoke {BELOW} {who} --remove-key" in told
    node("admin", "revoke", BELOW, who, "--remove-key")
    stored = json.loads(node("get", f"0.NA/{BELOW}", "--all", "--json").stdout)["values"]
    assert 301 not in [value["index"] for value in stored]
    assert node.names(BELOW)
    assert (
        "does not administer" in node("admin", "revoke", BELOW, who, "--remove-key", code=1).stderr
    )


def test_of_a_key_that_never_was_nobody_is_told_that_it_stays(node):
    who = f"301:{PREFIX}/NOBODY"
    node("admin", "grant", BELOW, who)
    assert "--remove-key" not in node("admin", "revoke", BELOW, who).stderr


def test_a_key_with_rights_from_elsewhere_is_not_removed(still):
    done = still("admin", "revoke", BELOW, OWN, "--remove-key", code=1)
    assert f"by 200:0.NA/{PREFIX}" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("grant", BELOW, "nobody"), "INDEX:HANDLE"),
        (("grant", BELOW, OWN, "--rights", "fly"), "no right 'fly'"),
        (("grant", BELOW, OWN, "--rights", ","), "no right is named"),
        (("grant", "88.999", OWN), "no such record"),
        (("grant", f"{BELOW}/NONE", OWN), f"biaojie put {BELOW}/NONE"),
        (("revoke", BELOW, "300:88.118/NOBODY"), "does not administer"),
        (("list", "/"), "prefix is empty"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason_and_the_next_step(still, words, said):
    result = CliRunner().invoke(
        main, ["admin", *words, "--config", str(still.folder / "node.toml")]
    )
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert "Traceback" not in result.output
