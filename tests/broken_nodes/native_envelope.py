"""Broken envelopes (``conformance/checks/native_envelope.py``)."""

from protocols.handle.envelope import COMPRESSED, ENVELOPE_BYTES, TRUNCATED
from tests.broken_nodes.breakage import Breakage, native
from tests.broken_nodes.native_edits import ask_bytes, closes, envelope, says


def _as_version_2_11(data: bytes) -> bytes:
    return b"\2\x0b\2\x0b" + data[4:]


def _without_end(message: bytes) -> bytes:
    """Ends after the body."""
    length = len(message) - ENVELOPE_BYTES - 4
    return message[:16] + length.to_bytes(4) + message[20:-4]


BREAKAGES: dict[str, Breakage] = {
    "native.envelope.request-id-echoed": native(
        "numbers its answers itself", envelope(request_id=7)
    ),
    "native.envelope.no-session-unasked": native("opens sessions unasked", envelope(session_id=5)),
    "native.envelope.version-not-above-suggested": native(
        "always speaks 2.11", envelope(major=2, minor=11)
    ),
    "native.envelope.suggested-version-used": native(
        "stays with the request's version", envelope(minor=10)
    ),
    "native.envelope.version-without-suggestion": native(
        "takes 0.0 for a suggestion of 2.1", envelope(minor=1)
    ),
    "native.envelope.own-version-told": native(
        "does not tell its version", envelope(suggested_major=0, suggested_minor=0)
    ),
    "native.envelope.version-2-0-refused": native("is indignant at 2.0", says(2)),
    "native.envelope.major-3-answered": closes("hangs up on 3.0"),
    "native.envelope.unknown-major-refused": native(
        "does not look at the version", ask=ask_bytes(_as_version_2_11)
    ),
    "native.envelope.compressed-refused": native(
        "does not look at the flags", ask=ask_bytes(lambda data: data[:2] + b"\2" + data[3:])
    ),
    "native.envelope.plain-answer-to-plain": native(
        "says that it compresses", envelope(flags=COMPRESSED)
    ),
    "native.envelope.not-truncated-on-tcp": native(
        "sends the flag of UDP over TCP", envelope(flags=TRUNCATED)
    ),
    "native.envelope.credential-length-present": native(
        "ends its answers after the body", lambda _, message: _without_end(message)
    ),
    "native.envelope.missing-credential-length-survived": closes(
        "hangs up on messages without a credential"
    ),
}
