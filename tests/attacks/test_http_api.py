"""Attacks on the JSON API and the pages: exploding documents, records that attack their readers, guessed passwords."""

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from node.config_sections import Config
from node.http.api import PLAIN_HTTP, Api
from node.http.request import Request
from node.http.target import split_target
from protocols.errors import Malformed, TooLarge
from protocols.rest.json_reader import parse_json
from resolver.source import Peer
from tests.attacks.attacked_node import CANARY, GOOD, HIDDEN, PREFIX, basic, value
from tests.attacks.honest import HonestClient
from tests.attacks.wire import ask_http, connect, read_http, request

HAS_NODE = True
pytestmark = pytest.mark.process

NEW = f"/api/handles/{PREFIX}/bomb"


@pytest.fixture
def port(node):
    return node.http_port


def put(node, body: bytes, target: str = NEW, **headers: str):
    headers = {"Authorization": node.authorization, "Content-Type": "application/json"} | headers
    return ask_http(node.http_port, request("PUT", target, body, **headers))


# ------------------------------------------------------------------------------------------- JSON

GOOD_VALUE = b'{"index":1,"type":"URL","data":"x"}'
BOMBS = {
    "depth": b"[" * 100_000 + b"]" * 100_000,
    "depth-open": b"[" * 1_000_000,
    "depth-objects": b'{"values":' * 5000 + b"1" + b"}" * 5000,
    "depth-33": b"[" * 33 + b"]" * 33,
    "wide": b"[" + b"[]," * 300_000 + b"[]]",
    "members": b"{" + b",".join(b'"%d":0' % n for n in range(100_000)) + b"}",
    "nan": b'[{"index":1,"type":"A","data":"x","ttl":NaN}]',
    "infinity": b'[{"index":1,"type":"A","data":"x","ttl":Infinity}]',
    "huge-number": b'[{"index":1,"type":"A","data":"x","ttl":' + b"9" * 10_000 + b"}]",
    "huge-exponent": b'[{"index":1,"type":"A","data":"x","ttl":1e999999}]',
    "float-index": b'[{"index":1.5,"type":"A","data":"x"}]',
    "negative-index": b'[{"index":-1,"type":"A","data":"x"}]',
    "zero-index": b'[{"index":0,"type":"A","data":"x"}]',
    "index-2-32": b'[{"index":4294967296,"type":"A","data":"x"}]',
    "true-index": b'[{"index":true,"type":"A","data":"x"}]',
    "lone-surrogate": b'[{"index":1,"type":"A","data":"\\ud800"}]',
    "lone-surrogate-in-type": b'[{"index":1,"type":"\\udfff","data":"x"}]',
    "not-utf8": b'[{"index":1,"type":"A","data":"\xff"}]',
    "utf16": '[{"index":1}]'.encode("utf-16"),
    "bom": b"\xef\xbb\xbf[" + GOOD_VALUE + b"]",
    "two-documents": b"[" + GOOD_VALUE + b"][" + GOOD_VALUE + b"]",
    "comment": b"[" + GOOD_VALUE + b"/* x */]",
    "trailing-comma": b"[" + GOOD_VALUE + b",]",
    "single-quotes": b"[{'index':1}]",
    "null": b"null",
    "empty": b" ",
    "string": b'"x"',
    "duplicate-index": b"[" + GOOD_VALUE + b"," + GOOD_VALUE + b"]",
    "wrong-handle": b'{"handle":"88.118/other","values":[' + GOOD_VALUE + b"]}",
    "bad-base64": b'[{"index":1,"type":"A","data":{"format":"base64","value":"***"}}]',
    "unknown-format": b'[{"index":1,"type":"A","data":{"format":"pickle","value":"x"}}]',
    "admin-nonsense": b'[{"index":1,"type":"A","data":{"format":"admin","value":{"handle":[],"index":{}}}}]',
    "permissions": b'[{"index":1,"type":"A","data":"x","permissions":"11111111"}]',
    "null-byte-type": b'[{"index":1,"type":"","data":"x"}]',
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_document_that_is_wrong_or_explodes_is_refused_with_a_reason_and_nothing_is_kept(
    node, name
):
    reply = put(node, BOMBS[name])
    assert reply.status in {400, 409, 413}, reply
    assert reply.document["message"]
    assert reply.document["responseCode"] > 1
    assert ask_http(node.http_port, request("GET", NEW)).status == 404


@pytest.mark.parametrize("item", [b"[],", b"{},", b"[0],", b'{"a":{}},'])
def test_a_wide_document_is_refused_before_a_list_is_made_for_each_of_its_lists(item):
    """300,000 lists are 900 kB to send and once held the node for 0.4 s."""
    with pytest.raises(TooLarge, match="lists and objects"):
        parse_json(b"[" + item * 40_000 + b"0]")


def test_brackets_inside_strings_are_text():
    text = "[{" * 60_000 + '"\\"' + "[" * 10
    assert parse_json(json.dumps([text, "[" * 10]).encode()).value == [text, "[" * 10]


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "body", [b'"' + b'\\"' * 900_000, b'"' * 999_999, b'["' + b"\\" * 1_000_001]
)
def test_strings_that_never_end_are_looked_through_once(body):
    with pytest.raises(Malformed):
        parse_json(body)


