"""Job: one question on its way to one server, from its message to its end."""

import asyncio
import secrets
from collections.abc import Callable
from typing import NamedTuple, Protocol

from node.config_check import MAX_PARTIAL_ANSWERS_BYTES
from protocols.handle.codec import Message
from protocols.handle.codes import OpCode
from resolver.asking import Question, Reply, Target, Trouble

MAX_REQUEST_ID = 0x7FFF_FFFF
"""Java reads the id as a signed number."""
CHANCE_BITS = 31
"""All of them: an id that cannot be guessed is what an answer over UDP is known by, beside its port."""


class UpstreamSettings(NamedTuple):
    """What an operator may choose about asking others."""

    connections: int = 32
    """TCP connections (and HTTP exchanges at a time) to one server; servers allow 64 from one address."""
    idle_s: float = 60.0
    """An unused connection is kept for so long."""
    pins: tuple[str, ...] = ()
    """``sha256:HEX`` of a SubjectPublicKeyInfo in DER, for ``Role.UPSTREAM`` only; several while keys rotate."""
    say_via: bool = True
    """Tell other nodes which nodes a question has passed, and ask them for trails."""
    max_message_bytes: int = 262_144
    """After the envelope; what the reference decoders accept."""
    ca_file: str = ""
    """Certificates (PEM) that HTTPS servers are believed by; "" = those of the system."""
    most_connections: int = 1024
    """To all servers together; the longest unused one gives way."""
    most_buffered_bytes: int = MAX_PARTIAL_ANSWERS_BYTES
    """Of answers that are not whole yet, from all servers together."""


Said = Message | Reply | Trouble
"""How a job ends: a native message that answers it, an HTTP reply, or why there is neither."""


class Job:
    """``settle`` is called once, by whoever carries it; ``is_asked`` tells a silent server from a crowd of our own."""

    __slots__ = (
        "is_asked", "is_held", "is_repeated", "is_settled", "message", "number", "op_code", "question",
        "request_id", "settle", "target", "timer", "until_s",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        target: Target,
        question: Question,
        until_s: float,
        settle: "Callable[[Job, Said], None]",
    ) -> None:
        self.number, self.target, self.question = number, target, question
        self.until_s = until_s
        """In the event loop's time."""
        self.settle = settle
        self.op_code: int = OpCode.RESOLVE
        self.request_id = secrets.randbits(CHANCE_BITS)
        self.message = b""
        """Encoded, with ``request_id``; empty for HTTP."""
        self.is_asked = False
        """A connection is being made for it, or it has been written."""
        self.is_held = False
        """An answer came, but the key that would prove it is still looked for."""
        self.is_repeated = False
        """It was asked once more, because a connection had been closed under it."""
        self.is_settled = False
        self.timer: asyncio.TimerHandle | None = None


class Carrier(Protocol):
    """One way to ask: UDP, TCP or HTTP."""

    def ask(self, job: Job) -> None:
        """Begin. The job is settled later, never from inside this call."""

    def drop(self, job: Job) -> None:
        """Nobody waits for it any more; it is not settled by the carrier."""

    async def close(self) -> None:
        """Let go of every socket and task."""
