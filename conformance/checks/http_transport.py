"""HTTP itself: connections, framing, heads (RFC 9110, RFC 9112)."""

import json

from conformance.check import Need, check
from conformance.http_api import (
    JSON_BODY,
    expect_told,
    get,
    indexes_of,
    login,
    put,
    record,
    taken,
    target_of,
    text_value,
)
from conformance.http_client import HttpClient
from conformance.outcome import expect, expect_equal
from conformance.visit import Visit
from protocols.values.value import Value

READ = (Need.HTTP, Need.ADMIN)
WRITE = (*READ, Need.SECRET)
PAGE = Value(1, "URL", b"https://example.org/")


@check("http.transport.keep-alive", "RFC 9112 §9.3", *READ)
def connections_are_kept(visit: Visit) -> None:
    """Several requests are answered on one connection."""
    target, client = target_of(visit.make(PAGE)), visit.http()
    for _ in range(3):
        expect_told(client.ask("GET", target), 200, 1)
    expect(client.opened == 1, "one connection", f"{client.opened} connections")


@check("http.transport.pipelining", "RFC 9112 §9.3.2", *READ)
def answers_come_in_order(visit: Visit) -> None:
    """Requests that are sent at once are answered one by one, in their order."""
    names = [visit.make(PAGE) for _ in range(3)]
    client = visit.http()
    client.send(b"".join(client.request("GET", target_of(name)) for name in names))
    for name in names:
        answer = expect_told(client.read_answer(), 200, 1)
        expect_equal("handle", name.decode(), answer.document.get("handle"))


@check("http.transport.connection-close", "RFC 9112 §9.6", *READ)
def connections_are_closed_when_asked(visit: Visit) -> None:
    """After the answer to a request with Connection: close the node hangs up."""
    client = visit.http()
    target = target_of(visit.make(PAGE))
    client.send(client.request("GET", target, None, (("Connection", "close"),)))
    expect_told(client.read_answer(), 200, 1)
    expect(client.is_closed(client.answer_s), "the end of the connection", "silence")


@check("http.transport.http-1-0", "RFC 9112 §6.1", *READ)
def old_clients_are_answered(visit: Visit) -> None:
    """HTTP/1.0 is answered, without transfer codings, and the connection ends."""
    name, client = visit.make(PAGE), visit.http()
    client.send(f"GET {client.path}{target_of(name)} HTTP/1.0\r\n\r\n".encode())
    answer = expect_told(client.read_answer(), 200, 1)
    expect(not answer.field("Transfer-Encoding"), "no Transfer-Encoding", answer.fields)
    expect(client.is_closed(client.answer_s), "the end of the connection", "silence")


@check("http.transport.host-needed", "RFC 9112 §3.2", Need.HTTP)
def host_is_needed(visit: Visit) -> None:
    """A request of HTTP/1.1 without Host is 400."""
    client = visit.http()
    client.send(f"GET {client.path}/api/site HTTP/1.1\r\n\r\n".encode())
    expect_told(client.read_answer(), 400)


@check("http.transport.date", "RFC 9110 §6.6.1", *READ)
def answers_are_dated(visit: Visit) -> None:
    """Answers have a Date."""
    expect(get(visit, visit.make(PAGE)).field("Date").endswith("GMT"), "Date", "none")


@check("http.transport.absolute-form", "RFC 9112 §3.2.2", *READ)
def targets_may_be_absolute(visit: Visit) -> None:
    """A target in absolute form, as for a proxy, is understood."""
    name, client = visit.make(PAGE), visit.http()
    scheme = "https" if client.is_tls else "http"
    target = f"{scheme}://{client.authority}{client.path}{target_of(name)}"
    client.send(f"GET {target} HTTP/1.1\r\nHost: {client.authority}\r\n\r\n".encode())
    expect_told(client.read_answer(), 200, 1)


@check("http.transport.field-names-any-case", "RFC 9110 §5.1", *WRITE)
def field_names_in_any_case(visit: Visit) -> None:
    """Names of header fields are understood in any case."""
    ((_, credentials),) = login(visit.administrator)
    body = json.dumps(record(visit, text_value(1, "x"))).encode()
    fields = (("aUTHORIZATION", credentials), ("content-TYPE", "application/json"))
    expect_told(taken(visit.http().ask("PUT", target_of(visit.new_name()), body, fields)), 201, 1)


