"""Listing handles and prefixes, homing prefixes: ops 105, 106, 300, 301, 302 (RFC 3652 §3.7)."""

from conformance.asking import FULL, command, resolve
from conformance.check import Need, check
from conformance.expectations import describe, expect_code, offered
from conformance.native_client import TcpClient
from conformance.native_messages import Exchange, Fields, read_answer
from conformance.outcome import Failed, NotOffered, expect, expect_equal
from conformance.target import Account
from conformance.visit import Visit
from protocols.handle.administration import HandleRequest
from protocols.handle.codes import CONT, OpCode, ResponseCode
from protocols.handle.listing import NAMES_PER_MESSAGE, NamesAnswer
from protocols.values.value import Value

LIST = "RFC 3652 §3.7.1"
JAVA = "Handle.Net 9.2 server"
HOMING = "Handle.Net Technical Manual 9, homing prefixes"
URL = Value(1, "URL", b"x")
MORE_THAN_ONE_MESSAGE = NAMES_PER_MESSAGE + 1
MOST_MESSAGES = 10_000
MAY_NOT = (ResponseCode.NOT_ADMINISTRATOR, ResponseCode.INSUFFICIENT_PERMISSIONS)
VERSION_3 = FULL._replace(version=(3, 0), suggested=(3, 0))


def list_of(
    visit: Visit, who: Account, op_code: int, name: bytes, fields: Fields = FULL
) -> list[Exchange]:
    """All messages of a list; of a refusal, that one."""
    client: TcpClient = visit.tcp()
    came = [client.ask_as(who, op_code, HandleRequest(name), fields)]
    while came[-1].answer.header.op_flags & CONT and len(came) < MOST_MESSAGES:
        raw = client.receive_raw()
        came.append(Exchange(came[0].sent, read_answer(raw), raw))
    return came


def names_of(came: list[Exchange]) -> list[bytes]:
    """Of all messages. Raises ``Failed`` when one is no list."""
    names: list[bytes] = []
    for exchange in came:
        expect_code(exchange, ResponseCode.SUCCESS)
        if not isinstance(exchange.answer.body, NamesAnswer):
            raise Failed("a list of names", describe(exchange))
        names += exchange.answer.body.names
    return names


def handles_of(visit: Visit) -> list[Exchange]:
    """Op 105 for the test prefix by its administrator."""
    came = list_of(visit, visit.administrator, OpCode.LIST_HANDLES, f"0.NA/{visit.prefix}".encode())
    if came[0].code in MAY_NOT:
        raise NotOffered(f"the administrator may not list: {describe(came[0])}")
    offered(came[0])
    return came


@check("native.list.complete", LIST, Need.TCP, Need.ADMIN)
def a_list_is_complete(visit: Visit) -> None:
    """The list of the handles below a prefix has every one of them, once."""
    made = {visit.make(URL).upper() for _ in range(3)}
    names = [name.upper() for name in names_of(handles_of(visit))]
    expect(made <= set(names), "the three new handles", f"{len(names)} others")
    expect_equal("names listed twice", 0, len(names) - len(set(names)))


@check("native.list.without-deleted", LIST, Need.TCP, Need.ADMIN)
def a_list_has_no_deleted_handles(visit: Visit) -> None:
    """A deleted handle is not listed any more."""
    name = visit.make(URL)
    expect_code(
        command(visit.tcp(), visit.administrator, OpCode.DELETE, name), ResponseCode.SUCCESS
    )
    names = [each.upper() for each in names_of(handles_of(visit))]
    expect(name.upper() not in names, "a list without it", name)


@check(
    "native.list.in-parts", "Handle.Net 9.2 server: 50 names a message, CONT", Need.TCP, Need.ADMIN
)
def a_long_list_comes_in_parts(visit: Visit) -> None:
    """A long list comes in messages of at most 50 names and one request id, all but the last with CONT."""
    there = len(names_of(handles_of(visit)))
    for _ in range(there, MORE_THAN_ONE_MESSAGE):
        visit.make_bare((URL,))
    came = handles_of(visit)
    names_of(came)
    sizes = [
        len(each.answer.body.names) for each in came if isinstance(each.answer.body, NamesAnswer)
    ]
    expect(max(sizes) <= NAMES_PER_MESSAGE, f"at most {NAMES_PER_MESSAGE} names", sizes)
    expect(len(came) > 1, "several messages", sizes)
    expect_equal("request ids", 1, len({each.answer.envelope.request_id for each in came}))


@check("native.list.by-stranger", JAVA, Need.TCP, Need.ADMIN)
def a_stranger_lists_nothing(visit: Visit) -> None:
    """Somebody who does not administer the prefix gets RC 400, and no names."""
    stranger = visit.somebody()
    name = f"0.NA/{visit.prefix}".encode()
    expect_code(offered(list_of(visit, stranger, OpCode.LIST_HANDLES, name)[0]), *MAY_NOT)


