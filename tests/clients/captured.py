"""The captured conversations of handle_vectors.json, spoken live: the client's own bytes, over real sockets.

What the client sent goes out byte for byte, except what depends on the server's chance or on keys that nobody has any
more: nonces signed, session ids, MACs and the client's Diffie-Hellman half are made anew. ``Wire`` says how the client
connects: one connection for all, or a new one for each request, as the classic resolver does.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from protocols.handle.authentication import Challenge, ChallengeAnswer
from protocols.handle.codec import Message, decode, encode, encode_payload
from protocols.handle.codes import CONT, ResponseCode
from protocols.handle.encryption import session_key, shared_secret
from protocols.handle.proof import challenge_content, prove_key
from protocols.handle.sessions import SessionSetupAnswer, read_dh_answer
from protocols.handle.signing import make_mac
from protocols.values.keys import DhKey, decode_public_key, encode_public_key
from tests.vectors.handle_vectors import bytes_of

PREFIX = "20.500.99999"
USER = f"{PREFIX}/USER"
USER_INDEX = 300
PRIVATE = 0x0123456789ABCDEF << 320
"""The client's half of a key agreement; any number does."""

TRIES, PAUSE_S = 40, 0.25


def patiently(say: Callable[[], list[Message]]) -> list[Message]:
    """As any client we come back to a node that is too busy at the moment; ``say`` makes a new message each time."""
    told = say()
    for _ in range(TRIES):
        if told[0].header.response_code != ResponseCode.TOO_BUSY:
            break
        threading.Event().wait(PAUSE_S)
        told = say()
    return told


@dataclass
class Wire:
    """Connections to one node. ``is_new_each``: every request on its own."""

    port: int
    is_new_each: bool
    stack: ExitStack = field(default_factory=ExitStack)
    sock: socket.socket | None = None

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def say(self, message: bytes) -> Message:
        if self.sock is None or self.is_new_each:
            address = ("127.0.0.1", self.port)
            self.sock = self.stack.enter_context(socket.create_connection(address, timeout=20))
        self.sock.sendall(message)
        with self.sock.makefile("rb") as file:
            head = file.read(20)
            return decode(head + file.read(int.from_bytes(head[16:20])))

    def say_all(self, message: bytes, pause_s: float) -> list[Message]:
        """The messages of one long answer, to a client that reads nothing for a while."""
        assert self.sock is not None
        self.sock.sendall(message)
        threading.Event().wait(pause_s)
        told: list[Message] = []
        with self.sock.makefile("rb") as file:
            while not told or told[-1].header.op_flags & CONT:
                head = file.read(20)
                told.append(decode(head + file.read(int.from_bytes(head[16:20]))))
        return told


def changed(name: str, **envelope: int) -> Message:
    """A captured message; ``envelope``: fields that the server's chance decides."""
    message = decode(bytes_of(name))
    return message._replace(envelope=message.envelope._replace(**envelope))


def answered(name: str, challenge: Message, key: rsa.RSAPrivateKey) -> bytes:
    """The captured answer to a challenge, with the proof that this challenge needs."""
    assert isinstance(challenge.body, Challenge)
    assert challenge.digest is not None
    content = challenge_content(challenge.body.nonce, challenge.digest.value)
    message = changed(name, session_id=challenge.envelope.session_id)
    body = message.body
    assert isinstance(body, ChallengeAnswer)
    proof = prove_key(message.envelope.version, key, content)
    return encode(message._replace(body=body._replace(signed_response=proof)))


class Classic:
    """The classic Java resolver's session."""

    def __init__(self, say: Callable[[bytes], Message]) -> None:
        self.say = say
        self.id, self.key = 0, b""

    def open(self) -> Message:
        captured = decode(bytes_of("classic_e2e_session_setup_request"))
        theirs = decode_public_key(captured.body.key)
        own = DhKey(pow(theirs.g, PRIVATE, theirs.p), theirs.p, theirs.g)
        body = captured.body._replace(key=encode_public_key(own))
        told = self.say(encode(captured._replace(body=body)))
        assert isinstance(told.body, SessionSetupAnswer), told
        _, blob = read_dh_answer(told.body.data)
        self.key = session_key(shared_secret(theirs.p, PRIVATE, decode_public_key(blob).y))
        self.id = told.envelope.session_id
        return told

    def in_session(self, name: str) -> bytes:
        """A captured message with this session's id and MAC, its own counter kept."""
        message = changed(name, session_id=self.id)
        assert message.credential is not None
        return self.with_mac(message, message.credential.counter)

    def with_mac(self, message: Message, counter: int) -> bytes:
        """The message as number ``counter`` of this session, whose id it carries."""
        payload = encode_payload(message)
        return encode(
            message._replace(credential=make_mac(self.key, message.envelope, counter, payload))
        )
