"""A full disk: writes are refused with the reason, reads go on, and with room again writes work without a restart."""

import os
import resource
import subprocess

import pytest

from node.asking.web import handle_target
from node.demo.node_process import NodeProcess
from registry.stores.lmdb import open_reader
from tests.durability.cycles import children
from tests.durability.judge import SETTINGS
from tests.durability.lone_registrar import LoneRegistrar
from tests.durability.script import DONE, READ_ONLY, REFUSED, Script

pytestmark = pytest.mark.process

DISK = "12m"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", place], capture_output=True, check=False
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(
            "no right to mount a small file system; the limit on file size is tried all the same"
        )
    yield place
    subprocess.run(["umount", place], check=True)


def fill(place):
    """Leave no byte free."""
    ballast = place / "ballast"
    with ballast.open("wb") as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    os.write(file.fileno(), b"\0" * size)
            except OSError:
                continue
    return ballast


def test_a_file_that_may_not_grow_refuses_writes_until_it_may_again(ground, journal, faults):
    script = Script(journal)
    with LoneRegistrar(ground) as registrar:
        client = registrar.client()
        assert script.steps(client, 3) == [DONE] * 3
        size = (ground.data / "data.mdb").stat().st_size
        _, hard = resource.prlimit(registrar.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(registrar.pid, resource.RLIMIT_FSIZE, (size, hard))
        said = script.steps(client, 12)
        assert {READ_ONLY, REFUSED} <= set(said)
        assert all("no room" in reason for reason in script.reasons)
        with open_reader(ground.data, SETTINGS) as reader:
            assert reader.stored(b"88.118/frame-1-0") is not None
            assert all(reader.stored(key.encode()) is None for key in script.unchanged)
        resource.prlimit(registrar.pid, resource.RLIMIT_FSIZE, (hard, hard))
        # What was refused has its name in the journal already; other names follow.
        assert script.steps(client, 4) == [DONE] * 4
        assert registrar.stop() == 0
    assert faults() == ()


def body(text):
    return {"values": [{"index": 1, "type": "URL", "data": {"format": "string", "value": text}}]}


@pytest.mark.parametrize("least_percent", ["5.0", "0.0"])
def test_a_node_on_a_full_disk_answers_and_writes_again_when_there_is_room(
    small_disk, least_percent
):
    node = NodeProcess(small_disk / "node", "88.118")
    text = node.made.settings.read_text()
    text = text.replace("min_free_percent = 5.0", f"min_free_percent = {least_percent}")
    node.made.settings.write_text(text)
    try:
        node.start()
        told = [f"88.118/before-{n}" for n in range(5)]
        assert {node.web.ask("PUT", handle_target(key), body(key)).status for key in told} == {201}
        ballast = fill(small_disk)
        refused = []
        for number in range(400):
            key = f"88.118/full-{number}"
            answer = node.web.ask("PUT", handle_target(key), body("x" * 3000))
            if answer.status == 201:
                told.append(key)
                continue
            assert answer.status == 503, answer
            assert answer.headers["Retry-After"].isdigit(), "clients come back by themselves"
            words = answer.document["message"]
            assert "no room" in words or "is free, below store.min_free_percent" in words
            refused.append(key)
            if len(refused) == 5:
                break
        assert len(refused) == 5
        for key in told:
            assert node.web.ask("GET", handle_target(key)).status == 200
        for key in refused:
            assert node.web.ask("GET", handle_target(key)).status == 404
        family = children(node.pid)
        ballast.unlink()
        deadline = 50
        while node.web.ask("PUT", handle_target(refused[0]), body("x")).status != 201:
            deadline -= 1
            assert deadline, "writes do not work again although there is room"
        for key in [*told, refused[0]]:
            assert node.web.ask("GET", handle_target(key)).status == 200
        assert children(node.pid) == family, "a process had to be replaced"
    finally:
        node.stop()


def test_a_node_starts_on_a_full_disk_and_answers(small_disk):
    node = NodeProcess(small_disk / "node", "88.118")
    try:
        node.start()
        assert node.web.ask("PUT", handle_target("88.118/1"), body("x")).status == 201
        node.kill()
        ballast = fill(small_disk)
        node.start()
        assert node.web.ask("GET", handle_target("88.118/1")).status == 200
        assert node.web.ask("PUT", handle_target("88.118/2"), body("x")).status == 503
        ballast.unlink()
    finally:
        node.stop()
