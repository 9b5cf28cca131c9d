"""Broken reading (``conformance/checks/native_resolve.py``)."""

from protocols.handle.codes import AUTH
from protocols.handle.envelope import TRUNCATED
from protocols.handle.resolution import ResolveRequest
from protocols.values.value import Reference
from tests.broken_nodes.breakage import Breakage, Question, native
from tests.broken_nodes.native_edits import (
    ask_bytes,
    body,
    closes,
    each_value,
    envelope,
    flags,
    says,
    values,
    where,
)


def _handle(question: Question) -> bytes:
    body = question.message.body
    return body.handle if isinstance(body, ResolveRequest) else b""


BREAKAGES: dict[str, Breakage] = {
    "native.resolve.unknown-handle": native("says RC 200", says(200)),
    "native.resolve.empty-handle": native("says RC 2", says(2)),
    "native.resolve.handle-without-prefix": native("says RC 2", says(2)),
    "native.resolve.handle-not-utf8": closes("hangs up on such bytes"),
    "native.resolve.values-sorted-by-index": native(
        "tells values backwards", values(lambda found: found[::-1])
    ),
    "native.resolve.spelling-echoed": native("tells its own spelling", body(handle=b"88/x")),
    "native.resolve.ascii-case-folded": native("is confused by other cases", says(2)),
    "native.resolve.only-ascii-folded": native(
        "folds all letters", ask=ask_bytes(lambda data: data.replace("É".encode(), "é".encode()))
    ),
    "native.resolve.zero-prefixes-folded": native(
        "knows no 0.na", where(lambda question: _handle(question).startswith(b"0.na"), says(100))
    ),
    "native.resolve.bare-prefix": native(
        "wants a slash", where(lambda question: b"/" not in _handle(question), says(100))
    ),
    "native.resolve.prefix-site": native("has a broken site", each_value(data=b"site")),
    "native.resolve.data-exact": native(
        "cuts data", values(lambda found: [each._replace(data=each.data[:250]) for each in found])
    ),
    "native.resolve.type-exact": native(
        "writes types in capitals",
        values(lambda found: [each._replace(type=each.type.upper()) for each in found]),
    ),
    "native.resolve.ttl-kept": native("has one TTL for all", each_value(ttl=86_400)),
    "native.resolve.absolute-ttl-kept": native("knows relative TTLs only", each_value(ttl_type=0)),
    "native.resolve.permissions-kept": native(
        "tells usual permissions", each_value(permissions=14)
    ),
    "native.resolve.timestamp-is-time-of-change": native("tells no time", each_value(timestamp=0)),
    "native.resolve.references-kept": native(
        "keeps references badly", each_value(references=(Reference("0.NA/88", 1),))
    ),
    "native.resolve.admin-value-decodes": native("breaks HS_ADMIN", each_value(data=b"\0")),
    "native.resolve.authoritative-question": native("is not sure", flags(clear=AUTH)),
    "native.resolve.large-answer-whole": native(
        "marks large answers as parts", envelope(flags=TRUNCATED)
    ),
    "native.resolve.many-values": native("cuts lists", values(lambda found: found[:100])),
}
