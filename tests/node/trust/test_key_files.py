"""Key files and trusted roots: what is read, what is refused, and that nothing of a secret is in a complaint."""

import os

import pytest

from node.config import ConfigError, load_config
from node.keys import KeyTrouble, read_secret, write_private
from node.trust.anchors import limits_of, read_anchors, root_names
from node.trust.key_files import (
    facts_of,
    is_private_file,
    make_key,
    private_pem,
    public_data,
    public_pem,
    read_key,
    read_public,
    write_key,
)
from protocols.trust.algorithms import public_key_of

KINDS = ("rsa", "ec", "ed25519", "sm2")


@pytest.fixture(scope="module")
def keys():
    made = {}

    def key(kind):
        if kind not in made:
            made[kind] = make_key(kind)
        return made[kind]

    return key


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_was_written_is_read_again(tmp_path, keys, kind):
    path = tmp_path / "k.pem"
    write_key(path, keys(kind))
    assert facts_of(public_key_of(read_key(path))) == facts_of(public_key_of(keys(kind)))
    assert is_private_file(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_key_is_read_as_pem_and_as_a_values_data(tmp_path, keys, kind):
    public = public_key_of(keys(kind))
    for name, data in (("k.pub", public_pem(public).encode()), ("k.bin", public_data(public))):
        path = tmp_path / name
        path.write_bytes(data)
        assert facts_of(read_public(path)) == facts_of(public)
        assert not is_private_file(path)


def test_text_in_front_of_a_pem_key_does_not_matter(tmp_path, keys):
    public = public_key_of(keys("ed25519"))
    path = tmp_path / "k.pub"
    path.write_text("key of the workshop\n" + public_pem(public))
    assert facts_of(read_public(path)) == facts_of(public)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Geheim-4711",
        b"-----BEGIN PRIVATE KEY-----\nR2VoZWltLTQ3MTE=\n-----END PRIVATE KEY-----\n",
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(tmp_path, content):
    path = tmp_path / "k.pem"
    write_private(path, content)
    for read in (read_key, read_public):
        with pytest.raises(KeyTrouble) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "4711" not in str(caught.value)
        assert "R2VoZWlt" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_private_file_that_others_can_read_is_refused(tmp_path, keys, mode):
    path = tmp_path / "k.pem"
    write_key(path, keys("ed25519"))
    path.chmod(mode)
    for read in (read_key, read_public, read_secret):
        with pytest.raises(KeyTrouble, match=f"chmod 600 {path}"):
            read(path)


def test_an_empty_secret_is_none(tmp_path):
    path = tmp_path / "secret"
    write_private(path, b"\n\n")
    with pytest.raises(KeyTrouble, match="empty"):
        read_secret(path)


def test_a_private_file_is_whole_or_not_there_and_replaces_nothing(tmp_path):
    path = tmp_path / "secret"
    write_private(path, b"first")
    with pytest.raises(FileExistsError):
        write_private(path, b"second")
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["secret"]  # noqa: PTH208


def test_what_a_killed_writer_left_does_not_stop_the_next(tmp_path):
    (tmp_path / f".secret.{os.getpid()}").write_bytes(b"half")
    write_private(tmp_path / "secret", b"whole")
    assert (tmp_path / "secret").read_bytes() == b"whole"


# ------------------------------------------------------------------------------------------------------- roots


def _settings(tmp_path, *roots, more=""):
    path = tmp_path / "trust.toml"
    listed = ", ".join(f'"{root}"' for root in roots)
    path.write_text(f"[trust]\nroots = [{listed}]\n{more}")
    return path


def test_roots_are_read_from_beside_the_file_that_names_them(tmp_path, keys):
    public = public_key_of(keys("ed25519"))
    (tmp_path / "root.pem").write_text(public_pem(public))
    config = load_config(_settings(tmp_path, "301:88.111.1/0.0=root.pem", more="max_links = 9\n"))
    (anchor,) = read_anchors(config)
    assert (anchor.place.handle, anchor.place.index) == ("88.111.1/0.0", 301)
    assert facts_of(anchor.key) == facts_of(public)
    assert root_names([anchor]) == "301:88.111.1/0.0"
    assert limits_of(config) == (9, 4)
    assert limits_of(config, 20) == (20, 21)


@pytest.mark.parametrize(
    "root", ["88.111.1/0.0=root.pem", "301:88.111.1/0.0", "301:88.111.1/0.0=", "x:88.1/0=f"]
)
def test_a_root_that_is_no_root_is_refused_with_an_example(tmp_path, root):
    with pytest.raises(ConfigError, match=r"301:88\.111\.1/0\.0=keys/root\.pem"):
        load_config(_settings(tmp_path, root))


def test_a_root_without_its_file_is_named(tmp_path):
    config = load_config(_settings(tmp_path, "301:88.111.1/0.0=missing.pem"))
    with pytest.raises(KeyTrouble, match=r"missing\.pem: No such file"):
        read_anchors(config)


def test_a_secret_is_no_part_of_the_public_half(keys):
    body = private_pem(keys("ed25519")).decode().splitlines()[1]
    assert body not in public_pem(public_key_of(keys("ed25519")))