def test_wide_documents_cost_no_lasting_memory_and_no_standstill(node):
    put(node, BOMBS["wide"])
    before, started_s = node.rss_bytes, time.monotonic()
    for _ in range(10):
        put(node, BOMBS["wide"])
    assert time.monotonic() - started_s < 2.0
    assert node.rss_bytes - before < 10_000_000


def test_of_two_members_with_one_name_the_last_counts_everywhere_the_same(node):
    target = f"/api/handles/{PREFIX}/twice"
    body = b'[{"index":1,"index":2,"type":"A","type":"B","data":"x","data":"y"}]'
    assert put(node, body, target).status == 201
    (stored,) = ask_http(node.http_port, request("GET", target)).document["values"]
    assert (stored["index"], stored["type"], stored["data"]["value"]) == (2, "B", "y")


def test_a_body_above_the_limit_is_refused_before_it_is_sent(node):
    head = request(
        "PUT",
        NEW,
        Content_Length="2000001",
        Content_Type="application/json",
        Authorization=node.authorization,
        Expect="100-continue",
    )
    assert ask_http(node.http_port, head).status == 413


def test_a_chunked_body_above_the_limit_is_refused(node):
    head = request(
        "PUT",
        NEW,
        Transfer_Encoding="chunked",
        Content_Type="application/json",
        Authorization=node.authorization,
    )
    with connect(node.http_port) as sock:
        sock.sendall(head)
        with contextlib.suppress(ConnectionError):
            for _ in range(300):
                sock.sendall(b"2000\r\n" + b"[" * 8192 + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert next(read_http(sock)).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_a_compressed_body_is_not_opened(node, encoding):
    assert put(node, b"\x1f\x8b" + bytes(100), Content_Encoding=encoding).status in {400, 415}


# ------------------------------------------------------------------------------------------ records


@pytest.mark.parametrize(
    ("name", "values", "status"),
    [
        ("value-64k", [value(1, "A", "v" * 65_536)], 201),
        ("value-64k-1", [value(1, "A", "v" * 65_537)], 400),
        ("record-250k", [value(n, "A", "v" * 60_000) for n in range(1, 6)], 400),
        ("values-2048", [value(n, "A", "v") for n in range(1, 2049)], 201),
        ("values-2049", [value(n, "A", "v") for n in range(1, 2050)], 413),
        ("s" * 2041, [value(1, "A", "v")], 201),
        ("s" * 2042, [value(1, "A", "v")], 400),
    ],
    ids=["value", "value+1", "record+1", "values", "values+1", "handle", "handle+1"],
)
def test_a_record_is_as_large_as_the_design_says_and_not_larger(node, name, values, status):
    got, said = node.put(f"{PREFIX}/{name}", *values)
    assert got == status, said


def test_the_longest_handle_is_served_by_every_protocol(node):
    handle = f"{PREFIX}/" + "é" * 1020
    assert node.put(handle, value(1, "A", "v"))[0] == 201
    reply = ask_http(node.http_port, request("GET", "/api/handles/" + quote(handle, safe="")))
    assert reply.document["handle"] == handle


def test_pyhandle_gets_what_it_reads_without_asking(node):
    """Values in order of their indexes, the spelling as asked, a timestamp with each, bare strings given back whole."""
    assert node.put(f"{PREFIX}/Py", value(7, "B", "bare"), value(2, "A", "bare"))[0] == 201
    spelled = f"{PREFIX}/pY"
    document = ask_http(node.http_port, request("GET", f"/api/handles/{spelled}")).document
    assert document["handle"] == spelled
    assert [v["index"] for v in document["values"]] == [2, 7]
    assert all(v["timestamp"].endswith("Z") for v in document["values"])
    assert document["values"][0]["data"] == {"format": "string", "value": "bare"}


def test_no_script_of_another_site_gets_more_than_public_values(node):
    target = f"/api/handles/{GOOD}"
    wrapped = ask_http(
        node.http_port, request("GET", target + "?callback=alert", Origin="http://evil.example")
    )
    assert not wrapped.body.startswith(b"alert"), "JSONP"
    assert wrapped.headers.get("access-control-allow-origin") == "*"
    assert "access-control-allow-credentials" not in wrapped.headers
    asked = request(
        "OPTIONS", target, Origin="http://evil.example", Access_Control_Request_Method="PUT"
    )
    preflight = ask_http(node.http_port, asked)
    assert "PUT" not in preflight.headers.get("access-control-allow-methods", "")
    assert "access-control-allow-headers" not in preflight.headers


def test_another_prefix_is_not_ours_to_write(node):
    assert node.put("99.99/x", value(1, "A", "v"))[0] in {400, 403}


# ----------------------------------------------------------------------- records that attack their readers

EVIL_URLS = {
    "script": "javascript:alert(1)",
    "script-case": "JaVaScRiPt:alert(1)",
    "script-tab": "java\tscript:alert(1)",
    "data": "data:text/html,<script>alert(1)</script>",
    "file": "file:///etc/passwd",
    "no-host": "http:///x",
    "crlf": "http://a.example/\r\nSet-Cookie: a=b",
    "lf": "http://a.example/\nSet-Cookie: a=b",
    "nul": "http://a.example/\0",
    "space": "http://a.example/ HTTP/1.1",
    "unicode-newline": "http://a.example/\u2028Set-Cookie: a",
    "next-line": "http://a.example/\u0085Set-Cookie: a",
    "relative": "//evil.example/x",
    "backslash": "\\\\evil.example",
    "bad-port": "http://a.example:99999999/",
    "ftp": "ftp://a.example/",
    "long": "http://a.example/" + "x" * 9000,
    "bad-bracket": "http://[::1/",
}


@pytest.mark.parametrize("name", EVIL_URLS)
def test_an_evil_url_is_shown_but_not_followed(node, port, name):
    handle = f"{PREFIX}/url-{name}"
    assert node.put(handle, value(1, "URL", EVIL_URLS[name]))[0] == 201
    reply = ask_http(port, request("GET", f"/{handle}", Accept="text/html"))
    assert reply.status == 200
    assert "location" not in reply.headers
    assert "set-cookie" not in reply.headers
    assert b'href="javascript' not in reply.body.lower()
    assert b'href="data:' not in reply.body.lower()


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://a.example/%0d%0aSet-Cookie:x", "http://a.example/%0d%0aSet-Cookie:x"),
        ('http://a.example/"><script>', "http://a.example/%22%3E%3Cscript%3E"),
        ("https://例え.example/路径", "https://xn--r8jz45g.example/%E8%B7%AF%E5%BE%84"),
    ],
)
def test_a_url_with_strange_characters_becomes_a_location_of_one_harmless_line(
    node, port, url, location
):
    handle = f"{PREFIX}/loc-{abs(hash(url))}"
    assert node.put(handle, value(1, "URL", url))[0] == 201
    reply = ask_http(port, request("GET", f"/{handle}"))
    assert (reply.status, reply.headers["location"]) == (302, location)
    assert b"<script>" not in reply.body


