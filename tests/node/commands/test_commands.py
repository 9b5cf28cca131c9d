"""The commands of a node's life, on a stopped and on a running node: what they do, say, and refuse."""

import json
import re
import shlex
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.cli import COMMANDS, main
from node.config import load_config
from node.demo.node_process import NodeProcess
from protocols.identifier import parse_identifier

PREFIX = "88.118"


def call(*words, **options):
    return CliRunner().invoke(main, [str(word) for word in words], **options)


def document(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


class Own:
    """A node's settings, and whether it runs."""

    def __init__(self, node):
        self.node = node
        self.settings = node.made.settings

    def __call__(self, *words):
        return call(*words, "--config", self.settings)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    node = NodeProcess(tmp_path_factory.mktemp("running") / "node", PREFIX)
    node.start()
    yield Own(node)
    node.stop()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    return Own(NodeProcess(tmp_path_factory.mktemp("stopped") / "node", PREFIX))


@pytest.fixture(params=["running", "stopped"])
def own(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_itself(name):
    result = call(name, "--help")
    assert result.exit_code == 0
    assert len(result.output.split()) > 12


@pytest.mark.process
def test_what_is_put_can_be_got_in_any_case_on_a_running_and_a_stopped_node(own):
    done = document(
        own(
            "put",
            f"{PREFIX}/Round-1",
            "--value",
            "URL=https://example.org/1",
            "--value",
            "9:NAME=泵",
            "--json",
        )
    )
    assert done["created"]
    assert not done["unchanged"]
    assert done["version"] == 1
    got = document(own("get", f"{PREFIX}/rOUND-1", "--json"))
    assert [(v["index"], v["type"], v["data"]["value"]) for v in got["values"]] == [
        (1, "URL", "https://example.org/1"),
        (9, "NAME", "泵"),
    ]
    again = document(
        own(
            "put",
            f"{PREFIX}/ROUND-1",
            "--value",
            "URL=https://example.org/1",
            "--value",
            "9:NAME=泵",
            "--json",
        )
    )
    assert again["unchanged"]
    assert again["version"] == 1
    assert again["seq"] == 0


@pytest.mark.process
def test_a_command_that_expects_another_version_changes_nothing(own):
    own("put", f"{PREFIX}/versioned", "--value", "A=1")
    late = own("put", f"{PREFIX}/versioned", "--value", "A=2", "--if-version", "7")
    assert late.exit_code == 1
    assert "version 1" in late.stderr
    new = own("put", f"{PREFIX}/versioned", "--value", "A=2", "--new")
    assert new.exit_code == 1
    assert "exists" in new.stderr
    assert (
        document(own("get", f"{PREFIX}/versioned", "--json"))["values"][0]["data"]["value"] == "1"
    )


@pytest.mark.process
def test_add_keeps_the_other_values_and_delete_leaves_nothing(own):
    own("put", f"{PREFIX}/grown", "--value", "A=1", "--value", "B=2")
    document(
        own("put", f"{PREFIX}/grown", "--add", "--value", "2:B=3", "--value", "3:C=4", "--json")
    )
    values = document(own("get", f"{PREFIX}/grown", "--json"))["values"]
    assert [v["data"]["value"] for v in values] == ["1", "3", "4"]
    assert document(own("put", f"{PREFIX}/grown", "--delete", "--json"))["version"] == 3
    gone = own("get", f"{PREFIX}/grown")
    assert gone.exit_code == 1
    assert "not registered" in gone.stderr
    assert "biaojie put" in gone.stderr


@pytest.mark.process
def test_a_record_can_be_put_from_the_json_that_get_printed(own):
    own("put", f"{PREFIX}/original", "--value", "URL=https://example.org/1")
    printed = own("get", f"{PREFIX}/original", "--json").stdout
    copy = json.dumps({"values": json.loads(printed)["values"]})
    result = call("put", f"{PREFIX}/copy", "--from", "-", "--config", own.settings, input=copy)
    assert result.exit_code == 0, result.output
    assert document(own("get", f"{PREFIX}/copy", "--json"))["values"][0]["type"] == "URL"


@pytest.mark.process
def test_a_prefix_is_added_once_with_an_administrator_whose_secret_only_its_owner_reads(
    own, tmp_path
):
    name = f"{PREFIX}.{7 if own.node.is_running else 8}"
    secret = tmp_path / "secret"
    assert own("prefix", "add", name, "--new-admin", secret).exit_code == 0
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    listed = {
        p["prefix"]: p["identifiers"] for p in document(own("prefix", "list", "--json"))["prefixes"]
    }
    assert listed[name] == 0
    values = document(own("get", name, "--all", "--json"))["values"]
    assert {v["type"] for v in values} == {"HS_SITE", "HS_ADMIN", "HS_SECKEY"}
    again = own("prefix", "add", name, "--new-admin", tmp_path / "second")
    assert again.exit_code == 1
    assert "hosted already" in again.stderr
    assert not (tmp_path / "second").exists()


@pytest.mark.process
def test_non_public_values_are_shown_on_request_only_and_never_in_the_feed(own):
    secret = own.node.made.secret.read_text().strip()
    assert secret not in own("get", PREFIX).output
    assert secret in own("get", PREFIX, "--all", "--json").output
    feed = own("changes", "--json")
    assert document(feed)["changes"][0]["operation"] == "host"
    assert secret not in feed.output


@pytest.mark.process
def test_an_export_restores_to_the_same_export(own, tmp_path):
    own("put", f"{PREFIX}/kept", "--value", "A=1")
    assert own("export", tmp_path / "one").exit_code == 0
    other = NodeProcess(tmp_path / "other", PREFIX)
    refused = call("restore", tmp_path / "one", "--config", other.made.settings)
    assert refused.exit_code == 1
    assert "not empty" in refused.stderr
    moved = call("restore", tmp_path / "one", "--move-away", "--config", other.made.settings)
    assert moved.exit_code == 0, moved.output
    assert call("export", tmp_path / "two", "--config", other.made.settings).exit_code == 0
    one, two = ((tmp_path / name).read_text().splitlines() for name in ("one", "two"))
    assert one[1:-1] == two[1:-1]
    assert len(one) > 3


@pytest.mark.process
def test_a_backup_verifies_and_a_damaged_one_is_refused(own, tmp_path):
    facts = document(own("backup", tmp_path / "backup", "--json"))
    assert facts["seq"] >= 1
    assert document(own("verify", "--backup", tmp_path / "backup", "--json"))["isWhole"]
    data = tmp_path / "backup" / "data.mdb"
    raw = bytearray(data.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    data.write_bytes(raw)
    refused = own("verify", "--backup", tmp_path / "backup")
    assert refused.exit_code == 1
    assert "error:" in refused.stderr


@pytest.mark.process
@pytest.mark.parametrize("command", ["backup", "export"])
def test_a_folder_that_is_not_there_is_what_the_error_names(stopped, tmp_path, command):
    refused = stopped(command, tmp_path / "absent" / "copy")
    assert refused.exit_code == 1
    assert f"{tmp_path / 'absent'}: no such folder" in refused.stderr
    assert f"mkdir -p {tmp_path / 'absent'}" in refused.stderr


@pytest.mark.process
def test_a_recommended_command_names_the_same_node_and_works_as_it_is(stopped):
    absent = stopped("get", f"{PREFIX}/not yet")
    recommended = absent.stderr.partition("next:")[2].partition(": ")[2].strip()
    assert recommended.startswith("biaojie put ")
    done = call(*shlex.split(recommended)[1:])
    assert f"{PREFIX}/not yet: registered, version 1" in done.stderr
    listed = stopped("changes", "--limit", "1")
    more = listed.stderr.partition("more: ")[2].partition("   (")[0]
    assert document(call(*shlex.split(more)[1:], "--json"))["changes"][0]["seq"] == 2


@pytest.mark.process
def test_what_was_done_has_its_own_word(stopped):
    words = [
        stopped("put", f"{PREFIX}/word", "--value", "A=1"),
        stopped("put", f"{PREFIX}/word", "--value", "A=2"),
        stopped("put", f"{PREFIX}/word", "--value", "A=2"),
        stopped("put", f"{PREFIX}/word", "--delete"),
    ]
    said = [result.stderr.partition(": ")[2].partition(",")[0] for result in words]
    assert said == ["registered", "updated", "was so already", "deleted"]


def test_without_any_node_the_next_step_leads_to_one(tmp_path):
    result = call("prefix", "list", env={"XDG_DATA_HOME": str(tmp_path)})
    assert result.exit_code == 1
    assert "--config DIR/node.toml" in result.stderr
    assert "biaojie serve" in result.stderr


@pytest.mark.process
def test_verify_finds_a_node_whole_while_it_runs_and_when_it_does_not(own):
    report = document(own("verify", "--json"))
    assert report["isWhole"]
    assert report["rows"]["rec"] >= 1


@pytest.mark.process
def test_restore_refuses_a_running_node(running, tmp_path):
    running("backup", tmp_path / "backup")
    refused = running("restore", tmp_path / "backup", "--move-away")
    assert refused.exit_code == 1
    assert "running" in refused.stderr


@pytest.mark.process
@pytest.mark.parametrize("transport", ["--udp", "--tcp", "--http"])
def test_resolve_asks_over_each_transport_and_traces_it(running, transport):
    running("put", f"{PREFIX}/asked", "--value", "URL=https://example.org/1")
    told = document(running("resolve", f"{PREFIX}/asked", transport, "--trace", "--json"))
    assert told["values"][0]["data"]["value"] == "https://example.org/1"
    assert [hop["transport"] for hop in told["trace"]] == [transport[2:]]


@pytest.mark.process
def test_resolve_goes_on_over_tcp_when_the_answer_is_too_big_for_a_datagram(running):
    running("put", f"{PREFIX}/big", "--value", "TEXT=" + "x" * 900)
    assert "response code 2" in running("resolve", f"{PREFIX}/big", "--udp").stderr
    told = document(running("resolve", f"{PREFIX}/big", "--json"))
    assert len(told["values"][0]["data"]["value"]) == 900


@pytest.mark.process
def test_a_trace_is_asked_for_over_tcp_where_it_has_room(running):
    running("put", f"{PREFIX}/traced", "--value", "TEXT=" + "x" * 480)
    told = document(running("resolve", f"{PREFIX}/traced", "--trace", "--json"))
    assert [hop["transport"] for hop in told["trace"]] == ["tcp"]
    assert told["trail"] == {"node": PREFIX, "verdict": "local", "legs": []}


@pytest.mark.process
def test_resolve_tells_absent_from_unreachable(running, stopped):
    absent = running("resolve", f"{PREFIX}/nowhere")
    assert absent.exit_code == 1
    assert "response code 100" in absent.stderr
    foreign = running("resolve", "99.1/x")
    assert foreign.exit_code == 1
    assert "response code 301" in foreign.stderr
    silent = stopped("resolve", f"{PREFIX}/nowhere", "--tcp")
    assert silent.exit_code == 3
    assert "biaojie serve" in silent.stderr


@pytest.mark.process
def test_a_far_node_is_asked_over_http_with_and_without_a_name(running):
    node = running.node
    login = ("--user", node.made.administrator, "--secret-file", node.made.secret)
    far = ("--server", node.url)
    refused = call("put", f"{PREFIX}/far", "--value", "A=1", *far)
    assert refused.exit_code == 1
    assert "--user" in refused.stderr
    assert call("put", f"{PREFIX}/far", "--value", "A=1", *far, *login).exit_code == 0
    got = document(call("get", f"{PREFIX}/FAR", *far, "--json"))
    assert got["values"][0]["data"]["value"] == "1"
    assert got["version"] == 1
    late = call("put", f"{PREFIX}/far", "--value", "A=2", "--if-version", "9", *far, *login)
    assert late.exit_code == 1
    absent = ("put", f"{PREFIX}/far-new", "--value", "A=1", "--if-version", "0", *far, *login)
    assert "registered, version 1" in call(*absent).stderr
    assert call(*absent).exit_code == 1  # version 0 = must not exist
    assert document(call("changes", *far, *login, "--json"))["head"] >= 2
    assert call("changes", *far).exit_code == 1
    assert call("changes", *far, "--json").exit_code == 1


def test_a_server_that_is_not_there_is_told_with_the_next_step():
    result = call("get", f"{PREFIX}/x", "--server", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "is the node running" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("put", "noslash/", "--value", "A=1"), "suffix is empty"),
        (("put", f"{PREFIX}/x"), "either --value or --from"),
        (("put", f"{PREFIX}/x", "--value", "nothing"), "not [INDEX:]TYPE=DATA"),
        (("put", f"{PREFIX}/x", "--value", "x:URL=1"), "not [INDEX:]TYPE=DATA"),
        (("get", f"{PREFIX}/x", "--user", "300:0.NA/1"), "go with --server"),
        (("get", "1/x", "--server", "http://h", "--user", "me", "--secret-file", __file__), "not INDEX:HANDLE"),
        (("get", "1/x", "--server", "http://h", "--user", "²:0.NA/1", "--secret-file", __file__), "not an index"),
        (("resolve", f"{PREFIX}/x", "--server", "127.0.0.1:port"), "not HOST:PORT"),
    ],
)  # fmt: skip
def test_a_command_line_that_cannot_work_is_refused_with_status_2(words, said):
    result = call(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_errors_are_json_for_programs():
    result = call("get", f"{PREFIX}/x", "--server", "http://127.0.0.1:1", "--json")
    told = json.loads(result.stderr)
    assert told["exit"] == 3
    assert told["next"]


def test_init_refuses_a_directory_that_holds_something_and_leaves_nothing_half_made(tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "mine").write_text("keep")
    result = call("init", tmp_path / "node", "--prefix", PREFIX)
    assert result.exit_code == 1
    assert "not empty" in result.stderr
    wrong = call("init", tmp_path / "other", "--prefix", "not/a/prefix")
    assert wrong.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node"]


def test_init_names_the_option_when_the_node_above_is_none(tmp_path):
    words = ("--prefix", PREFIX, "--upstream", "192.0.2.1")
    wrong = call("init", tmp_path / "node", *words)
    assert wrong.exit_code == 2
    assert '--upstream "192.0.2.1" is not a server' in wrong.stderr
    assert "next:  for example --upstream tcp://192.0.2.1:2641" in wrong.stderr
    assert not list(tmp_path.iterdir())


def test_init_writes_how_the_node_above_is_asked(tmp_path):
    words = ("--upstream", "tcp://192.0.2.1:2641", "--upstream-mode", "recurse", "--json")
    made = document(call("init", tmp_path / "node", "--prefix", PREFIX, *words))
    upstream = load_config(Path(made["settings"])).upstream
    assert (upstream.servers, upstream.mode) == (("tcp://192.0.2.1:2641",), "recurse")


def test_init_tells_every_address_it_publishes(tmp_path):
    words = ("--prefix", PREFIX, "--address", "203.0.113.10", "--address", "2001:db8::10", "--json")
    made = document(call("init", tmp_path / "node", *words))
    assert made["addresses"] == ["203.0.113.10", "2001:db8::10"]


def test_check_config_names_key_value_and_the_nearest_valid_one(tmp_path):
    settings = tmp_path / "node.toml"
    settings.write_text('[listen]\nprot = 2641\nport = "many"\n')
    result = call("check-config", "--config", settings)
    assert result.exit_code == 2
    assert re.search(r"no key prot in \[listen\]; did you mean port\?", result.stderr)
    assert 'listen.port = "many"' in result.stderr
    assert "next:  docs/reference/settings.md" in result.stderr


def test_check_config_shows_every_setting_with_its_origin(stopped):
    shown = document(stopped("check-config", "--json"))["settings"]
    assert shown["node.prefix"]["value"] == f'"{PREFIX}"'
    assert "node.toml line" in shown["node.prefix"]["origin"]
    assert parse_identifier(f"0.NA/{PREFIX}").is_prefix_record
