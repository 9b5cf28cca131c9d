"""UDP: what fits, what does not, what is not answered at all (RFC 3652 §2.3)."""

import secrets

from conformance.asking import HEARTBEAT, PUBLIC, resolve
from conformance.check import Need, check
from conformance.expectations import NOTHING_THERE, expect_code, values_of
from conformance.native_client import UdpClient
from conformance.native_messages import Exchange, Fields, read_answer, request_bytes
from conformance.outcome import Failed, NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.handle.administration import HandleRequest
from protocols.handle.codes import RRDG, OpCode, ResponseCode
from protocols.handle.envelope import TRUNCATED, decode_envelope
from protocols.handle.fragments import MAX_DATAGRAM_BYTES
from protocols.handle.resolution import ResolveRequest
from protocols.values.value import Value

PACKETS = "RFC 3652 §2.3"
NO_LOOPS = "RFC 3652 §2.2.2.2; RFC 8085 §3"
AMPLIFICATION = 3
"""Times what came from an address that has proved nothing (RFC 9000 §8.1 sets the same)."""
URL = Value(1, "URL", b"https://example.org/")


def _datagrams(visit: Visit, client: UdpClient, message: bytes) -> list[bytes]:
    """All packets of the answer: those that come soon after one another."""
    client.send_datagram(message)
    came: list[bytes] = []
    patience_s = visit.target.answer_s
    while (data := client.receive_datagram(patience_s)) is not None:
        came.append(data)
        patience_s = visit.target.silence_s
    return came


def expect_silence(visit: Visit, data: bytes) -> None:
    """Nothing comes back, and the next question is answered."""
    client = visit.udp()
    client.send_datagram(data)
    came = client.receive_datagram(visit.target.silence_s)
    expect(came is None, "silence", f"{len(came or b'')} bytes: {(came or b'')[:44].hex()}")
    expect_code(client.ask(OpCode.RESOLVE, HEARTBEAT), *NOTHING_THERE)


@check("native.udp.answered", PACKETS, Need.UDP)
def questions_are_answered_over_udp(visit: Visit) -> None:
    """A question in one packet is answered with its request id."""
    came = visit.udp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(request_id=0x1234_5678))
    expect_code(came, *NOTHING_THERE)


@check("native.udp.same-as-tcp", PACKETS, Need.UDP, Need.TCP, Need.ADMIN)
def udp_says_what_tcp_says(visit: Visit) -> None:
    """The values of a record are the same over UDP and TCP."""
    name = visit.make(URL)
    expect_equal(
        "values", values_of(resolve(visit.tcp(), name)), values_of(resolve(visit.udp(), name))
    )


@check("native.udp.at-most-512-bytes", PACKETS, Need.UDP, Need.ADMIN)
def packets_have_at_most_512_bytes(visit: Visit) -> None:
    """No packet is longer than 512 bytes: Java clients cut what is."""
    for size in (380, 450, 5_000):
        name = visit.make(Value(1, "TEXT", b"x" * size))
        message = request_bytes(OpCode.RESOLVE, ResolveRequest(name), PUBLIC)
        came = _datagrams(visit, visit.udp(), message)
        expect(came, "an answer", "silence")
        longest = max(map(len, came))
        expect(longest <= MAX_DATAGRAM_BYTES, f"at most {MAX_DATAGRAM_BYTES} bytes", longest)


@check(
    "native.udp.too-big-answer",
    "Handle.Net 9.2 client: RC 2 sends it to TCP at once",
    Need.UDP,
    Need.ADMIN,
)
def too_big_an_answer_sends_to_tcp(visit: Visit) -> None:
    """An answer that does not fit comes whole in several packets, or as RC 2, after which clients ask over TCP."""
    name = visit.make(Value(1, "TEXT", b"x" * 60_000))
    came = resolve(visit.udp(), name, fields=PUBLIC)
    if came.code == ResponseCode.SUCCESS:
        expect_equal("bytes of the value", 60_000, len(values_of(came)[0].data))
    else:
        expect_code(came, ResponseCode.ERROR)


@check(
    "native.udp.retry-same-answer",
    "Handle.Net 9.2 client: retries with the same request id",
    Need.UDP,
    Need.ADMIN,
)
def a_retry_gets_the_same_answer(visit: Visit) -> None:
    """The same packet sent again gets the same values again."""
    message = request_bytes(OpCode.RESOLVE, ResolveRequest(visit.make(URL)))
    client = visit.udp()
    first, second = client.ask_raw(message), client.ask_raw(message)
    expect_equal("values", values_of(first), values_of(second))
    expect_equal("request id", first.answer.envelope.request_id, second.answer.envelope.request_id)


@check("native.udp.fragmented-request", PACKETS, Need.UDP)
def a_request_in_packets_is_answered(visit: Visit) -> None:
    """A request in several packets is answered, or refused with RC 2, which sends the client to TCP."""
    body = ResolveRequest(b"0", tuple(range(1, 301)))
    came = visit.udp().ask(OpCode.RESOLVE, body)
    expect_code(came, *NOTHING_THERE, ResponseCode.ERROR)


