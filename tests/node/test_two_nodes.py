"""Real nodes in a row, as processes: one asks the other over each protocol, answers stale, refuses loops."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from node.free_ports import free_ports
from node.init_node import init_node
from node.registrar_client import open_registrar
from protocols.handle.codes import AUTH
from protocols.handle.resolution import ResolveAnswer
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.site import HTTP, TCP, UDP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from registry.registrar import Submission
from tests.node.processes import RunningNode, until

pytestmark = pytest.mark.process
SCHEMES = {"tcp": TCP, "udp": UDP, "http": HTTP}


class Place(NamedTuple):
    settings: Path
    native: int
    web: int


def make(directory: Path, prefix: str, **upstream: object) -> Place:
    """A node's files; ``upstream`` are keys of its [upstream] section."""
    native, web, operations = free_ports(3)
    settings = init_node(
        directory, prefix, native_port=native, http_port=web, operations_port=operations
    ).settings
    lines = settings.read_text().splitlines()
    for key, value in upstream.items():
        at = next(n for n, line in enumerate(lines) if line.startswith(f"{key} = "))
        lines[at] = f"{key} = {json.dumps(value)}"
    settings.write_text("\n".join(lines) + "\n")
    return Place(settings, native, web)


def submit(node: RunningNode, operation: Operation, name: str, *values: Value) -> None:
    command = Command(operation, parse_identifier(name), values)
    with open_registrar(node.config) as registrar:
        (receipt,) = registrar.submit([Submission(OPERATOR, command, "test")])
    assert receipt.outcome is Outcome.SUCCESS, receipt


def web(place: Place, path: str) -> tuple[int, dict[str, str], Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{place.web}{path}", timeout=10) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.loads(error.read())


def data_of(answer: Any) -> list[bytes]:
    assert isinstance(answer.body, ResolveAnswer), answer
    return [value.data for value in answer.body.values]


URL = Value(1, "URL", b"https://example.org/top", ttl=2)


@pytest.fixture(params=["tcp", "udp", "http"])
def two(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[RunningNode, RunningNode, Place]]:
    """(the node above, the node below that asks it, where the latter is), over each protocol."""
    top = make(tmp_path / "top", "88")
    port = top.web if request.param == "http" else top.native
    server = f"{request.param}://127.0.0.1:{port}"
    low = make(tmp_path / "low", "77", servers=[server], mode="recurse")
    with (
        RunningNode(top.settings, tmp_path / "top.log") as above,
        RunningNode(low.settings, tmp_path / "low.log") as below,
    ):
        above.await_ready()
        below.await_ready()
        submit(above, Operation.PUT, "88/a", URL)
        yield above, below, low


def test_a_node_asks_the_one_above_remembers_it_and_outlives_its_end(
    two: tuple[RunningNode, RunningNode, Place],
) -> None:
    above, below, low = two
    for answer in (below.udp("88/a"), below.tcp("88/a"), below.udp("88/a")):
        assert answer is not None
        assert data_of(answer) == [URL.data]
        assert not answer.header.op_flags & AUTH
    status, headers, body = web(low, "/api/handles/88/a?trace=true")
    assert (status, body["trail"]["node"]) == (200, "77")
    assert headers["Cache-Status"].startswith("biaojie; ")
    status, headers, _ = web(low, "/api/handles/88/absent")
    assert (status, headers["Cache-Status"]) == (404, "biaojie; fwd=uri-miss")
    assert web(low, "/api/handles/99/x")[0] in {400, 404}
    (row,) = json.loads(below.get("/upstreams")[1])
    assert (row["role"], row["breaker"]) == ("upstream", "closed")
    assert row["answers"] >= 2
    assert "biaojie_upstream_seconds_count" in below.get("/metrics")[1]
    above.process.terminate()
    above.process.wait(30)

    def is_stale() -> bool:
        return "stale" in web(low, "/api/handles/88/a")[1].get("Cache-Status", "")

    until(is_stale)
    late = below.udp("88/a")
    assert late is not None
    assert [value.ttl for value in late.body.values] == [30]  # type: ignore[attr-defined]


def test_two_nodes_that_ask_each_other_end_as_a_loop(tmp_path: Path) -> None:
    one = make(tmp_path / "one", "88")
    two = make(tmp_path / "two", "77", servers=[f"tcp://127.0.0.1:{one.native}"], mode="recurse")
    lines = one.settings.read_text()
    upstream = f'servers = ["tcp://127.0.0.1:{two.native}"]'
    lines = lines.replace("servers = []", upstream).replace('mode = "iterate"', 'mode = "recurse"')
    one.settings.write_text(lines)
    with (
        RunningNode(one.settings, tmp_path / "one.log") as first,
        RunningNode(two.settings, tmp_path / "two.log") as second,
    ):
        first.await_ready()
        second.await_ready()
        status, _, body = web(one, "/api/handles/99/lost")
        assert (status, body["responseCode"]) in {(500, 6), (504, 2), (400, 301)}, body
        asked = json.loads(first.get("/upstreams")[1])[0]["answers"]
        assert asked <= 16


def test_a_delegated_prefix_is_asked_of_its_servers_and_referred_to(tmp_path: Path) -> None:
    secondary = make(tmp_path / "secondary", "88.118")
    enterprise = make(tmp_path / "enterprise", "88.118.7")
    with (
        RunningNode(secondary.settings, tmp_path / "s.log") as above,
        RunningNode(enterprise.settings, tmp_path / "e.log") as below,
    ):
        above.await_ready()
        below.await_ready()
        submit(below, Operation.PUT, "88.118.7/x", URL)
        interfaces = tuple(Interface(protocol, enterprise.native) for protocol in (UDP, TCP))
        site = encode_site(Site((Server(1, "127.0.0.1", interfaces),), serial=1))
        submit(above, Operation.DELEGATE, "0.NA/88.118.7", Value(1, "HS_SITE", site))
        answer = above.tcp("88.118.7/x")
        assert data_of(answer) == [URL.data]
        named = above.tcp("88.118.7")
        assert data_of(named) == [site]
        status, _, body = web(secondary, "/api/handles/88.118.7/x?trace=true&auth=true")
        assert status == 200
        assert body["trail"]["legs"][0]["trail"]["node"] == "88.118.7"
        submit(above, Operation.HOST, "0.NA/88.118.7")
        until(lambda: above.tcp("88.118.7/x").header.response_code == 100)
