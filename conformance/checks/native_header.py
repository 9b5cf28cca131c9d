"""The header: codes, flags, expiration, the digest of the request (RFC 3652 §2.2.2, §2.2.3)."""

from conformance.asking import HEARTBEAT, resolve, site_of
from conformance.check import Need, check
from conformance.clock import now_s
from conformance.expectations import KNOWN_CODES, NOTHING_THERE, code_name, describe, expect_code
from conformance.native_messages import Exchange, Fields, request_bytes
from conformance.outcome import NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.handle.administration import HandleRequest, ValuesRequest
from protocols.handle.codes import (
    AUTH,
    CACR,
    CONT,
    DNRF,
    FLAG_NAMES,
    MINT,
    OVRW,
    PUBL,
    RECU,
    RRDG,
    OpCode,
    ResponseCode,
)
from protocols.handle.digest import SHA1, SHA256, digest_matches
from protocols.handle.failures import ErrorAnswer
from protocols.handle.resolution import ResolveRequest
from protocols.handle.transactions import Private

MANUAL = "Handle.Net Technical Manual 9, protocol"
UNKNOWN_OP_CODE = 7777


@check("native.header.op-code-repeated", "RFC 3652 §2.2.2.1", Need.TCP)
def op_code_is_repeated(visit: Visit) -> None:
    """An answer repeats the op code of its request."""
    client = visit.tcp()
    for op_code, body in (
        (OpCode.RESOLVE, HEARTBEAT),
        (OpCode.GET_SITE_INFO, HandleRequest()),
        (OpCode.DELETE, HandleRequest(b"0")),
    ):
        expect_equal("op code", int(op_code), client.ask(op_code, body).answer.header.op_code)


@check("native.header.unknown-op-code-refused", "RFC 3652 §2.2.2.2", Need.TCP)
def unknown_op_code_is_refused(visit: Visit) -> None:
    """An operation that nobody knows is answered with RC 5 or RC 4, and its op code."""
    came = visit.tcp().ask(UNKNOWN_OP_CODE, Private(b""))
    expect_code(came, ResponseCode.NOT_SUPPORTED, ResponseCode.PROTOCOL_ERROR)
    expect_equal("op code", UNKNOWN_OP_CODE, came.answer.header.op_code)


@check(
    "native.header.codes-not-invented", "RFC 3652 §2.2.2.2; DO-IRP 3.0, response codes", Need.TCP
)
def codes_are_not_invented(visit: Visit) -> None:
    """Only response codes of the standard are sent: the Java decoders give up on any other."""
    for op_code, body in (
        (OpCode.RESOLVE, HEARTBEAT),
        (OpCode.RESOLVE, ResolveRequest(b"")),
        (OpCode.RESOLVE, ResolveRequest(b"\xff/\xff")),
        (OpCode.RESOLVE, Private(b"\0\0\0")),
        (OpCode.CREATE, ValuesRequest(b"0", ())),
        (OpCode.DELETE, HandleRequest(b"0")),
        (OpCode.LIST_HANDLES, HandleRequest(b"0.NA/0")),
        (OpCode.CHALLENGE_ANSWER, Private(b"")),
        (OpCode.HOME_PREFIX, HandleRequest(b"0.NA/0")),
        (UNKNOWN_OP_CODE, Private(b"")),
    ):
        came = visit.tcp().ask(op_code, body)
        expect(came.code in KNOWN_CODES, "a code of the standard", code_name(came.code))


@check("native.header.expiration-in-future", "RFC 3652 §2.2.2.6; Handle.Net 9.2 client", Need.TCP)
def expiration_is_in_the_future(visit: Visit) -> None:
    """The expiration of an answer lies in the future: clients drop an expired answer."""
    expires_s = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT).answer.header.expiration_s
    expect(expires_s > now_s(), f"later than {now_s()}", expires_s)


@check("native.header.reserved-byte-zero", "RFC 3652 §2.2.2", Need.TCP)
def reserved_byte_is_zero(visit: Visit) -> None:
    """The reserved byte of an answer's header is 0."""
    expect_equal(
        "reserved byte", 0, visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT).answer.header.reserved
    )


@check("native.header.recu-set", "Handle.Net 9.2 server: RECU in every answer", Need.TCP)
def recu_is_set(visit: Visit) -> None:
    """Every answer has the RECU flag."""
    for flags in (RECU, CACR):
        came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(flags))
        expect(came.answer.header.op_flags & RECU, "RECU", _names(came))


@check(
    "native.header.auth-from-primary",
    "RFC 3652 §2.2.2.3; Handle.Net 9.2 server",
    Need.TCP,
    Need.PREFIX,
)
def auth_is_set_by_a_primary(visit: Visit) -> None:
    """A primary sets AUTH in answers about its own prefix."""
    if not site_of(visit.tcp()).is_primary:
        raise NotOffered("the node's site is no primary")
    came = resolve(visit.tcp(), visit.free_name())
    expect(came.answer.header.op_flags & AUTH, "AUTH", _names(came))