@check("native.udp.later-packet-alone", NO_LOOPS, Need.UDP)
def a_later_packet_alone_is_not_answered(visit: Visit) -> None:
    """The second packet of a request whose first never came gets no answer about a handle."""
    client = visit.udp()
    message = bytearray(request_bytes(OpCode.RESOLVE, HEARTBEAT, Fields(envelope_flags=TRUNCATED)))
    message[12:16] = (1).to_bytes(4)
    client.send_datagram(bytes(message))
    came = client.receive_datagram(visit.target.silence_s)
    if came is not None:
        expect_code(
            Exchange(bytes(message), read_answer(came), came),
            ResponseCode.ERROR,
            ResponseCode.PROTOCOL_ERROR,
        )


@check("native.udp.short-datagrams-ignored", NO_LOOPS, Need.UDP)
def short_datagrams_are_ignored(visit: Visit) -> None:
    """A packet too short for envelope and header gets no answer, and the next question does."""
    message = request_bytes(OpCode.RESOLVE, HEARTBEAT)
    client = visit.udp()
    for size in (1, 19, 20, 43):
        client.send_datagram(message[:size])
    came = client.receive_datagram(visit.target.silence_s)
    expect(came is None, "silence", f"{len(came or b'')} bytes")
    expect_code(client.ask(OpCode.RESOLVE, HEARTBEAT), *NOTHING_THERE)


@check("native.udp.answers-ignored", NO_LOOPS, Need.UDP)
def answers_are_not_answered(visit: Visit) -> None:
    """A packet that is itself an answer gets none: two servers would send each other packets for ever."""
    message = bytearray(request_bytes(OpCode.RESOLVE, HEARTBEAT))
    message[24:28] = int(ResponseCode.HANDLE_NOT_FOUND).to_bytes(4)
    expect_silence(visit, bytes(message))


@check("native.udp.wrong-length-refused", PACKETS, Need.UDP)
def a_wrong_length_is_refused(visit: Visit) -> None:
    """A packet whose envelope announces another length gets an error or silence, and the next question an answer."""
    client = visit.udp()
    message = bytearray(request_bytes(OpCode.RESOLVE, HEARTBEAT))
    message[16:20] = (400).to_bytes(4)
    client.send_datagram(bytes(message))
    came = client.receive_datagram(visit.target.silence_s)
    if came is not None:
        code = read_answer(came).header.response_code
        expect(
            code in {ResponseCode.ERROR, ResponseCode.PROTOCOL_ERROR},
            "RC 4, RC 2 or silence",
            f"RC {code}",
        )
    expect_code(client.ask(OpCode.RESOLVE, HEARTBEAT), *NOTHING_THERE)


@check("native.udp.garbage-survived", NO_LOOPS, Need.UDP)
def garbage_is_survived(visit: Visit) -> None:
    """Random packets harm nobody: the next question is answered."""
    client = visit.udp()
    for _ in range(50):
        client.send_datagram(secrets.token_bytes(64))
    expect_code(visit.udp().ask(OpCode.RESOLVE, HEARTBEAT), *NOTHING_THERE)


@check("native.udp.whole-answer-numbered", PACKETS, Need.UDP, Need.ADMIN)
def packets_are_numbered(visit: Visit) -> None:
    """The packets of an answer are numbered from 0 and each tells the length of the whole."""
    message = request_bytes(OpCode.RESOLVE, ResolveRequest(visit.make(URL)), PUBLIC)
    came = _datagrams(visit, visit.udp(), message)
    expect(came, "an answer", "silence")
    envelopes = [decode_envelope(packet) for packet in came]
    expect_equal("packet numbers", list(range(len(came))), [each.sequence for each in envelopes])
    carried = sum(len(packet) - 20 for packet in came)
    expect({each.length for each in envelopes} == {carried}, f"length {carried}", envelopes)


@check("native.udp.amplification", "RFC 9000 §8.1, the limit it sets for UDP", Need.UDP, Need.ADMIN)
def little_is_sent_to_strangers(visit: Visit) -> None:
    """An address that has proved nothing is sent at most three times the bytes that came from it."""
    name = visit.make(*(Value(at, "TEXT", b"x" * 2_000) for at in range(1, 20)))
    message = request_bytes(OpCode.RESOLVE, ResolveRequest(name), PUBLIC)
    client = visit.udp(from_stranger=True)
    sent = sum(map(len, _datagrams(visit, client, message)))
    if sent > AMPLIFICATION * len(message) and not client.is_stranger:
        raise NotOffered("not testable from an address that has asked over TCP before")
    if sent > AMPLIFICATION * len(message):
        raise Failed(f"at most {AMPLIFICATION * len(message)} bytes", f"{sent} bytes")


@check("native.udp.digest", "RFC 3652 §2.2.3", Need.UDP)
def digest_comes_over_udp(visit: Visit) -> None:
    """RRDG is served over UDP as over TCP."""
    fields = PUBLIC._replace(flags=PUBLIC.flags | RRDG)
    answer = visit.udp().ask(OpCode.RESOLVE, HEARTBEAT, fields).answer
    expect(answer.digest is not None, "a request digest", "none")


@check("native.udp.site-info", "RFC 3652 §3.1", Need.UDP)
def site_info_comes_over_udp(visit: Visit) -> None:
    """Get-site-info is answered over UDP, or with RC 2 where the site does not fit."""
    came = visit.udp().ask(OpCode.GET_SITE_INFO, HandleRequest())
    expect_code(came, ResponseCode.SUCCESS, ResponseCode.ERROR)
