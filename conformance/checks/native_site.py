"""Get-site-info, op 2: where the node says it is (RFC 3652 §3.1, RFC 3651 §3.2.2)."""

from conformance.asking import site_of
from conformance.check import Need, check
from conformance.expectations import expect_code
from conformance.outcome import Failed, NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.errors import ProtocolError
from protocols.handle.administration import HandleRequest
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.site_info import SiteAnswer
from protocols.values.key_objects import load_key
from protocols.values.keys import decode_public_key
from protocols.values.site import TCP

SITE = "RFC 3651 §3.2.2"
ADDRESS_BYTES = 16


def _site_bytes(visit: Visit, handle: bytes = b"/") -> bytes:
    came = visit.tcp().ask(OpCode.GET_SITE_INFO, HandleRequest(handle))
    expect_code(came, ResponseCode.SUCCESS)
    assert isinstance(came.answer.body, SiteAnswer)
    return came.answer.body.site


@check("native.site.decodes-exactly", "id-pointer-sdk 2.3.1: trailing bytes are an error", Need.TCP)
def site_fills_the_body(visit: Visit) -> None:
    """The answer to get-site-info is an HS_SITE record without a length, and nothing behind it."""
    expect(site_of(visit.tcp()).servers, "at least one server", "none")


@check("native.site.tcp-interface", "id-pointer-sdk 2.3.1: no TCP interface, no address", Need.TCP)
def site_has_a_tcp_interface(visit: Visit) -> None:
    """A server of the site has a TCP interface that takes questions."""
    interfaces = [each for server in site_of(visit.tcp()).servers for each in server.interfaces]
    expect(
        any(each.protocol == TCP and each.takes_queries for each in interfaces),
        "TCP for questions",
        interfaces,
    )


@check("native.site.ipv4-right-aligned", SITE, Need.TCP)
def ipv4_is_right_aligned(visit: Visit) -> None:
    """An IPv4 address fills the last four of its sixteen bytes; those before are zero."""
    site = site_of(visit.tcp())
    data = _site_bytes(visit)
    packed = [data[at : at + ADDRESS_BYTES] for at in _address_offsets(data, len(site.servers))]
    for address in packed:
        is_left_aligned = any(address[:4]) and not any(address[4:])
        expect(not is_left_aligned, "twelve zero bytes and the address", address.hex())


@check("native.site.handle-ignored", "Handle.Net 9.2 server", Need.TCP)
def handle_of_the_request_is_ignored(visit: Visit) -> None:
    """Get-site-info is about the server: whatever handle it names, the answer is the same."""
    expect_equal("site", _site_bytes(visit), _site_bytes(visit, b"20.500.99999/whatever"))


@check("native.site.version-told", SITE, Need.TCP)
def version_in_the_site_is_spoken(visit: Visit) -> None:
    """The protocol version in the site is one that clients know: major 2 or 3."""
    expect(site_of(visit.tcp()).major in {2, 3}, "major 2 or 3", site_of(visit.tcp()).major)


@check("native.site.interfaces-reachable", SITE, Need.TCP)
def ports_are_real(visit: Visit) -> None:
    """Every interface has a port between 1 and 65535."""
    for server in site_of(visit.tcp()).servers:
        for interface in server.interfaces:
            expect(1 <= interface.port <= 65_535, "a port", interface.port)


@check("native.site.public-key", "RFC 3651 §3.2.2; Handle.Net Technical Manual 9", Need.TCP)
def public_key_is_one(visit: Visit) -> None:
    """The public key of a server is one that can verify signatures."""
    keys = [server.public_key for server in site_of(visit.tcp()).servers if server.public_key]
    if not keys:
        raise NotOffered("the site has no public key")
    for key in keys:
        try:
            load_key(decode_public_key(key))
        except ProtocolError as error:
            raise Failed("a public key", str(error)) from None


def _address_offsets(data: bytes, servers: int) -> list[int]:
    """Where addresses stand: read by hand, since a decoder makes text of them."""
    at = 8 + _number(data, 8) + 4  # format, versions, serial, flags, hash option, filter
    attributes, at = _number(data, at), at + 4
    for _ in range(2 * attributes):
        at += 4 + _number(data, at)
    at += 4
    offsets = []
    for _ in range(servers):
        offsets.append(at + 4)
        at += 4 + ADDRESS_BYTES
        at += 4 + _number(data, at)
        at += 4 + 6 * _number(data, at)
    return offsets


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])
