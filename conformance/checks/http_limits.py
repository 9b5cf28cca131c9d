"""Too much, too long, and requests that two servers would read differently (RFC 9112 §11)."""

from collections.abc import Sequence

from conformance.check import Need, check
from conformance.http_api import JSON_BODY, login, target_of
from conformance.http_client import HttpAnswer, HttpClient
from conformance.outcome import Failed, expect
from conformance.visit import Visit

TARGET = "/api/handles/"
HIDDEN = b"GET /api/handles/hidden HTTP/1.1\r\nHost: node\r\n\r\n"


def _answer_or_end(client: HttpClient) -> HttpAnswer | None:
    """None when the node hangs up without a word. Raises ``Failed`` for silence."""
    try:
        return client.read_answer()
    except Failed as failed:
        if failed.came == "silence":
            raise
        return None


def _expect_refusal(visit: Visit, request: bytes, what: str) -> None:
    """A 4xx status or the end of the connection; afterwards the node is well."""
    client = visit.http()
    client.send(request)
    answer = _answer_or_end(client)
    if answer is not None:
        expect(400 <= answer.status < 500, f"a 4xx status for {what}", answer.told)
    client.close()
    alive = visit.http().ask("GET", TARGET)
    expect(alive.status < 500, f"a node that is well after {what}", alive.told)


def _head(client: HttpClient, *lines: str, method: str = "GET") -> bytes:
    text = [f"{method} {client.path}{TARGET} HTTP/1.1", f"Host: {client.authority}", *lines]
    return "\r\n".join(text).encode("latin-1") + b"\r\n\r\n"


@check("http.limits.long-field", "RFC 6585 §5", Need.HTTP)
def a_header_field_that_is_too_long(visit: Visit) -> None:
    """A header field of 300,000 bytes is refused with a 4xx status or the end of the connection."""
    _expect_refusal(visit, _head(visit.http(), f"X-Long: {'x' * 300_000}"), "a long field")


@check("http.limits.many-fields", "RFC 6585 §5", Need.HTTP)
def too_many_header_fields(visit: Visit) -> None:
    """20,000 header fields are refused with a 4xx status or the end of the connection."""
    lines = [f"X-{n}: {n}" for n in range(20_000)]
    _expect_refusal(visit, _head(visit.http(), *lines), "many fields")


@check("http.limits.long-target", "RFC 9110 §15.5.15", Need.HTTP)
def a_target_that_is_too_long(visit: Visit) -> None:
    """A target of 300,000 bytes is refused with a 4xx status or the end of the connection."""
    client = visit.http()
    request = client.request("GET", f"{TARGET}{visit.target.prefix or 'x'}/{'x' * 300_000}")
    _expect_refusal(visit, request, "a long target")


@check("http.limits.endless-body", "RFC 9110 §15.5.14", Need.HTTP, Need.ADMIN, Need.SECRET)
def a_body_that_is_too_large(visit: Visit) -> None:
    """A body that is announced with a thousand million bytes is refused before it comes."""
    client = visit.http()
    fields = (*login(visit.administrator), *JSON_BODY, ("Content-Length", "1000000000"))
    request = client.request("PUT", target_of(visit.new_name()), None, fields)
    _expect_refusal(visit, request, "a large body")


@check("http.limits.deep-json", "RFC 8259 §9", Need.HTTP, Need.ADMIN, Need.SECRET)
def json_that_is_too_deep(visit: Visit) -> None:
    """A body of 100,000 brackets is refused with a 4xx status."""
    client = visit.http()
    fields = (*login(visit.administrator), *JSON_BODY)
    request = client.request("PUT", target_of(visit.new_name()), b"[" * 100_000, fields)
    _expect_refusal(visit, request, "deep JSON")


@check("http.limits.many-indexes", "OWASP API Security Top 10 2023, API4", Need.HTTP, Need.PREFIX)
def too_many_indexes(visit: Visit) -> None:
    """A question with thousands of indexes ends with a status below 500, or the connection's end."""
    query = "&".join("index=1" for _ in range(3000))
    client = visit.http()
    client.send(client.request("GET", target_of(visit.new_name(), query)))
    answer = _answer_or_end(client)
    expect(answer is None or answer.status < 500, "a status below 500", answer and answer.told)