@check("native.list.unproved", JAVA, Need.TCP, Need.PREFIX)
def nothing_is_listed_without_a_proof(visit: Visit) -> None:
    """Without a proof no handles are listed: RC 402, or a refusal."""
    came = visit.tcp().ask(
        OpCode.LIST_HANDLES, HandleRequest(f"0.NA/{visit.prefix}".encode()), FULL
    )
    expect_code(came, ResponseCode.AUTHENTICATION_NEEDED, ResponseCode.NOT_SUPPORTED, *MAY_NOT)


@check("native.list.foreign-prefix", LIST, Need.TCP, Need.ADMIN)
def foreign_prefixes_are_not_listed(visit: Visit) -> None:
    """The list of a prefix that the node does not host is refused."""
    came = list_of(visit, visit.administrator, OpCode.LIST_HANDLES, b"0.NA/conformance.invalid")[0]
    codes = (
        ResponseCode.NOT_RESPONSIBLE,
        ResponseCode.HANDLE_NOT_FOUND,
        ResponseCode.NOT_SUPPORTED,
    )
    referrals = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)
    expect_code(came, *codes, *referrals, *MAY_NOT, ResponseCode.INVALID_HANDLE)


@check("native.list.homed-prefixes", HOMING, Need.TCP, Need.ADMIN)
def homed_prefixes_are_listed(visit: Visit) -> None:
    """The list of the prefixes at home on the server has the test prefix."""
    came = list_of(visit, visit.administrator, OpCode.LIST_HOMED_PREFIXES, b"/")
    if came[0].code in MAY_NOT:
        raise NotOffered(f"for server administrators only: {describe(came[0])}")
    offered(came[0])
    names = [name.upper() for name in names_of(came)]
    expect(f"0.NA/{visit.prefix}".upper().encode() in names, f"0.NA/{visit.prefix}", names)


@check("native.list.derived-prefixes", "DO-IRP 3.0, list derived prefixes", Need.TCP, Need.ADMIN)
def derived_prefixes_are_listed(visit: Visit) -> None:
    """Op 106 lists the prefixes derived from a prefix, where it is offered."""
    name = f"0.NA/{visit.prefix}".encode()
    came = list_of(visit, visit.administrator, OpCode.LIST_DERIVED_PREFIXES, name, VERSION_3)
    if came[0].code in MAY_NOT:
        raise NotOffered(f"the administrator may not list: {describe(came[0])}")
    offered(came[0])
    lead = f"0.NA/{visit.prefix}.".upper().encode()
    names = [each.upper() for each in names_of(came)]
    expect(all(each.startswith(lead) for each in names), f"names below {lead.decode()}", names)


@check("native.home.homed-and-unhomed", HOMING, Need.TCP, Need.ADMIN)
def a_prefix_is_homed_and_unhomed(visit: Visit) -> None:
    """A prefix that is homed takes handles; once it is unhomed, the server is not responsible for it any more."""
    who = visit.administrator
    prefix = visit.new_prefix()
    record = f"0.NA/{prefix}".encode()
    _home(visit, OpCode.HOME_PREFIX, record)
    created = command(
        visit.tcp(), who, OpCode.CREATE, f"{prefix}/1".encode(), (URL, visit.admin_value())
    )
    _home(visit, OpCode.UNHOME_PREFIX, record)
    came = resolve(visit.tcp(), f"{prefix}/1".encode())
    _home(visit, OpCode.HOME_PREFIX, record)  # so that what was made can be removed
    expect_code(created, *MAY_NOT, ResponseCode.SUCCESS)
    codes = (ResponseCode.NOT_RESPONSIBLE, ResponseCode.HANDLE_NOT_FOUND)
    expect_code(came, *codes, ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)


@check("native.home.by-stranger", HOMING, Need.TCP, Need.ADMIN)
def a_stranger_homes_nothing(visit: Visit) -> None:
    """Somebody who does not administer the server homes no prefix: RC 400 or 401."""
    stranger = visit.somebody()
    name = f"0.NA/{visit.prefix}.{visit.free_label()}".encode()
    came = visit.tcp().ask_as(stranger, OpCode.HOME_PREFIX, HandleRequest(name), FULL)
    expect_code(offered(came), *MAY_NOT)


def _home(visit: Visit, op_code: int, record: bytes) -> None:
    came = command(visit.tcp(), visit.administrator, op_code, record)
    if came.code in MAY_NOT:
        raise NotOffered(f"for server administrators only: {describe(came)}")
    expect_code(offered(came), ResponseCode.SUCCESS)
