"""Questions that many checks ask."""

from collections.abc import Sequence

from conformance.expectations import expect_code
from conformance.native_client import Client
from conformance.native_messages import PLAIN, Exchange, Fields
from conformance.outcome import Failed
from conformance.target import Account
from protocols.errors import ProtocolError
from protocols.handle.administration import HandleRequest, RemoveRequest, ValuesRequest
from protocols.handle.codes import CACR, PUBL, RECU, OpCode, ResponseCode
from protocols.handle.resolution import ResolveRequest
from protocols.handle.site_info import SiteAnswer
from protocols.values.site import Site, decode_site
from protocols.values.value import Value

HEARTBEAT = ResolveRequest(b"0")
"""Every node answers it, if only with an error (id-pointer-sdk keeps its connections alive with it)."""

FULL = Fields(RECU | CACR)
"""What an administrator sends: not only public values are meant."""
PUBLIC = Fields(RECU | CACR | PUBL)


def site_of(client: Client) -> Site:
    """The node's own HS_SITE, op 2. Raises ``Failed`` when it is none."""
    came = expect_code(client.ask(OpCode.GET_SITE_INFO, HandleRequest()), ResponseCode.SUCCESS)
    assert isinstance(came.answer.body, SiteAnswer)
    try:
        return decode_site(came.answer.body.site)
    except ProtocolError as error:
        raise Failed("an HS_SITE record and nothing behind it", str(error)) from None


def resolve(
    client: Client,
    name: bytes,
    indexes: Sequence[int] = (),
    types: Sequence[str] = (),
    fields: Fields = PLAIN,
) -> Exchange:
    """Op 1."""
    return client.ask(OpCode.RESOLVE, ResolveRequest(name, tuple(indexes), tuple(types)), fields)


def command(
    client: Client,
    who: Account,
    op_code: int,
    name: bytes,
    values: Sequence[Value] | None = None,
    fields: Fields = FULL,
) -> Exchange:
    """Ops 100, 102, 104 with values, 101 and others without; answers the challenge."""
    body = HandleRequest(name) if values is None else ValuesRequest(name, tuple(values))
    return client.ask_as(who, op_code, body, fields)


def remove(
    client: Client, who: Account, name: bytes, indexes: Sequence[int], fields: Fields = FULL
) -> Exchange:
    """Op 103."""
    return client.ask_as(who, OpCode.REMOVE_VALUE, RemoveRequest(name, tuple(indexes)), fields)


def read_as(client: Client, who: Account, name: bytes, indexes: Sequence[int] = ()) -> Exchange:
    """Op 1 of everything that ``who`` may read."""
    return client.ask_as(who, OpCode.RESOLVE, ResolveRequest(name, tuple(indexes)), FULL)
