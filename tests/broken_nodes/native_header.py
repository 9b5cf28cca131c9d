"""Broken headers and digests (``conformance/checks/native_header.py``)."""

from typing import Any

from protocols.handle.codec import Message, encode_payload
from protocols.handle.codes import AUTH, CACR, RECU
from protocols.handle.digest import MD5, SHA256, Digest, request_digest
from tests.broken_nodes.breakage import Breakage, Question, native
from tests.broken_nodes.native_edits import body, closes, digest, flags, header, says


def _of_known_fields(question: Question, answer: Message) -> Digest:
    """The request decoded and encoded again, without what was not understood."""
    body: Any = question.message.body
    known = question.message._replace(body=body._replace(surplus=b""))
    return request_digest(answer.envelope.version, encode_payload(known))


BREAKAGES: dict[str, Breakage] = {
    "native.header.op-code-repeated": native("always says 200", header(op_code=200)),
    "native.header.unknown-op-code-refused": native("says RC 2", says(2)),
    "native.header.codes-not-invented": native("says 999", says(999)),
    "native.header.expiration-in-future": native("lives in 1970", header(expiration_s=1_000_000)),
    "native.header.reserved-byte-zero": native("uses it", header(reserved=1)),
    "native.header.recu-set": native("says that it never recurses", flags(clear=RECU)),
    "native.header.auth-from-primary": native("does not know its rank", flags(clear=AUTH)),
    "native.header.flags-echoed": native("forgets CACR", flags(clear=CACR)),
    "native.header.flags-not-invented": native("adds CACR", flags(add=CACR)),
    "native.header.site-serial-told": native("tells another serial", header(site_serial=99)),
    "native.header.error-has-message": native("says nothing to errors", body(message=None)),
    "native.header.digest-sha256": native(
        "still uses MD5", digest(lambda *_: Digest(MD5, bytes(16)))
    ),
    "native.header.digest-sha1-before-2-7": native(
        "uses SHA-256 in all versions", digest(lambda *_: Digest(SHA256, bytes(32)))
    ),
    "native.header.digest-over-received-bytes": native(
        "digests what it understood", digest(_of_known_fields)
    ),
    "native.header.digest-without-credential": native(
        "digests the envelope too",
        digest(lambda question, answer: request_digest(answer.envelope.version, question.data)),
    ),
    "native.header.surplus-survived": closes("hangs up on bytes it does not know"),
}
