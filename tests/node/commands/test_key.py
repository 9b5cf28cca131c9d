"""``biaojie key``: key files, what is told of them, and changing keys with an overlap, step by step."""

import hashlib
import json
import shlex
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from node.cli import main
from node.commands import server_key_rotation as rotation
from node.init_node import init_node
from node.output import CommandError
from node.server_keys import ServerKeys, prepared_path, successor_path
from node.trust.key_files import facts_of, public_data, read_key, read_public
from node.upstream.proof import key_pin, pin_of
from protocols.cursor import Writer
from protocols.handle.header import UNKNOWN_SERIAL
from protocols.trust.algorithms import public_key_of
from protocols.values.key_objects import load_key
from protocols.values.keys import decode_public_key
from tests.node.commands.still_node import StillNode, copy_of

PREFIX, BELOW = "88.118", "88.118.7"
NOW_S = 1_000_000_000
"""Long before any overlap is over."""
OWN = f"300:0.NA/{PREFIX}"
KINDS = ("rsa", "ec", "ed25519", "sm2")


class Node(StillNode):
    """Its keys and sites."""

    @property
    def key(self):
        return self.config.node.server_key_file

    def told(self, *words):
        return json.loads(self(*words, "--json").stdout)

    def values(self, handle):
        return self.told("get", handle, "--all")["values"]

    def sites(self):
        """(serial, public key) of every HS_SITE of the node, its own first."""
        return [
            (site["serialNumber"], _key_data(site["servers"][0]["publicKey"]["value"]))
            for place in (PREFIX, BELOW)
            for value in self.values(f"0.NA/{place}")
            if value["type"] == "HS_SITE"
            for site in (value["data"]["value"],)
        ]

    def serials(self):
        return {serial for serial, _ in self.sites()}

    def check_that_it_works(self):
        """Whoever knows a site of this node verifies its answers: with the key of that site."""
        keys, sites = ServerKeys.load(self.config), self.sites()
        serial_told, key_told = sites[0]
        keys.look(serial_told)
        for serial, data in sites:
            assert public_data(keys.signing_key(serial).public_key()) == data
        assert public_data(keys.signing_key(UNKNOWN_SERIAL).public_key()) == key_told
        assert len(sites) == len((PREFIX, BELOW))


def _key_data(document):
    return public_data(load_key(decode_public_key(json.dumps(document).encode())))


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("key") / "node"
    init_node(folder, PREFIX)
    node = Node(folder)
    node("prefix", "add", BELOW)
    return folder


@pytest.fixture
def node(template, tmp_path):
    with copy_of(template, tmp_path / "node", Node) as made:
        yield made


@pytest.fixture(scope="module")
def still(template, tmp_path_factory):
    """A node for tests that write nothing into it: all of them share it, and it is as it was in the end."""
    with copy_of(template, tmp_path_factory.mktemp("still") / "node", Node) as made:
        before = made.told("changes"), sorted(made.folder.rglob("*.pem"))
        yield made
        assert (made.told("changes"), sorted(made.folder.rglob("*.pem"))) == before


# ------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_key_is_for_its_owner_only_and_its_public_half_for_everybody(still, tmp_path, kind):
    path = tmp_path / "k.pem"
    told = still.told("key", "new", path, "--kind", kind)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = read_public(Path(told["public"]))
    assert facts_of(public).pin == told["pin"] == facts_of(public_key_of(read_key(path))).pin
    assert "PRIVATE" not in json.dumps(told)
    assert told["value"]["type"] == "HS_PUBKEY"


def test_the_fingerprint_is_the_one_that_other_nodes_pin(still):
    (rsa,) = [read_public(still.key)]
    assert facts_of(rsa).pin == f"sha256:{key_pin(rsa).hex()}"
    assert key_pin(rsa) == pin_of(rsa.public_bytes(*_der()))


def _der():
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return Encoding.DER, PublicFormat.SubjectPublicKeyInfo


def test_a_key_is_never_overwritten(still, tmp_path):
    path = tmp_path / "k.pem"
    path.write_text("something else")
    done = still("key", "new", path, "--kind", "ed25519", code=2)
    assert "is there already" in done.stderr
    assert path.read_text() == "something else"
    assert not list(tmp_path.glob(".k.pem*"))


def test_a_public_key_can_be_stored_at_once(node, tmp_path):
    path = tmp_path / "k.pem"
    node("key", "new", path, "--store", f"301:0.NA/{BELOW}")
    assert node.told("key", "show", path)["namedBy"] == [f"301:0.NA/{BELOW} HS_PUBKEY"]
    assert node.told("key", "show", f"301:0.NA/{BELOW}")["kind"] == "RSA"


