"""Keys and self-signed certificates for faulty peers, made at run time."""

import datetime
import ssl
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from node.upstream.proof import key_pin
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key


@cache
def key_named(name: str) -> rsa.RSAPrivateKey:
    """One key for each name, made once a run."""
    return rsa.generate_private_key(65_537, 2048)


def blob_of(key: rsa.RSAPrivateKey) -> bytes:
    """HS_PUBKEY data."""
    return encode_public_key(key_from_object(key.public_key()))


def pin_text(key: rsa.RSAPrivateKey) -> str:
    """``sha256:HEX``."""
    return "sha256:" + key_pin(key.public_key()).hex()


def certificate(directory: Path, key: rsa.RSAPrivateKey, address: str = "127.0.0.1") -> Path:
    """A self-signed certificate and its key in one PEM file; also usable as ``ca_file``."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "faulty peer")])
    now = datetime.datetime.now(datetime.UTC)  # noqa: TID251
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{key_pin(key.public_key()).hex()[:12]}-{address}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def server_context(path: Path) -> ssl.SSLContext:
    """For ``FaultyPeer(tls=…)``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
