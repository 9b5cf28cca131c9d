"""Attacks on HTTP itself: requests that are slow, endless, too large, two at once, or mean two things."""

import contextlib
import socket
import struct
import time

import pytest

from tests.attacks.attacked_node import BIG, GOOD, HUGE, PREFIX, attacked
from tests.attacks.conftest import SHORT
from tests.attacks.honest import HonestClient
from tests.attacks.wire import ask_http, connect, is_closed, read_http, request, send_http

HAS_NODE = True
pytestmark = pytest.mark.process

GET = request("GET", f"/api/handles/{GOOD}")
CLOSING_GET = request("GET", f"/api/handles/{GOOD}", Connection="close")
LOOK_S = 0.25
IN_TIME_S = SHORT["http_request_s"] + 2 * LOOK_S + 2.0


SLOTS = 256


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Few slots, so that all of them are taken quickly."""
    with attacked(tmp_path_factory.mktemp("slots"), connections=SLOTS, **SHORT) as node:
        yield node


@pytest.fixture
def port(node):
    return node.http_port


@pytest.mark.parametrize(
    "begun",
    [
        b"G",
        b"GET / HTTP/1.1\r\n",
        GET[:-2],
        b"PUT /api/handles/88.118/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
        b"PUT /api/handles/88.118/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12",
        b"GET /api/site HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /api/site HTTP/1.1\r\nHost: a\r\nCONTENT-LENGTH: 9\r\n\r\n",
    ],
    ids=["one-byte", "line", "no-end", "body", "chunk", "get-with-chunks", "get-with-length"],
)
def test_a_request_that_never_ends_is_closed_at_the_deadline(port, begun):
    with connect(port) as sock:
        sock.sendall(begun)
        started_s = time.monotonic()
        assert is_closed(sock)
        assert time.monotonic() - started_s < IN_TIME_S


@pytest.mark.parametrize("part", ["header", "body"])
def test_a_request_that_dawdles_is_closed_although_bytes_keep_coming(port, part):
    head = b"PUT /api/handles/88.118/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n"
    with connect(port) as sock:
        sock.sendall(head if part == "header" else head + b"\r\n")
        started_s = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started_s < 4:
                sock.send(b"X: y\r\n" if part == "header" else b"[")
                time.sleep(0.02)
        assert is_closed(sock)
        assert time.monotonic() - started_s < IN_TIME_S + 0.5


def test_answers_in_between_do_not_buy_time_for_an_unfinished_request(port):
    with connect(port) as sock:
        sock.sendall(GET + GET[:20])
        started_s = time.monotonic()
        assert is_closed(sock)
        assert time.monotonic() - started_s < IN_TIME_S


@pytest.mark.parametrize(
    ("bomb", "statuses"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000, {400, 431}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000 + b"\r\n\r\n", {400, 431}),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {400, 414, 431}),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n"
            + b"".join(b"X%d: y\r\n" % n for n in range(150))
            + b"\r\n",
            {400, 431},
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"y" * 40_000, {400, 431}),
    ],
    ids=["endless-fields", "one-huge-field", "huge-target", "150-fields", "one-huge-name"],
)
def test_a_header_bomb_is_refused_and_closed(port, bomb, statuses):
    with connect(port) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(bomb)
        with contextlib.suppress(ConnectionError):
            assert next(read_http(sock)).status in statuses
        assert is_closed(sock)


def test_many_header_bombs_hold_little_memory(node, port):
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect(port, f"127.0.3.{1 + n // 50}")) for n in range(200)]
        before = node.rss_bytes
        for sock in socks:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 10_000)
        assert all(is_closed(sock) for sock in socks)
    assert node.rss_bytes - before < 10_000_000


NEXT = b"GET /api/handles/88.118/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"POST /api/handles/88.118/good HTTP/1.1\r\nHost: a\r\n"
SMUGGLING = {
    "length-and-chunks": PUT + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks-and-length": PUT + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    "two-lengths": PUT + b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n",
    "two-equal-lengths": PUT + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "length-list": PUT + b"Content-Length: 0, 60\r\n\r\n",
    "length-plus": PUT + b"Content-Length: +0\r\n\r\n",
    "length-minus": PUT + b"Content-Length: -1\r\n\r\n",
    "length-hex": PUT + b"Content-Length: 0x0\r\n\r\n",
    "length-blank": PUT + b"Content-Length: \r\n\r\n",
    "length-underscore": PUT + b"Content-Length: 1_0\r\n\r\n",
    "length-space": PUT + b"Content-Length : 0\r\n\r\n",
    "length-huge": PUT + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "folded": PUT + b"Content-Length:\r\n 0\r\n\r\n",
    "folded-chunks": PUT + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "folded-other": PUT + b"X: a\r\n Content-Length: 60\r\n\r\n",
    "chunks-not-last": PUT + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "xchunked": PUT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked-tab": PUT + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "name-space": PUT + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "bare-cr": PUT + b"X: a\rContent-Length: 60\r\n\r\n",
    "bare-lf-end": b"GET / HTTP/1.1\nHost: a\n\n",
    "no-host": b"GET /api/site HTTP/1.1\r\n\r\n",
    "two-hosts": b"GET /api/site HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "leading-blank": b"GET /api/site HTTP/1.1\r\n Host: a\r\n\r\n",
    "null-name": b"GET /api/site HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n",
    "null-value": b"GET /api/site HTTP/1.1\r\nHost: a\r\nX: a\0\r\n\r\n",
    "no-colon": b"GET /api/site HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n",
    "http2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_a_request_that_two_readers_would_cut_differently_ends_the_connection_unfollowed(
    port, name
):
    with connect(port) as sock:
        sock.sendall(SMUGGLING[name] + NEXT)
        replies = []
        with contextlib.suppress(ConnectionError):
            replies = list(read_http(sock))
    assert [reply.status for reply in replies] in ([400], []), replies
    assert b"smuggled" not in b"".join(reply.body for reply in replies)


BAD_CHUNKS = [
    b"-6\r\nXXXX\r\n",
    b"-1\r\nX",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"g\r\n",
    b"\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n",
    b"f" * 20 + b"\r\n",
    b"1_0\r\n",
    b"5;" + b"e" * 10_000,
    b"5 5\r\nhello\r\n",
]


@pytest.mark.parametrize("chunk", BAD_CHUNKS, ids=lambda chunk: repr(chunk[:8]))
def test_a_chunk_without_a_size_ends_the_connection_unfollowed_and_nobody_waits(port, chunk):
    head = b"PUT /api/handles/88.118/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    started_s = time.monotonic()
    with connect(port) as sock:
        sock.sendall(head + chunk + NEXT)
        answers = bytearray()
        with contextlib.suppress(ConnectionError):
            while piece := sock.recv(65_536):
                answers += piece
    assert b"smuggled" not in answers
    assert time.monotonic() - started_s < IN_TIME_S
    assert ask_http(port, GET).status == 200


@pytest.mark.parametrize(
    "body", [b"4\r\nindx\r\n0\r\n\r\n", b"4;a=b\r\nindx\r\n0\r\nTrailer: x\r\n\r\n", b"0\r\n\r\n"]
)
def test_chunks_as_they_should_be_are_followed_by_the_next_request(port, body):
    head = b"POST /api/site HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(port) as sock:
        sock.sendall(head + body + CLOSING_GET)
        assert [reply.status for reply in read_http(sock)] in ([405, 200], [405])


def test_endless_trailers_end_at_the_bound(port):
    with connect(port) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(
                b"POST /api/site HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
            )
            for _ in range(2000):
                sock.sendall(b"X: " + b"y" * 1000 + b"\r\n")
        assert is_closed(sock)


def test_a_thousand_requests_in_one_write_are_answered_in_order_one_each(port):
    targets = (
        f"/api/handles/{GOOD}",
        f"/api/handles/{PREFIX}/none",
        "/api/nothing",
        f"/api/handles/{BIG}",
    )
    asked = b"".join(request("GET", targets[n % 4]) for n in range(999)) + CLOSING_GET
    with connect(port) as sock:
        sock.sendall(asked)
        statuses = [reply.status for reply in read_http(sock)]
    assert statuses == [(200, 404, 404, 200)[n % 4] for n in range(999)] + [200]


def test_a_client_that_pipelines_and_never_reads_costs_a_bounded_buffer(node, port):
    """20 clients, 20,000 questions each, whose answers would be 4 GB in each case."""
    one = request("GET", f"/api/handles/{HUGE}")
    with contextlib.ExitStack() as stack:
        socks = [
            stack.enter_context(connect(port, f"127.0.5.{n}", receive_bytes=4096))
            for n in range(1, 21)
        ]
        before = node.rss_bytes
        for sock in socks:
            sock.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                sock.sendall(one * 20_000)
        time.sleep(0.5)
        assert node.rss_bytes - before < 20 * 1_200_000


def test_resets_in_the_middle_of_everything_leave_nothing_behind(node, port):
    descriptors = node.descriptor_count
    for number in range(200):
        sock = connect(port, f"127.0.4.{1 + number % 50}")
        sock.sendall((request("GET", f"/api/handles/{HUGE}") * 3)[: 1 + number])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    assert node.settles_at(descriptors)


def test_one_address_gets_its_64_connections_and_is_told_about_the_limit(port):
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(connect(port, "127.0.6.1"))
        refused = ask_http(port, GET, source="127.0.6.1")
        assert refused.status == 429
        assert refused.headers["retry-after"]
        assert ask_http(port, GET, source="127.0.6.2").status == 200


def test_hoarding_all_slots_keeps_newcomers_out_for_a_moment_only(port):
    with contextlib.ExitStack() as stack:
        for number in range(SLOTS + 40):
            stack.enter_context(connect(port, f"127.0.7.{1 + number // 60}"))
        until_s, status = time.monotonic() + 5, 0
        while status != 200 and time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                status = ask_http(port, GET, source="127.0.8.1").status
        assert status == 200


# ----------------------------------------------------------------------------------- targets and methods


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/api/handles/88.118/%", 400),
        (b"/api/handles/88.118/%1", 400),
        (b"/api/handles/88.118/%zz", 400),
        (b"/api/handles/88.118/%ff", 400),
        (b"/api/handles/88.118/%c0%af", 400),
        (b"/api/handles/88.118/%ed%a0%80", 400),
        (b"/api/handles/88.118/%u0041", 400),
        (b"/api/handles/", 400),
        (b"/api/handles/88.118/good?index=%", 400),
        (b"/api/handles/88.118/good?index=0", 400),
        (b"/api/handles/88.118/good?index=-1", 400),
        (b"/api/handles/88.118/good?index=99999999999", 400),
        (b"/api/handles/88.118/good?index=%D9%A1", 400),
        (b"/api/handles/88.118/" + b"x" * 2041, 404),
        (b"/api/handles/88.118/" + b"x" * 2042, 400),
        (b"/api/handles/88.118/%2500", 404),
        (b"/api/handles/88.118//..//.", 404),
        (b"/api/handles/88.118/%00", 404),
        (b"/api/handles/../../../etc/passwd", 400),
        (b"/../../../etc/passwd", 404),
        (b"/%2e%2e/%2e%2e/etc/passwd", 404),
        (b"/api", 404),
        (b"/api/", 404),
        (b"/hrls", 404),
        (b"/hrls/handles", 401),
        (b"/api/handles?URL=*", 400),
        (b"/api/handles/88.118/good?" + b"&" * 5000, 413),
        (b"/api/handles/88.118/good?" + b"type=X&" * 2000, 200),
    ],
)
def test_a_strange_target_gets_its_status_with_json_that_says_why(port, target, status):
    reply = ask_http(port, request("GET", target))
    assert reply.status == status, reply
    if reply.headers["content-type"].startswith("application/json") and status != 200:
        assert reply.document["message"]
        assert reply.document["responseCode"] > 1


@pytest.mark.parametrize(
    "target",
    [
        b"http://evil.example/api/handles/88.118/good",
        b"HTTP://user@evil.example:80/api/handles/88.118/good",
        b"ftp://x/api/handles/88.118/good",
    ],
)
def test_an_absolute_target_names_the_same_record_and_its_host_goes_nowhere(port, target):
    reply = ask_http(port, request("GET", target))
    assert reply.status in {200, 400}
    assert b"evil" not in reply.body + repr(reply.headers).encode()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:99", "[::1]", "a b", "", "a, b", "x" * 5000]
)
def test_whatever_host_is_named_never_comes_back(port, host):
    for target in (
        f"/{GOOD}",
        f"/?handle={GOOD}",
        "/",
        f"/api/handles/{GOOD}",
        "/api/openapi.json",
    ):
        data = b"GET %b HTTP/1.1\r\nHost: %b\r\nX-Forwarded-Host: evil.example\r\n\r\n"
        reply = ask_http(port, data % (target.encode(), host.encode()))
        assert b"evil" not in reply.body + repr(reply.headers).encode()
        assert reply.status in {200, 302, 400}


@pytest.mark.parametrize(
    "method", ["PATCH", "TRACE", "CONNECT", "PROPFIND", "LINK", "get", "FROB", "OPTIONS"]
)
def test_another_method_is_refused_and_echoes_nothing(port, method):
    reply = ask_http(port, request(method, f"/api/handles/{GOOD}", X_Secret="echo-me"))
    assert reply.status in {204, 400, 405, 501}
    assert b"echo-me" not in reply.body + repr(reply.headers).encode()


@pytest.mark.parametrize(
    "target",
    [
        f"/api/handles/{GOOD}",
        f"/api/handles/{BIG}?index=1",
        f"/api/handles/{PREFIX}/none",
        f"/{GOOD}",
        "/",
        f"/{GOOD}?noredirect",
        "/api/site",
        "/api/openapi.json",
        "/api/nothing",
        "/api/handles?prefix=88.118",
    ],
)
def test_head_says_what_get_says_without_the_body(port, target):
    changing = {"date", "expires", "www-authenticate"}  # each challenge is a new one
    get = ask_http(port, request("GET", target))
    head = ask_http(port, request("HEAD", target), is_head=True)
    assert head.status == get.status
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in get.headers.items() if k not in changing
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"Upgrade": "websocket", "Connection": "upgrade"},
        {"Upgrade": "tcp", "Connection": "upgrade"},
        {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"},
        {"Range": "bytes=0-1,0-1,0-1"},
        {"Accept-Encoding": "gzip;q=1" + ",x" * 500},
        {"Expect": "100-continue"},
        {"Expect": "200-ok"},
        {"Accept-Language": "zh;q=nan,en;q=inf,*;q=1e999"},
        {"If-None-Match": "*"},
        {"X-Forwarded-For": "1.2.3.4, " * 500},
        {"Cookie": "a" * 8000},
    ],
)
def test_a_strange_header_is_answered_like_none(port, fields):
    reply, *rest = send_http(port, request("GET", f"/api/handles/{GOOD}", **fields) + CLOSING_GET)
    assert reply.status in {200, 304, 400, 417}
    assert [other.status for other in rest] in ([200], [])
    if not rest:  # what was sent behind it is not answered, so it must be told
        assert reply.headers["connection"] == "close"


def test_the_honest_client_was_served_all_the_while(honest: HonestClient):
    honest.assert_served()
