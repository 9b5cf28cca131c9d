"""POST /api/batch: rows in, receipts out, bounded and repeatable."""

import asyncio
import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.ndjson import MAX_LINE_BYTES, LineSplitter
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.chunks import MAX_CHUNK_ROWS
from tests.node.http.conftest import ADMIN, SECRET, basic, read_response, url

NDJSON = {"Content_Type": "application/x-ndjson"}
AUTH = {"Authorization": basic(ADMIN), **NDJSON}


def row(name: object, text: str = "https://a.cn/", **more: object) -> bytes:
    values = [{"index": 1, "type": "URL", "data": text}]
    return json.dumps({"handle": f"88.118/{name}", "values": values, **more}).encode() + b"\n"


def lines_of(body: bytes) -> list[dict]:
    return [json.loads(line) for line in body.splitlines()]


async def send(node, body: bytes, target: str = "/api/batch", **headers: str) -> list[dict]:
    response = await node.ask("POST", target, body, **{**AUTH, **headers})
    assert response.status == 200, response
    return lines_of(response.body)


async def test_every_row_has_its_receipt_in_order_and_the_last_line_sums_up(node):
    node.put("88.118/old", url("https://old.cn/"))
    node.put("88.118/same", url("https://a.cn/"))
    node.put("88.118/gone", url("https://a.cn/"))
    body = (
        row("new")
        + row("old")
        + row("same")
        + row("gone", operation="delete")
        + row("none", operation="delete")
    )
    *receipts, summary = await send(node, body)
    assert [(r["line"], r["status"], r["responseCode"]) for r in receipts] == [
        (1, "registered", 1), (2, "updated", 1), (3, "unchanged", 1), (4, "deleted", 1), (5, "rejected", 100),
    ]  # fmt: skip
    assert receipts[0]["handle"] == "88.118/new"
    assert [r.get("version") for r in receipts] == [1, 2, 1, 2, None]
    assert summary == {
        "summary": True, "rows": 5, "registered": 1, "updated": 1, "unchanged": 1, "deleted": 1, "rejected": 1,
        "lastSeq": receipts[3]["seq"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"not json", ""),
        (b"[]", ""),
        (b"{}", "handle"),
        (b'{"handle": 7}', "handle"),
        (b'{"handle": "/x", "values": []}', "handle"),
        (b'{"handle": "88.118/a"}', "values"),
        (b'{"handle": "88.118/a", "values": [{"index": 1}]}', "values[0].type"),
        (b'{"handle": "88.118/a", "values": [], "operation": "explode"}', "operation"),
        (b'{"handle": "88.118/a", "values": [], "overwrite": "yes"}', "overwrite"),
        (b'{"handle": "88.118/a", "values": [], "ifVersion": -1}', "ifVersion"),
        (b'{"handle": "88.118/a", "operation": "remove"}', "indexes"),
        (b'{"handle": "88.118/a", "operation": "remove", "indexes": [0]}', "indexes[0]"),
        (b'{"handle": "77.7/a", "values": [{"index": 1, "type": "URL", "data": "x"}]}', "handle"),
        (b'{"handle": "88.118/absent", "operation": "delete", "ifVersion": 3}', "ifVersion"),
        (b"\xff\xfe", ""),
        (b"[" * 5000, ""),
        (b'{"handle": "\\ud800", "values": []}', None),
    ],
)
async def test_a_bad_row_is_rejected_with_its_place_and_the_rest_goes_on(node, text, field):
    first, bad, last, summary = await send(node, row(1) + text + b"\n" + row(2))
    assert (first["status"], last["status"], last["line"]) == ("registered", "registered", 3)
    assert (bad["line"], bad["status"]) == (2, "rejected")
    assert bad["message"]
    if field is not None:
        assert bad.get("field", "") == field
    assert summary["rejected"] == 1


async def test_every_operation_of_a_row_does_what_it_says(node):
    node.put("88.118/o", url("https://a.cn/"))
    desc = [{"index": 2, "type": "DESC", "data": "d"}]
    rows = [
        {"handle": "88.118/o", "operation": "add", "values": desc},
        {"handle": "88.118/o", "operation": "add", "values": desc, "overwrite": False},
        {
            "handle": "88.118/o",
            "operation": "modify",
            "values": [{**desc[0], "data": "e"}],
            "ifVersion": 2,
        },
        {"handle": "88.118/o", "operation": "modify", "values": desc, "ifVersion": 2},
        {"handle": "88.118/o", "operation": "remove", "indexes": [1]},
        {"handle": "88.118/p", "values": desc, "ifVersion": 0},
        {"handle": "88.118/p", "values": desc, "ifVersion": 0},
    ]
    body = b"\n".join(json.dumps(r).encode() for r in rows)
    receipts = await send(node, body)
    assert [(r["status"], r["responseCode"]) for r in receipts[:-1]] == [
        ("updated", 1), ("rejected", 201), ("updated", 1), ("rejected", 2),
        ("updated", 1), ("registered", 1), ("rejected", 2),
    ]  # fmt: skip
    left = (await node.ask("GET", "/api/handles/88.118/o")).json["values"]
    assert [(v["index"], v["data"]["value"]) for v in left] == [(2, "e")]


