"""A worker's parts joined: what must not happen unnoticed inside one."""

import asyncio
from pathlib import Path

from node.app import build
from node.child import Boot
from node.config import load_config
from tests.node.processes import make_node


async def test_a_worker_whose_upkeep_dies_says_so_instead_of_serving_on_stale_snapshots(
    tmp_path: Path,
) -> None:
    broken = asyncio.Event()
    boot = Boot(load_config(make_node(tmp_path / "node")), 0, {}, {})
    app = build(boot, broken.set)
    await app.start({})
    assert not broken.is_set()
    app.service.reader.close()  # as if the engine had failed under it
    async with asyncio.timeout(10):
        await broken.wait()
    await app.stop()
