"""Which key a node signs with while one takes over from the other."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from node.config import load_config
from node.keys import KeyTrouble, make_server_key
from node.server_keys import (
    ServerKeys,
    find_successor,
    is_reached,
    next_serial,
    prepared_path,
    successor_path,
)
from protocols.handle.header import UNKNOWN_SERIAL


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    make_server_key(tmp_path / "server.pem")
    return tmp_path / "server.pem"


def _loaded(path: Path, site_serial: int = UNKNOWN_SERIAL) -> ServerKeys:
    settings = path.parent / "node.toml"
    settings.write_text(f'[node]\nserver_key_file = "{path}"\n', encoding="utf-8")
    return ServerKeys.load(load_config(settings), site_serial)


def _numbers(key: rsa.RSAPrivateKey) -> int:
    return key.public_key().public_numbers().n


def test_one_key_signs_for_every_serial(key_path: Path) -> None:
    keys = _loaded(key_path)
    assert {_numbers(keys.signing_key(serial)) for serial in (0, 1, 9, 0xFFFE, UNKNOWN_SERIAL)} == {
        _numbers(keys.signing_key())
    }


def test_a_client_is_answered_with_the_key_of_the_site_it_knows(key_path: Path) -> None:
    old = _numbers(_loaded(key_path).signing_key())
    new = make_server_key(successor_path(key_path, 7)).public_key().public_numbers().n
    keys = _loaded(key_path)
    keys.look(7)
    assert [_numbers(keys.signing_key(serial)) for serial in (1, 6, 7, 8)] == [old, old, new, new]
    assert _numbers(keys.signing_key(UNKNOWN_SERIAL)) == new


def test_a_key_that_no_site_names_yet_signs_nothing(key_path: Path) -> None:
    make_server_key(successor_path(key_path, 7))
    keys = _loaded(key_path)
    old = _numbers(keys.signing_key(6))
    keys.look(6)
    assert _numbers(keys.signing_key(UNKNOWN_SERIAL)) == old
    keys.look(7)
    assert _numbers(keys.signing_key(UNKNOWN_SERIAL)) != old


def test_a_node_that_starts_in_the_overlap_signs_with_the_published_key(key_path: Path) -> None:
    new = make_server_key(successor_path(key_path, 7)).public_key().public_numbers().n
    assert _numbers(_loaded(key_path, 7).signing_key(UNKNOWN_SERIAL)) == new
    assert _numbers(_loaded(key_path, 6).signing_key(UNKNOWN_SERIAL)) != new


def test_a_prepared_key_signs_nothing_whatever_the_client_knows(key_path: Path) -> None:
    old = _numbers(_loaded(key_path).signing_key())
    make_server_key(prepared_path(key_path))
    keys = _loaded(key_path)
    assert {_numbers(keys.signing_key(serial)) for serial in (1, 7, UNKNOWN_SERIAL)} == {old}


def test_a_client_that_is_ahead_of_us_makes_us_look(key_path: Path) -> None:
    keys = _loaded(key_path)
    keys.look(6)
    new = make_server_key(successor_path(key_path, 7)).public_key().public_numbers().n
    assert _numbers(keys.signing_key(7)) == new


def test_the_successor_becomes_the_key_by_one_rename(key_path: Path) -> None:
    successor = successor_path(key_path, 7)
    new = make_server_key(successor).public_key().public_numbers().n
    keys = _loaded(key_path)
    keys.look(7)
    successor.rename(key_path)
    keys.look(7)
    assert {_numbers(keys.signing_key(serial)) for serial in (1, 6, 7, UNKNOWN_SERIAL)} == {new}


def test_a_key_that_cannot_be_read_leaves_the_one_in_use(key_path: Path) -> None:
    keys = _loaded(key_path)
    keys.look(6)
    old = _numbers(keys.signing_key())
    broken = successor_path(key_path, 7)
    broken.write_text("not a key", encoding="utf-8")
    broken.chmod(0o600)
    assert _numbers(keys.signing_key(7)) == old
    with pytest.raises(KeyTrouble, match=r"server\.7\.pem"):
        keys.look(6)
    assert _numbers(keys.signing_key(7)) == old


def test_two_successors_are_trouble_and_named(key_path: Path) -> None:
    make_server_key(successor_path(key_path, 7))
    successor_path(key_path, 8).write_bytes(successor_path(key_path, 7).read_bytes())
    with pytest.raises(KeyTrouble, match=r"server\.7\.pem, server\.8\.pem"):
        find_successor(key_path)


@pytest.mark.parametrize(
    "name", ["server.65535.pem", "server.123456.pem", "server.x.pem", "server.7.pem.bak"]
)
def test_other_files_are_no_successors(key_path: Path, name: str) -> None:
    (key_path.parent / name).write_bytes(key_path.read_bytes())
    assert find_successor(key_path) is None


def test_serials_begin_again_without_the_one_that_means_unknown() -> None:
    assert next_serial(0xFFFE) == 0
    assert next_serial(6) == 7
    assert is_reached(0xFFFE, by=0)
    assert not is_reached(0, by=0xFFFE)
    assert not is_reached(UNKNOWN_SERIAL, by=7)
    assert not is_reached(7, by=UNKNOWN_SERIAL)
