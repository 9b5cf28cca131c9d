"""HTTPS by a real node with a certificate of its own: reading, logging in, and no talk with what is not TLS."""

import base64
import json
import os
import signal
import socket
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509

from node.demo.node_process import NodeProcess
from node.listeners.tls import LOOK_EVERY_S
from tests.node.http.certificates import Issued, client_context, issue
from tests.node.processes import until

PREFIX = "88.118"
WAIT_S = 15.0


class SecureNode:
    def __init__(self, directory: Path) -> None:
        self.certificate, self.key = issue(directory, "node")
        self.node = NodeProcess(directory / "node", PREFIX)
        settings = self.node.made.settings
        lines = [
            f'tls_cert_file = "{self.certificate}"' if line.startswith("tls_cert_file") else
            f'tls_key_file = "{self.key}"' if line.startswith("tls_key_file") else line
            for line in settings.read_text().splitlines()
        ]  # fmt: skip
        settings.write_text("\n".join(lines))
        self.port = int(self.node.url.rpartition(":")[2])

    def ask(self, request: bytes, context: ssl.SSLContext | None = None) -> bytes:
        context = context or ssl.create_default_context(cafile=str(self.certificate))
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        with raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
            secure.sendall(request)
            answer = b""
            while data := secure.recv(65_536):
                answer += data
            return answer


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    node = SecureNode(tmp_path_factory.mktemp("tls"))
    node.node.start()
    yield node
    node.node.stop()


def get(handle: str) -> bytes:
    return f"GET /api/handles/{handle} HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.process
def test_a_record_is_put_with_a_password_and_read_over_https(secure):
    index, _, handle = secure.node.made.administrator.partition(":")
    user = quote(f"{index}:{handle}", safe="")
    login = base64.b64encode(f"{user}:{secure.node.made.secret.read_text().strip()}".encode())
    body = json.dumps({"index": 1, "type": "URL", "data": "https://example.org/"}).encode()
    head = (
        f"PUT /api/handles/{PREFIX}/tls HTTP/1.1\r\nHost: n\r\nConnection: close\r\n"
        f"Authorization: Basic {login.decode()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    assert secure.ask(head.encode() + body).startswith(b"HTTP/1.1 201 ")
    answer = secure.ask(get(f"{PREFIX}/tls"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"https://example.org/" in answer


@pytest.mark.process
def test_old_tls_and_plain_http_get_no_answer(secure):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secure.ask(get(f"{PREFIX}/tls"), old)
    with socket.create_connection(("127.0.0.1", secure.port), timeout=WAIT_S) as plain:
        plain.sendall(get(f"{PREFIX}/tls"))
        assert b"HTTP/1.1 200" not in plain.recv(4096)
    assert secure.ask(get(f"{PREFIX}/nothing")).startswith(b"HTTP/1.1 404 ")


def connect(secure: SecureNode) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", secure.port), timeout=WAIT_S)
    return client_context().wrap_socket(raw)


def shown_name(secure: SecureNode) -> str:
    with connect(secure) as client:
        der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).subject.rfc4514_string()


def put_in_place(new: Issued, secure: SecureNode) -> None:
    """Written beside, then renamed: the key first, as a certificate without its key is the likelier mishap."""
    for source, target in ((new.key, secure.key), (new.certificate, secure.certificate)):
        beside = target.with_suffix(".new")
        beside.write_bytes(source.read_bytes())
        beside.chmod(0o600)
        beside.replace(target)


@pytest.mark.process
def test_a_renewed_certificate_is_taken_over_by_itself_and_by_a_reload(secure, tmp_path):
    original = Issued(secure.certificate.read_bytes(), secure.key.read_bytes())
    with connect(secure) as kept:
        put_in_place(issue(tmp_path / "a", "by-itself"), secure)
        until(lambda: shown_name(secure) == "CN=by-itself", 15 * LOOK_EVERY_S)
        kept.sendall(get(f"{PREFIX}/nothing"))
        assert kept.recv(4096).startswith(b"HTTP/1.1 404 "), "who was there goes on"
    put_in_place(issue(tmp_path / "b", "by-reload"), secure)
    os.kill(secure.node.pid, signal.SIGHUP)
    until(lambda: shown_name(secure) == "CN=by-reload")
    secure.key.write_text("nothing")
    os.kill(secure.node.pid, signal.SIGHUP)
    until(lambda: "settings not reloaded" in secure.node.log.read_text())
    assert shown_name(secure) == "CN=by-reload", "a broken key leaves everything as it was"
    secure.certificate.write_bytes(original.certificate)
    secure.key.write_bytes(original.key)
    until(lambda: shown_name(secure) == "CN=node", 15 * LOOK_EVERY_S)
