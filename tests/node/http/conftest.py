"""A node's HTTP side in this process: real store, registrar, service and sockets; only the process border is gone."""

import asyncio
import base64
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote

import pytest

from node.clock import read_clocks
from node.config_sections import Config
from node.follower import Follower
from node.http.api import Api
from node.listeners import http
from node.listeners.native import NativeSpeaker
from node.native.office import make_office
from node.proving.authenticator import Authenticator
from node.registrar_wire import (
    FrameBuffer,
    Parcel,
    encode_frame,
    pack_chunk_receipt,
    pack_parcel,
    unpack_chunk,
    unpack_chunk_receipt,
)
from node.server_keys import ServerKeys
from node.service import Service
from node.site import SiteInfo
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome, Receipt
from protocols.values.admin import Admin, encode_admin
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.chunks import ChunkReceipt
from registry.holdings import Holdings
from registry.registrar import MAX_BATCH, Registrar, Submission
from registry.sealing import Sealer
from registry.stores.memory import MemoryStore

PREFIX = "88.118"
ADMIN = (300, f"0.NA/{PREFIX}", "s3cret:with colon")
READER = (301, f"0.NA/{PREFIX}", "reader")
OUTSIDER = (302, f"0.NA/{PREFIX}", "outsider")
OPERATOR_LOGIN = (303, f"0.NA/{PREFIX}", "operator")
SECRET = b"HIDDEN-FROM-EVERYBODY"


class DirectWriter:
    """The registrar without its process: same calls as ``node.writer.Writer``; ``gate`` holds commits back."""

    def __init__(self, registrar: Registrar) -> None:
        self.registrar = registrar
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches: list[int] = []

    async def submit(self, submissions: Sequence[Submission]) -> list[Receipt]:
        await self.gate.wait()
        receipts: list[Receipt] = []
        for start in range(0, len(submissions), MAX_BATCH):
            batch = submissions[start : start + MAX_BATCH]
            self.batches.append(len(batch))
            receipts += self.registrar.commit(batch, 1_700_000_000_000)
        return receipts

    async def carry(self, parcel: Parcel) -> ChunkReceipt:
        await self.gate.wait()
        self.batches.append(parcel.row_count)
        chunk = unpack_chunk(_there_and_back(pack_parcel(parcel)))
        receipt = self.registrar.carry(chunk, 1_700_000_000_000)
        return unpack_chunk_receipt(_there_and_back(pack_chunk_receipt(receipt)))


def _there_and_back(payload: object) -> object:
    """Through a frame, as between the processes."""
    (frame,) = FrameBuffer().receive(encode_frame(1, "any", payload))
    return frame.payload


class Node(NamedTuple):
    port: int
    service: Service
    writer: DirectWriter
    listener: http.HttpListener

    def submit(self, operation: Operation, handle: str, *values: Value, **more: object) -> Receipt:
        command = Command(operation, parse_identifier(handle), values, **more)
        (receipt,) = self.writer.registrar.commit(
            [Submission(OPERATOR, command, "test")], 1_700_000_000_000
        )
        return receipt

    def put(self, handle: str, *values: Value) -> Receipt:
        receipt = self.submit(Operation.PUT, handle, *values)
        assert receipt.outcome is Outcome.SUCCESS, receipt
        return receipt

    async def raw(
        self, data: bytes, timeout_s: float = 5.0, tls: ssl.SSLContext | None = None
    ) -> bytes:
        """Send bytes on a new connection, everything that comes back until it is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls)
        writer.write(data)
        try:
            return await asyncio.wait_for(reader.read(), timeout_s)
        finally:
            writer.close()

    async def ask(
        self, method: str, target: str, body: bytes | object = b"", **headers: str
    ) -> "Response":
        """One request on a connection of its own; a body that is not bytes is sent as JSON."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content_Type", "application/json")
        lines = [f"{method} {target} HTTP/1.1", "Host: node", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body or method in {"PUT", "POST"}:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return read_response(await self.raw(head + body), is_head=method == "HEAD")


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes = b""

    @property
    def json(self) -> dict:
        return json.loads(self.body)


def read_response(data: bytes, *, is_head: bool = False) -> Response:
    """The first response in ``data``; strict about framing."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    assert separator, data
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, _ = first.split(" ", 2)
    assert version == "HTTP/1.1"
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        assert colon, line
        name = name.lower()
        if name == "www-authenticate":  # the one field that may come again, for another scheme
            value = ", ".join(filter(None, (headers.pop(name, ""), value)))
        assert name not in headers, line
        headers[name] = value
    if is_head or int(status) in {204, 304}:
        return Response(int(status), headers, b"", rest)
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            body, tail, rest = body + rest[:length], rest[length : length + 2], rest[length + 2 :]
            assert tail == b"\r\n"
            if not length:
                return Response(int(status), headers, body, rest)
    length = int(headers["content-length"])
    return Response(int(status), headers, rest[:length], rest[length:])


def basic(login: tuple[int, str, str]) -> str:
    index, handle, secret = login
    user = quote(f"{index}:{handle}", safe="")
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def url(text: str, index: int = 1, **more: object) -> Value:
    return Value(index, "URL", text.encode(), **more)


def grant(index: int, permissions: int, admin_index: int) -> Value:
    return Value(index, "HS_ADMIN", encode_admin(Admin(f"0.NA/{PREFIX}", admin_index, permissions)))


def make_config(**limits: object) -> Config:
    config = Config()
    return replace(
        config,
        node=replace(config.node, prefix=PREFIX, admins=(f"303:0.NA/{PREFIX}",)),
        limits=replace(config.limits, **limits),
    )


@contextlib.asynccontextmanager
async def running(
    config: Config | None = None,
    keys: ServerKeys | None = None,
    *,
    speaks: bool = False,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncIterator[Node]:
    """A node with one prefix, its administrators and their passwords.

    ``keys``: by which it proves itself. ``speaks``: native messages in requests are answered. ``sleep``: how those
    who guess are kept waiting.
    """
    config = config or make_config()
    store = MemoryStore(bytes(16))
    sealer = Sealer(bytes(range(64)))
    admins = frozenset(config.node.admins)
    reader = store.reader()
    holdings = Holdings(reader, sealer, admins)
    authenticator = Authenticator(holdings, lambda: read_clocks().monotonic_s, sleep)
    writer = DirectWriter(Registrar(store, sealer, admins))
    service = Service(reader, holdings, writer, Follower(reader), authenticator)
    sock = socket.create_server(("127.0.0.1", 0))
    speaker = None
    if speaks:
        site = SiteInfo(reader, PREFIX)
        speaker = NativeSpeaker(service, site, make_office(service, site, keys))
    api = Api(service, config, None, keys, speaker)
    listener = await http.start(service, [sock], config, api=api)
    node = Node(sock.getsockname()[1], service, writer, listener)
    try:
        secrets = [
            Value(index, "HS_SECKEY", secret.encode(), permissions=SECRET_PERMISSIONS)
            for index, _, secret in (ADMIN, READER, OUTSIDER, OPERATOR_LOGIN)
        ]
        rights = grant(100, 0x0FFF, 300), grant(101, 0x0800, 301)
        hosted = node.submit(Operation.HOST, f"0.NA/{PREFIX}", *rights, *secrets)
        assert hosted.outcome is Outcome.SUCCESS, hosted
        yield node
    finally:
        await listener.close(0)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with running() as node:
        yield node
