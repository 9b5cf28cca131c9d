"""Which values of a record are handed out: by index, by type, by permission (RFC 3652 §3.2.1, RFC 3651 §3.1)."""

from conformance.asking import FULL, PUBLIC, read_as, resolve
from conformance.check import Need, check
from conformance.expectations import expect_challenge, expect_code, expect_indexes, values_of
from conformance.outcome import expect, expect_equal
from conformance.visit import ADMIN_INDEX, Visit
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.resolution import ResolveRequest
from protocols.values.admin import ALL_PERMISSIONS, AUTHORIZED_READ
from protocols.values.value import ADMIN_READ, ADMIN_WRITE, Value

QUERY = "RFC 3652 §3.2.1"
PERMISSIONS = "RFC 3651 §3.1; Handle.Net 9.2 server"
HIDDEN = ADMIN_READ | ADMIN_WRITE
MIXED = (
    Value(1, "URL", b"1"),
    Value(2, "URL.SHOP", b"2"),
    Value(3, "URLX", b"3"),
    Value(4, "email", b"4"),
)
SECRET = Value(7, "SECRET", b"hidden", permissions=HIDDEN)


@check("native.selection.all-when-nothing-named", QUERY, Need.TCP, Need.ADMIN)
def nothing_named_means_all(visit: Visit) -> None:
    """A question that names neither index nor type means all values."""
    expect_indexes(resolve(visit.tcp(), visit.make(*MIXED)), [1, 2, 3, 4, ADMIN_INDEX])


@check("native.selection.by-index", QUERY, Need.TCP, Need.ADMIN)
def values_are_selected_by_index(visit: Visit) -> None:
    """A question that names indexes gets the values at these indexes that exist."""
    expect_indexes(resolve(visit.tcp(), visit.make(*MIXED), indexes=(4, 2, 999)), [2, 4])


@check("native.selection.by-type", QUERY, Need.TCP, Need.ADMIN)
def values_are_selected_by_type(visit: Visit) -> None:
    """A question that names a type gets the values of exactly this type."""
    expect_indexes(resolve(visit.tcp(), visit.make(*MIXED), types=("URL",)), [1])


@check("native.selection.index-or-type", QUERY, Need.TCP, Need.ADMIN)
def index_and_type_are_joined_by_or(visit: Visit) -> None:
    """A question that names indexes and types gets the values of which either is named, each once."""
    came = resolve(visit.tcp(), visit.make(*MIXED), indexes=(1, 3), types=("URL", "EMAIL"))
    expect_indexes(came, [1, 3, 4])


@check(
    "native.selection.type-case",
    "Handle.Net Technical Manual 9, handle value types",
    Need.TCP,
    Need.ADMIN,
)
def types_match_in_any_case(visit: Visit) -> None:
    """Types are compared without regard to ASCII case."""
    expect_indexes(resolve(visit.tcp(), visit.make(*MIXED), types=("url", "EMAIL")), [1, 4])


@check(
    "native.selection.type-family",
    "Handle.Net Technical Manual 9, handle value types",
    Need.TCP,
    Need.ADMIN,
)
def trailing_dot_means_the_family(visit: Visit) -> None:
    """A type that ends with a dot matches the name without the dot and all its subtypes, nothing else."""
    expect_indexes(resolve(visit.tcp(), visit.make(*MIXED), types=("URL.",)), [1, 2])


@check(
    "native.selection.nothing-matches",
    "RFC 3652 §3.2.3; id-pointer-sdk 2.3.1",
    Need.TCP,
    Need.ADMIN,
)
def nothing_selected_is_not_found(visit: Visit) -> None:
    """When no value is selected the answer is RC 200, never an empty list."""
    name = visit.make(*MIXED)
    for indexes, types in (((999,), ()), ((), ("NONE",))):
        came = resolve(visit.tcp(), name, indexes, types)
        expect_code(came, ResponseCode.VALUES_NOT_FOUND)


