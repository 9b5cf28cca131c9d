"""The operations port over real sockets."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.config_sections import Config
from node.health import Health
from node.operations import MAX_HEAD_BYTES, Operations
from node.writer import Writer


@contextlib.asynccontextmanager
async def operations(tmp_path: Path) -> AsyncIterator[tuple[Health, int]]:
    config = Config()
    config = replace(config, node=replace(config.node, data_dir=tmp_path))
    writer = Writer(tmp_path / "none", 1000, lambda _: None)
    health = Health(writer, config)
    served = Operations(health, writer, lambda: None)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    await served.start([sock])
    try:
        yield health, sock.getsockname()[1]
    finally:
        await served.stop()


async def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body


async def test_ready_follows_the_worker(tmp_path: Path) -> None:
    async with operations(tmp_path) as (health, port):
        assert (await get(port, "/ready"))[0] == 503
        health.is_serving = True
        assert (await get(port, "/ready"))[0] == 200


async def test_health_names_what_is_wrong(tmp_path: Path) -> None:
    async with operations(tmp_path) as (health, port):
        health.is_serving = True
        health.loop_lag_s = 2.0
        status, body = await get(port, "/health")
    checks = {check["name"]: check for check in json.loads(body)["checks"]}
    assert status == 503
    assert checks["serving"]["is_fine"]
    assert not checks["registrar"]["is_fine"]
    assert not checks["event-loop"]["is_fine"]


async def test_metrics_work_without_a_registrar_and_carry_help(tmp_path: Path) -> None:
    async with operations(tmp_path) as (_, port):
        status, body = await get(port, "/metrics")
    assert status == 200
    assert b"# HELP biaojie_registrar_connected" in body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/health", 405),
        ("HEAD", "/ready", 503),
        ("GET", "/version?x", 200),
    ],
)
async def test_other_requests_get_a_plain_no(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    async with operations(tmp_path) as (_, port):
        got, body = await get(port, path, method)
    assert got == status
    assert (body == b"") is (method == "HEAD")


async def test_servers_of_other_nodes_are_listed_for_operators(tmp_path: Path) -> None:
    rows = [{"server": "tcp://192.0.2.1:2641", "breaker": "open", "smoothed_ms": None}]
    writer = Writer(tmp_path / "none", 1000, lambda _: None)
    config = Config()
    health = Health(writer, replace(config, node=replace(config.node, data_dir=tmp_path)))
    served = Operations(health, writer, lambda: None, lambda: rows)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    await served.start([sock])
    status, body = await get(sock.getsockname()[1], "/upstreams")
    await served.stop()
    assert (status, json.loads(body)) == (200, rows)


async def test_a_head_that_never_ends_is_dropped(tmp_path: Path) -> None:
    async with operations(tmp_path) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n" + b"x" * (MAX_HEAD_BYTES * 2))
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.transport.abort()
