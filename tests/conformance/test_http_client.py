"""What the suite's HTTP client makes of answers: well-formed, cut off, badly framed, late, and over TLS."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.http_client import HttpAnswer, HttpClient
from conformance.http_login import challenge_in
from conformance.outcome import Failed, NotOffered, Unable
from node.free_ports import free_ports
from tests.conformance.parts import Peer
from tests.faulty_peer.credentials import certificate, key_named, server_context

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def _saying(*answers: bytes) -> Callable[[socket.socket], None]:
    """After each read one of these; then the end."""

    def serve(connection: socket.socket) -> None:
        for answer in answers:
            connection.recv(9999)
            connection.sendall(answer)

    return serve


def _listen_only(connection: socket.socket) -> None:
    while connection.recv(9999):
        pass


@contextlib.contextmanager
def _client(peer: Peer, answer_s: float = 5.0) -> Iterator[HttpClient]:
    client = HttpClient(f"http://127.0.0.1:{peer.port}", answer_s)
    try:
        yield client
    finally:
        client.close()


def _ask(*answers: bytes, method: str = "GET") -> HttpAnswer:
    with Peer(_saying(*answers)) as peer, _client(peer) as client:
        return client.ask(method, "/api/site")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"{}"),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: x\r\n\r\n",
            b"abcd",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"{}"),
    ],
)
def test_a_body_ends_where_its_framing_says(answer: bytes, body: bytes) -> None:
    assert _ask(answer).body == body


def test_an_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    assert _ask(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", method="HEAD").body == b""


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "an HTTP answer"),
        (b"HTTP/1.1 2", "an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "a body of 9 bytes"),
        (b"hello\r\n\r\n", "a status line (RFC 9112 §4)"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "a status line (RFC 9112 §4)"),
        (b"HTTP/1.1 200 OK\r\nName : x\r\n\r\n", "header fields 'name: value' (RFC 9112 §5)"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            "one Content-Length that is a number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            "a chunk size (RFC 9112 §7.1)",
        ),
    ],
)
def test_a_bad_answer_is_a_failure_that_says_what_was_expected(
    answer: bytes, expected: str
) -> None:
    with pytest.raises(Failed) as caught:
        _ask(answer)
    assert caught.value.expected == expected


def test_silence_is_a_failure_after_the_patience() -> None:
    with (
        Peer(_listen_only) as peer,
        _client(peer, answer_s=0.05) as client,
        pytest.raises(Failed) as caught,
    ):
        client.ask("GET", "/")
    assert caught.value.came == "silence"


def test_that_nobody_listens_says_nothing_of_the_node() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Unable):
        HttpClient(f"http://127.0.0.1:{port}", 5.0).ask("GET", "/")


def test_a_kept_connection_that_was_closed_is_opened_again_once() -> None:
    with Peer(_saying(OK)) as peer, _client(peer) as client:
        assert [client.ask("GET", "/").status for _ in range(3)] == [200, 200, 200]
        assert client.opened == 3


def test_a_connection_whose_answer_says_close_is_not_used_again() -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with Peer(_saying(closing, OK)) as peer, _client(peer) as client:
        client.ask("GET", "/")
        assert not client.is_open


def test_the_root_may_lie_below_a_path() -> None:
    client = HttpClient("http://node.example:8000/handle/", 5.0)
    assert client.request("GET", "/api/site") == (
        b"GET /handle/api/site HTTP/1.1\r\nHost: node.example:8000\r\n\r\n"
    )


def test_https_trusts_the_named_certificates_and_no_others(tmp_path: Path) -> None:
    pem = certificate(tmp_path, key_named("http client"))
    context = server_context(pem)

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError, OSError):
            secure = context.wrap_socket(connection, server_side=True)
            _saying(OK)(secure)
            secure.close()

    with Peer(serve) as peer:
        url = f"https://127.0.0.1:{peer.port}"
        trusting, strict = HttpClient(url, 5.0, str(pem)), HttpClient(url, 5.0)
        assert trusting.ask("GET", "/").status == 200
        trusting.close()
        with pytest.raises(Unable, match="is not trusted: self-signed certificate"):
            strict.ask("GET", "/")


@pytest.mark.parametrize(
    "lines",
    [
        ('Basic realm="handle"', 'Handle sessionId="s", nonce="AAAA"'),
        ('Basic realm="handle", Handle nonce="AAAA", sessionId="s"',),
        ('Handle version="0", sessionId="s", nonce="AAAA", serverAlg="SHA-256"',),
    ],
)
def test_a_challenge_is_found_among_others_in_one_field_or_several(lines: tuple[str, ...]) -> None:
    answer = HttpAnswer(401, tuple(("WWW-Authenticate", line) for line in lines), b"")
    assert challenge_in(answer) == ("s", bytes(3))


def test_a_401_without_a_challenge_is_told_from_a_broken_one() -> None:
    with pytest.raises(NotOffered):
        challenge_in(HttpAnswer(401, (("WWW-Authenticate", "Basic realm=x"),), b""))
    with pytest.raises(Failed):
        challenge_in(HttpAnswer(401, (("WWW-Authenticate", 'Handle sessionId="s"'),), b""))
