"""HTTPS whose certificate changes while it serves: real sockets, real handshakes."""

import asyncio
import itertools
import logging
import os
import shutil
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from node.config_sections import Config
from node.listeners.tls import LOOK_EVERY_S, Certificates
from tests.node.http.certificates import Issued, client_context, issue
from tests.node.http.conftest import Node, make_config, running

GET = b"GET /api/site HTTP/1.1\r\nHost: n\r\n\r\n"


@pytest.fixture
def shown(tmp_path: Path) -> Issued:
    return issue(tmp_path, "first")


def with_certificate(issued: Issued) -> Config:
    config = make_config()
    http = replace(config.http, tls_cert_file=issued.certificate, tls_key_file=issued.key)
    return replace(config, http=http)


async def connect(node: Node) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", node.port, ssl=client_context())


def name_of(writer: asyncio.StreamWriter) -> str:
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der).subject.rfc4514_string()


async def shown_name(node: Node) -> str:
    _, writer = await connect(node)
    name = name_of(writer)
    writer.close()
    return name


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(GET)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    await asyncio.wait_for(reader.readexactly(length), 5)
    return head.startswith(b"HTTP/1.1 ")


_MOMENTS = itertools.count(1e9, 2 * LOOK_EVERY_S)


def renew(node: Node) -> None:
    certificates = node.listener.certificates
    assert certificates is not None
    certificates.look(next(_MOMENTS))


def put_in_place(new: Issued, old: Issued) -> None:
    """As an ACME client does it: written beside, then renamed."""
    for source, target in zip(new, old, strict=True):
        beside = target.with_suffix(".new")
        shutil.copy(source, beside)
        beside.replace(target)


async def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    shown: Issued, tmp_path: Path
):
    async with running(with_certificate(shown)) as node:
        reader, writer = await connect(node)
        assert await answers(reader, writer)
        put_in_place(issue(tmp_path / "new", "second"), shown)
        renew(node)
        assert await shown_name(node) == "CN=second"
        assert name_of(writer) == "CN=first"
        assert await answers(reader, writer)
        writer.close()


async def test_it_is_noticed_without_being_told(shown: Issued, tmp_path: Path):
    async with running(with_certificate(shown)) as node:
        put_in_place(issue(tmp_path / "new", "second"), shown)
        async with asyncio.timeout(10 * LOOK_EVERY_S):
            while await shown_name(node) != "CN=second":
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("harm", ["not-pem", "no-key", "foreign-key", "missing"])
async def test_a_broken_new_certificate_keeps_the_old_one_and_is_told_once(
    shown: Issued, tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str
):
    async with running(with_certificate(shown)) as node:
        new = issue(tmp_path / "new", "second")
        if harm == "not-pem":
            shown.certificate.write_text("nothing")
        elif harm == "no-key":
            shown.key.write_text("nothing")
        elif harm == "foreign-key":
            shutil.copy(new.key, shown.key)  # the certificate is still the old one
        else:
            shown.certificate.unlink()
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                renew(node)
        told = [record for record in caplog.records if "certificate" in record.message]
        assert len(told) == 1
        assert await shown_name(node) == "CN=first"
        put_in_place(new, shown)
        renew(node)
        assert await shown_name(node) == "CN=second"


async def test_a_certificate_of_another_kind_of_key_leaves_nothing_of_the_old_one(
    shown: Issued, tmp_path: Path
):
    """OpenSSL keeps a certificate for each kind of key in one context: who likes the old kind must not get it."""
    async with running(with_certificate(shown)) as node:
        key = rsa.generate_private_key(65537, 2048)
        put_in_place(issue(tmp_path / "new", "second", key), shown)
        renew(node)
        for algorithms in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"):
            context = client_context(version=ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(algorithms)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=context)
            except (ssl.SSLError, ConnectionError):
                assert "ECDSA" in algorithms
                continue
            assert name_of(writer) == "CN=second"
            writer.close()


def test_files_that_have_not_changed_are_not_read_again(shown: Issued):
    certificates = Certificates(*shown)
    for moment in range(10):
        certificates.look(moment * 10.0)
    assert certificates.loaded_count == 1
    os.utime(shown.certificate, (1, 1))
    certificates.look(200.0)
    assert certificates.loaded_count == 2
