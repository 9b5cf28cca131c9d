"""Creating and deleting handles, ops 100 and 101 (RFC 3652 §3.6.4, §3.6.5)."""

from conformance.asking import FULL, command, resolve
from conformance.check import Need, check
from conformance.clock import now_s
from conformance.expectations import expect_code, expect_indexes, offered, values_of
from conformance.native_messages import Exchange
from conformance.outcome import NotOffered, expect, expect_equal
from conformance.visit import ADMIN_INDEX, Visit
from protocols.handle.administration import CreateAnswer, ValuesRequest
from protocols.handle.codes import MINT, OVRW, OpCode, ResponseCode
from protocols.values.value import Value

CREATE = "RFC 3652 §3.6.4"
DELETE = "RFC 3652 §3.6.5"
JAVA = "Handle.Net 9.2 server"
URL = Value(1, "URL", b"https://example.org/1")
OTHER = Value(1, "URL", b"https://example.org/2")
OVERWRITE = FULL._replace(flags=FULL.flags | OVRW)
MINTING = FULL._replace(flags=FULL.flags | MINT)
CLOCKS_APART_S = 3600


def create(visit: Visit, name: bytes, *values: Value) -> Exchange:
    """Op 100 by the administrator, with an HS_ADMIN beside the values."""
    who = visit.administrator
    return command(visit.tcp(), who, OpCode.CREATE, name, (*values, visit.admin_value()))


@check("native.create.created", CREATE, Need.TCP, Need.ADMIN)
def a_handle_is_created(visit: Visit) -> None:
    """An administrator of a prefix creates a handle below it, which is then resolved."""
    name = visit.new_name()
    expect_code(create(visit, name, URL), ResponseCode.SUCCESS)
    came = resolve(visit.tcp(), name)
    expect_indexes(came, [1, ADMIN_INDEX])
    expect_equal("data", URL.data, values_of(came)[0].data)


@check("native.create.handle-told", f"{JAVA}: since version 8", Need.TCP, Need.ADMIN)
def the_created_handle_is_told(visit: Visit) -> None:
    """The answer to create has the name of the handle, or nothing at all (before version 8)."""
    name = visit.new_name()
    body = expect_code(create(visit, name, URL), ResponseCode.SUCCESS).answer.body
    assert isinstance(body, CreateAnswer)
    expect(body.handle in {None, name}, f"{name.decode()} or nothing", body.handle)


@check("native.create.exists", CREATE, Need.TCP, Need.ADMIN)
def an_existing_handle_is_not_created(visit: Visit) -> None:
    """Creating a handle that exists is answered with RC 101, and it stays as it was."""
    name = visit.make(URL)
    expect_code(create(visit, name, OTHER), ResponseCode.HANDLE_EXISTS)
    (came,) = values_of(resolve(visit.tcp(), name, indexes=(1,)))
    expect_equal("data", URL.data, came.data)


@check(
    "native.create.exists-in-other-case",
    "RFC 3651 §2; Handle.Net Technical Manual 9",
    Need.TCP,
    Need.ADMIN,
)
def a_handle_exists_in_every_case(visit: Visit) -> None:
    """Where cases are not told apart, creating another spelling of an existing handle is answered with RC 101."""
    name = visit.make(URL, more="-case")
    other = name.upper()
    came = create(visit, other, OTHER)
    if came.code == ResponseCode.SUCCESS and resolve(visit.tcp(), name).raw != came.raw:
        visit.will_remove(other)
        (kept,) = values_of(resolve(visit.tcp(), name, indexes=(1,)))
        if kept.data == URL.data:
            raise NotOffered("suffixes of this prefix keep their case")
    expect_code(came, ResponseCode.HANDLE_EXISTS)


@check("native.create.overwritten", "Handle.Net Technical Manual 9: OVRW", Need.TCP, Need.ADMIN)
def an_existing_handle_is_overwritten(visit: Visit) -> None:
    """With the OVRW flag an existing handle gets the new values, and loses those not named."""
    name = visit.make(URL, Value(2, "DESC", b"old"))
    values = (OTHER, visit.admin_value())
    came = command(visit.tcp(), visit.administrator, OpCode.CREATE, name, values, OVERWRITE)
    expect_code(came, ResponseCode.SUCCESS)
    now = resolve(visit.tcp(), name)
    expect_indexes(now, [1, ADMIN_INDEX])
    expect_equal("data", OTHER.data, values_of(now)[0].data)