@check("http.transport.pieces", "RFC 9112 §2", *READ)
def requests_may_come_in_pieces(visit: Visit) -> None:
    """A request that comes in pieces is understood."""
    target, client = target_of(visit.make(PAGE)), visit.http()
    request = client.request("GET", target)
    for start in range(0, len(request), 7):
        client.send(request[start : start + 7])
    expect_told(client.read_answer(), 200, 1)


@check("http.transport.empty-line-first", "RFC 9112 §2.2", *READ)
def an_empty_line_first(visit: Visit) -> None:
    """An empty line in front of a request is ignored."""
    target, client = target_of(visit.make(PAGE)), visit.http()
    client.send(b"\r\n" + client.request("GET", target))
    expect_told(client.read_answer(), 200, 1)


@check("http.transport.chunked-body", "RFC 9112 §7.1", *WRITE)
def bodies_may_be_chunked(visit: Visit) -> None:
    """A body in chunks is understood, with extensions and trailers."""
    name, client = visit.new_name(), visit.http()
    body = json.dumps(record(visit, text_value(1, "x"))).encode()
    head = _head_of_put(visit, client, name, "Transfer-Encoding: chunked")
    chunks = [b"%x;name=value\r\n%b\r\n" % (len(p), p) for p in (body[:9], body[9:])]
    client.send(head + b"".join(chunks) + b"0\r\nX-Trailer: yes\r\n\r\n")
    expect_told(taken(client.read_answer()), 201, 1)
    expect(1 in indexes_of(get(visit, name)), "the value", "nothing")


@check("http.transport.expect-continue", "RFC 9110 §10.1.1", *WRITE)
def expect_continue(visit: Visit) -> None:
    """Expect: 100-continue is answered with 100 before the body comes, so that clients need not wait."""
    name, client = visit.new_name(), visit.http()
    body = json.dumps(record(visit, text_value(1, "x"))).encode()
    length = f"Content-Length: {len(body)}"
    client.send(_head_of_put(visit, client, name, f"Expect: 100-continue\r\n{length}"))
    expect_equal("status", 100, client.read_interim())
    client.send(body)
    expect_told(taken(client.read_answer()), 201, 1)


def _head_of_put(visit: Visit, client: HttpClient, name: bytes, more: str) -> bytes:
    fields = (*login(visit.administrator), *JSON_BODY)
    head = client.request("PUT", target_of(name), None, fields)
    return head.removesuffix(b"\r\n") + more.encode() + b"\r\n\r\n"


@check("http.transport.body-of-get", "RFC 9110 §9.3.1", *READ)
def a_get_may_have_a_body(visit: Visit) -> None:
    """A body after GET is not taken for the next request."""
    name, client = visit.make(PAGE), visit.http()
    hidden = client.request("GET", "/api/handles/")
    expect_told(client.ask("GET", target_of(name), hidden), 200, 1)
    expect_told(client.ask("GET", target_of(name)), 200, 1)


@check("http.transport.fields-ascii", "RFC 9110 §5.5", *WRITE)
def fields_are_ascii(visit: Visit) -> None:
    """Header fields of answers are printable ASCII, whatever the handle is called."""
    name = visit.new_name("-标识-é")
    answers = [put(visit, name, record(visit, text_value(1, "x"))), get(visit, name)]
    for answer in answers:
        for field, value in answer.fields:
            expect(value.isascii() and value.isprintable(), f"{field} in ASCII", repr(value))


@check("http.transport.connection-lives-after-errors", "RFC 9112 §9.3", Need.HTTP, Need.PREFIX)
def errors_do_not_end_connections(visit: Visit) -> None:
    """After a 404 the connection goes on."""
    client = visit.http()
    for _ in range(3):
        expect_told(client.ask("GET", target_of(visit.new_name())), 404, 100)
    expect(client.opened == 1, "one connection", f"{client.opened} connections")
