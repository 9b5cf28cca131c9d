"""Secrets: whatever is asked, by whomever, in whatever form, no HS_SECKEY is ever in what the node says or writes."""

import base64
import http.client
import json
from urllib.parse import quote

import pytest

from tests.attacks.attacked_node import CANARY, GOOD, HIDDEN, PREFIX, attacked, basic, value
from tests.attacks.honest import HonestClient
from tests.attacks.wire import (
    PUBL,
    RRDG,
    ask_tcp,
    ask_udp,
    connect,
    message,
    question_body,
    request,
    udp_socket,
)

HAS_NODE = True
pytestmark = pytest.mark.process

GUESS = "guess-51c9-typed-by-somebody"
"""A wrong password; it may be a right one elsewhere, so it is a secret, too."""
HANDLES = (HIDDEN, HIDDEN.upper(), PREFIX, f"0.NA/{PREFIX}", GOOD)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Says everything it ever says in its log."""
    with attacked(tmp_path_factory.mktemp("talkative"), level="debug") as node:
        yield node


@pytest.fixture(scope="module")
def forbidden(node) -> list[bytes]:
    """The secrets in every spelling."""
    found = []
    key = (node.made.directory / "keys/node.key").read_text().strip()
    for secret in (CANARY, node.secret, GUESS, key):
        raw = secret.encode()
        spelled = {raw, raw.hex().encode(), base64.b64encode(raw), quote(secret, safe="").encode()}
        found += [*spelled, raw[: len(raw) * 2 // 3]]
    found += [node.authorization.partition(" ")[2].encode()]
    return found


def assert_silent(said: bytes, forbidden: list[bytes]) -> None:
    assert said
    for secret in forbidden:
        assert secret not in said


def test_no_native_answer_has_a_secret(node, forbidden):
    selections = [
        ([], []),
        ([300], []),
        ([], [b"HS_SECKEY"]),
        ([], [b"HS_"]),
        ([], [b"HS_SECKEY."]),
        ([1, 300], []),
    ]
    with udp_socket(node.native_port) as udp, connect(node.native_port) as tcp:
        for handle in HANDLES:
            for indexes, types in selections:
                for flags in (0x19000000, 0x18000000, 0, 0xFFFFFFFF, 0x98000000 | RRDG):
                    asked = message(question_body(handle.encode(), indexes, types), op_flags=flags)
                    for reply in (ask_udp(udp, asked), ask_tcp(tcp, asked)):
                        assert reply is not None
                        assert_silent(bytes(reply.body) + b"!", forbidden)
                        assert reply.response_code != 402 or not flags & PUBL, (
                            "a challenge for nothing"
                        )


def everything_said(node, method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """Status line apart, all the bytes of an answer."""
    with connect(node.http_port) as sock:
        sock.sendall(request(method, target, body, Connection="close", **headers))
        said = bytearray()
        while piece := sock.recv(65_536):
            said += piece
    return bytes(said)


TARGETS = [
    form.format(quote(handle, safe="/"))
    for handle in HANDLES
    for form in (
        "/api/handles/{}", "/api/handles/{}?publicOnly=false", "/api/handles/{}?publicOnly=false&index=300",
        "/api/handles/{}?type=HS_SECKEY", "/api/handles/{}?auth=true&pretty", "/api/handles/{}?index=300&index=1",
        "/{}?noredirect", "/{}?noredirect&index=300", "/{}?type=HS_SECKEY", "/{}",
    )
] + ["/", "/api/site", "/api/openapi.json", "/api/changes", "/api/handles?prefix=88.118", "/api/nothing"]  # fmt: skip


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_no_anonymous_http_answer_has_a_secret(node, forbidden, accept):
    for target in TARGETS:
        assert_silent(everything_said(node, "GET", target, Accept=accept), forbidden)


def test_errors_do_not_repeat_passwords_or_bodies_with_secrets(node, forbidden):
    login = basic(f"300:0.NA/{PREFIX}", GUESS)
    body = json.dumps(
        [value(300, "HS_SECKEY", GUESS), value(300, "HS_SECKEY", {"format": "hex", "value": GUESS})]
    )
    broken = ('[{"index":1,"type":"HS_SECKEY","data":"' + GUESS).encode()
    said = everything_said(node, "PUT", f"/api/handles/{GOOD}", body.encode(), Authorization=login)
    for sent in (body.encode(), broken):
        fields = {"Content_Type": "application/json", "Authorization": node.authorization}
        said += everything_said(node, "PUT", f"/api/handles/{PREFIX}/s", sent, **fields)
        fields["Content_Type"] = "application/x-ndjson"
        said += everything_said(node, "POST", "/api/batch", sent + b"\n", **fields)
    for header in ("Basic " + GUESS, "Bearer " + GUESS, GUESS):
        said += everything_said(node, "GET", f"/api/handles/{HIDDEN}", Authorization=header)
    assert_silent(said, forbidden)


def test_the_feed_shows_that_a_secret_changed_and_not_which(node, forbidden):
    node.put(
        f"{PREFIX}/feed", value(1, "A", "v"), value(300, "HS_SECKEY", CANARY, permissions="1100")
    )
    login = {"Authorization": node.authorization}
    said = everything_said(node, "GET", "/api/changes?limit=1000", **login)
    assert f"{PREFIX}/FEED".encode() in said.upper()
    assert_silent(said, forbidden)
    assert_silent(everything_said(node, "GET", "/api/handles?prefix=88.118", **login), forbidden)


def test_an_authorised_reader_does_see_it_so_that_these_tests_are_not_blind(node):
    login = {"Authorization": node.authorization}
    assert CANARY.encode() in everything_said(node, "GET", f"/api/handles/{HIDDEN}", **login)


def test_an_authorised_answer_is_kept_by_no_cache_and_shown_to_nobody_after(node, forbidden):
    login = {"Authorization": node.authorization}
    seen = everything_said(node, "GET", f"/api/handles/{HIDDEN}", **login)
    assert b"Cache-Control: private, no-cache" in seen
    for _ in range(3):
        assert_silent(everything_said(node, "GET", f"/api/handles/{HIDDEN}"), forbidden)
    tag = (
        next(line for line in seen.split(b"\r\n") if line.startswith(b"ETag: "))
        .partition(b" ")[2]
        .decode()
    )
    assert_silent(
        everything_said(node, "GET", f"/api/handles/{HIDDEN}", If_None_Match=tag), forbidden
    )


def test_no_page_of_the_operations_port_has_a_secret(node, forbidden):
    port = int(node.operations_url.rpartition(":")[2])
    for path in ("/metrics", "/health", "/ready", "/version", "/nothing"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        assert_silent(connection.getresponse().read(), forbidden)
        connection.close()


def test_metrics_have_no_identifier_and_no_address_in_their_labels(node):
    labels = "".join(line for line in node.metrics().splitlines() if not line.startswith("#"))
    assert "127.0.0." not in labels
    assert PREFIX not in labels


def test_the_log_has_no_secret_after_all_of_this(node, forbidden):
    assert_silent(node.log.read_bytes(), forbidden)


def test_the_store_on_disk_has_the_secret_only_sealed(node):
    data = b"".join(path.read_bytes() for path in (node.made.directory / "data").glob("*.mdb"))
    assert b"https://example.com/hidden" in data
    assert CANARY.encode() not in data
    assert node.secret.encode() not in data


def test_the_honest_client_was_served_all_the_while(honest: HonestClient):
    honest.assert_served()
