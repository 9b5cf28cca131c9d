"""The native protocol through HTTP: POST with content type application/x-hdl-message (Handle.Net manual)."""

from conformance.asking import FULL
from conformance.check import Need, check
from conformance.http_api import expect_client_error
from conformance.http_client import HttpAnswer
from conformance.native_messages import Fields, read_answer, request_bytes
from conformance.outcome import NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.handle.administration import ValuesRequest
from protocols.handle.authentication import Challenge
from protocols.handle.codec import Message
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.resolution import ResolveAnswer, ResolveRequest
from protocols.values.value import Value

TUNNEL = 'Handle.Net Technical Manual 9, "Handle protocol over HTTP"'
MESSAGE = "application/x-hdl-message"
READ = (Need.HTTP, Need.ADMIN)
PAGE = Value(1, "URL", b"https://example.org/")


def _post(visit: Visit, message: bytes, path: str = "/") -> HttpAnswer:
    answer = visit.http().ask("POST", path, message, (("Content-Type", MESSAGE),))
    if answer.status in {404, 405, 415, 501}:
        raise NotOffered(answer.told)
    return answer


def _ask(visit: Visit, message: bytes, path: str = "/") -> Message:
    answer = _post(visit, message, path)
    expect(answer.status == 200, "status 200", answer.told)
    return read_answer(answer.body)


@check("http.tunnel.resolve", TUNNEL, *READ)
def a_question_through_the_tunnel(visit: Visit) -> None:
    """A resolution message in a POST is answered with a message of the same content."""
    name = visit.make(PAGE)
    came = _ask(visit, request_bytes(OpCode.RESOLVE, ResolveRequest(name)))
    expect_equal("response code", ResponseCode.SUCCESS, came.header.response_code)
    assert isinstance(came.body, ResolveAnswer)
    expect(PAGE.data in [value.data for value in came.body.values], "the value", came.body)


@check("http.tunnel.content-type", TUNNEL, *READ)
def the_answer_is_a_message(visit: Visit) -> None:
    """The content type of the answer is application/x-hdl-message."""
    answer = _post(visit, request_bytes(OpCode.RESOLVE, ResolveRequest(visit.make(PAGE))))
    expect_equal("content type", MESSAGE, answer.field("Content-Type").partition(";")[0])


@check("http.tunnel.request-id", "RFC 3652 §2.2.1", *READ)
def request_ids_come_back(visit: Visit) -> None:
    """The answer has the request's id."""
    question = ResolveRequest(visit.make(PAGE))
    came = _ask(visit, request_bytes(OpCode.RESOLVE, question, Fields(request_id=77)))
    expect_equal("request id", 77, came.envelope.request_id)


@check("http.tunnel.any-path", TUNNEL, *READ)
def any_path_will_do(visit: Visit) -> None:
    """The path of the POST does not matter."""
    message = request_bytes(OpCode.RESOLVE, ResolveRequest(visit.make(PAGE)))
    came = _ask(visit, message, "/anything/at/all")
    expect_equal("response code", ResponseCode.SUCCESS, came.header.response_code)


@check("http.tunnel.not-found", TUNNEL, *READ)
def errors_are_messages_too(visit: Visit) -> None:
    """An unknown handle is a message with response code 100 and status 200."""
    came = _ask(visit, request_bytes(OpCode.RESOLVE, ResolveRequest(visit.new_name())))
    expect_equal("response code", ResponseCode.HANDLE_NOT_FOUND, came.header.response_code)


@check("http.tunnel.administration-needs-proof", "RFC 3652 §3.5.3", *READ)
def commands_are_challenged(visit: Visit) -> None:
    """A command through the tunnel is challenged, as it would be over TCP."""
    body = ValuesRequest(visit.new_name(), (PAGE,))
    came = _ask(visit, request_bytes(OpCode.CREATE, body, FULL))
    expect_equal("response code", ResponseCode.AUTHENTICATION_NEEDED, came.header.response_code)
    expect(isinstance(came.body, Challenge), "a challenge", came.body)


@check("http.tunnel.garbage", TUNNEL, Need.HTTP)
def bodies_that_are_no_message(visit: Visit) -> None:
    """A body that is no message is refused with a 4xx status or an error message, not with a failure."""
    for body in (b"", b"hello", bytes(20), bytes(44)):
        answer = _post(visit, body)
        if answer.status == 200:
            code = read_answer(answer.body).header.response_code
            expect(code != ResponseCode.SUCCESS, "an error", answer.told)
        else:
            expect_client_error(answer)
