"""Two writers are impossible: a second node is refused, a registrar replaced while it slept cannot commit."""

import os
import re
import signal
import subprocess
import sys

import pytest

from node.asking.web import handle_target
from node.demo.node_process import NodeProcess
from node.free_ports import free_ports
from node.registrar_client import RegistrarClient
from registry.stores.writer_lock import FILE_NAME
from tests.durability.judge import ROOT
from tests.durability.lone_registrar import Ended, LoneRegistrar
from tests.durability.script import DONE, Script

pytestmark = pytest.mark.process

EXIT_LOCKED = 75


def test_a_second_registrar_is_refused_and_told_who_writes(ground, journal, faults):
    with LoneRegistrar(ground) as first:
        with pytest.raises(Ended, match=f"status {EXIT_LOCKED}.*process {first.pid}"):
            LoneRegistrar(ground)
        assert Script(journal).steps(first.client(), 2) == [DONE, DONE]
        assert first.stop() == 0
    assert faults() == ()


def test_a_second_serve_on_the_same_data_is_refused(tmp_path):
    node = NodeProcess(tmp_path / "node", "88.118")
    other = node.made.settings.with_name("other.toml")
    fresh = iter(free_ports(3))
    text = node.made.settings.read_text()
    other.write_text(re.sub(r"(?m)^port = \d+$", lambda _: f"port = {next(fresh)}", text))
    try:
        node.start()
        second = subprocess.run(
            [sys.executable, "-m", "node.cli", "serve", "--config", str(other)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == EXIT_LOCKED
        assert "is being written by process" in second.stderr
        value = {"index": 1, "type": "URL", "data": {"format": "string", "value": "x"}}
        answer = node.web.ask("PUT", handle_target("88.118/1"), {"values": [value]})
        assert answer.status == 201
    finally:
        node.stop()


def test_a_registrar_that_wakes_up_replaced_cannot_commit(ground, journal, faults):
    """The lock is given away while the first registrar sleeps: somebody removed its file. The epoch still stops it."""
    script = Script(journal)
    with LoneRegistrar(ground) as first:
        old: RegistrarClient = first.client()
        assert script.steps(old, 2) == [DONE, DONE]
        os.kill(first.pid, signal.SIGSTOP)
        (ground.data / FILE_NAME).unlink()
        with LoneRegistrar(ground) as second:
            new = second.client()
            assert script.steps(new, 2) == [DONE, DONE]
            os.kill(first.pid, signal.SIGCONT)
            said = script.steps(old, 1)
            assert said != [DONE]
            assert first.wait() == 1, "a writer that was replaced must end"
            assert "another process has written" in script.reasons[0]
            assert script.steps(new, 2) == [DONE, DONE]
            assert second.stop() == 0
    assert faults() == ()