@check("native.create.duplicate-index", JAVA, Need.TCP, Need.ADMIN)
def an_index_twice_is_refused(visit: Visit) -> None:
    """Two values with one index in a create are answered with RC 201 or 202, and nothing is created."""
    name = visit.new_name()
    came = create(visit, name, URL, OTHER)
    expect_code(came, ResponseCode.VALUE_EXISTS, ResponseCode.INVALID_VALUE)
    expect_code(resolve(visit.tcp(), name), ResponseCode.HANDLE_NOT_FOUND)


@check("native.create.index-zero", JAVA, Need.TCP, Need.ADMIN)
def index_zero_is_refused(visit: Visit) -> None:
    """A value with index 0 is answered with RC 202, and nothing is created."""
    name = visit.new_name()
    expect_code(create(visit, name, URL._replace(index=0)), ResponseCode.INVALID_VALUE)
    expect_code(resolve(visit.tcp(), name), ResponseCode.HANDLE_NOT_FOUND)


@check("native.create.index-negative", JAVA, Need.TCP, Need.ADMIN)
def a_negative_index_is_refused(visit: Visit) -> None:
    """A value whose index has the top bit set, which is negative, is answered with RC 202 or RC 4."""
    name = visit.new_name()
    came = create(visit, name, URL._replace(index=0x8000_0001))
    expect_code(came, ResponseCode.INVALID_VALUE, ResponseCode.PROTOCOL_ERROR)
    expect_code(resolve(visit.tcp(), name), ResponseCode.HANDLE_NOT_FOUND)


@check("native.create.timestamp-set", JAVA, Need.TCP, Need.ADMIN)
def created_values_get_a_timestamp(visit: Visit) -> None:
    """A value created with timestamp 0 gets the present time."""
    name = visit.new_name()
    expect_code(create(visit, name, URL), ResponseCode.SUCCESS)
    (came,) = values_of(resolve(visit.tcp(), name, indexes=(1,)))
    expect(abs(came.timestamp - now_s()) < CLOCKS_APART_S, f"about {now_s()}", came.timestamp)


@check(
    "native.create.large-record",
    "Handle.Net 9.2 decoders: messages of 262,144 bytes",
    Need.TCP,
    Need.ADMIN,
)
def a_large_record_is_created(visit: Visit) -> None:
    """A message of more than 200,000 bytes is taken, and so is the record resolved."""
    name = visit.new_name()
    values = [Value(index, "TEXT", bytes([64 + index]) * 50_000) for index in (1, 2, 3, 4)]
    expect_code(create(visit, name, *values), ResponseCode.SUCCESS)
    came = values_of(resolve(visit.tcp(), name, types=("TEXT",)))
    expect([value.data for value in came] == [value.data for value in values], "the data", "others")


@check("native.create.empty-handle", CREATE, Need.TCP, Need.ADMIN)
def an_empty_handle_is_not_created(visit: Visit) -> None:
    """Creating a handle without a name is refused."""
    came = create(visit, b"", URL)
    codes = (ResponseCode.INVALID_HANDLE, ResponseCode.PROTOCOL_ERROR, ResponseCode.NOT_RESPONSIBLE)
    expect_code(came, *codes, ResponseCode.NOT_ADMINISTRATOR)


@check(
    "native.create.foreign-prefix",
    "RFC 3652 §2.2.2.2: server not responsible",
    Need.TCP,
    Need.ADMIN,
)
def nothing_is_created_below_foreign_prefixes(visit: Visit) -> None:
    """A handle below a prefix that the node does not host is not created: RC 301, a referral or a refusal."""
    came = create(visit, b"conformance.invalid/1", URL)
    expect_code(
        came,
        ResponseCode.NOT_RESPONSIBLE,
        ResponseCode.SERVICE_REFERRAL,
        ResponseCode.PREFIX_REFERRAL,
        ResponseCode.HANDLE_NOT_FOUND,
        ResponseCode.NOT_ADMINISTRATOR,
        ResponseCode.INSUFFICIENT_PERMISSIONS,
    )


