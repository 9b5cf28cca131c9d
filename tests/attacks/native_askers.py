"""The native ways to say who is asking: in a session, encrypted, as the national SDK, by datagrams."""

from collections.abc import Callable

from conformance.native_client import Client, TcpClient, UdpClient
from conformance.native_messages import Exchange, Fields
from conformance.native_session import GROUP_2048, Session, open_session
from conformance.target import Account
from protocols.handle.authentication import LoginRequest
from protocols.handle.codec import Body, encode
from protocols.handle.codes import PUBL, RRDG, OpCode
from tests.attacks.wire import PATIENCE_S, Reply, read_reply

Say = Callable[[Client, Account | None, int, Body, int], Exchange]
"""(client, who is asking, op code, body, op flags) to what came last."""
SDK_ID = 10_001
_sessions: dict[tuple[int, Account | None], Session] = {}
"""Of a node's port and an asker, on whichever connection: a node opens a few a second for one address."""


def told(say: Say, port: int, who: Account | None, op_code: int, body: Body, flags: int) -> Reply:
    """On a connection of its own, or by datagrams."""
    make = UdpClient if say is by_datagrams else TcpClient
    client = make("127.0.0.1", port, PATIENCE_S)
    try:
        return read_reply(encode(say(client, who, op_code, body, flags).answer))
    finally:
        client.close()


def by_datagrams(
    client: Client, who: Account | None, op_code: int, body: Body, flags: int
) -> Exchange:
    fields = Fields(flags)
    return client.ask_as(who, op_code, body, fields) if who else client.ask(op_code, body, fields)


def in_session(
    client: Client, who: Account | None, op_code: int, body: Body, flags: int
) -> Exchange:
    return _logged_in(client, who, op_code, body, flags).ask(client, op_code, body, Fields(flags))


def encrypted(
    client: Client, who: Account | None, op_code: int, body: Body, flags: int
) -> Exchange:
    session = _logged_in(client, who, op_code, body, flags)
    return session.ask_encrypted(client, op_code, body, Fields(flags))


def as_sdk(client: Client, who: Account | None, op_code: int, body: Body, flags: int) -> Exchange:
    if who is not None:
        login, fields = LoginRequest(who.handle, who.index), Fields(RRDG, session_id=SDK_ID)
        client.ask_as(who, OpCode.SDK_LOGIN, login, fields)
    return client.ask(op_code, body, Fields(flags, session_id=SDK_ID))


def _logged_in(
    client: Client, who: Account | None, op_code: int, body: Body, flags: int
) -> Session:
    """A session in which ``who`` has answered a challenge, if there was one to answer."""
    assert isinstance(client, TcpClient)
    place = client.socket.getpeername()[1], who
    if place not in _sessions:
        _sessions[place] = open_session(client, None, GROUP_2048).session()
    session = _sessions[place]
    if who is not None:
        session.ask_as(client, who, op_code, body, Fields(flags & ~PUBL))
    return session
