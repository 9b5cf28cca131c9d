"""A worker's parts joined: what must not happen unnoticed inside one."""

import asyncio
from pathlib import Path

import pytest

from node.app import App, build
from node.child import Boot
from node.clock import read_clocks
from node.config import load_config
from node.registrar_client import open_registrar
from node.upstream.client import UpstreamClient
from protocols.identifier import parse_identifier, read_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome, Query
from protocols.rest.dates import format_date
from protocols.values.value import Value
from registry.registrar import Submission
from resolver.cache import Rank
from resolver.source import Peer
from tests.node.processes import make_node

LOCAL = Peer("127.0.0.1", 1, "tcp", is_loopback=True)
URL = Value(1, "URL", b"https://example.org/", ttl=3600)


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


def remember(app: App, *names: str) -> None:
    """As if other nodes had told them; asked once, so that they are encoded, too."""
    now = read_clocks()
    for name in names:
        identifier = read_identifier(name.encode())
        assert app.forwarder.cache.put(identifier, Outcome.SUCCESS, (URL,), Rank.TCP, now)
        answer = app.service.resolve_now(Query(identifier, may_recurse=True), LOCAL, now)
        assert answer is not None
        assert answer.values


def remembered(app: App, *names: str) -> list[bool]:
    now = read_clocks()
    return [app.service.remembered(name.encode(), now.monotonic_s) is not None for name in names]


async def test_what_this_node_takes_over_is_forgotten_in_every_spelling_when_the_feed_says_so(
    tmp_path: Path,
) -> None:
    settings = make_node(tmp_path / "node")
    servers = 'servers = ["tcp://127.0.0.1:9"]'
    settings.write_text(settings.read_text().replace("servers = []", servers))
    config = load_config(settings)
    app = build(Boot(config, 0, {}, {}), lambda: None)
    await app.start({})
    names = ("99.1/a", "99.1/A", "99.1.5/b", "0.NA/99.1", "99.2/a")
    remember(app, *names)
    assert remembered(app, *names) == [True] * 5
    with open_registrar(config) as registrar:
        (receipt,) = await asyncio.to_thread(
            registrar.submit,
            [Submission(OPERATOR, Command(Operation.HOST, parse_identifier("0.NA/99.1")), "test")],
        )
    assert receipt.outcome is Outcome.SUCCESS
    async with asyncio.timeout(10):  # no registrar is connected: the worker's own look finds it
        while remembered(app, *names) != [False] * 4 + [True]:
            await asyncio.sleep(0.01)
    hosted = Query(parse_identifier("99.1/a"), may_recurse=True)
    answer = app.service.resolve_now(hosted, LOCAL, read_clocks())
    assert answer is not None
    assert (answer.outcome, answer.is_authoritative) == (Outcome.NOT_FOUND, True)
    await app.stop()


async def test_proof_is_asked_for_again_when_the_time_without_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_node(tmp_path / "node")
    until = format_date(int(read_clocks().wall_s) + 2)
    text = settings.read_text().replace("servers = []", 'servers = ["tcp://127.0.0.1:9"]')
    text = text.replace("pinned_keys = []", f'pinned_keys = ["sha256:{"0" * 64}"]')
    text = text.replace('trust_unproved_until = ""', f'trust_unproved_until = "{until}"')
    settings.write_text(text)
    app = build(Boot(load_config(settings), 0, {}, {}), lambda: None)
    await app.start({})
    trusting = app.driver._asker
    assert isinstance(trusting, UpstreamClient)
    assert trusting._settings.pins == ()
    async with asyncio.timeout(10):
        while app.driver._asker is trusting:
            await asyncio.sleep(0.05)
    assert isinstance(app.driver._asker, UpstreamClient)
    assert app.driver._asker._settings.pins
    said = [record.getMessage() for record in caplog.records]
    assert "upstream answers are believed without proof" in said
    await app.stop()
