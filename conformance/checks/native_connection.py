"""TCP connections: how long they live, what may come on them in which order (RFC 3652 §2.3; the Java clients)."""

from conformance.asking import HEARTBEAT, resolve
from conformance.check import Need, check
from conformance.expectations import NOTHING_THERE, expect_code
from conformance.native_messages import Fields, new_request_id, read_answer, request_bytes
from conformance.outcome import Failed, expect, expect_equal
from conformance.visit import Visit
from protocols.handle.codes import OpCode, ResponseCode

SDK = "id-pointer-sdk 2.3.1: pooled connections, one question at a time"
PIPELINED = 20
AT_ONCE = 8


@check("native.connection.stays-open", f"{SDK}, KPAL not set", Need.TCP)
def connection_stays_open(visit: Visit) -> None:
    """A connection takes further requests although none of them has the KPAL flag."""
    client = visit.kept_connection()
    for _ in range(3):
        expect_code(client.ask(OpCode.RESOLVE, HEARTBEAT), *NOTHING_THERE)


@check("native.connection.one-answer-a-request", SDK, Need.TCP)
def one_answer_a_request(visit: Visit) -> None:
    """A request gets exactly one answer."""
    client = visit.kept_connection()
    client.ask(OpCode.RESOLVE, HEARTBEAT)
    more = client.unasked(visit.target.silence_s)
    expect(not more, "nothing more", f"{len(more)} bytes more")


@check("native.connection.pipelined-in-order", "RFC 3652 §2.3; id-pointer-sdk 2.3.1", Need.TCP)
def pipelined_requests_are_answered_in_order(visit: Visit) -> None:
    """Requests that come together in one piece are answered one by one, in their order."""
    client = visit.kept_connection()
    ids = [new_request_id() for _ in range(PIPELINED)]
    fields = [Fields(request_id=request_id) for request_id in ids]
    client.send(b"".join(request_bytes(OpCode.RESOLVE, HEARTBEAT, each) for each in fields))
    came = [read_answer(client.receive_raw()).envelope.request_id for _ in ids]
    expect_equal("request ids", ids, came)


@check("native.connection.pieces-joined", "RFC 3652 §2.3", Need.TCP)
def pieces_of_a_message_are_joined(visit: Visit) -> None:
    """A message that comes in several pieces is waited for and answered."""
    client = visit.kept_connection()
    message = request_bytes(OpCode.RESOLVE, HEARTBEAT)
    for start, end in ((0, 7), (7, 20), (20, 30)):
        client.send(message[start:end])
        expect(client.is_silent(0.02), "nothing before the message is whole", "bytes, or the end")
    client.send(message[30:])
    expect_equal("request id", message[8:12], client.receive_raw()[8:12])


@check("native.connection.half-message-survived", "RFC 3652 §2.3", Need.TCP)
def half_a_message_is_survived(visit: Visit) -> None:
    """A client that goes away in the middle of a message harms nobody: the next one is served."""
    client = visit.kept_connection()
    client.send(request_bytes(OpCode.RESOLVE, HEARTBEAT)[:33])
    client.close()
    came = visit.kept_connection().ask(OpCode.RESOLVE, HEARTBEAT)
    expect_code(came, ResponseCode.HANDLE_NOT_FOUND, ResponseCode.INVALID_HANDLE)


@check("native.connection.many-at-once", SDK, Need.TCP)
def many_connections_are_served(visit: Visit) -> None:
    """Several connections of one client are served side by side (a pool has up to ten)."""
    clients = [visit.kept_connection() for _ in range(AT_ONCE)]
    messages = [request_bytes(OpCode.RESOLVE, HEARTBEAT) for _ in clients]
    for client, message in zip(clients, messages, strict=True):
        client.send(message)
    for client, message in zip(clients, messages, strict=True):
        expect_equal("request id", message[8:12], client.receive_raw()[8:12])


@check("native.connection.ids-need-not-grow", SDK, Need.TCP)
def request_ids_need_not_grow(visit: Visit) -> None:
    """Request ids on one connection may come in any order, and again."""
    client = visit.kept_connection()
    for request_id in (500, 3, 500, 7):
        came = client.ask(OpCode.RESOLVE, HEARTBEAT, Fields(request_id=request_id))
        expect_equal("request id", request_id, came.answer.envelope.request_id)


@check("native.connection.errors-keep-it-open", SDK, Need.TCP)
def errors_keep_the_connection(visit: Visit) -> None:
    """An error answer does not end the connection."""
    client = visit.kept_connection()
    expect_code(resolve(client, b""), *NOTHING_THERE, ResponseCode.PROTOCOL_ERROR)
    expect_code(client.ask(OpCode.RESOLVE, HEARTBEAT), *NOTHING_THERE)


@check("native.connection.answers-not-answered", "RFC 3652 §2.2.2.2", Need.TCP)
def answers_are_not_answered(visit: Visit) -> None:
    """A message that is itself an answer gets none: two servers would talk for ever."""
    client = visit.kept_connection()
    message = bytearray(request_bytes(OpCode.RESOLVE, HEARTBEAT))
    message[24:28] = (1).to_bytes(4)
    client.send(bytes(message))
    client.answer_s = visit.target.silence_s
    try:
        came = client.receive_raw()
    except Failed:
        return
    raise Failed("silence, or the end of the connection", f"an answer: {came[:44].hex()}")


@check("native.connection.heartbeat", "id-pointer-sdk 2.3.1: heartbeat", Need.TCP)
def heartbeat_is_answered(visit: Visit) -> None:
    """The question for "0", a heartbeat, is answered with RC 100 or RC 102."""
    came = visit.kept_connection().ask(OpCode.RESOLVE, HEARTBEAT)
    expect_code(came, ResponseCode.HANDLE_NOT_FOUND, ResponseCode.INVALID_HANDLE)