XSS = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"><svg/onload=alert(1)>{{7*7}}"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_registered_runs_in_the_values_page(node, port, language):
    handle = f"{PREFIX}/{XSS}"
    values = [
        value(1, XSS[:60], XSS),
        value(2, "DESC", XSS),
        value(3, "URL", "javascript:" + XSS),
        value(
            4,
            "HS_ADMIN",
            {
                "format": "admin",
                "value": {"handle": XSS, "index": 1, "permissions": "111111111111"},
            },
        ),
        value(5, "EMAIL", 'a@b"><script>x</script>'),
    ]
    assert node.put(handle, *values)[0] in {200, 201}
    target = f"/{quote(handle, safe='')}?noredirect&lang={language}"
    page = ask_http(port, request("GET", target, Accept="text/html"))
    assert page.status == 200
    text = page.body.decode()
    for tag in ("<script", "<img", "<svg", "onerror=alert(1)>'\""):
        assert tag not in text.lower()
    assert "&lt;script&gt;" in text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "target",
    [
        f"/{PREFIX}/" + quote("<script>alert(1)</script>", safe=""),
        "/" + quote("<script>x</script>", safe=""),
        "/?handle=" + quote("<script>x</script>"),
        "/?lang=%3Cscript%3E",
        "/%3Cscript%3E?noredirect=%3Cscript%3E",
    ],
)
def test_nothing_asked_runs_in_a_page(port, target):
    reply = ask_http(port, request("GET", target, Accept="text/html", Accept_Language="<script>"))
    assert b"<script" not in reply.body.lower()


