"""HTTPS by a real node with a certificate of its own: reading, logging in, and no talk with what is not TLS."""

import base64
import datetime
import ipaddress
import json
import socket
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node.demo.node_process import NodeProcess

PREFIX = "88.118"
WAIT_S = 15.0


def make_certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = directory / "cert.pem", directory / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    key_file.chmod(0o600)
    return cert_file, key_file


class SecureNode:
    def __init__(self, directory: Path) -> None:
        self.certificate, key = make_certificate(directory)
        self.node = NodeProcess(directory / "node", PREFIX)
        settings = self.node.made.settings
        lines = [
            f'tls_cert_file = "{self.certificate}"' if line.startswith("tls_cert_file") else
            f'tls_key_file = "{key}"' if line.startswith("tls_key_file") else line
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
