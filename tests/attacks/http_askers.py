"""The ways to ask over HTTP: plain, logged in, in sessions, pipelined, by certificates, and changes that must fail."""

import contextlib
import hmac
import json
import re
import socket
import ssl
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.asymmetric import ec

from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.value import Value
from tests.attacks.askers import ASKERS, READER, Ask, Asker
from tests.attacks.attacked_node import AttackedNode
from tests.attacks.wire import connect, patiently, request
from tests.node.http.certificates import client_context, issue
from tests.node.http.handle_client import CNONCE, b64, by_secret

RECORD = "/api/handles/{}"


def http(node: AttackedNode, method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """Everything said to one request on a connection of its own, but for what changes by the second."""
    return _exchanged(partial(connect, node.http_port), method, target, body, **headers)


def _exchanged(
    dial: Callable[[], socket.socket], method: str, target: str, body: bytes = b"", **headers: str
) -> bytes:
    asked = request(method, target, body, Connection="close", **headers)
    said = patiently(lambda: _spoken(dial, asked))
    said = re.sub(rb"(?im)^(date|expires|www-authenticate): .*\r\n", b"", said)
    return re.sub(rb'"traceId":"[^"]*"', b"", said)


def _spoken(dial: Callable[[], socket.socket], asked: bytes) -> bytes:
    with dial() as sock:
        sock.sendall(asked)
        said = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65_536):
                said += piece
    return bytes(said)


def getting(form: str, method: str = "GET", **headers: str) -> Ask:
    """``form`` has ``{}`` where the identifier goes."""

    def ask(node: AttackedNode, asker: Asker, handle: str) -> bytes:
        target = form.format(quote(handle, safe="/"))
        return http(node, method, target, **headers, **asker.headers)

    return ask


def posted(node: AttackedNode, asker: Asker, handle: str) -> bytes:
    """A question whose parameters come in the body."""
    headers = {"Content_Type": "application/x-www-form-urlencoded", **asker.headers}
    return http(
        node, "POST", RECORD.format(quote(handle, safe="/")), b"publicOnly=false", **headers
    )


def in_http_session(node: AttackedNode, asker: Asker, handle: str) -> bytes:
    """Asked by whoever has logged in to a session before."""
    headers = {}
    if asker.handle:
        begun = re.search(
            rb'"sessionId":"(\w+)"', http(node, "POST", "/api/sessions", **asker.headers)
        )
        assert begun is not None
        headers = {"Authorization": f'Handle sessionId="{begun[1].decode()}"'}
    return http(node, "GET", RECORD.format(quote(handle, safe="/")), **headers)


def by_http_proof(node: AttackedNode, asker: Asker, handle: str) -> bytes:
    """Asked with a proof of the asker's secret instead of the secret (``Authorization: Handle``)."""
    headers = {}
    if asker.handle:
        begun = http(node, "POST", "/api/sessions").partition(b"\r\n\r\n")[2]
        login = (300, asker.handle, asker.secret)
        headers = {"Authorization": by_secret(login, json.loads(begun), "HMAC-SHA256")}
    return http(node, "GET", RECORD.format(quote(handle, safe="/")), **headers)


def asked_twice(ask: Ask) -> Ask:
    """The second answer may come from something kept."""

    def again(node: AttackedNode, asker: Asker, handle: str) -> bytes:
        return b"".join(ask(node, asker, handle) for _ in range(3))

    return again


def pipelined(node: AttackedNode, asker: Asker, handle: str) -> bytes:
    """Several requests in one piece, which the shortest path answers."""
    one = request("GET", "/api/handles/" + quote(handle, safe="/"), b"", **asker.headers)
    last = request("GET", "/api/nothing", b"", Connection="close")
    with connect(node.http_port) as sock:
        sock.sendall(one * 3 + last)
        said = bytearray()
        while piece := sock.recv(65_536):
            said += piece
    return re.sub(rb"(?im)^(date|expires|www-authenticate): .*\r\n", b"", bytes(said))