@pytest.mark.parametrize(
    "handle",
    [
        "//evil.example",
        "/evil.example",
        "/\\evil.example",
        "https://evil.example",
        "\t//evil.example",
        "..//x",
    ],
)
def test_the_form_on_the_front_page_sends_nobody_to_another_site(port, handle):
    reply = ask_http(port, request("GET", "/?handle=" + quote(handle, safe="")))
    location = reply.headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


# --------------------------------------------------------------------------------------------- logins


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic ***",
        "Basic " + "A" * 20_000,
        "Bearer x",
        "Digest username=x",
        "Basic Og==",
        "Basic eA==",
        "Negotiate x",
        basic("300", "x"),
        basic("x:y", "x"),
        basic("300:", "x"),
        basic("-1:0.NA/88.118", "x"),
        basic("99999999999:0.NA/88.118", "x"),
        basic("300:" + "x" * 3000, "x"),
        "Basic Zm9v\u00e9",
    ],
)
def test_a_login_that_cannot_be_one_is_refused_with_a_reason(port, header):
    reply = ask_http(
        port, request("PUT", NEW, b"[]", Authorization=header, Content_Type="application/json")
    )
    assert reply.status in {400, 401, 431}
    assert reply.document["message"]


@pytest.mark.parametrize("secret", ["", "x", "\0"])
@pytest.mark.parametrize(
    "who",
    [
        f"300:0.NA/{PREFIX}",
        f"0:0.NA/{PREFIX}",
        f"1:0.NA/{PREFIX}",
        f"100:0.NA/{PREFIX}",
        f"300:{HIDDEN}9",
    ],
)
def test_an_empty_or_wrong_password_opens_nothing(node, who, secret):
    assert _delete(node, who, secret).status == 401
    assert ask_http(node.http_port, request("GET", f"/api/handles/{GOOD}")).status == 200


_FRESH = iter(range(1, 250))


def _delete(node, who: str, secret: str):
    """From an address of its own, so that no earlier failure slows it down."""
    data = request("DELETE", f"/api/handles/{GOOD}", Authorization=basic(who, secret))
    return ask_http(node.http_port, data, source=f"127.0.9.{next(_FRESH)}")


def test_a_login_that_owns_nothing_may_write_nothing(node):
    """HS_SECKEY of a record is a password, but no right."""
    login = basic(f"300:{HIDDEN}", CANARY)
    reply = ask_http(node.http_port, request("DELETE", f"/api/handles/{GOOD}", Authorization=login))
    assert reply.status == 403
    assert reply.document["responseCode"] == 400


