"""Every way to hear something from the node: a table. A new interface is a new line of ``INTERFACES``.

``ask(place, asker, handle)`` returns all bytes said about the identifier, headers included, without what differs from
one moment to the next. An interface that shows values must be marked so, or its tests could be blind.
"""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from conformance.native_client import TcpClient
from conformance.native_messages import Fields
from conformance.target import Account
from protocols.handle.administration import HandleRequest, RemoveRequest, ValuesRequest
from protocols.handle.codec import Body
from protocols.handle.codes import OpCode
from protocols.handle.resolution import ResolveRequest
from protocols.values.value import Value
from tests.attacks.attacked_node import AttackedNode, basic
from tests.attacks.native_askers import (
    Say,
    as_sdk,
    by_datagrams,
    encrypted,
    in_session,
    told,
)
from tests.attacks.wire import (
    BUSY,
    BUSY_PAUSE_S,
    PATIENCE_S,
    Reply,
    ask_udp,
    connect,
    message,
    question_body,
    read_message,
    read_reply,
    request,
    udp_socket,
)
from tests.node.http.handle_client import by_secret

PUBL_RECU, RECU_ONLY = 0x1900_0000, 0x1800_0000
CHALLENGE = 402
MOST_RETURNS = 20
"""To a node that is too busy at the moment, as any client."""


class Asker(NamedTuple):
    """Who asks; without a handle, nobody in particular."""

    name: str
    handle: str = ""
    secret: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": basic(f"300:{self.handle}", self.secret)} if self.handle else {}


ANYBODY = Asker("anybody")
STRANGER = Asker("a stranger", "88.118/stranger", "stranger-secret-11")
WRITER = Asker("an administrator who may not read", "88.118/writer", "writer-secret-22")
READER = Asker("an administrator who may read", "88.118/reader", "reader-secret-33")
ASKERS = (ANYBODY, STRANGER, WRITER, READER)

Ask = Callable[[AttackedNode, Asker, str], bytes]


class Interface(NamedTuple):
    name: str
    ask: Ask
    shows: bool = False
    """Whether it shows the values that the asker may see."""
    knows_askers: bool = True
    """Whether it can tell one asker from another; else everybody is asked for as ANYBODY."""
    public_only: bool = False
    """Whether nobody ever sees more than public values there."""
    writes: bool = False
    """Whether it is a change: whoever may make it hears what is in its way."""


# ------------------------------------------------------------------------------------------- HTTP


