"""Framing, deadlines and bounds of connections, with bytes on real sockets."""

import asyncio
from contextlib import suppress

import pytest

from node.metrics import HTTP_ANSWERS, WORKER, scrape
from protocols.values.value import Value
from tests.node.http.conftest import Response, make_config, read_response, running, url

GET = b"GET /api/handles/88.118/1 HTTP/1.1\r\nHost: n\r\n\r\n"
LAST = b"GET /api/handles/88.118/1 HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n"


def _all(data: bytes) -> list[Response]:
    responses = []
    while data:
        responses.append(read_response(data))
        data = responses[-1].rest
    return responses


async def test_one_connection_answers_many_requests_in_order(node):
    node.put("88.118/1", url("https://a.cn/"))
    data = await node.raw(GET + GET.replace(b"/1 ", b"/2 ") + GET + LAST)
    assert [response.status for response in _all(data)] == [200, 404, 200, 200]


@pytest.mark.parametrize(
    "field",
    [b"Content-Length: 47", b"CONTENT-LENGTH: 47", b"Content-Length: 00000000000000000047",
     b"Content-Length: 1000000000000000047", b"Transfer-Encoding: chunked"],
)  # fmt: skip
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE"])
async def test_the_body_of_a_request_is_not_taken_for_the_next_request(node, method, field):
    node.put("88.118/1", url("https://a.cn/"))
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    head = method + b" /api/handles/88.118/2 HTTP/1.1\r\nHost: n\r\n" + field + b"\r\n\r\n"
    writer.write(head)
    first = await asyncio.wait_for(reader.read(65_536), 5)
    assert first.startswith(b"HTTP/1.1 4")
    writer.write(GET)
    writer.write_eof()
    with suppress(ConnectionResetError):
        assert b"HTTP/1.1 200" not in await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_requests_one_byte_at_a_time_are_answered(node):
    node.put("88.118/1", url("https://a.cn/"))
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    for byte in GET + LAST:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert [response.status for response in _all(await reader.read())] == [200, 200]
    writer.close()


async def test_http_1_0_closes_unless_asked_to_stay(node):
    node.put("88.118/1", url("https://a.cn/"))
    data = await node.raw(b"GET /88.118/1 HTTP/1.0\r\n\r\n")
    assert read_response(data).headers["connection"] == "close"
    stay = b"GET /88.118/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    responses = _all(await node.raw(stay + b"GET / HTTP/1.0\r\n\r\n"))
    assert responses[0].headers["connection"] == "keep-alive"
    assert len(responses) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\rd\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_one_json_error_and_the_end(node, data):
    response = read_response(await node.raw(data))
    assert response.status in {400, 431}
    assert response.json["message"]
    assert response.headers["connection"] == "close"
    assert response.rest == b""
    assert (await node.ask("GET", "/")).status == 200


async def test_a_head_above_the_limit_is_refused_while_it_comes(node):
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(b"GET / HTTP/1.1\r\n")
    for number in range(12):
        writer.write(b"X-%d: " % number + b"y" * 4000 + b"\r\n")
    assert read_response(await asyncio.wait_for(reader.read(), 5)).status == 431
    writer.close()


