"""Bulk into a node that serves: every row arrives, and readers are answered all the while."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.handle.resolution import ResolveAnswer
from tests.node.processes import PREFIX, ROOT, RunningNode, make_node

pytestmark = pytest.mark.process

ROWS = 20_000


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RunningNode]:
    with RunningNode(make_node(tmp_path / "node"), tmp_path / "log") as running:
        yield running.await_ready()


def test_an_import_into_a_running_node_registers_every_row_while_readers_are_answered(
    node: RunningNode, tmp_path: Path
) -> None:
    node.put("reader", b"https://reader")
    rows = tmp_path / "rows.csv"
    rows.write_text("n,u\n" + "".join(f"{n},https://example.org/{n}\n" for n in range(ROWS)))
    importing = subprocess.Popen(
        [sys.executable, "-m", "node.cli", "import", str(rows), "--prefix", PREFIX,
         "--suffix", "SN-{n}", "--value", "URL={u}", "--config", str(node.settings), "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    asked = 0
    while importing.poll() is None:
        answer = node.udp(f"{PREFIX}/reader")
        assert answer is not None, "a reader was left without an answer"
        assert isinstance(answer.body, ResolveAnswer)
        asked += 1
    said, _ = importing.communicate()
    report = json.loads(said)
    assert (report["read"], report["registered"], report["rejected"]) == (ROWS, ROWS, 0)
    assert asked > 10, "the import ended before anybody could have felt it"
    for number in (0, ROWS // 2, ROWS - 1):  # the command has ended, so the worker must know them
        answer = node.udp(f"{PREFIX}/sn-{number}")
        assert answer is not None
        assert isinstance(answer.body, ResolveAnswer)
        assert answer.body.values[0].data == f"https://example.org/{number}".encode()
    assert node.get("/health")[0] == 200
