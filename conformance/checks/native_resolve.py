"""Reading: which record, in which spelling, with which values (RFC 3651 §2, RFC 3652 §3.2)."""

from conformance.asking import PUBLIC, resolve
from conformance.check import Need, check
from conformance.clock import now_s
from conformance.expectations import expect_code, expect_indexes, values_of
from conformance.native_messages import Fields
from conformance.outcome import Failed, NotOffered, expect, expect_equal
from conformance.visit import ADMIN_INDEX, Visit
from protocols.errors import ProtocolError
from protocols.handle.codes import AUTH, CACR, PUBL, RECU, ResponseCode
from protocols.handle.envelope import TRUNCATED
from protocols.handle.resolution import ResolveAnswer
from protocols.values.admin import decode_admin
from protocols.values.site import TCP, decode_site
from protocols.values.value import TTL_ABSOLUTE, Reference, Value

VALUES = "RFC 3651 §3.1"
CLOCKS_APART_S = 3600
URL = Value(1, "URL", b"https://example.org/")


@check("native.resolve.unknown-handle", "RFC 3652 §3.2.3", Need.TCP, Need.PREFIX)
def unknown_handle_is_not_found(visit: Visit) -> None:
    """A handle that is not registered below a prefix of the node is answered with RC 100."""
    expect_code(resolve(visit.tcp(), visit.free_name()), ResponseCode.HANDLE_NOT_FOUND)


@check("native.resolve.empty-handle", "RFC 3652 §2.2.2.2", Need.TCP)
def empty_handle_is_invalid(visit: Visit) -> None:
    """An empty handle is answered with RC 102."""
    expect_code(resolve(visit.tcp(), b""), ResponseCode.INVALID_HANDLE, ResponseCode.PROTOCOL_ERROR)


@check("native.resolve.handle-without-prefix", "RFC 3651 §2", Need.TCP)
def handle_without_prefix_is_invalid(visit: Visit) -> None:
    """A handle with nothing before its slash is answered with RC 102 or RC 100."""
    came = resolve(visit.tcp(), b"/nothing-before-it")
    expect_code(came, ResponseCode.INVALID_HANDLE, ResponseCode.HANDLE_NOT_FOUND)


@check("native.resolve.handle-not-utf8", "RFC 3652 §2.1.4", Need.TCP, Need.PREFIX)
def handle_that_is_not_utf8_is_invalid(visit: Visit) -> None:
    """A handle that is not UTF-8 is answered with RC 102, RC 100 or RC 4."""
    came = resolve(visit.tcp(), visit.prefix.encode() + b"/\xff\xfe")
    expect_code(
        came,
        ResponseCode.INVALID_HANDLE,
        ResponseCode.HANDLE_NOT_FOUND,
        ResponseCode.PROTOCOL_ERROR,
    )


@check("native.resolve.values-sorted-by-index", "Handle.Net 9.2 server", Need.TCP, Need.ADMIN)
def values_are_sorted_by_index(visit: Visit) -> None:
    """The values of an answer stand in the order of their indexes, whatever order they were registered in."""
    name = visit.make(*(Value(index, "DESC", b"x") for index in (30, 2, 2**31 - 1, 1000, 1)))
    expect_indexes(resolve(visit.tcp(), name), [1, 2, 30, ADMIN_INDEX, 1000, 2**31 - 1])


@check("native.resolve.spelling-echoed", "RFC 3652 §3.2.2", Need.TCP, Need.ADMIN)
def spelling_is_echoed(visit: Visit) -> None:
    """An answer repeats the handle byte for byte as it was asked."""
    name = visit.make(URL, more="-Mixed")
    for spelling in (name, name.swapcase()):
        came = resolve(visit.tcp(), spelling)
        if came.code == ResponseCode.HANDLE_NOT_FOUND and spelling != name:
            raise NotOffered("suffixes of this prefix keep their case")
        expect_code(came, ResponseCode.SUCCESS)
        assert isinstance(came.answer.body, ResolveAnswer)
        expect_equal("handle", spelling, came.answer.body.handle)


@check(
    "native.resolve.ascii-case-folded",
    "RFC 3651 §2; Handle.Net Technical Manual 9",
    Need.TCP,
    Need.ADMIN,
)
def ascii_case_is_folded(visit: Visit) -> None:
    """Handles are found in any ASCII case, unless the server was set up to tell cases apart."""
    name = visit.make(URL, more="-abc")
    came = resolve(visit.tcp(), name.upper())
    if came.code == ResponseCode.HANDLE_NOT_FOUND:
        raise NotOffered("suffixes of this prefix keep their case")
    expect_indexes(came, [1, ADMIN_INDEX])