def http(node: AttackedNode, method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """Everything said to one request on a connection of its own, but for what changes by the second."""
    asked = request(method, target, body, Connection="close", **headers)
    said = _spoken(node, asked)
    for _ in range(MOST_RETURNS):
        if BUSY not in said:
            break
        time.sleep(BUSY_PAUSE_S)
        said = _spoken(node, asked)
    said = re.sub(rb"(?im)^(date|expires|www-authenticate): .*\r\n", b"", said)
    return re.sub(rb'"traceId":"[^"]*"', b"", said)


def _spoken(node: AttackedNode, asked: bytes) -> bytes:
    with connect(node.http_port) as sock:
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


def tunnelled(node: AttackedNode, _: Asker, handle: str) -> bytes:
    """One native question without a login in the body of a POST, for public values and for all."""
    said = []
    for op_flags in (PUBL_RECU, RECU_ONLY):
        asked = message(question_body(handle.encode(), (), ()), op_flags=op_flags)
        told = http(node, "POST", "/", asked, Content_Type="application/x-hdl-message")
        said.append(_said(read_reply(told.partition(b"\r\n\r\n")[2])))
    return b" ".join(said)


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


# ----------------------------------------------------------------------------------------- native


def native(indexes: tuple[int, ...] = (), types: tuple[bytes, ...] = (), **fields: int) -> Ask:
    """One question without a login, over UDP and TCP."""

    def ask(node: AttackedNode, _: Asker, handle: str) -> bytes:
        asked = message(question_body(handle.encode(), indexes, types), **fields)
        with udp_socket(node.native_port) as udp, connect(node.native_port) as tcp:
            replies = [ask_udp(udp, asked)]
            for _ in range(2):
                tcp.sendall(asked)
                replies.append(read_message(tcp))
        return b" ".join(map(_said, replies))

    return ask


def logged_in(op_code: int, make_body: Callable[[bytes], Body], flags: int = RECU_ONLY) -> Ask:
    """One request, its challenge answered with the asker's secret."""

    def ask(node: AttackedNode, asker: Asker, handle: str) -> bytes:
        client = TcpClient("127.0.0.1", node.native_port, PATIENCE_S)
        body, fields = make_body(handle.encode()), Fields(flags=flags)
        try:
            if asker.handle:
                account = Account(asker.handle.encode(), 300, asker.secret.encode())
                raw = client.ask_as(account, op_code, body, fields).raw
            else:
                raw = client.ask(op_code, body, fields).raw
        finally:
            client.close()
        return _said(read_reply(raw))

    return ask


def asked_by(
    say: Say, op_code: int, make_body: Callable[[bytes], Body], flags: int = RECU_ONLY
) -> Ask:
    """One request of the asker's, whoever he is, in that way."""

    def ask(node: AttackedNode, asker: Asker, handle: str) -> bytes:
        name = asker.handle.encode()
        who = Account(name, 300, asker.secret.encode()) if name else None
        return _said(told(say, node.native_port, who, op_code, make_body(handle.encode()), flags))

    return ask


def _said(reply: Reply | None) -> bytes:
    """Code and body; of a challenge its size only, as every one is another."""
    if reply is None:
        return b"silence"
    body = b"%d" % len(reply.body) if reply.response_code == CHALLENGE else reply.body
    return b"%d %b" % (reply.response_code, body)


# ------------------------------------------------------------------------------------------ files


def command(*words: str) -> Ask:
    """What a ``biaojie`` command of anybody says, with ``--server``."""

    def ask(node: AttackedNode, _: Asker, handle: str) -> bytes:
        line = [sys.executable, "-m", "node.cli", *(word.format(handle) for word in words)]
        done = subprocess.run([*line, "--server", node.url], capture_output=True, check=False)
        return done.stdout + done.stderr

    return ask


def metrics(node: AttackedNode, _: Asker, __: str) -> bytes:
    return node.metrics().encode()


def log(node: AttackedNode, _: Asker, __: str) -> bytes:
    return node.log.read_bytes()


def store_file(node: AttackedNode, _: Asker, __: str) -> bytes:
    """Non-public values lie in it sealed."""
    return (node.made.directory / "data" / "data.mdb").read_bytes()


def search_index(node: AttackedNode, _: Asker, __: str) -> bytes:
    """What reverse look-up asks, and what is about to get into it."""
    files = sorted((node.made.directory / "data").glob("search.sqlite*"))
    assert files
    return b"".join(path.read_bytes() for path in files)


def exported(node: AttackedNode, _: Asker, __: str) -> bytes:
    """The operator's export: non-public values stay sealed."""
    path = node.made.directory / "export.jsonl"
    path.unlink(missing_ok=True)
    done = node.run("export", str(path))
    assert done.returncode == 0, done.stderr
    return path.read_bytes()


def feed(node: AttackedNode, _: Asker, __: str) -> bytes:
    """The operator's view of the feed: never a value."""
    return node.run("changes", "--limit", "1000").stdout.encode()


def _whole(handle: bytes) -> Body:
    return ResolveRequest(handle, (), ())


def _nothing(handle: bytes) -> Body:
    return ValuesRequest(handle, (Value(0, "MARK", b"an index that is none"),))


def _index(handle: bytes) -> Body:
    return RemoveRequest(handle, (399,))


def _private_prefix(_: bytes) -> Body:
    return HandleRequest(b"0.NA/88.118.7")


RECORD = "/api/handles/{}"
INTERFACES = (
    Interface("native, public values", native(op_flags=PUBL_RECU), shows=True, knows_askers=False,
              public_only=True),
    Interface("native, all values", native(op_flags=RECU_ONLY), knows_askers=False),
    Interface("native, by index", native((1, 2, 3, 16), op_flags=RECU_ONLY), knows_askers=False),
    Interface("native, by type", native((), (b"MARK",), op_flags=RECU_ONLY), knows_askers=False),
    Interface("native, many flags", native(op_flags=0x3E3F_FFFF), knows_askers=False),
    Interface("native, logged in", logged_in(1, _whole), shows=True),
    Interface("native, logged in, public values", logged_in(1, _whole, PUBL_RECU), shows=True,
              public_only=True),
    Interface("native, in a session", asked_by(in_session, 1, _whole), shows=True),
    Interface("native, encrypted", asked_by(encrypted, 1, _whole), shows=True),
    Interface("native, encrypted, public values", asked_by(encrypted, 1, _whole, PUBL_RECU),
              shows=True, public_only=True),
    Interface("native, SDK login", asked_by(as_sdk, 1, _whole), shows=True),
    Interface("native, by datagrams", asked_by(by_datagrams, 1, _whole)),
    Interface("native create", asked_by(in_session, OpCode.CREATE, _nothing), writes=True),
    Interface("native add", asked_by(as_sdk, OpCode.ADD_VALUE, _nothing), writes=True),
    Interface("native modify", asked_by(encrypted, OpCode.MODIFY_VALUE, _nothing), writes=True),
    Interface("native remove", asked_by(by_datagrams, OpCode.REMOVE_VALUE, _index), writes=True),
    Interface("native delete", logged_in(OpCode.DELETE, HandleRequest), writes=True),
    Interface("native list", logged_in(OpCode.LIST_HANDLES, _private_prefix)),
    Interface("HTTP record", getting(RECORD), shows=True),
    Interface("HTTP record, by proof", by_http_proof, shows=True),
    Interface("HTTP record, again", asked_twice(getting(RECORD)), shows=True),
    Interface("HTTP record, pipelined", pipelined, shows=True),
    Interface("HTTP record, all values", getting(RECORD + "?publicOnly=false")),
    Interface("HTTP record, public only", getting(RECORD + "?publicOnly=true"), shows=True,
              public_only=True),
    Interface("HTTP record, by index", getting(RECORD + "?publicOnly=false&index=1&index=16")),
    Interface("HTTP record, by type", getting(RECORD + "?type=MARK&auth=true&pretty&trace=true")),
    Interface("HTTP record, posted", posted),
    Interface("HTTP record, in a session", in_http_session, shows=True),
    Interface("HTTP record, native in a POST", tunnelled, shows=True, knows_askers=False),
    Interface("HTTP record, head", getting(RECORD, "HEAD")),
    Interface("HTTP record, unless known", getting(RECORD, If_None_Match='"1"')),
    Interface("HTTP proxy, page", getting("/{}?noredirect", Accept="text/html")),
    Interface("HTTP proxy, JSON", getting("/{}?noredirect", Accept="application/json")),
    Interface("HTTP proxy, by index", getting("/{}?noredirect&index=1&index=16&type=MARK")),
    Interface("HTTP proxy, redirect", getting("/{}")),
    Interface("HTTP proxy, locations", getting("/{}?action=showurls")),
    Interface("HTTP proxy, appended", getting("/{}?urlappend=x&locatt=id:0")),
    Interface("HTTP listing", getting("/api/handles?prefix=88.118.7&x={}")),
    Interface("HTTP changes", getting("/api/changes?limit=1000&x={}")),
    Interface("HTTP changes of a prefix", getting("/api/changes?prefix=88.118.7&x={}")),
    Interface("HTTP reverse look-up", getting("/hrls/handles?MARK=mark*")),
    Interface("HTTP reverse look-up, records", getting("/hrls/handles?MARK=*&retrieverecords=true")),
    Interface("HTTP site", getting("/api/site?x={}")),
    Interface("HTTP prefixes", getting("/api/prefixes?x={}")),
    Interface("HTTP put refused", writing("PUT", RECORD + "?overwrite=false"), writes=True),
    Interface("HTTP put at another version", writing("PUT", RECORD), writes=True),
    Interface("HTTP put with a broken body", writing("PUT", RECORD, b'[{"index":'), writes=True),
    Interface("HTTP delete at another version", writing("DELETE", RECORD), writes=True),
    Interface("HTTP delete of an index", writing("DELETE", RECORD + "?index=1"), writes=True),
    Interface("HTTP batch", batch, writes=True),
    Interface("command get", command("get", "{}", "--json"), shows=True, knows_askers=False),
    Interface("metrics", metrics, knows_askers=False),
    Interface("log", log, knows_askers=False),
    Interface("store file", store_file, knows_askers=False),
    Interface("search index", search_index, knows_askers=False),
    Interface("export", exported, knows_askers=False),
    Interface("feed", feed, knows_askers=False),
)  # fmt: skip