def test_guessing_is_slowed_for_the_guesser_and_for_nobody_else(node):
    guess = request(
        "PUT",
        NEW,
        b"[]",
        Authorization=basic(f"300:0.NA/{PREFIX}", "guess"),
        Content_Type="application/json",
    )
    times_s = []
    for _ in range(6):
        started_s = time.monotonic()
        assert ask_http(node.http_port, guess, source="127.0.10.1").status == 401
        times_s.append(time.monotonic() - started_s)
    assert times_s[5] > 1.5  # 0.1 s, doubled four times
    storm = [threading.Thread(target=_guess, args=(node.http_port, guess)) for _ in range(30)]
    for thread in storm:
        thread.start()
    started_s = time.monotonic()
    assert put(node, b"[" + GOOD_VALUE + b"]", f"/api/handles/{PREFIX}/meanwhile").status == 201
    took_s = time.monotonic() - started_s
    for thread in storm:
        thread.join()
    assert took_s < 3.0  # the guesser waits 3.2 s by now


def _guess(port: int, guess: bytes) -> None:
    with contextlib.suppress(OSError, StopIteration), connect(port, "127.0.10.1") as sock:
        sock.settimeout(3.0)
        sock.sendall(guess)
        next(read_http(sock))


def test_a_password_over_plain_http_from_elsewhere_is_refused_unread():
    """The node's addresses here are loopback, so the peer is put in its place on the level of the handlers."""
    connection = SimpleNamespace(peer=Peer("192.0.2.7", 5, "http", is_loopback=False), is_tls=False)
    headers = {"Authorization": basic(f"300:0.NA/{PREFIX}", "right")}
    asked = Request("PUT", split_target(NEW.encode()), headers, connection, None, None)  # type: ignore[arg-type]
    reply = asyncio.run(Api(None, Config()).need(asked))  # type: ignore[arg-type]  # no service: it is not asked
    assert reply.status == 403
    assert PLAIN_HTTP in json.loads(reply.body)["message"]
    assert "WWW-Authenticate" not in dict(reply.headers)


# ---------------------------------------------------------------------------------------------- batch


def batch(node, body: bytes, **headers: str):
    """The lines of the answer."""
    fields = {
        "Content-Type": "application/x-ndjson",
        "Authorization": node.authorization,
        "Connection": "close",
    }
    data = request("POST", "/api/batch", body, **fields | headers)
    with connect(node.http_port) as sock:
        sock.sendall(data)
        seen = bytearray()
        while piece := sock.recv(65_536):
            seen += piece
    head, _, rest = bytes(seen).partition(b"\r\n\r\n")
    assert b"200 OK" in head, head
    return [json.loads(line) for line in _unchunked(rest).splitlines()]


def _unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + data[:length], data[length + 2 :]
    return body


def row(suffix: str, text: str = "v") -> bytes:
    return (
        json.dumps({"handle": f"{PREFIX}/{suffix}", "values": [value(1, "A", text)]}).encode()
        + b"\n"
    )


def test_an_endless_line_is_one_rejected_row_in_bounded_memory(node):
    before = node.rss_bytes
    *receipts, summary = batch(
        node, row("b1") + b'{"handle":"' + b"x" * 8_000_000 + b"\n" + row("b2")
    )
    assert [receipt["status"] for receipt in receipts] == ["registered", "rejected", "registered"]
    assert summary["rejected"] == 1
    assert node.rss_bytes - before < 12_000_000


BAD_ROWS = [
    b"{\n",
    b"[]\n",
    b"null\n",
    b"\xff\xfe\n",
    b'{"handle":1}\n',
    b'{"handle":""}\n',
    b'{"handle":"88.118/z","values":{}}\n',
    b'{"handle":"88.118/z","operation":"frob","values":[]}\n',
    b'{"handle":"88.118/z","operation":"host","values":[]}\n',
    b"[" * 5000 + b"\n",
    b'{"handle":"99.9/z","values":[{"index":1,"type":"A","data":"x"}]}\n',
    b'{"handle":"88.118/z","values":[{"index":1,"type":"A","data":"\\ud800"}]}\n',
    b'{"handle":"88.118/z","ifVersion":-1,"values":[{"index":1,"type":"A","data":"x"}]}\n',
]


def test_every_bad_row_is_rejected_with_its_reason_and_the_good_ones_between_are_registered(node):
    body = b"".join(bad + row(f"between-{n}") for n, bad in enumerate(BAD_ROWS))
    *receipts, summary = batch(node, body)
    assert [r["status"] for r in receipts] == ["rejected", "registered"] * len(BAD_ROWS)
    assert all(r["message"] for r in receipts[::2])
    assert (summary["registered"], summary["rejected"]) == (len(BAD_ROWS), len(BAD_ROWS))