async def test_a_request_that_never_ends_is_closed_with_a_reason():
    async with running(make_config(http_request_s=0.3)) as node:
        for begun in (
            b"G",
            GET[:-2],
            b"PUT /api/handles/88.118/1 HTTP/1.1\r\nHost: n\r\nContent-Length: 5\r\n\r\n12",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            writer.write(begun)
            data = await asyncio.wait_for(reader.read(), 5)
            assert 0.25 < loop.time() - began_s < 2.0
            assert {response.status for response in _all(data)} <= {401, 408}
            writer.close()


async def test_dripping_bytes_do_not_move_the_deadline():
    async with running(make_config(http_request_s=0.4)) as node:
        answers = [await _drip(node.port) for _ in range(3)]
    # The byte that comes just after the end has the kernel throw away what was not read yet: not three times.
    assert {read_response(answer).status for answer in answers if answer} == {408}


async def _drip(port: int) -> bytes:
    """What is said to somebody who sends a byte every 50 ms, within two seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(reader.read())
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    writer.write(b"GET /")
    while not reading.done() and loop.time() - began_s < 3:
        writer.write(b"x")
        await asyncio.wait({reading}, timeout=0.05)
    assert loop.time() - began_s < 2
    writer.close()
    try:
        return await reading
    except ConnectionResetError:
        return b""


async def test_half_a_request_behind_an_answered_one_has_a_deadline_too(node):
    async with running(make_config(http_request_s=0.3)) as node:
        data = await node.raw(GET + GET[:20])
        assert [response.status for response in _all(data)] == [404, 408]


async def test_a_resting_connection_outlives_the_request_deadline():
    async with running(make_config(http_request_s=0.2)) as node:
        node.put("88.118/1", url("https://a.cn/"))
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        body = b'{"a": 1}'
        put = b"PUT /api/handles/88.118/1 HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        for request, status in ((GET, b"200"), (put, b"401"), (GET, b"200")):
            writer.write(request)
            assert status in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            await asyncio.wait({asyncio.create_task(reader.read(1 << 16))}, timeout=0.7)
        writer.close()


async def test_a_resting_connection_is_closed_after_the_idle_time():
    async with running(make_config(idle_s=0.2)) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_an_address_has_its_share_of_connections_and_gets_them_back():
    async with running(make_config(connections_per_address=3)) as node:
        held = [await asyncio.open_connection("127.0.0.1", node.port) for _ in range(3)]
        for _, writer in held:
            writer.write(GET)
        for reader, _ in held:
            await reader.readuntil(b"\r\n\r\n")
        refused = read_response(await node.raw(b""))
        assert refused.status == 429
        assert refused.headers["retry-after"]
        held[0][1].close()
        while node.listener.taken > 2:
            await asyncio.sleep(0)
        assert (await node.ask("GET", "/")).status == 200
        for _, writer in held:
            writer.close()


async def test_when_all_slots_are_taken_the_next_is_told_so():
    async with running(make_config(connections=2)) as node:
        held = [await asyncio.open_connection("127.0.0.1", node.port) for _ in range(2)]
        while node.listener.taken < 2:
            await asyncio.sleep(0)
        assert read_response(await node.raw(GET)).status == 503
        for _, writer in held:
            writer.close()


async def test_a_reader_who_takes_nothing_is_dropped_and_holds_little_memory():
    async with running(make_config(unread_answer_bytes=65_536)) as node:
        node.put("88.118/1", Value(1, "DESC", b"x" * 60_000), Value(2, "DESC", b"y" * 60_000))
        (front_before,) = [len(node.listener.fronts)]
        assert front_before == 0
        _, writer = await asyncio.open_connection("127.0.0.1", node.port, limit=1)
        writer.transport.pause_reading()
        writer.write(GET * 500)
        while not node.listener.fronts:
            await asyncio.sleep(0)
        (front,) = node.listener.fronts
        while front._writable is None:
            await asyncio.sleep(0.001)
        answered = front.answered
        await asyncio.sleep(0.1)
        assert front.answered == answered < 500
        assert front.transport.get_write_buffer_size() < 65_536 + 200_000
        front.look(node.listener.now_s + 60, 600)  # a minute later
        assert front.is_closed
        writer.close()


async def test_an_unknown_method_is_501_and_a_wrong_one_405_with_the_right_ones(node):
    for target in ("/api/handles/88.118/1", "/api/batch", "/88.118/1", "/"):
        wrong = await node.ask("PATCH", target)
        assert wrong.status == 405
        assert "GET" in wrong.headers["allow"] or "POST" in wrong.headers["allow"]
    for unknown in ("PROPFIND", "M-SEARCH", "VERSION-CONTROL", "BREW2", "~!", "X" * 200):
        assert (await node.ask(unknown, "/")).status == 501, unknown
    for no_token in ("GE(T", "Gé", "X" * 300):
        assert (await node.ask(no_token, "/")).status == 400, no_token


@pytest.mark.parametrize(
    "target",
    [
        b"http://elsewhere.example/api/handles/88.118/1",
        b"HTTP://n/api/handles/88.118/1",
        b"/api/handles/88.118/%31",
    ],
)
async def test_equal_targets_in_other_forms_mean_the_same_record(node, target):
    node.put("88.118/1", url("https://a.cn/"))
    data = await node.raw(b"GET " + target + b" HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
    assert read_response(data).status == 200


@pytest.mark.parametrize(
    "target",
    [
        b"/api/handles/88.118/..%2f..%2fetc%2fpasswd", b"/../../etc/passwd", b"/88.118/%0d%0aSet-Cookie:%20a=b",
        b"/88.118/%00", b"/%c0%af", b"/\xff\xfe", b"/88.118/\xe4\xbd\xa0", b"//evil.example/%2e%2e",
        b"/?handle=%0d%0ax",
        b"/?handle=//evil.example", b"/88.118/%E2%80%AE", b"/api/handles/../../x", b"/%61pi/handles/88.118/1", b"*",
        b"/?lang=%3Cscript%3E", b"/%3Cscript%3Ealert(1)%3C/script%3E", b"/88.118/1?type=%0d%0a",
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", [b"text/html", b"application/json"])
async def test_hostile_targets_get_well_formed_answers_that_inject_nothing(node, target, accept):
    data = await node.raw(
        b"GET "
        + target
        + b" HTTP/1.1\r\nHost: n\r\nAccept: "
        + accept
        + b"\r\nConnection: close\r\n\r\n"
    )
    response = read_response(data)
    assert response.status in {200, 302, 400, 404}
    assert response.rest == b""
    assert "set-cookie" not in response.headers
    if response.headers["content-type"].startswith("text/html"):
        assert b"<script" not in response.body
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not response.headers.get("location", "/x").startswith("//")


async def test_a_bug_costs_one_request_a_500_with_an_id_that_the_log_knows(node, caplog):
    node.service.reader.close()
    node.service.reader._box = None  # whatever is asked of the store now raises
    response = await node.ask("GET", "/api/handles/88.118/1")
    assert response.status == 500
    assert "Traceback" not in response.body.decode()
    (record,) = [record for record in caplog.records if record.name == "biaojie.http"]
    assert record.request_id == response.json["requestId"]


async def test_draining_finishes_requests_under_way_and_closes_the_rest(node):
    node.put("88.118/1", url("https://a.cn/"))
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\n")
    closing = asyncio.create_task(node.listener.close(5.0))
    data = await asyncio.wait_for(reader.read(), 5)
    assert b"responseCode" in data
    await asyncio.wait_for(closing, 5)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", node.port)
    writer.close()


async def test_answers_are_counted_by_route_and_class_and_never_by_identifier(node):
    def count(route: str, status: str) -> float:
        return HTTP_ANSWERS.labels(route, status)._value.get()

    before = count("/api/handles/{handle}", "4xx"), count("/api/site", "4xx"), count("none", "4xx")
    for target in (
        "/api/handles/88.118/secret-name",
        "/api/handles/88.118/2",
        "/api/site",
        "/api/nothing",
    ):
        await node.ask("GET", target)
    node.listener.exchange.router.tally.flush()
    after = count("/api/handles/{handle}", "4xx"), count("/api/site", "4xx"), count("none", "4xx")
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 1]
    assert b"secret-name" not in scrape(WORKER)
