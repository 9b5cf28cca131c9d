"""The envelope: versions, ids, flags (RFC 3652 §2.2.1)."""

from conformance.check import Need, check
from conformance.native_messages import Fields
from conformance.outcome import expect_equal
from conformance.visit import Visit
from protocols.handle.codes import OpCode
from protocols.handle.resolution import ResolveRequest

HEARTBEAT = ResolveRequest(b"0")
"""A question that every node answers, if only with an error."""


@check("native.envelope.request-id-echoed", "RFC 3652 §2.2.1", Need.TCP)
def request_id_is_echoed(visit: Visit) -> None:
    """An answer has the request id of its request."""
    for request_id in (1, 0x11223344, 0x7FFFFFFF, 0xFFFFFFFE):
        came = visit.tcp().ask(OpCode.RESOLVE, HEARTBEAT, Fields(request_id=request_id))
        expect_equal("request id", request_id, came.answer.envelope.request_id)