def test_a_client_that_reads_no_receipts_stops_its_own_intake(node):
    head = request(
        "POST",
        "/api/batch",
        Content_Type="application/x-ndjson",
        Transfer_Encoding="chunked",
        Authorization=node.authorization,
    )
    rows = b"".join(row(f"unread-{n % 50}", "w" * 200) for n in range(500))
    chunk = b"%x\r\n%b\r\n" % (len(rows), rows)
    before, sent = node.rss_bytes, 0
    with connect(node.http_port, "127.0.11.1", receive_bytes=4096) as sock:
        sock.sendall(head)
        sock.settimeout(1.0)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while sent < 400:
                sock.sendall(chunk)
                sent += 1
        assert sent < 400, "the node read 50 MB for a client that reads nothing"
        assert node.rss_bytes - before < 20_000_000
    assert put(node, b"[" + GOOD_VALUE + b"]", f"/api/handles/{PREFIX}/after-unread").status == 201


def test_a_batch_that_breaks_off_keeps_whole_rows_and_no_half_ones(node):
    head = request(
        "POST",
        "/api/batch",
        Content_Type="application/x-ndjson",
        Content_Length="100000",
        Authorization=node.authorization,
    )
    descriptors = node.descriptor_count
    for number in range(20):
        with connect(node.http_port, "127.0.11.2") as sock:
            sock.sendall(head + row(f"broken-{number}") + row(f"half-{number}")[:-10])
            time.sleep(0.05)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert node.settles_at(descriptors)
    for number in range(20):
        half = ask_http(node.http_port, request("GET", f"/api/handles/{PREFIX}/half-{number}"))
        assert half.status == 404


def test_a_batch_that_dawdles_below_a_kilobyte_a_second_is_ended(node):
    head = request(
        "POST",
        "/api/batch",
        Content_Type="application/x-ndjson",
        Content_Length="100000",
        Authorization=node.authorization,
    )
    with connect(node.http_port, "127.0.11.3") as sock:
        started_s = time.monotonic()
        sock.sendall(head + row("dawdle"))
        with contextlib.suppress(OSError):
            while time.monotonic() - started_s < 5:
                sock.sendall(b" ")
                time.sleep(0.05)
        assert time.monotonic() - started_s < 4


def test_one_idempotency_key_with_another_content_is_refused_and_changes_nothing(node):
    target = f"/api/handles/{PREFIX}/once"
    first = put(node, b"[" + GOOD_VALUE + b"]", target, Idempotency_Key="k-1")
    again = put(node, b"[" + GOOD_VALUE + b"]", target, Idempotency_Key="k-1")
    other = put(
        node, b"[" + GOOD_VALUE.replace(b'"x"', b'"y"') + b"]", target, Idempotency_Key="k-1"
    )
    elsewhere = put(node, b"[" + GOOD_VALUE + b"]", target + "2", Idempotency_Key="k-1")
    assert (first.status, other.status, elsewhere.status) == (201, 422, 422)
    assert again.headers["etag"] == first.headers["etag"]
    assert ask_http(node.http_port, request("GET", target + "2")).status == 404
    *receipts, _ = batch(node, row("k1") + row("k2"), Idempotency_Key="k-2")
    *repeated, _ = batch(node, row("k1", "other") + row("k2"), Idempotency_Key="k-2")
    assert [r["status"] for r in repeated] == ["rejected", receipts[1]["status"]]


@pytest.mark.parametrize("key", ["k" * 201, "\t\t\x01", "k\xff"])
def test_a_key_that_is_none_is_refused(node, key):
    data = request(
        "PUT",
        NEW,
        b"[" + GOOD_VALUE + b"]",
        Authorization=node.authorization,
        Content_Type="application/json",
    )
    raw = data.replace(
        b"\r\n\r\n", b"\r\nIdempotency-Key: " + key.encode("latin-1") + b"\r\n\r\n", 1
    )
    reply = ask_http(node.http_port, raw)
    assert reply.status in {400, 201}
    if reply.status == 201:
        ask_http(node.http_port, request("DELETE", NEW, Authorization=node.authorization))


def test_the_honest_client_was_served_all_the_while(honest: HonestClient):
    honest.assert_served()