@check("native.selection.public-only", PERMISSIONS, Need.TCP, Need.ADMIN)
def public_question_gets_public_values(visit: Visit) -> None:
    """A question with PUBL gets the publicly readable values and none of the others."""
    came = resolve(visit.tcp(), visit.make(MIXED[0], SECRET), fields=PUBLIC)
    expect_indexes(came, [1, ADMIN_INDEX])
    expect(SECRET.data not in came.raw, "no trace of the hidden value", "its data")


@check("native.selection.public-named-hidden", PERMISSIONS, Need.TCP, Need.ADMIN)
def public_question_for_hidden_finds_nothing(visit: Visit) -> None:
    """A question with PUBL that names only values which are not public is answered with RC 200."""
    name = visit.make(MIXED[0], SECRET)
    for indexes, types in (((7,), ()), ((), ("SECRET",))):
        came = resolve(visit.tcp(), name, indexes, types, PUBLIC)
        expect_code(came, ResponseCode.VALUES_NOT_FOUND)


@check("native.selection.hidden-challenged", PERMISSIONS, Need.TCP, Need.ADMIN)
def hidden_value_is_challenged(visit: Visit) -> None:
    """A question without PUBL that selects a value which is not public is answered with a challenge, RC 402."""
    name = visit.make(MIXED[0], SECRET)
    for indexes in ((), (7,)):
        came = resolve(visit.tcp(), name, indexes, fields=FULL)
        expect_challenge(came)
        expect(SECRET.data not in came.raw, "no trace of the hidden value", "its data")


@check("native.selection.public-without-challenge", PERMISSIONS, Need.TCP, Need.ADMIN)
def public_values_need_no_challenge(visit: Visit) -> None:
    """A question without PUBL that selects only public values is answered at once."""
    came = resolve(visit.tcp(), visit.make(MIXED[0], SECRET), indexes=(1,), fields=FULL)
    expect_indexes(came, [1])


@check("native.selection.hidden-read-by-administrator", PERMISSIONS, Need.TCP, Need.ADMIN)
def hidden_value_is_read_by_its_administrator(visit: Visit) -> None:
    """An administrator with the authorised-read bit gets the values that are not public."""
    name = visit.make(MIXED[0], SECRET)
    came = read_as(visit.tcp(), visit.administrator, name)
    expect_indexes(came, [1, 7, ADMIN_INDEX])
    expect_equal("data", SECRET.data, values_of(came)[1].data)


@check("native.selection.hidden-not-read-by-stranger", PERMISSIONS, Need.TCP, Need.ADMIN)
def hidden_value_is_not_read_by_a_stranger(visit: Visit) -> None:
    """Somebody who proves who he is, but administers nothing here, gets RC 400 and no hidden value."""
    stranger = visit.somebody()
    came = read_as(visit.tcp(), stranger, visit.make(MIXED[0], SECRET))
    expect_code(came, ResponseCode.NOT_ADMINISTRATOR)
    expect(SECRET.data not in came.raw, "no trace of the hidden value", "its data")


@check("native.selection.hidden-needs-read-bit", PERMISSIONS, Need.TCP, Need.ADMIN)
def hidden_value_needs_the_read_bit(visit: Visit) -> None:
    """An administrator of the handle without the authorised-read bit gets RC 401."""
    reader = visit.somebody()
    blind = visit.admin_value(reader, ALL_PERMISSIONS & ~AUTHORIZED_READ, 101)
    came = read_as(visit.tcp(), reader, visit.make(MIXED[0], SECRET, blind))
    expect_code(came, ResponseCode.INSUFFICIENT_PERMISSIONS)


@check("native.selection.unreadable-value", PERMISSIONS, Need.TCP, Need.ADMIN)
def unreadable_value_is_refused(visit: Visit) -> None:
    """A value that neither administrators nor the public may read is handed to nobody: RC 401."""
    name = visit.make(MIXED[0], SECRET._replace(permissions=ADMIN_WRITE))
    client = visit.tcp()
    body = ResolveRequest(name, (7,))
    came = client.ask_as(visit.administrator, OpCode.RESOLVE, body, FULL)
    expect_code(came, ResponseCode.INSUFFICIENT_PERMISSIONS)
    expect(SECRET.data not in came.raw, "no trace of the value", "its data")
