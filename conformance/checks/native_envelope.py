"""The envelope: versions, ids, flags (RFC 3652 §2.2.1)."""

from conformance.asking import HEARTBEAT
from conformance.check import Need, check
from conformance.expectations import NOTHING_THERE, describe, expect_code
from conformance.native_client import HungUp
from conformance.native_messages import Fields
from conformance.outcome import NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.envelope import COMPRESSED, ENCRYPTED, TRUNCATED

VERSIONS = "Handle.Net Technical Manual 9, protocol versions; DO-IRP 3.0, message envelope"


@check("native.envelope.request-id-echoed", "RFC 3652 §2.2.1.4", Need.TCP)
def request_id_is_echoed(visit: Visit) -> None:
    """An answer has the request id of its request."""
    client = visit.tcp()
    for request_id in (1, 0x11223344, 0x7FFFFFFF, 0xFFFFFFFE):
        came = client.ask(OpCode.RESOLVE, HEARTBEAT, Fields(request_id=request_id))
        expect_equal("request id", request_id, came.answer.envelope.request_id)


@check("native.envelope.no-session-unasked", "RFC 3652 §2.2.1.3", Need.TCP)
def no_session_is_made_unasked(visit: Visit) -> None:
    """A plain answer to a request without a session has session id 0."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT)
    expect_equal("session id", 0, came.answer.envelope.session_id)


@check("native.envelope.version-not-above-suggested", VERSIONS, Need.TCP)
def version_is_not_above_what_was_suggested(visit: Visit) -> None:
    """The version of an answer is never above the one that the client suggested."""
    for version in ((2, 1), (2, 3), (2, 7), (2, 9), (2, 11)):
        came = visit.tcp().ask(
            OpCode.RESOLVE, HEARTBEAT, Fields(version=version, suggested=version)
        )
        expect(
            came.answer.envelope.version <= version,
            f"at most {version}",
            came.answer.envelope.version,
        )


@check("native.envelope.suggested-version-used", VERSIONS, Need.TCP)
def suggested_version_is_used(visit: Visit) -> None:
    """A client that sends 2.10 and suggests 2.11 is answered in the lower of 2.11 and the node's own version."""
    fields = Fields(version=(2, 10), suggested=(2, 11))
    envelope = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, fields).answer.envelope
    expect_equal("version", min((2, 11), envelope.suggested), envelope.version)


@check("native.envelope.version-without-suggestion", "RFC 3652 §2.2.1.2", Need.TCP)
def version_without_suggestion_is_the_requests(visit: Visit) -> None:
    """Where the suggested version is 0.0, a reserved field of old clients, the answer has the request's version."""
    fields = Fields(version=(2, 7), suggested=(0, 0))
    envelope = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, fields).answer.envelope
    expect_equal("version", (2, 7), envelope.version)


@check("native.envelope.own-version-told", VERSIONS, Need.TCP)
def own_version_is_told(visit: Visit) -> None:
    """An answer suggests the highest version the node speaks, which is not below the answer's own."""
    envelope = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT).answer.envelope
    expect(
        envelope.suggested >= envelope.version, f"at least {envelope.version}", envelope.suggested
    )


@check("native.envelope.version-2-0-refused", VERSIONS, Need.TCP)
def version_2_0_is_refused(visit: Visit) -> None:
    """Version 2.0 is refused with RC 4, by nodes that do not speak it."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(version=(2, 0), suggested=(2, 0)))
    if came.code in NOTHING_THERE:
        raise NotOffered(f"the node speaks 2.0: {describe(came)}")
    expect_code(came, ResponseCode.PROTOCOL_ERROR)


@check("native.envelope.major-3-answered", "DO-IRP 3.0, message envelope", Need.TCP)
def major_3_is_answered(visit: Visit) -> None:
    """A request of version 3.0 is answered in 3.0."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(version=(3, 0), suggested=(3, 0)))
    envelope = came.answer.envelope
    expect_equal("request id", int.from_bytes(came.sent[8:12]), envelope.request_id)
    if came.code == ResponseCode.PROTOCOL_ERROR or envelope.major == 2:
        raise NotOffered(f"answered in {envelope.version}: {describe(came)}")
    expect_equal("version", (3, 0), envelope.version)


@check("native.envelope.unknown-major-refused", "RFC 3652 §2.2.1.1", Need.TCP)
def unknown_major_is_refused(visit: Visit) -> None:
    """An envelope of a major version nobody knows is refused with RC 4, or the connection is closed."""
    client = visit.tcp()
    try:
        came = client.ask(OpCode.RESOLVE, HEARTBEAT, Fields(version=(9, 0), suggested=(9, 0)))
    except HungUp:
        return
    expect_code(came, ResponseCode.PROTOCOL_ERROR)


@check("native.envelope.compressed-refused", "RFC 3652 §2.2.1.2", Need.TCP)
def compressed_messages_are_refused(visit: Visit) -> None:
    """A message marked as compressed, which no server unpacks, is refused or hung up on, never taken as it is."""
    try:
        came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(envelope_flags=COMPRESSED))
    except HungUp:
        return
    expect_code(came, ResponseCode.PROTOCOL_ERROR, ResponseCode.ERROR, ResponseCode.NOT_SUPPORTED)


@check("native.envelope.plain-answer-to-plain", "RFC 3652 §2.2.1.2", Need.TCP)
def plain_requests_get_plain_answers(visit: Visit) -> None:
    """An answer to a plain request is neither compressed nor encrypted."""
    raw = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT).raw
    expect(not raw[2] & (COMPRESSED | ENCRYPTED), "no such flag", f"flags {raw[2] & 0xE0:#04x}")


@check(
    "native.envelope.not-truncated-on-tcp", "id-pointer-sdk 2.3.1: a TCP answer with TC is lost", Need.TCP
)  # fmt: skip
def tcp_answers_are_not_truncated(visit: Visit) -> None:
    """An answer over TCP is one message: truncated flag clear, sequence number 0."""
    envelope = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT).answer.envelope
    expect(not envelope.flags & TRUNCATED, "no truncated flag", f"flags {envelope.flags:#04x}")
    expect_equal("sequence number", 0, envelope.sequence)


@check("native.envelope.credential-length-present", "RFC 3652 §2.2.4", Need.TCP)
def credential_length_is_there(visit: Visit) -> None:
    """An unsigned answer ends with a credential length of 0, and with nothing after it."""
    answer = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT).answer
    expect(answer.has_credential_length, "four zero bytes after the body", "nothing")
    expect_equal("bytes after the credential", b"", answer.surplus)


@check(
    "native.envelope.missing-credential-length-survived",
    "id-pointer-sdk 2.3.1: its login ends after the body",
    Need.TCP,
)
def missing_credential_length_is_survived(visit: Visit) -> None:
    """A request that ends after its body counts as one without a credential."""
    came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(has_credential_length=False))
    expect_code(came, *NOTHING_THERE)
