"""The faulty peer as a process: it tells its ports, answers, changes when told, and ends with its input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from node.asking.native import Server, ask, resolve_question

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.process
def test_it_is_steered_over_its_standard_input():
    command = [sys.executable, "-m", "tests.faulty_peer", "--any", "3"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def told(change: dict | None = None) -> dict:
            if change is not None:
                process.stdin.write(json.dumps(change) + "\n")
                process.stdin.flush()
            return json.loads(process.stdout.readline())

        server = Server("127.0.0.1", told()["port"])
        question = resolve_question(b"88.118.7/whatever", (), (), 1_800_000_000)
        assert len(ask(server, question, ["udp", "tcp"]).values) == 3
        assert told({"mode": "close-without-answer"})["udp"] == 1
        assert ask(server, question, ["tcp"]).answer is None
        counts = told({})
        assert (counts["tcp"], counts["identifiers"]) == (1, 1)
        process.stdin.close()
        assert process.wait(10) == 0