@check(
    "native.resolve.only-ascii-folded", "Handle.Net 9.2: ASCII upper-casing", Need.TCP, Need.ADMIN
)
def only_ascii_case_is_folded(visit: Visit) -> None:
    """Letters outside ASCII are not folded: é and É name two handles."""
    name = visit.make(URL, more="-é")
    expect_indexes(resolve(visit.tcp(), name), [1, ADMIN_INDEX])
    other = name.replace("é".encode(), "É".encode())
    expect_code(resolve(visit.tcp(), other), ResponseCode.HANDLE_NOT_FOUND)


@check("native.resolve.zero-prefixes-folded", "RFC 3651 §2", Need.TCP, Need.PREFIX)
def everything_below_zero_is_folded(visit: Visit) -> None:
    """0.na/PREFIX and 0.NA/PREFIX are one handle, on case-sensitive servers too."""
    upper, lower = (
        resolve(visit.tcp(), f"{lead}/{visit.prefix}".encode()) for lead in ("0.NA", "0.na")
    )
    expect_equal("values of 0.na", values_of(upper), values_of(lower))


@check(
    "native.resolve.bare-prefix",
    "id-pointer-sdk 2.3.1: how it finds a prefix's site",
    Need.TCP,
    Need.PREFIX,
)
def bare_prefix_is_the_prefix_record(visit: Visit) -> None:
    """A name without a slash means the record of that prefix, 0.NA/name."""
    bare, full = (
        resolve(visit.tcp(), name.encode()) for name in (visit.prefix, f"0.NA/{visit.prefix}")
    )
    expect_equal("values of the bare prefix", values_of(full), values_of(bare))


@check(
    "native.resolve.prefix-site",
    "id-pointer-sdk 2.3.1: first TCP interface of the first site",
    Need.TCP,
    Need.PREFIX,
)
def prefix_has_a_site_with_tcp(visit: Visit) -> None:
    """The record of a prefix has an HS_SITE, whose first server has a TCP interface."""
    came = resolve(visit.tcp(), visit.prefix.encode(), types=("HS_SITE",))
    if came.code in {ResponseCode.VALUES_NOT_FOUND, ResponseCode.HANDLE_NOT_FOUND}:
        raise NotOffered("the prefix has no HS_SITE")
    try:
        site = decode_site(values_of(came)[0].data)
    except ProtocolError as error:
        raise Failed("an HS_SITE record", str(error)) from None
    protocols = [interface.protocol for interface in site.servers[0].interfaces]
    expect(TCP in protocols, "a TCP interface (1)", protocols)


@check("native.resolve.data-exact", VALUES, Need.TCP, Need.ADMIN)
def data_come_back_exactly(visit: Visit) -> None:
    """The data of a value come back byte for byte: empty, all 256 bytes, and 10,000 bytes."""
    datas = (b"", bytes(range(256)), b"x" * 10_000)
    name = visit.make(*(Value(at, "BYTES", data) for at, data in enumerate(datas, 1)))
    came = resolve(visit.tcp(), name, indexes=(1, 2, 3))
    expect([value.data for value in values_of(came)] == list(datas), "the same data", "others")


@check("native.resolve.type-exact", VALUES, Need.TCP, Need.ADMIN)
def types_come_back_exactly(visit: Visit) -> None:
    """The type of a value comes back in its spelling, in UTF-8."""
    types = ["url", "Email.Work", "标识"]
    name = visit.make(*(Value(at, type_, b"x") for at, type_ in enumerate(types, 1)))
    came = values_of(resolve(visit.tcp(), name, indexes=(1, 2, 3)))
    expect_equal("types", types, [value.type for value in came])


@check("native.resolve.ttl-kept", VALUES, Need.TCP, Need.ADMIN)
def ttl_is_kept(visit: Visit) -> None:
    """A relative TTL in seconds comes back as it was registered."""
    name = visit.make(URL._replace(ttl=3_600), Value(2, "DESC", b"x"))
    came = values_of(resolve(visit.tcp(), name, indexes=(1, 2)))
    expect_equal("TTLs", [(0, 3_600), (0, 86_400)], [(v.ttl_type, v.ttl) for v in came])


