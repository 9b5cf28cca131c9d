"""Tunnel: native messages in the bodies of POSTs, to any path (Handle.Net manual, native protocol over HTTP).

A body of ``application/x-hdl-message`` is an envelope and a message; so is the answer. What may be asked over TCP may
be asked here, by whoever could ask there: who speaks is proved inside the messages. One message makes one answer.
"""

from collections.abc import Callable
from typing import Any, Protocol

from node.driver import Then
from node.http.errors import http_trouble
from node.http.reply import Reply
from node.http.request import Request
from node.service import Service, answer_to
from protocols.handle.envelope import ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from protocols.message import Answer
from resolver.source import Now, Peer

CONTENT_TYPE = "application/x-hdl-message"
MAX_BYTES = ENVELOPE_BYTES + MAX_MESSAGE_BYTES


class Speaker(Protocol):
    """Who answers native messages (``node/listeners/native.py``)."""

    def answer(self, message: bytes, peer: Peer, now: Now, most_bytes: int) -> Any:
        """The encoded answer, None = silence, or something to ``ask``."""

    def ask(self, asked: Any, now: Now, then: Then) -> Callable[[], None]:
        """Have it worked at; ``then`` gets what ``finish`` takes. Returns how to forget about it."""

    def finish(self, asked: Any, answer: Answer, now: Now, most_bytes: int) -> bytes | None:
        """The encoded answer to what was asked; None = silence."""


def is_tunnelled(request: Request) -> bool:
    """Whether a native message is what the request is about."""
    return request.method == "POST" and request.media_type() == CONTENT_TYPE


async def pass_through(service: Service, speaker: Speaker | None, request: Request) -> Reply:
    """The answer to the message in the body. Raises ``ProtocolError``, ``ConnectionResetError``."""
    if speaker is None:
        return http_trouble(415, "native messages are not answered over HTTP here")
    message = await request.read_body(MAX_BYTES)
    service.refresh()
    answer = await _answer(service, speaker, message, request)
    if answer is None:
        return http_trouble(400, f"the body is no request that {CONTENT_TYPE} can hold")
    return Reply(200, answer, CONTENT_TYPE, (("Cache-Control", "no-store"),))


async def _answer(
    service: Service, speaker: Speaker, message: bytes, request: Request
) -> bytes | None:
    """As over TCP; others may have to be asked, and the client may leave meanwhile."""
    asked = speaker.answer(message, request.peer, service.now(), MAX_BYTES)
    if asked is None or isinstance(asked, bytes):
        return asked

    def ask(then: Then) -> Callable[[], None]:
        return speaker.ask(asked, service.now(), then)

    answer = await answer_to(request.connection, ask)
    return speaker.finish(asked, answer, service.now(), MAX_BYTES)