@check("native.header.flags-echoed", "RFC 3652 §2.2.2.3; Handle.Net 9.2 server", Need.TCP)
def flags_are_echoed(visit: Visit) -> None:
    """An answer has AUTH, CACR, PUBL, DNRF and RRDG where its request had them."""
    for flag in (AUTH, CACR, PUBL, DNRF, RRDG):
        came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(RECU | flag))
        expect(came.answer.header.op_flags & flag, FLAG_NAMES[flag], _names(came))


@check("native.header.flags-not-invented", "RFC 3652 §2.2.2.3", Need.TCP)
def flags_are_not_invented(visit: Visit) -> None:
    """An answer to a plain question has none of CACR, PUBL, RRDG, OVRW, MINT, CONT that was not asked for."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(RECU))
    unasked = CACR | PUBL | RRDG | OVRW | MINT | CONT
    expect(not came.answer.header.op_flags & unasked, "only RECU and AUTH", _names(came))


@check("native.header.site-serial-told", "RFC 3652 §2.2.2.4", Need.TCP, Need.PREFIX)
def site_serial_is_told(visit: Visit) -> None:
    """The site serial of an answer is that of the node's HS_SITE, so that clients notice when theirs is old."""
    serial = site_of(visit.tcp()).serial
    came = resolve(visit.tcp(), visit.free_name())
    expect_equal("site serial", serial, came.answer.header.site_serial)


@check(
    "native.header.error-has-message",
    "RFC 3652 §3.3; id-pointer-sdk 2.3.1 always reads it",
    Need.TCP,
)
def error_body_has_a_message(visit: Visit) -> None:
    """The body of an error answer begins with a counted text, which may be empty."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT)
    body = came.answer.body
    expect(isinstance(body, ErrorAnswer), "an error", describe(came))
    assert isinstance(body, ErrorAnswer)
    expect(body.message is not None, "a counted text", "an empty body")


@check("native.header.digest-sha256", f"{MANUAL}: request digest from 2.7", Need.TCP)
def digest_is_sha256_from_2_7(visit: Visit) -> None:
    """With RRDG an answer of 2.7 and later begins with the SHA-256 of the request's header and body."""
    for version in ((2, 7), (2, 11)):
        _expect_digest(_ask_digest(visit, Fields(version=version, suggested=version)), SHA256)


@check("native.header.digest-sha1-before-2-7", f"{MANUAL}: request digest from 2.1", Need.TCP)
def digest_is_sha1_before_2_7(visit: Visit) -> None:
    """With RRDG an answer of 2.1 to 2.6 begins with the SHA-1 of the request's header and body."""
    for version in ((2, 1), (2, 6)):
        came = _ask_digest(visit, Fields(version=version, suggested=version))
        if came.code == ResponseCode.PROTOCOL_ERROR:
            raise NotOffered(f"{version} is not spoken")
        _expect_digest(came, SHA1)


@check("native.header.digest-over-received-bytes", "RFC 3652 §2.2.3", Need.TCP)
def digest_is_over_the_bytes_received(visit: Visit) -> None:
    """The digest is over header and body as they came, surplus bytes behind the last field included."""
    body = ResolveRequest(b"0", surplus=b"\0\0\0\3abc")
    came = visit.tcp().ask(OpCode.RESOLVE, body, Fields(RECU | RRDG))
    _expect_digest(came, SHA256)


@check("native.header.digest-without-credential", "RFC 3652 §2.2.3", Need.TCP)
def digest_leaves_out_the_credential(visit: Visit) -> None:
    """The digest is over header and body alone: whether a credential length follows changes nothing."""
    fields = Fields(RECU | RRDG, has_credential_length=False)
    _expect_digest(visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, fields), SHA256)


@check(
    "native.header.surplus-survived",
    "Handle.Net 9.2 and id-pointer-sdk 2.3.1 clients send some",
    Need.TCP,
)
def surplus_bytes_are_survived(visit: Visit) -> None:
    """Bytes behind the last field of a body, and behind the credential, are passed over."""
    body = ResolveRequest(b"0", surplus=bytes(12))
    client = visit.tcp()
    for message in (
        request_bytes(OpCode.RESOLVE, body),
        request_bytes(OpCode.RESOLVE, HEARTBEAT, Fields(surplus=bytes(8))),
    ):
        expect_code(client.ask_raw(message), *NOTHING_THERE)


def _ask_digest(visit: Visit, fields: Fields) -> Exchange:
    return visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, fields._replace(flags=RECU | RRDG))


def _expect_digest(came: Exchange, type_: int) -> None:
    digest = came.answer.digest
    expect(digest is not None, "a request digest", f"none: {_names(came)}")
    assert digest is not None
    expect_equal("digest type", type_, digest.type)
    expect(digest_matches(digest, came.sent_payload), "the digest of the request", digest.value)


def _names(came: Exchange) -> str:
    flags = came.answer.header.op_flags
    return " ".join(name for flag, name in FLAG_NAMES.items() if flags & flag) or "no flags"
