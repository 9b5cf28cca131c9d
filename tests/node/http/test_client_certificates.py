"""Logging in with a certificate: self-signed ones count by the key that is registered, all others say why not."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from node.config_sections import Config
from node.listeners.tls import MAX_CERTIFICATE_BYTES, client_certificate
from protocols.message import Operation, Outcome
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.value import Value
from tests.node.http.certificates import Issued, client_context, issue
from tests.node.http.conftest import ADMIN, Node, Response, basic, grant, make_config, read_response
from tests.node.http.conftest import running as running_node
from tests.node.http.handle_client import by_secret, challenged, handle

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
KEYS = {401: RSA, 402: EC}
NAME = "0.NA/88.118"
CERT = handle(clientCert="true")
RECORD = "/api/handles/88.118/1"
BODY = b'{"index": 1, "type": "URL", "data": "https://a.cn/"}'


def secured(directory: Path, *, asks_clients: bool = True) -> Config:
    issued = issue(directory, "node", stem="node")
    config = make_config()
    http = replace(
        config.http,
        tls_cert_file=issued.certificate,
        tls_key_file=issued.key,
        client_certificates=asks_clients,
    )
    return replace(config, http=http)


def allow(node: Node) -> None:
    values = [
        Value(index, "HS_PUBKEY", encode_public_key(key_from_object(key.public_key())))
        for index, key in KEYS.items()
    ]
    rights = [grant(index + 100, 0x0FFF, index) for index in KEYS]
    receipt = node.submit(Operation.ADD, NAME, *values, *rights)
    assert receipt.outcome is Outcome.SUCCESS, receipt


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running_node(secured(tmp_path)) as node:
        allow(node)
        yield node


async def put(
    node: Node,
    shown: Issued | None,
    authorization: str = CERT,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    target: str = RECORD,
    method: str = "PUT",
) -> Response:
    body = b"" if target.startswith("/api/sessions") else BODY
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: n\r\nConnection: close\r\nAuthorization: {authorization}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    context = client_context(shown=shown, version=version)
    return read_response(await node.raw(head.encode() + body, tls=context))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("index", KEYS)
@pytest.mark.parametrize("attribute", [NameOID.COMMON_NAME, NameOID.USER_ID])
async def test_a_self_signed_certificate_with_the_registered_key_logs_in(
    node, tmp_path, version, index, attribute
):
    shown = issue(tmp_path, f"{index}:{NAME}", KEYS[index], attribute=attribute)
    response = await put(node, shown, version=version)
    assert response.status == 201, response
    assert (await put(node, shown, target="/api/sessions/this", method="GET")).json["id"] == (
        f"{index}:{NAME}"
    )


REFUSED = {
    "foreign-key": (f"401:{NAME}", rsa.generate_private_key(65537, 2048), (2020, 2099), "not the HS_PUBKEY"),
    "key-of-another-index": (f"402:{NAME}", RSA, (2020, 2099), "not the HS_PUBKEY"),
    "no-such-value": (f"499:{NAME}", RSA, (2020, 2099), "not the HS_PUBKEY"),
    "a-secret-at-that-index": (f"300:{NAME}", RSA, (2020, 2099), "not the HS_PUBKEY"),
    "quotes-and-blanks": ('401:88.118/a"b\\c\td é\n', RSA, (2020, 2099), "not the HS_PUBKEY"),
    "no-such-handle": ("401:88.118/nobody", RSA, (2020, 2099), "not the HS_PUBKEY"),
    "expired": (f"401:{NAME}", RSA, (2001, 2002), "expired at 2002-01-01"),
    "not-yet-valid": (f"401:{NAME}", RSA, (2098, 2099), "not valid before 2098-01-01"),
    "names-nobody": ("Factory One", RSA, (2020, 2099), "neither UID nor CN is index:handle"),
    "index-of-none": (f"2147483648:{NAME}", RSA, (2020, 2099), "neither UID nor CN is index:handle"),
    "no-handle": ("401:", RSA, (2020, 2099), "identifier: empty"),
    "index-0": (f"0:{NAME}", RSA, (2020, 2099), "neither UID nor CN is index:handle"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_any_other_certificate_is_refused_in_words(node, tmp_path, case):
    name, key, years, words = REFUSED[case]
    response = await put(node, issue(tmp_path, name, key, years))
    assert response.status == 401, response
    assert words in response.json["message"]
    assert words in challenged(response)["error"]


async def test_without_a_certificate_there_is_none_to_log_in_with(node):
    response = await put(node, None)
    assert response.status == 401
    assert "none came" in response.json["message"]
    assert (await put(node, None, basic(ADMIN))).status == 201, "clients without one are served"


async def test_a_certificate_counts_only_when_the_client_says_so(node, tmp_path):
    shown = issue(tmp_path, f"401:{NAME}", RSA)
    for silent in (handle(version="0"), handle(clientCert="false")):
        assert (await put(node, shown, silent)).status == 401
    wrong = basic((300, NAME, "wrong"))
    assert (await put(node, shown, wrong)).status == 401, "a wrong password is not made up for"


async def test_a_proof_goes_before_the_certificate(node, tmp_path):
    stranger = issue(tmp_path, "401:88.118/nobody", RSA)
    begun = await put(node, stranger, handle(version="0"), target="/api/sessions", method="POST")
    proof = by_secret(ADMIN, begun.json, "HMAC-SHA256") + ', clientCert="true"'
    assert (await put(node, stranger, proof)).status == 201


async def test_a_session_remembers_who_the_certificate_was(node, tmp_path):
    shown = issue(tmp_path, f"402:{NAME}", EC)
    begun = await put(node, shown, CERT, target="/api/sessions", method="POST")
    assert begun.status == 201
    assert begun.json["id"] == f"402:{NAME}"
    alone = handle(sessionId=begun.json["sessionId"])
    assert (await put(node, None, alone)).status == 201


async def test_where_no_certificates_are_asked_for_none_counts(tmp_path):
    async with running_node(secured(tmp_path, asks_clients=False)) as node:
        allow(node)
        response = await put(node, issue(tmp_path, f"401:{NAME}", RSA))
        assert response.status == 401
        assert "none came" in response.json["message"]


async def test_a_renewed_server_certificate_still_asks_clients(node, tmp_path):
    certificates = node.listener.certificates
    issue(tmp_path, "renewed", stem="node")
    certificates.look(1e9)
    assert certificates.loaded_count == 2
    assert (await put(node, issue(tmp_path, f"401:{NAME}", RSA))).status == 201


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_resumed_connection_is_still_that_of_the_certificate(node, tmp_path, version):
    context = client_context(shown=issue(tmp_path, f"401:{NAME}", RSA), version=version)
    ask = f"GET /api/sessions/this HTTP/1.1\r\nHost: n\r\nConnection: close\r\nAuthorization: {CERT}\r\n\r\n"

    def talk(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None, bytes]:
        raw = socket.create_connection(("127.0.0.1", node.port), timeout=5)
        with context.wrap_socket(raw, session=session) as client:
            client.sendall(ask.encode())
            said = b""
            while data := client.recv(65_536):
                said += data
            return client.session, client.session_reused, said

    session, _, first = await asyncio.to_thread(talk, None)
    _, was_resumed, second = await asyncio.to_thread(talk, session)
    assert was_resumed
    for said in (first, second):
        assert f'"id":"401:{NAME}"'.encode() in said


@pytest.mark.parametrize(
    ("message", "is_tls13", "der"),
    [
        (b"\x0b\0\0\7" + b"\0\0\4" + b"\0\0\1" + b"C", False, b"C"),
        (b"\x0b\0\0\x0c" + b"\2ab" + b"\0\0\6" + b"\0\0\1" + b"C" + b"\0\0", True, b"C"),
        (b"\x0b\0\0\4" + b"\0" + b"\0\0\0", True, b""),
        (b"\x0b\0\0\3" + b"\0\0\0", False, b""),
        (b"\x0b\0\0\7" + b"\0\0\4" + b"\0\0\2" + b"C", False, b""),
        (b"\x0b", True, b""),
        (b"", False, b""),
        (b"\x0b\0\0\0\0\0\0" + (MAX_CERTIFICATE_BYTES + 1).to_bytes(3) + bytes(20_000), False, b""),
    ],
)
def test_the_first_certificate_of_a_message_is_found_or_none(message, is_tls13, der):
    assert client_certificate(message, is_tls13=is_tls13) == der