@check("native.create.by-stranger", JAVA, Need.TCP, Need.ADMIN)
def a_stranger_creates_nothing(visit: Visit) -> None:
    """Somebody who proves who he is, but does not administer the prefix, gets RC 400, and nothing is created."""
    name = visit.new_name()
    stranger = visit.somebody()
    came = command(visit.tcp(), stranger, OpCode.CREATE, name, (URL,))
    expect_code(came, ResponseCode.NOT_ADMINISTRATOR)
    expect_code(resolve(visit.tcp(), name), ResponseCode.HANDLE_NOT_FOUND)


@check("native.create.unproved", CREATE, Need.TCP, Need.ADMIN)
def nothing_is_created_without_a_proof(visit: Visit) -> None:
    """Without a proof nothing is created: RC 402, or a refusal."""
    name = visit.new_name()
    came = visit.tcp().ask(OpCode.CREATE, ValuesRequest(name, (URL,)), FULL)
    expect_code(
        came,
        ResponseCode.AUTHENTICATION_NEEDED,
        ResponseCode.NOT_ADMINISTRATOR,
        ResponseCode.AUTHENTICATION_FAILED,
        ResponseCode.NOT_SUPPORTED,
    )
    expect_code(resolve(visit.tcp(), name), ResponseCode.HANDLE_NOT_FOUND)


@check("native.create.minted", "Handle.Net Technical Manual 9: MINT", Need.TCP, Need.ADMIN)
def a_suffix_is_minted(visit: Visit) -> None:
    """With the MINT flag the server makes a new suffix below the prefix each time, and tells the whole handle."""
    names = set()
    values = (URL, visit.admin_value())
    for _ in range(2):
        asked = f"{visit.prefix}/".encode()
        came = command(visit.tcp(), visit.administrator, OpCode.CREATE, asked, values, MINTING)
        body = expect_code(offered(came), ResponseCode.SUCCESS).answer.body
        assert isinstance(body, CreateAnswer)
        expect((body.handle or b"").startswith(asked), f"{asked.decode()}...", body.handle)
        name = body.handle or b""
        visit.will_remove(name)
        expect_indexes(resolve(visit.tcp(), name), [1, ADMIN_INDEX])
        names.add(name)
    expect(len(names) == 2, "two names", names)


@check("native.delete.deleted", DELETE, Need.TCP, Need.ADMIN)
def a_handle_is_deleted(visit: Visit) -> None:
    """A deleted handle is answered with RC 100 from then on, and its name is free again."""
    name = visit.make(URL)
    expect_code(
        command(visit.tcp(), visit.administrator, OpCode.DELETE, name), ResponseCode.SUCCESS
    )
    expect_code(resolve(visit.tcp(), name), ResponseCode.HANDLE_NOT_FOUND)
    expect_code(create(visit, name, OTHER), ResponseCode.SUCCESS)


@check("native.delete.unknown", DELETE, Need.TCP, Need.ADMIN)
def an_unknown_handle_is_not_deleted(visit: Visit) -> None:
    """Deleting a handle that does not exist is answered with RC 100."""
    came = command(visit.tcp(), visit.administrator, OpCode.DELETE, visit.free_name())
    expect_code(came, ResponseCode.HANDLE_NOT_FOUND)


@check("native.delete.by-stranger", JAVA, Need.TCP, Need.ADMIN)
def a_stranger_deletes_nothing(visit: Visit) -> None:
    """Somebody who does not administer the handle gets RC 400, and it stays."""
    name = visit.make(URL)
    came = command(visit.tcp(), visit.somebody(), OpCode.DELETE, name)
    expect_code(came, ResponseCode.NOT_ADMINISTRATOR)
    expect_indexes(resolve(visit.tcp(), name), [1, ADMIN_INDEX])