async def test_repeating_a_batch_with_its_key_gives_the_same_receipts_and_changes_nothing(node):
    body = b"".join(row(n, overwrite=False) for n in range(300)) + b"broken\n"
    first = await send(node, body, Idempotency_Key="file-7")
    head = node.service.reader.head().seq
    again = await send(node, body, Idempotency_Key="file-7")
    node.service.reader.refresh()
    assert node.service.reader.head().seq == head
    assert again == first
    assert first[-1]["registered"] == 300


async def test_an_interrupted_upload_is_completed_by_repeating_it(node):
    body = b"".join(row(n) for n in range(700))
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    head = (
        "POST /api/batch HTTP/1.1\r\nHost: n\r\nContent-Type: application/x-ndjson\r\n"
        f"Authorization: {basic(ADMIN)}\r\n"
        f"Idempotency-Key: f\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body[: len(body) // 2])
    await reader.readuntil(b'"line":1,')
    writer.transport.abort()
    while (
        any(front.asked > front.answered for front in node.listener.fronts) or node.listener.fronts
    ):
        await asyncio.sleep(0.001)
    node.service.reader.refresh()
    done = node.service.reader.count(b"88.118")
    assert 0 < done < 700
    *receipts, summary = await send(node, body, Idempotency_Key="f")
    assert summary["registered"] == 700
    assert [r["version"] for r in receipts] == [1] * 700
    node.service.reader.refresh()
    assert node.service.reader.count(b"88.118") == 700
    assert node.service.reader.head().seq == 1 + 700


async def test_a_line_that_is_too_long_is_rejected_by_number_and_not_kept(node):
    body = row(1) + b'{"handle": "' + b"x" * (MAX_LINE_BYTES + 5) + b'"}\n' + row(2)
    first, long, last, _ = await send(node, body)
    assert (long["line"], long["status"]) == (2, "rejected")
    assert str(MAX_LINE_BYTES) in long["message"]
    assert (first["status"], last["status"]) == ("registered", "registered")


async def test_brief_receipts_are_the_rejected_rows_and_the_sum(node):
    *receipts, summary = await send(
        node, row(1) + b"bad\n" + row(2), "/api/batch?receipts=rejected"
    )
    assert [r["line"] for r in receipts] == [2]
    assert (summary["rows"], summary["registered"]) == (3, 2)


async def test_an_empty_batch_is_a_summary(node):
    assert (await send(node, b""))[0]["rows"] == 0
    assert (await send(node, b"\n\r\n \n"))[0]["rows"] == 0


async def test_who_is_nobody_or_sends_another_type_is_refused_before_the_first_row(node):
    assert (await node.ask("POST", "/api/batch", row(1), **NDJSON)).status == 401
    assert (
        await node.ask("POST", "/api/batch", row(1), **{**AUTH, "Content_Type": "text/csv"})
    ).status == 415
    assert (
        await node.ask("POST", "/api/batch", row(1), Content_Encoding="gzip", **AUTH)
    ).status == 415
    assert (await node.ask("GET", "/api/batch")).status == 405
    node.service.reader.refresh()
    assert node.service.reader.count(b"88.118") == 0


async def test_receipts_never_show_values(node):
    node.put("88.118/s", Value(1, "NOTE", SECRET, permissions=SECRET_PERMISSIONS))
    response = await node.ask(
        "POST", "/api/batch", row("s", overwrite=False) + row("s", operation="delete"), **AUTH
    )
    assert SECRET not in response.body


async def _upload(node, head_extra: bytes = b""):
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", node.port))
    reader, writer = await asyncio.open_connection(sock=client, limit=1 << 23)
    writer.write(
        b"POST /api/batch HTTP/1.1\r\nHost: n\r\nContent-Type: application/x-ndjson\r\nAuthorization: "
        + basic(ADMIN).encode() + b"\r\nTransfer-Encoding: chunked\r\n" + head_extra + b"\r\n"
    )  # fmt: skip
    return reader, writer


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_a_slow_sender_has_each_receipt_before_it_sends_the_next_row(node):
    reader, writer = await _upload(node)
    await reader.readuntil(b"\r\n\r\n")
    for number in range(3):
        writer.write(_chunk(row(number)))
        await asyncio.wait_for(reader.readuntil(b"}\n"), 5)
    writer.write(b"0\r\n\r\n")
    assert b'"rows":3' in await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
    writer.write(b"GET / HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
    assert b"200 OK" in await reader.read()
    writer.close()


async def test_rows_are_committed_together_and_not_faster_than_the_registrar(node):
    node.writer.gate.clear()
    reader, writer = await _upload(node)
    rows = b"".join(row(n, "https://a.cn/" + "x" * 2000) for n in range(8000))
    sending = asyncio.create_task(_drain(writer, _chunk(rows) + b"0\r\n\r\n"))
    while not node.listener.fronts:
        await asyncio.sleep(0)
    (front,) = node.listener.fronts
    still = 0
    while still < 20:  # the intake stands still, and goes on standing, while nothing is committed
        still = 0 if front.transport.is_reading() else still + 1
        await asyncio.sleep(0.005)
    assert node.writer.batches == []
    node.writer.gate.set()
    data = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 30)
    await sending
    assert b'"rows":8000' in data
    assert max(node.writer.batches) == MAX_CHUNK_ROWS
    assert len(node.writer.batches) < 8000 / MAX_CHUNK_ROWS + 20
    writer.close()


async def test_a_client_that_does_not_read_stops_the_intake(node):
    reader, writer = await _upload(node)
    writer.transport.pause_reading()
    rows = _chunk(b"".join(row(n) for n in range(1000)))
    sending = asyncio.create_task(_drain(writer, rows * 100 + b"0\r\n\r\n"))
    while not node.listener.fronts:
        await asyncio.sleep(0)
    (front,) = node.listener.fronts
    while front._writable is None or front.transport.is_reading():
        await asyncio.sleep(0.001)
    committed = -1
    while committed != (committed := sum(node.writer.batches)):
        await asyncio.sleep(0.5)  # what was read by then is still being committed
    assert committed < 100_000
    assert not front.transport.is_reading()
    assert front.transport.get_write_buffer_size() < 200_000
    front.look(node.listener.read_clock() + 60, 600)  # a minute later it is dropped
    sending.cancel()
    writer.transport.abort()
    while node.listener.fronts:
        await asyncio.sleep(0.001)
    assert reader is not None


async def _drain(writer, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_a_body_that_breaks_off_ends_the_connection_after_what_was_whole(node):
    reader, writer = await _upload(node)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_chunk(row(1)))
    await reader.readuntil(b"}\n")
    writer.write(b"zz\r\nnot a chunk\r\n")
    assert b"0\r\n\r\n" not in await asyncio.wait_for(reader.read(), 5)  # no end of the answer
    writer.close()
    assert (await node.ask("GET", "/api/handles/88.118/1")).status == 200


async def test_expect_100_is_invited(node):
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    body = row(1)
    writer.write(
        b"POST /api/batch HTTP/1.1\r\nHost: n\r\nContent-Type: application/x-ndjson\r\nExpect: 100-continue\r\n"
        b"Connection: close\r\n"
        b"Authorization: %b\r\nContent-Length: %d\r\n\r\n" % (basic(ADMIN).encode(), len(body))
    )
    assert (
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    )
    writer.write(body)
    assert b'"registered"' in read_response(await reader.read()).body
    writer.close()


@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), max_size=8),
    st.integers(1, 17),
    st.booleans(),
)
def test_lines_come_out_alike_in_any_pieces(texts, size, ends):
    data = b"\n".join(texts) + (b"\n" if ends else b"")
    splitter, lines = LineSplitter(), []
    for at in range(0, len(data), size):
        lines += splitter.feed(data[at : at + size])
    lines += splitter.end()
    expected = [
        (number, text.strip()) for number, text in enumerate(data.split(b"\n"), 1) if text.strip()
    ]
    assert [(line.number, line.text) for line in lines] == expected


def test_a_line_without_end_is_not_collected():
    splitter = LineSplitter()
    for _ in range(40):
        assert splitter.feed(b"x" * 100_000) == []
    assert len(splitter._partial) <= MAX_LINE_BYTES
    (line,) = splitter.end()
    assert line.is_too_long
