"""Broken UDP (``conformance/checks/native_udp.py``)."""

from conformance.asking import HEARTBEAT
from conformance.native_messages import request_bytes
from protocols.handle.codec import Message
from protocols.handle.codes import RRDG, OpCode
from protocols.handle.envelope import ENVELOPE_BYTES, HEADER_BYTES
from tests.broken_nodes.breakage import Breakage, Question, native
from tests.broken_nodes.native_edits import (
    after,
    ask_bytes,
    each_value,
    edit,
    envelope,
    over_udp,
    says,
)


def _answers_fragments(data: bytes) -> bytes:
    """Any packet is taken for a whole."""
    return data[:2] + b"\2" + data[3:12] + bytes(4) + data[16:]


def _right_length(data: bytes) -> bytes:
    return data[:16] + (len(data) - ENVELOPE_BYTES).to_bytes(4) + data[20:]


def _answers_anything(question: Question) -> bytes:
    is_short = len(question.data) < ENVELOPE_BYTES + HEADER_BYTES
    return request_bytes(OpCode.RESOLVE, HEARTBEAT) if is_short else question.data


def _without_digest(message: Message) -> Message:
    header = message.header
    return message._replace(header=header._replace(op_flags=header.op_flags & ~RRDG), digest=None)


BREAKAGES: dict[str, Breakage] = {
    "native.udp.answered": native("sends everybody to TCP", says(2)),
    "native.udp.same-as-tcp": native(
        "says something else over UDP", over_udp(each_value(data=b"?"))
    ),
    "native.udp.at-most-512-bytes": native(
        "sends long packets", lambda _, message: message + bytes(512)
    ),
    "native.udp.too-big-answer": native("says that it is busy", says(3)),
    "native.udp.retry-same-answer": native("answers once", after(1, says(3))),
    "native.udp.fragmented-request": native("takes packets for nonsense", says(4)),
    "native.udp.later-packet-alone": native(
        "takes a part for the whole", ask=ask_bytes(_answers_fragments)
    ),
    "native.udp.short-datagrams-ignored": native("answers everything", ask=_answers_anything),
    "native.udp.answers-ignored": native(
        "answers answers", ask=ask_bytes(lambda data: data[:24] + bytes(4) + data[28:])
    ),
    "native.udp.wrong-length-refused": native(
        "does not look at lengths", ask=ask_bytes(_right_length)
    ),
    "native.udp.garbage-survived": native("is busy with garbage", says(3)),
    "native.udp.whole-answer-numbered": native("counts from 1", envelope(sequence=1)),
    "native.udp.amplification": native(
        "answers in many packets", lambda _, message: (message,) * 20
    ),
    "native.udp.digest": native("has no digests over UDP", edit(_without_digest)),
    "native.udp.site-info": native("knows no sites over UDP", says(4)),
}
