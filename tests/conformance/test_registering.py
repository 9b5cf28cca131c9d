"""Records for checks are made natively, or over HTTP where a node takes no native commands; visits remove them."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from conformance.outcome import Unable
from conformance.registering import Registering
from conformance.target import Account, Target
from conformance.visit import NAME_LEAD, Visit
from protocols.handle.administration import CreateAnswer
from protocols.handle.authentication import Challenge
from protocols.handle.codec import decode, encode
from protocols.handle.replies import error_reply, reply
from protocols.values.value import Value
from tests.conformance.parts import Peer, answering

LATER_S = 2_000_000_000
WHO = Account(b"0.NA/88.118", 300, b"s3cret")
URL = Value(1, "URL", b"https://example.org/")


class Rest(BaseHTTPRequestHandler):
    """Remembers what it is asked."""

    asked: list[tuple[str, str, str, bytes]]

    def _note(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, self.headers["Authorization"], body))
        self.send_response(201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_PUT = do_DELETE = _note  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def rest() -> Iterator[HTTPServer]:
    Rest.asked = []
    server = HTTPServer(("127.0.0.1", 0), Rest)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _refuses(request: bytes) -> bytes:
    return encode(error_reply(decode(request), 5, "no", serial=1, expiration_s=LATER_S))


def _is_busy(request: bytes) -> bytes:
    return encode(error_reply(decode(request), 3, "later", serial=1, expiration_s=LATER_S))


def _challenges(request: bytes) -> bytes:
    body = Challenge(bytes(16))
    return encode(reply(decode(request), 402, body, serial=1, expiration_s=LATER_S, session_id=9))


def _does(request: bytes) -> bytes:
    asked = decode(request)
    made = reply(asked, 1, CreateAnswer(None), serial=1, expiration_s=LATER_S)
    return encode(made._replace(header=made.header._replace(op_code=100)))


def _target(peer: Peer, http_url: str | None = None) -> Target:
    return Target("127.0.0.1", peer.port, http_url, "88.118", WHO)


def test_a_challenged_command_is_answered_and_done() -> None:
    with Peer(answering(_challenges, _does)) as peer:
        hands = Registering(_target(peer))
        hands.create(b"88.118/a", [URL])
        hands.close()


def test_a_node_that_is_too_busy_is_asked_again() -> None:
    with Peer(answering(_is_busy, _challenges, _does)) as peer:
        hands = Registering(_target(peer))
        hands.create(b"88.118/a", [URL])
        hands.close()


def test_a_node_without_native_commands_is_told_over_http(rest: HTTPServer) -> None:
    with Peer(answering(_refuses)) as peer:
        hands = Registering(_target(peer, f"http://127.0.0.1:{rest.server_port}"))
        hands.create(b"88.118/a b", [URL])
        hands.delete(b"88.118/a b")
        hands.close()
    (put, delete) = Rest.asked
    assert put[:2] == ("PUT", "/api/handles/88.118%2Fa%20b")
    assert base64.b64decode(put[2].removeprefix("Basic ")) == b"300%3A0.NA%2F88.118:s3cret"
    (value,) = json.loads(put[3])["values"]
    assert (value["index"], value["type"], value["data"]["value"]) == (
        1, "URL", "https://example.org/",
    )  # fmt: skip
    assert delete[:2] == ("DELETE", "/api/handles/88.118%2Fa%20b")
    assert peer.connections == 1, "asked natively again, though the node had said that it does not"


def test_without_any_way_it_says_so() -> None:
    with Peer(answering(_refuses)) as peer:
        hands = Registering(_target(peer))
        with pytest.raises(Unable, match="RC 5"):
            hands.create(b"88.118/a", [URL])
        hands.close()


def test_a_visit_removes_what_it_made_in_reverse_order() -> None:
    class Hands(Registering):
        def __init__(self) -> None:
            self.log: list[tuple[str, bytes]] = []

        def create(self, name: bytes, values: object) -> None:
            self.log.append(("create", name))

        def delete(self, name: bytes) -> None:
            self.log.append(("delete", name))

    hands = Hands()
    with Visit(Target("h", prefix="88.118", administrator=WHO), hands) as visit:
        first, second = visit.make(URL), visit.make(URL)
        visit.free_name()
    assert hands.log == [
        ("create", first), ("create", second), ("delete", second), ("delete", first),
    ]  # fmt: skip
    assert first.startswith(f"88.118/{NAME_LEAD}".encode())
    assert first != second
