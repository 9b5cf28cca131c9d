"""Signed answers: CERT outside of sessions (RFC 3652 §2.2.2.3, §2.2.4)."""

from conformance.asking import HEARTBEAT, PUBLIC, resolve, site_of
from conformance.check import Need, check
from conformance.expectations import describe, expect_code, expect_indexes
from conformance.native_client import Client
from conformance.native_messages import Exchange
from conformance.outcome import Failed, NotOffered, expect, expect_equal
from conformance.visit import ADMIN_INDEX, Visit
from protocols.errors import ProtocolError
from protocols.handle.administration import HandleRequest
from protocols.handle.codes import CERT, OpCode, ResponseCode
from protocols.handle.credential import SIGNED_TYPE
from protocols.handle.signatures import VerifyingKey
from protocols.handle.signing import signature_is_right
from protocols.values.key_objects import load_key
from protocols.values.keys import decode_public_key
from protocols.values.value import Value

SIGNED = "RFC 3652 §2.2.4; Handle.Net 9.2 client"
ASK_SIGNED = PUBLIC._replace(flags=PUBLIC.flags | CERT)


def server_keys(client: Client) -> list[VerifyingKey]:
    """Of the site. Raises ``NotOffered`` when it has none."""
    blobs = [server.public_key for server in site_of(client).servers if server.public_key]
    if not blobs:
        raise NotOffered("the site has no public key: answers cannot be signed")
    try:
        keys = [load_key(decode_public_key(blob)) for blob in blobs]
    except ProtocolError as error:
        raise Failed("a public key in the site", str(error)) from None
    return [key for key in keys if isinstance(key, VerifyingKey)]


def expect_signed(keys: list[VerifyingKey], came: Exchange) -> None:
    """By one of the keys, over ids, header and body."""
    answer = came.answer
    if answer.credential is None:
        raise Failed(f"a credential {SIGNED_TYPE}", f"none: {describe(came)}")
    expect_equal("credential type", SIGNED_TYPE, answer.credential.type)
    try:
        is_right = any(
            signature_is_right(answer.credential, key, answer.envelope, answer.received)
            for key in keys
        )
    except ProtocolError as error:
        raise Failed("a signature", str(error)) from None
    expect(is_right, "a signature by a key of the site", "a wrong one")


@check("native.signed.answer", SIGNED, Need.TCP, Need.ADMIN)
def an_answer_is_signed_on_request(visit: Visit) -> None:
    """With the CERT flag the answer is signed with the key in the node's HS_SITE, over ids, header and body."""
    keys = server_keys(visit.tcp())
    came = resolve(visit.tcp(), visit.make(Value(1, "URL", b"x")), fields=ASK_SIGNED)
    expect_indexes(came, [1, ADMIN_INDEX])
    expect_signed(keys, came)


@check("native.signed.error", SIGNED, Need.TCP, Need.PREFIX)
def an_error_is_signed_on_request(visit: Visit) -> None:
    """With the CERT flag an error is signed too: that something does not exist must not be forged either."""
    keys = server_keys(visit.tcp())
    came = resolve(visit.tcp(), visit.free_name(), fields=ASK_SIGNED)
    expect_code(came, ResponseCode.HANDLE_NOT_FOUND)
    expect_signed(keys, came)


@check("native.signed.site-info", SIGNED, Need.TCP)
def the_site_is_signed_on_request(visit: Visit) -> None:
    """With the CERT flag the answer to get-site-info is signed."""
    keys = server_keys(visit.tcp())
    expect_signed(keys, visit.tcp().ask(OpCode.GET_SITE_INFO, HandleRequest(), ASK_SIGNED))


@check("native.signed.cert-flag", SIGNED, Need.TCP)
def a_signed_answer_says_so(visit: Visit) -> None:
    """A signed answer has the CERT flag."""
    server_keys(visit.tcp())
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, ASK_SIGNED)
    expect(came.answer.header.op_flags & CERT, "CERT", f"{came.answer.header.op_flags:#010x}")


@check("native.signed.each-anew", SIGNED, Need.TCP)
def each_answer_is_signed_anew(visit: Visit) -> None:
    """A signature covers the request id: the same question asked twice gets two signatures, both right."""
    keys = server_keys(visit.tcp())
    came = [visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, ASK_SIGNED) for _ in range(2)]
    for each in came:
        expect_signed(keys, each)
    first, second = (each.answer.credential for each in came)
    expect(first != second, "two signatures", "one")


@check("native.signed.old-layout", "Handle.Net Technical Manual 9: signed content of 2.7", Need.TCP)
def version_2_7_has_its_own_layout(visit: Visit) -> None:
    """An answer of version 2.7 is signed over the ids without the suggested version."""
    keys = server_keys(visit.tcp())
    fields = ASK_SIGNED._replace(version=(2, 7), suggested=(2, 7))
    expect_signed(keys, visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, fields))


@check("native.signed.unsigned-unasked", SIGNED, Need.TCP)
def nothing_is_signed_unasked(visit: Visit) -> None:
    """Without the CERT flag an answer has no credential."""
    answer = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT).answer
    expect(answer.credential is None, "no credential", answer.credential)


@check(
    "native.signed.over-udp",
    "Handle.Net 9.2 client: RC 2 sends it to TCP at once",
    Need.UDP,
    Need.TCP,
)
def signed_answers_over_udp(visit: Visit) -> None:
    """Over UDP a signed answer comes signed, or as RC 2, after which clients ask over TCP."""
    keys = server_keys(visit.tcp())
    came = visit.udp().ask(OpCode.RESOLVE, HEARTBEAT, ASK_SIGNED)
    if came.code != ResponseCode.ERROR:
        expect_signed(keys, came)
