"""A worker with more to do than it can: it notices, refuses, and is itself again as soon as it is over."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from node.app import build
from node.child import Boot
from node.config import load_config
from node.overload import LOOK_EVERY_S, Work
from tests.node.parts import ask
from tests.node.processes import RunningNode, make_node

TURN_S = 0.15
FLOOD = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("127.0.0.1", int(sys.argv[1])))
question, until_s = bytes.fromhex(sys.argv[2]), time.monotonic() + 2.0
while time.monotonic() < until_s:
    for _ in range(200):
        try:
            sock.send(question)
        except OSError:
            pass
"""


async def test_a_worker_whose_loop_comes_late_notices_and_recovers(tmp_path: Path):
    app = build(Boot(load_config(make_node(tmp_path / "node")), 0, {}, {}), lambda: None)
    await app.start({})
    overload, loop = app.service.overload, asyncio.get_running_loop()

    def work() -> None:
        until_s = loop.time() + TURN_S
        while loop.time() < until_s:
            pass
        if not overload.refuses(Work.WRITE):
            loop.call_soon(work)

    async with asyncio.timeout(20):
        work()
        while not overload.refused[Work.WRITE]:
            await asyncio.sleep(0)
        while overload.holds(Work.BULK):
            await asyncio.sleep(0.01)
    await app.stop()


async def test_a_worker_that_comes_late_with_nothing_to_do_refuses_nothing(tmp_path: Path):
    """Its machine is busy with others: it is held up for longer than any limit before each of eight looks."""
    app = build(Boot(load_config(make_node(tmp_path / "node")), 0, {}, {}), lambda: None)
    await app.start({})
    overload, loop = app.service.overload, asyncio.get_running_loop()
    looks: list[float] = []

    def hold_up() -> None:
        time.sleep(TURN_S * 2)  # between two turns, as far as the loop can tell
        loop.call_later(LOOK_EVERY_S, hold_up)

    loop.call_later(LOOK_EVERY_S / 2, hold_up)
    until_s = loop.time() + 8 * (TURN_S * 2 + LOOK_EVERY_S)
    while loop.time() < until_s:
        await asyncio.sleep(0.01)
        looks.append(overload.lag_s)
    await app.stop()
    assert max(looks) < 0.05


@pytest.mark.process
def test_a_flooded_node_is_well_for_its_monitor_and_answers_again_at_once(tmp_path: Path):
    with RunningNode(make_node(tmp_path / "node"), tmp_path / "log") as node:
        node.await_ready()
        port = node.config.listen.port
        question = ask("0", request_id=7)
        flood = subprocess.Popen([sys.executable, "-c", FLOOD, str(port), question.hex()])
        slowest_s = 0.0
        while flood.poll() is None:
            began_s = time.monotonic()
            assert node.get("/health")[0] in {200, 503}
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        assert flood.returncode == 0
        assert slowest_s < 1.0  # a tenth of that on a machine with nothing else to do
        over_s = time.monotonic()
        while node.udp("0", timeout_s=0.5) is None:  # as clients do; the queue is full at first
            assert time.monotonic() - over_s < 5.0
