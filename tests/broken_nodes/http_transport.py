"""Broken connections, framing and limits (``conformance/checks/http_transport.py`` and ``http_limits.py``)."""

from tests.broken_nodes.breakage import CLOSED, SILENT, Answered, Asked, Breakage, Cut, http
from tests.broken_nodes.http_edits import http_field, http_status, http_when
from tests.broken_nodes.http_stream import write_answer

ELSEWHERE = Answered(404, (("Content-Type", "application/json"),), b'{"handle": "hidden"}')


def _first_again(asked: Asked, answered: Answered) -> Answered:
    """Whoever asks several things at once is told the first several times."""
    first = asked.scene.memory.setdefault("first", answered)
    assert isinstance(first, Answered)
    return first


def _chunked(_: Asked, answered: Answered) -> bytes:
    """In chunks, to clients that do not know of such."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(answered.body), answered.body)


def _only_spelled(*names: str) -> Breakage:
    """A node that knows these fields in this spelling only."""

    def ask(asked: Asked) -> Asked:
        spelled = {name for name, _ in asked.fields}
        unknown = {name.lower().replace("-", "_"): None for name in names if name not in spelled}
        return asked.altered(**unknown)

    return http("knows fields in one spelling only", ask=ask)


def _twice(asked: Asked, answered: Answered) -> bytes:
    """What is hidden in a body is answered too."""
    open_ = http_field("Connection", None)(asked, answered)
    assert isinstance(open_, Answered)
    return write_answer(open_, is_head=False) + write_answer(ELSEWHERE, is_head=False)


def _no_interim(_: Asked, answered: Answered) -> Answered | Cut:
    return SILENT if answered.status == 100 else answered


def _served(_: Asked, answered: Answered) -> Answered:
    """Whatever it was, it is answered as if it had been fine."""
    return Answered(200, answered.fields, b"{}")


CLOSES = http("hangs up after every answer", http_field("Connection", "close"))
ONCE = http("answers what is hidden", _twice)
SERVES = http("takes everything for well-formed", _served)
FAILS = http("fails", http_status(500))
REFUSES = http("does not understand it", http_status(400))

BREAKAGES: dict[str, Breakage] = {
    "http.transport.keep-alive": CLOSES,
    "http.transport.pipelining": http("tells the first answer twice", _first_again),
    "http.transport.connection-close": http(
        "keeps all connections", ask=lambda asked: asked.altered(connection=None), is_silent=True
    ),
    "http.transport.http-1-0": http("sends chunks to all", _chunked),
    "http.transport.host-needed": SERVES,
    "http.transport.date": http("has no clock", http_field("Date", None)),
    "http.transport.absolute-form": REFUSES,
    "http.transport.field-names-any-case": _only_spelled("Authorization", "Content-Type"),
    "http.transport.pieces": REFUSES,
    "http.transport.empty-line-first": http("hangs up", lambda _asked, _answered: CLOSED),
    "http.transport.chunked-body": http(
        "wants to know lengths", http_when(http_status(411), method="PUT")
    ),
    "http.transport.expect-continue": http("waits for the body", _no_interim, is_silent=True),
    "http.transport.body-of-get": ONCE,
    "http.transport.fields-ascii": http(
        "writes Latin-1 into its head", http_field("X-Handle", "é")
    ),
    "http.transport.connection-lives-after-errors": CLOSES,
    "http.limits.long-field": FAILS,
    "http.limits.many-fields": FAILS,
    "http.limits.long-target": FAILS,
    "http.limits.endless-body": http(
        "waits for it", lambda _asked, _answered: SILENT, is_silent=True
    ),
    "http.limits.deep-json": FAILS,
    "http.limits.many-indexes": FAILS,
    "http.smuggling.two-lengths": SERVES,
    "http.smuggling.bad-length": SERVES,
    "http.smuggling.length-and-chunks": ONCE,
    "http.smuggling.unknown-coding": SERVES,
    "http.smuggling.bad-chunk": SERVES,
    "http.smuggling.blank-before-colon": SERVES,
    "http.smuggling.folded-field": ONCE,
    "http.smuggling.nul-in-field": SERVES,
}
