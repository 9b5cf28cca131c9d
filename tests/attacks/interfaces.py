"""Every way to hear something from the node: a table. A new interface is a new line of ``INTERFACES``.

``ask(place, asker, handle)`` returns all bytes said about the identifier, headers included, without what differs from
one moment to the next. An interface that shows values must be marked so, or its tests could be blind.
"""

from collections.abc import Callable
from typing import NamedTuple

from click.testing import CliRunner

from conformance.native_client import TcpClient
from conformance.native_messages import Fields
from conformance.target import Account
from node.cli import main
from protocols.handle.administration import HandleRequest, RemoveRequest, ValuesRequest
from protocols.handle.codec import Body
from protocols.handle.codes import OpCode
from protocols.handle.resolution import ResolveRequest
from protocols.values.value import Value
from tests.attacks.askers import Ask, Asker
from tests.attacks.attacked_node import AttackedNode
from tests.attacks.http_askers import (
    RECORD,
    asked_twice,
    batch,
    by_certificate,
    by_forged_certificate,
    by_http_proof,
    getting,
    http,
    in_http_session,
    pipelined,
    posted,
    verified,
    writing,
)
from tests.attacks.native_askers import (
    Say,
    as_sdk,
    by_datagrams,
    encrypted,
    in_session,
    told,
)
from tests.attacks.wire import (
    PATIENCE_S,
    Reply,
    ask_udp,
    connect,
    message,
    patiently,
    question_body,
    read_message,
    read_reply,
    udp_socket,
)

PUBL_RECU, RECU_ONLY = 0x1900_0000, 0x1800_0000
CHALLENGE = 402


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
    over_tls: bool = False
    """Whether it is asked of a node that speaks TLS."""


def tunnelled(node: AttackedNode, _: Asker, handle: str) -> bytes:
    """One native question without a login in the body of a POST, for public values and for all."""
    said = []
    for op_flags in (PUBL_RECU, RECU_ONLY):
        asked = message(question_body(handle.encode(), (), ()), op_flags=op_flags)
        told = http(node, "POST", "/", asked, Content_Type="application/x-hdl-message")
        said.append(_said(read_reply(told.partition(b"\r\n\r\n")[2])))
    return b" ".join(said)


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
        server = f"tcp://127.0.0.1:{node.native_port}" if "--tcp" in words else node.url
        line = [*(word.format(handle) for word in words), "--server", server]
        return patiently(lambda: _run(line))

    return ask


def _run(line: list[str]) -> bytes:
    done = CliRunner().invoke(main, line)
    assert not isinstance(done.exception, Exception), done.exception
    return done.output_bytes


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
    Interface("HTTP record, by certificate", by_certificate, shows=True, over_tls=True),
    Interface("HTTP record, by a forged certificate", by_forged_certificate, knows_askers=False,
              over_tls=True),
    Interface("HTTP record, as a script", getting(RECORD + "?callback=page.shown"), shows=True),
    Interface("HTTP verification", verified, knows_askers=False),
    Interface("command get", command("get", "{}", "--json"), shows=True, knows_askers=False),
    Interface("command resolve", command("resolve", "{}", "--tcp", "--json"), shows=True,
              knows_askers=False),
    Interface("command resolve, over HTTP", command("resolve", "{}", "--http"), shows=True,
              knows_askers=False),
    Interface("metrics", metrics, knows_askers=False),
    Interface("log", log, knows_askers=False),
    Interface("store file", store_file, knows_askers=False),
    Interface("search index", search_index, knows_askers=False),
    Interface("export", exported, knows_askers=False),
    Interface("feed", feed, knows_askers=False),
)  # fmt: skip
