"""Certificates for tests: of the node, and of clients."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Issued(NamedTuple):
    certificate: Path
    key: Path


def issue(
    directory: Path,
    name: str,
    key: PrivateKey | None = None,
    years: tuple[int, int] = (2020, 2099),
    attribute: ObjectIdentifier = NameOID.COMMON_NAME,
    stem: str = "cert",
) -> Issued:
    """A self-signed certificate for ``name``, also good for 127.0.0.1."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(attribute, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(years[0], 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(years[1], 1, 1, tzinfo=datetime.UTC))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    directory.mkdir(exist_ok=True)
    issued = Issued(directory / f"{stem}.pem", directory / f"{stem}.key")
    issued.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    issued.key.chmod(0o600)
    return issued


def client_context(
    trusted: Path | None = None,
    shown: Issued | None = None,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    """A client's TLS: whom it trusts (None = anybody), which certificate it shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    if trusted is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context.load_verify_locations(trusted)
    if shown is not None:
        context.load_cert_chain(*shown)
    return context


def issue_below_authority(directory: Path) -> tuple[Path, Issued]:
    """The certificate of an authority, and one below it that is good for 127.0.0.1 only (RFC 5280 §4.2.1)."""
    directory.mkdir(exist_ok=True)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    own_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    rights = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    authority = (
        _below("authority", "authority", authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(rights, True)
        .add_extension(own_id, False)
        .sign(authority_key, hashes.SHA256())
    )
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_id)
    certificate = (
        _below("node", "authority", key)
        .add_extension(x509.SubjectAlternativeName([address]), False)
        .add_extension(signer, False)
        .sign(authority_key, hashes.SHA256())
    )
    issued = Issued(directory / "node.pem", directory / "node.key")
    issued.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    issued.key.chmod(0o600)
    trusted = directory / "authority.pem"
    trusted.write_bytes(authority.public_bytes(Encoding.PEM))
    return trusted, issued


def _below(name: str, issuer: str, key: PrivateKey) -> x509.CertificateBuilder:
    subject, signer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer)
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC))
    )