def writing(method: str, form: str, body: bytes = b"[]") -> Ask:
    """A change that must fail for everybody, and may not say what was there."""

    def ask(node: AttackedNode, asker: Asker, handle: str) -> bytes:
        headers = {"Content_Type": "application/json", "If_Match": '"999"', **asker.headers}
        return http(node, method, form.format(quote(handle, safe="/")), body, **headers)

    return ask


def batch(node: AttackedNode, asker: Asker, handle: str) -> bytes:
    """Rows that must fail for everybody, each in its own way."""
    value = {"index": 1, "type": "URL", "data": "https://example.com/batch"}
    rows: list[dict[str, object]] = [
        {"handle": handle, "values": [value], "ifVersion": 999},
        {"handle": handle, "values": [value], "overwrite": False, "ifVersion": 999},
        {"handle": handle, "operation": "delete", "ifVersion": 999},
        {"handle": handle, "operation": "modify", "values": [{**value, "index": 99}]},
    ]
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    headers = {"Content_Type": "application/x-ndjson", **asker.headers}
    return http(node, "POST", "/api/batch", body, **headers)


# ---------------------------------------------------------------------------------------------- TLS


CERTIFIED = 301
"""Where the keys of certificates stand in the askers' records."""
_KEYS = {asker.handle: ec.generate_private_key(ec.SECP256R1()) for asker in ASKERS if asker.handle}


def key_value(asker: Asker) -> Value:
    """HS_PUBKEY of the asker's certificate."""
    public = key_from_object(_KEYS[asker.handle].public_key())
    return Value(CERTIFIED, "HS_PUBKEY", encode_public_key(public))


def by_certificate(node: AttackedNode, asker: Asker, handle: str) -> bytes:
    """Asked over TLS, by the certificate of the asker's own key."""
    if not asker.handle:
        return _over_tls(node, client_context(), handle, {})
    return _certified(node, handle, asker, is_forged=False)


def by_forged_certificate(node: AttackedNode, _: Asker, handle: str) -> bytes:
    """By a certificate that names who may read, with a key that is not his."""
    return _certified(node, handle, READER, is_forged=True)


def _certified(node: AttackedNode, handle: str, named: Asker, *, is_forged: bool) -> bytes:
    context = _context(node.made.directory / "clients", named, is_forged)
    return _over_tls(node, context, handle, {"Authorization": 'Handle clientCert="true"'})


@cache
def _context(directory: Path, named: Asker, is_forged: bool) -> ssl.SSLContext:
    key = None if is_forged else _KEYS[named.handle]
    stem = f"{named.handle.replace('/', '-')}-{is_forged}"
    return client_context(shown=issue(directory, f"{CERTIFIED}:{named.handle}", key, stem=stem))


def _over_tls(
    node: AttackedNode, context: ssl.SSLContext, handle: str, headers: dict[str, str]
) -> bytes:
    def dial() -> socket.socket:
        return context.wrap_socket(connect(node.http_port), server_hostname="127.0.0.1")

    return _exchanged(dial, "GET", RECORD.format(quote(handle, safe="/")), **headers)


# ------------------------------------------------------------------------------------ verifications


_guessers = count(1)


def verified(node: AttackedNode, asker: Asker, handle: str) -> bytes:
    """What other nodes are told of a proof by the secret of ``handle``, made with the asker's secret or a guess.

    Each is asked for from an address of its own, as a guesser with many would: wrong ones slow an address down.
    """
    number = next(_guessers)
    address = f"127.7.{number >> 8}.{number & 255}"
    nonce, secret = bytes(range(16)), (asker.secret or "guess").encode()
    proof = hmac.digest(secret, nonce + CNONCE, "sha256")
    fields = {"nonce": nonce, "cnonce": CNONCE, "signature": proof}
    query = urlencode({name: b64(data) for name, data in fields.items()} | {"alg": "HMAC-SHA256"})
    target = f"/api/verifications/300:{quote(handle, safe='/')}?{query}"
    return _exchanged(partial(connect, node.http_port, address), "GET", target)