def _expect_no_second_answer(visit: Visit, shapes: Sequence[bytes], *, may_serve: bool) -> None:
    """Each shape is refused (or, where that is allowed, served once), and what is hidden behind it never."""
    for shape in shapes:
        client = visit.http()
        client.send(shape)
        answer = _answer_or_end(client)
        if answer is None:
            continue
        if not may_serve:
            is_refused = 400 <= answer.status < 500 or answer.status == 501
            expect(is_refused and b"hidden" not in answer.body, "a refusal", answer.told)
        second = _second(client, visit.target.silence_s)
        expect(second is None, "one answer and the end", second and second.told)


def _second(client: HttpClient, within_s: float) -> HttpAnswer | None:
    """What comes after the first answer, when the connection goes on."""
    if client.is_closed(within_s) or not client.has_more:
        return None
    return client.read_answer()


@check("http.smuggling.two-lengths", "RFC 9112 §6.3", Need.HTTP)
def two_lengths(visit: Visit) -> None:
    """Two different Content-Lengths are refused."""
    client = visit.http()
    head = _head(client, "Content-Length: 0", f"Content-Length: {len(HIDDEN)}", method="POST")
    _expect_no_second_answer(visit, [head + HIDDEN], may_serve=False)


@check("http.smuggling.bad-length", "RFC 9112 §6.3", Need.HTTP)
def lengths_that_are_no_numbers(visit: Visit) -> None:
    """A Content-Length that is not a number is refused: signs, hex, lists of different ones."""
    client = visit.http()
    shapes = [
        _head(client, f"Content-Length: {text}", method="POST") + HIDDEN
        for text in ("+0", "-1", "0x0", "0, 5", "1_0", "")
    ]
    _expect_no_second_answer(visit, shapes, may_serve=False)


@check("http.smuggling.length-and-chunks", "RFC 9112 §6.1", Need.HTTP)
def length_and_chunks(visit: Visit) -> None:
    """With Content-Length and Transfer-Encoding both, nothing behind the body is answered."""
    client = visit.http()
    body = b"0\r\n\r\n" + HIDDEN
    lines = ["Transfer-Encoding: chunked", f"Content-Length: {len(body)}"]
    shapes = [_head(client, *order, method="POST") + body for order in (lines, lines[::-1])]
    _expect_no_second_answer(visit, shapes, may_serve=True)


@check("http.smuggling.unknown-coding", "RFC 9112 §6.1", Need.HTTP)
def transfer_codings_nobody_knows(visit: Visit) -> None:
    """A transfer coding that is not known, or does not end with chunked, is refused."""
    client = visit.http()
    shapes = [
        _head(client, f"Transfer-Encoding: {coding}", method="POST") + b"0\r\n\r\n" + HIDDEN
        for coding in ("xchunked", "chunked, identity", "\x0bchunked")
    ]
    _expect_no_second_answer(visit, shapes, may_serve=False)


@check("http.smuggling.bad-chunk", "RFC 9112 §7.1", Need.HTTP)
def chunks_without_a_size(visit: Visit) -> None:
    """A chunk whose size is not a hex number is refused."""
    client = visit.http()
    shapes = [
        _head(client, "Transfer-Encoding: chunked", method="POST") + size + b"\r\n" + HIDDEN
        for size in (b"-1", b"0x0", b"g", b"+0", b"")
    ]
    _expect_no_second_answer(visit, shapes, may_serve=False)


@check("http.smuggling.blank-before-colon", "RFC 9112 §5.1", Need.HTTP)
def blanks_before_colons(visit: Visit) -> None:
    """A blank between a field's name and its colon is refused."""
    client = visit.http()
    head = _head(client, f"Content-Length : {len(HIDDEN)}", method="POST")
    _expect_no_second_answer(visit, [head + HIDDEN], may_serve=False)


@check("http.smuggling.folded-field", "RFC 9112 §5.2", Need.HTTP)
def folded_fields(visit: Visit) -> None:
    """A field that goes on in the next line hides no other field."""
    client = visit.http()
    lines = "X-Folded: a\r\n Content-Length: 0", f"Content-Length: {len(HIDDEN)}"
    head = _head(client, *lines, method="POST")
    _expect_no_second_answer(visit, [head + HIDDEN], may_serve=True)


@check("http.smuggling.nul-in-field", "RFC 9110 §5.5", Need.HTTP)
def nul_in_fields(visit: Visit) -> None:
    """NUL in a field is refused, or taken for a blank; it never ends a field."""
    client = visit.http()
    head = _head(client, f"Content-Length: {len(HIDDEN)}\x00", method="POST")
    _expect_no_second_answer(visit, [head + HIDDEN], may_serve=False)
