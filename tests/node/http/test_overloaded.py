"""HTTP at a late loop: 503 with Retry-After for the least important first, before a password or a body is looked at."""

import asyncio

import pytest

from node.overload import LOOK_EVERY_S, WINDOW
from tests.node.http.conftest import ADMIN, PREFIX, basic, url

BATCH = b'{"handle": "88.118/x", "values": []}\n'
REQUESTS = {
    "batch": ("POST", "/api/batch", BATCH, {"Content_Type": "application/x-ndjson"}),
    "listing": ("GET", f"/api/handles?prefix={PREFIX}", b"", {}),
    "write": ("PUT", f"/api/handles/{PREFIX}/new", {"values": []}, {}),
    "delete": ("DELETE", f"/api/handles/{PREFIX}/a", b"", {}),
    "page": ("GET", "/", b"", {}),
}


def be_late(node, lag_s: float) -> None:
    for _ in range(WINDOW):
        node.service.overload.saw(lag_s, turn_s=lag_s)


@pytest.mark.parametrize(
    ("lag_s", "refused"),
    [
        (0.0, set()),
        (0.06, {"batch", "listing"}),
        (0.09, {"batch", "listing", "write", "delete"}),
        (0.3, {"batch", "listing", "write", "delete", "page"}),
    ],
)
async def test_the_least_important_is_refused_first(node, lag_s: float, refused: set[str]):
    node.put(f"{PREFIX}/a", url("https://example.org/"))
    be_late(node, lag_s)
    statuses = {}
    for name, (method, target, body, headers) in REQUESTS.items():
        answer = await node.ask(method, target, body, **headers)
        statuses[name] = answer.status
        if answer.status == 503:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json["responseCode"] == 3
            assert "try again" in answer.json["message"]
    assert {name for name, status in statuses.items() if status == 503} == refused


async def test_a_refused_write_changes_nothing_and_goes_through_later(node):
    be_late(node, 0.2)
    body = {"index": 1, "type": "URL", "data": "https://example.org/"}
    target = f"/api/handles/{PREFIX}/new"
    refused = await node.ask("PUT", target, body, Authorization=basic(ADMIN))
    assert refused.status == 503
    assert (await node.ask("GET", target)).status == 404
    node.service.overload.saw(0.0, turn_s=0.0)
    assert (await node.ask("PUT", target, body, Authorization=basic(ADMIN))).status == 201


async def test_a_refused_request_does_not_cost_its_connection(node):
    node.put(f"{PREFIX}/a", url("https://example.org/"))
    be_late(node, 0.2)
    delete = f"DELETE /api/handles/{PREFIX}/a HTTP/1.1\r\nHost: n\r\n\r\n"
    read = f"GET /api/handles/{PREFIX}/a HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n"
    answers = await node.raw((delete + read).encode())
    assert answers.count(b"HTTP/1.1 503 ") == 1
    assert answers.count(b"HTTP/1.1 200 ") == 1


async def test_a_batch_that_has_begun_waits_and_is_not_refused(node):
    rows = [b'{"handle": "88.118/%d", "values": []}\n' % n for n in range(2)]
    head = (
        f"POST /api/batch HTTP/1.1\r\nHost: n\r\nConnection: close\r\nAuthorization: {basic(ADMIN)}\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {sum(map(len, rows))}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(head.encode() + rows[0])
    answer = await reader.readuntil(b'"line":1')
    be_late(node, 0.06)
    writer.write(rows[1])
    await asyncio.sleep(3 * LOOK_EVERY_S)
    assert node.writer.batches == [1]
    node.service.overload.saw(0.0, turn_s=0.0)
    answer += await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert node.writer.batches == [1, 1]
    assert b'"summary":true,"rows":2' in answer
