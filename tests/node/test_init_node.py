"""A new node's directory: complete and private, or not there at all."""

import stat
from pathlib import Path

import pytest

from node import init_node as module
from node.config import load_config
from node.init_node import InitFailed, init_node
from node.keys import read_node_key, read_server_key
from node.store import open_view
from protocols.identifier import prefix_record_of
from protocols.values.admin import decode_admin
from protocols.values.keys import RsaKey, decode_public_key
from protocols.values.site import HTTP, TCP, UDP, decode_site
from protocols.values.value import Reference
from protocols.values.vlist import decode_vlist
from registry.sealing import Sealer, merge


def test_everything_a_node_needs_is_there_and_its_owners_only(tmp_path: Path) -> None:
    made = init_node(tmp_path / "node", "88.118")
    found = {p.relative_to(made.directory).as_posix(): p for p in made.directory.rglob("*")}
    assert {
        "node.toml",
        "keys/node.key",
        "keys/server.pem",
        "keys/admin.secret",
        "data/data.mdb",
    } <= found.keys()
    for name in ("keys/node.key", "keys/server.pem", "keys/admin.secret"):
        assert stat.S_IMODE(found[name].stat().st_mode) == 0o600
    assert stat.S_IMODE(made.directory.stat().st_mode) == 0o700
    assert [p.name for p in tmp_path.iterdir()] == ["node"]


def test_the_prefix_record_names_site_administrator_and_secret(tmp_path: Path) -> None:
    made = init_node(tmp_path / "node", "88.118", ["192.0.2.7", "2001:db8::7"], native_port=4000)
    config = load_config(made.settings)
    with open_view(config) as reader:
        record = reader.lookup(prefix_record_of("88.118"))
    assert record is not None
    values = {v.index: v for v in merge(record, Sealer(read_node_key(config.node.key_file)))}
    site = decode_site(values[1].data)
    (server,) = site.servers
    assert server.address == "192.0.2.7"
    assert [(i.protocol, i.port) for i in server.interfaces] == [
        (UDP, 4000),
        (TCP, 4000),
        (HTTP, 8000),
    ]
    assert [a.value for a in site.attributes] == ["2001:db8::7"]
    key = decode_public_key(server.public_key)
    assert isinstance(key, RsaKey)
    private = read_server_key(config.node.server_key_file)
    assert key.n == private.public_key().public_numbers().n
    admin = decode_admin(values[100].data)
    assert (admin.handle, admin.index) == ("0.NA/88.118", 200)
    assert decode_vlist(values[200].data) == (Reference("0.NA/88.118", 300),)
    assert values[300].data == made.secret.read_bytes().strip()
    assert not values[300].is_public
    assert config.listen.addresses == ("0.0.0.0", "::")


def test_the_secret_lies_nowhere_in_the_store_in_plain(tmp_path: Path) -> None:
    made = init_node(tmp_path / "node", "88.118")
    secret = made.secret.read_bytes().strip()
    assert secret not in (made.directory / "data" / "data.mdb").read_bytes()


def test_two_nodes_share_no_key(tmp_path: Path) -> None:
    one, two = (init_node(tmp_path / name, "88.118") for name in ("a", "b"))
    for name in ("keys/node.key", "keys/server.pem", "keys/admin.secret"):
        assert (one.directory / name).read_bytes() != (two.directory / name).read_bytes()


def test_an_empty_directory_is_used_and_one_with_anything_in_it_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    init_node(tmp_path / "empty", "88.118")
    with pytest.raises(InitFailed, match="is not empty"):
        init_node(tmp_path / "empty", "88.118")


def test_an_empty_directory_stays_itself_for_it_may_be_a_mount_point(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o750)
    before = volume.stat()
    init_node(volume, "88.118")
    after = volume.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert sorted(path.name for path in volume.iterdir()) == ["data", "keys", "node.toml"]
    assert [path.name for path in tmp_path.iterdir()] == ["volume"]


def test_a_refusal_leaves_an_empty_directory_empty(tmp_path: Path) -> None:
    with pytest.raises(InitFailed, match=r"node\.prefix"):
        init_node(tmp_path, "88/118")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("prefix", "addresses", "said"),
    [
        ("", [], "a prefix is needed"),
        ("88/118", [], "node.prefix"),
        ("88.118", ["example.org"], "name IP addresses"),
        ("88.118", ["0.0.0.0"], "cannot be reached"),
    ],
)
def test_a_refusal_leaves_nothing_behind(
    tmp_path: Path, prefix: str, addresses: list[str], said: str
) -> None:
    with pytest.raises(InitFailed, match=said):
        init_node(tmp_path / "node", prefix, addresses)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InitFailed):
        module.init_node(tmp_path / "file" / "node", "88.118")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_other_settings_may_be_given_and_what_cannot_work_makes_nothing(tmp_path: Path) -> None:
    upstream = {"upstream.servers": ["tcp://192.0.2.1:2641"], "upstream.mode": "recurse"}
    config = load_config(init_node(tmp_path / "node", "88.118", settings=upstream).settings)
    assert config.upstream.mode == "recurse"
    assert [str(server) for server in config.upstream.servers] == ["tcp://192.0.2.1:2641"]
    with pytest.raises(InitFailed, match="servers"):
        init_node(tmp_path / "other", "88.118", settings={"upstream.servers": ["192.0.2.1"]})
    assert [p.name for p in tmp_path.iterdir()] == ["node"]