@check("native.resolve.absolute-ttl-kept", VALUES, Need.TCP, Need.ADMIN)
def absolute_ttl_is_kept(visit: Visit) -> None:
    """An absolute TTL, a moment, comes back as one."""
    until_s = now_s() + 1_000_000
    name = visit.make(URL._replace(ttl=until_s, ttl_type=TTL_ABSOLUTE))
    (came,) = values_of(resolve(visit.tcp(), name, indexes=(1,)))
    expect_equal("TTL", (TTL_ABSOLUTE, until_s), (came.ttl_type, came.ttl))


@check("native.resolve.permissions-kept", VALUES, Need.TCP, Need.ADMIN)
def permissions_are_kept(visit: Visit) -> None:
    """The permissions of publicly readable values come back as they were registered."""
    masks = [0b0010, 0b0110, 0b1010, 0b1110, 0b1111]
    name = visit.make(
        *(Value(at, "DESC", b"x", permissions=mask) for at, mask in enumerate(masks, 1))
    )
    came = values_of(resolve(visit.tcp(), name, types=("DESC",)))
    expect_equal("permissions", masks, [value.permissions for value in came])


@check("native.resolve.timestamp-is-time-of-change", VALUES, Need.TCP, Need.ADMIN)
def timestamp_is_the_time_of_the_change(visit: Visit) -> None:
    """A value registered without a timestamp gets the present time as one."""
    (came,) = values_of(resolve(visit.tcp(), visit.make(URL), indexes=(1,)))
    apart_s = abs(came.timestamp - now_s())
    expect(apart_s < CLOCKS_APART_S, f"about {now_s()}", came.timestamp)


@check("native.resolve.references-kept", VALUES, Need.TCP, Need.ADMIN)
def references_are_kept(visit: Visit) -> None:
    """References of a value come back, though nobody follows them."""
    reference = Reference(f"0.NA/{visit.prefix}", 300)
    (came,) = values_of(
        resolve(visit.tcp(), visit.make(URL._replace(references=(reference,))), indexes=(1,))
    )
    if not came.references:
        raise NotOffered("the node keeps no references")
    expect_equal("references", (reference,), came.references)


@check("native.resolve.admin-value-decodes", "RFC 3651 §3.2.1", Need.TCP, Need.ADMIN)
def admin_value_decodes(visit: Visit) -> None:
    """An HS_ADMIN value comes back as the administrator's handle, index and permissions."""
    (came,) = values_of(resolve(visit.tcp(), visit.make(URL), types=("HS_ADMIN",)))
    try:
        admin = decode_admin(came.data)
    except ProtocolError as error:
        raise Failed("an HS_ADMIN record", str(error)) from None
    who = visit.administrator
    expect_equal("administrator", who.reference, f"{admin.index}:{admin.handle}")


@check("native.resolve.authoritative-question", "RFC 3652 §2.2.2.3", Need.TCP, Need.ADMIN)
def authoritative_question_is_answered(visit: Visit) -> None:
    """A question with AUTH is answered by the responsible node like any other."""
    name = visit.make(URL)
    came = resolve(visit.tcp(), name, fields=Fields(AUTH | RECU | CACR | PUBL))
    expect_indexes(came, [1, ADMIN_INDEX])
    expect(came.answer.header.op_flags & AUTH, "AUTH in the answer", "none")


@check(
    "native.resolve.large-answer-whole", "RFC 3652 §2.3; id-pointer-sdk 2.3.1", Need.TCP, Need.ADMIN
)
def large_answer_is_whole(visit: Visit) -> None:
    """An answer far above 512 bytes comes over TCP as one message without the truncated flag."""
    name = visit.make(Value(1, "TEXT", b"x" * 60_000))
    came = resolve(visit.tcp(), name, fields=PUBLIC)
    expect_indexes(came, [1, ADMIN_INDEX])
    expect(not came.raw[2] & TRUNCATED, "no truncated flag", f"flags {came.raw[2]:#04x}")


@check(
    "native.resolve.many-values",
    "Handle.Net 9.2 decoders: up to 2,048 values",
    Need.TCP,
    Need.ADMIN,
)
def many_values_come_in_one_answer(visit: Visit) -> None:
    """A record of 500 values is answered whole."""
    name = visit.make_bare(
        [Value(at, "DESC", b"x") for at in range(1001, 1500)] + [visit.admin_value()]
    )
    expect_indexes(resolve(visit.tcp(), name), [ADMIN_INDEX, *range(1001, 1500)])