def test_a_key_for_a_record_that_is_not_there_is_not_made(still, tmp_path):
    path = tmp_path / "factory.pem"
    told = still("key", "new", path, "--store", f"300:{PREFIX}/NOBODY", code=1).stderr
    assert "there is no such record" in told
    assert f"biaojie put {PREFIX}/NOBODY --value NAME=" in told
    assert not path.exists()


def test_a_key_that_the_node_refused_is_told_with_the_command_that_stores_it(
    still, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise CommandError("no right", "ask who may")

    monkeypatch.setattr("node.commands.key.add_values", refuse)
    told = still("key", "new", tmp_path / "k.pem", "--store", f"309:0.NA/{BELOW}", code=1).stderr
    assert "next:  ask who may; then store the key" in told
    assert f'biaojie put 0.NA/{BELOW} --add --new --value "309:HS_PUBKEY=$(cat ' in told


def test_the_command_that_stores_a_key_later_does_not_store_it_over_a_secret(still, tmp_path):
    path = tmp_path / "factory.pem"
    said = still("key", "new", path).stderr
    _, _, given = said.partition("next:  biaojie ")
    words = shlex.split(given.replace("0.NA/PREFIX", f"0.NA/{PREFIX}"))
    public = path.with_suffix(".pem.pub")
    words = [word.replace(f"$(cat {public})", public.read_text()) for word in words]
    assert "index 300 exists" in still(*words[: words.index("--config")], code=1).stderr


def test_a_key_is_not_stored_over_a_secret(still, tmp_path):
    path = tmp_path / "k.pem"
    done = still("key", "new", path, "--store", OWN, code=1)
    assert "index 300 is taken by HS_SECKEY" in done.stderr
    assert "biaojie get" in done.stderr
    assert not path.exists()


def _handle_net_file(key, passphrase):
    numbers = key.private_numbers()
    public = numbers.public_numbers
    writer = Writer()
    writer.write_text("RSA_PRIVCRT_KEY")
    writer.write_u16(0)
    for number in (
        public.n,
        public.e,
        numbers.d,
        numbers.p,
        numbers.q,
        numbers.dmp1,
        numbers.dmq1,
        numbers.iqmp,
    ):
        writer.write_counted(number.to_bytes(number.bit_length() // 8 + 1))
    data = writer.finish()
    if passphrase is None:
        return (1).to_bytes(4) + data
    pad = 16 - len(data) % 16
    aes = hashlib.pbkdf2_hmac("sha1", passphrase, b"s" * 16, 10_000, 16)
    cipher = Cipher(algorithms.AES(aes), modes.CBC(bytes(16))).encryptor()
    locked = Writer()
    locked.write_u32(4)
    locked.write_counted(b"s" * 16)
    locked.write_u32(10_000)
    locked.write_u32(128)
    locked.write_counted(bytes(16))
    locked.write_counted(cipher.update(data + bytes([pad]) * pad) + cipher.finalize())
    return locked.finish()


@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
def test_a_key_file_of_handle_net_is_converted(still, tmp_path, passphrase):
    key = read_key(still.key)
    old, phrase = tmp_path / "admpriv.bin", tmp_path / "phrase"
    for path, data in ((old, _handle_net_file(key, passphrase)), (phrase, passphrase or b"-")):
        path.write_bytes(data)
        path.chmod(0o600)
    more = ("--passphrase-file", phrase) if passphrase else ()
    still("key", "new", tmp_path / "k.pem", "--from", old, *more)
    assert read_key(tmp_path / "k.pem").private_numbers() == key.private_numbers()


def test_a_wrong_passphrase_is_called_one_and_makes_no_file(still, tmp_path):
    old, phrase = tmp_path / "admpriv.bin", tmp_path / "phrase"
    for path, data in (
        (old, _handle_net_file(read_key(still.key), b"right")),
        (phrase, b"Falsch-99"),
    ):
        path.write_bytes(data)
        path.chmod(0o600)
    done = still(
        "key", "new", tmp_path / "k.pem", "--from", old, "--passphrase-file", phrase, code=1
    )
    assert "passphrase" in done.stderr or "key file" in done.stderr
    assert "Falsch-99" not in done.output
    assert not (tmp_path / "k.pem").exists()


def test_a_key_that_others_can_read_is_refused(still, tmp_path):
    path = tmp_path / "k.pem"
    still("key", "new", path, "--kind", "ed25519")
    path.chmod(0o640)
    assert f"chmod 600 {path}" in still("key", "show", path, code=1).stderr


def test_what_a_secret_is_is_never_shown(still):
    shown = still("key", "show", OWN)
    secret = (still.folder / "keys" / "admin.secret").read_text().strip()
    assert "a secret" in shown.stdout
    assert secret not in shown.output
    assert secret not in still("key", "show", OWN, "--json").output


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("300:0.NA/88.999", "no key"),
        (f"1:0.NA/{PREFIX}", "a HS_SITE"),
        ("nothing.pem", "no such file"),
    ],
)
def test_what_is_no_key_is_named(still, what, said):
    result = CliRunner().invoke(
        main, ["key", "show", what, "--config", str(still.folder / "node.toml")]
    )
    assert result.exit_code in (1, 2)
    assert said in result.stderr


# --------------------------------------------------------------------------------------------- the node's own key


def test_the_nodes_key_changes_with_an_overlap(node):
    old = facts_of(read_public(node.key)).pin
    first = node.told("key", "rotate")
    assert first["stage"] == "overlap"
    assert first["key"] == old
    new = first["newKey"]
    node.check_that_it_works()
    assert node.serials() == {2}
    again = node.told("key", "rotate")
    assert (again["stage"], again["done"]) == ("overlap", [])
    last = node.told("key", "rotate", "--now")
    assert (last["stage"], last["key"]) == ("idle", new)
    assert [path.name for path in node.key.parent.glob("server*")] == ["server.pem"]
    node.check_that_it_works()


def test_both_the_nodes_own_record_and_those_of_its_prefixes_get_the_new_site(node):
    node("key", "rotate")
    shown = node.told("key", "show", successor_path(node.key, 2))
    assert shown["namedBy"] == [f"1:0.NA/{PREFIX} HS_SITE", f"1:0.NA/{BELOW} HS_SITE"]


def test_the_overlap_is_twice_the_ttl_of_the_site(node):
    told = node.told("key", "rotate")
    state = rotation.read_state(node.config, NOW_S)
    newest = max(one.value.timestamp for one in state.namings)
    assert state.until_s - newest == 2 * 86_400
    assert told["overlapUntil"].startswith("20")
    later = rotation.read_state(node.config, state.until_s)
    assert later.stage == rotation.OVER
    assert rotation.read_state(node.config, state.until_s - 1).stage == rotation.OVERLAP


def test_a_key_may_be_prepared_first_so_that_others_can_pin_it(node):
    told = node.told("key", "rotate", "--prepare")
    assert told["stage"] == "prepared"
    assert prepared_path(node.key).exists()
    assert node.told("key", "rotate", "--prepare")["newKey"] == told["newKey"]
    node.check_that_it_works()
    shown = node("key", "rotate", "--prepare").stderr
    assert told["newKey"] in shown
    assert "pinned_keys" in shown
    assert node.told("key", "rotate")["newKey"] == told["newKey"]


@pytest.mark.parametrize("steps", range(4))
def test_killed_between_any_two_steps_the_node_works_and_the_next_run_goes_on(node, steps):
    for _ in range(steps):
        rotation.step(node.config, rotation.read_state(node.config, NOW_S))
    node.check_that_it_works()
    made = sorted(path.name for path in node.key.parent.glob("server*"))
    expected = [
        ["server.pem"],
        ["server.next", "server.pem"],
        ["server.2.pem", "server.pem"],
        ["server.2.pem", "server.pem"],
    ]
    assert made == expected[steps]
    told = node.told("key", "rotate")
    assert told["stage"] == "overlap"
    assert len(told["done"]) == 3 - steps
    node.check_that_it_works()


def test_killed_between_two_records_the_next_run_writes_the_rest(node):
    for _ in range(2):
        rotation.step(node.config, rotation.read_state(node.config, NOW_S))
    state = rotation.read_state(node.config, NOW_S)
    first = state._replace(
        namings=tuple(one for one in state.namings if one.identifier.text == f"0.NA/{PREFIX}")
    )
    rotation.step(node.config, first)
    assert rotation.read_state(node.config, NOW_S).stage == rotation.RESERVED
    node.check_that_it_works()
    assert node.serials() == {1, 2}
    assert node.told("key", "rotate")["stage"] == "overlap"
    assert node.serials() == {2}


def test_a_site_that_was_changed_meanwhile_gets_a_serial_after_that(node):
    for _ in range(2):
        rotation.step(node.config, rotation.read_state(node.config, NOW_S))
    value = next(v for v in node.values(f"0.NA/{PREFIX}") if v["type"] == "HS_SITE")
    value["data"]["value"]["serialNumber"] = 9
    document = node.folder / "site.json"
    document.write_text(json.dumps({"values": [value]}))
    node("put", f"0.NA/{PREFIX}", "--add", "--from", document)
    node("key", "rotate")
    assert node.serials() == {10}
    node.check_that_it_works()


def test_a_key_that_no_site_names_is_changed_at_once_when_its_pin_was_told(node):
    for place in (PREFIX, BELOW):
        node("put", f"0.NA/{place}", "--value", "100:NOTE=without HS_SITE")
    told = node.told("key", "rotate")
    assert told["stage"] == "prepared"
    assert "--now" in node("key", "rotate").stderr
    last = node.told("key", "rotate", "--now")
    assert (last["stage"], last["key"]) == ("idle", told["newKey"])
    assert node.told("key", "show")["pin"] == told["newKey"]


def test_a_node_of_another_machine_is_not_told_to_change_its_key():
    done = CliRunner().invoke(main, ["key", "rotate", "--server", "http://127.0.0.1:1"])
    assert done.exit_code == 2
    assert "where its files are" in done.stderr


# ---------------------------------------------------------------------------------------- administrators' keys


def test_an_administrators_secret_changes_with_an_overlap(node):
    new = node.folder / "new.secret"
    told = node.told("key", "rotate", OWN, "--new-secret", new)
    assert (told["old"], told["new"]) == (OWN, f"301:0.NA/{PREFIX}")
    assert "node.admins" in told["warning"]
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert new.read_text().strip() not in json.dumps(told)
    assert _secrets(node) == [300, 301]
    assert _admins(node) == [OWN, f"301:0.NA/{PREFIX}"]
    node("key", "rotate", OWN, "--finish")
    assert _secrets(node) == [301]
    assert _admins(node) == [f"301:0.NA/{PREFIX}"]


def test_a_secret_may_become_a_key(node):
    told = node.told("key", "rotate", OWN, "--new-key", node.folder / "new.pem")
    node("key", "rotate", OWN, "--finish")
    assert node.told("key", "show", told["new"])["kind"] == "RSA"
    assert _admins(node) == [told["new"]]


def test_run_twice_it_adds_nothing_twice(node):
    new = node.folder / "new.secret"
    told = [node.told("key", "rotate", OWN, "--new-secret", new)["new"] for _ in range(2)]
    assert told[0] == told[1]
    assert _secrets(node) == [300, 301]
    assert _admins(node) == [OWN, f"301:0.NA/{PREFIX}"]


def test_rights_in_other_records_go_with_it(node):
    node("admin", "grant", BELOW, OWN, "--rights", "read")
    node("admin", "grant", f"{BELOW}", "300:88.118/OTHER", "--rights", "all")
    node("put", f"{BELOW}/SN-1", "--value", "URL=https://example.org/1")
    node("admin", "grant", f"{BELOW}/SN-1", OWN, "--rights", "read")
    new = node.folder / "new.secret"
    told = node.told("key", "rotate", OWN, "--new-secret", new, "--also", f"{BELOW}/SN-1")
    assert told["places"] == [f"0.NA/{PREFIX}", f"0.NA/{BELOW}", f"{BELOW}/SN-1"]
    node("key", "rotate", OWN, "--finish", "--also", f"{BELOW}/SN-1")
    assert OWN not in json.dumps(node.told("admin", "list", f"{BELOW}/SN-1"))
    assert f"301:0.NA/{PREFIX}" in json.dumps(node.told("admin", "list", f"{BELOW}/SN-1"))


def test_without_a_successor_the_old_one_stays(still):
    done = still("key", "rotate", OWN, "--finish", code=1)
    assert "last administrator" in done.stderr
    assert _secrets(still) == [300]


def test_where_no_key_stands_there_is_nothing_to_change(still):
    new = still.folder / "new.secret"
    still("key", "rotate", f"777:0.NA/{PREFIX}", "--new-secret", new, code=1)
    assert not new.exists()


def _secrets(node):
    return [v["index"] for v in node.values(f"0.NA/{PREFIX}") if v["type"] == "HS_SECKEY"]


def _admins(node):
    return [row["administrator"] for row in node.told("admin", "list", PREFIX)["administrators"]]
