"""What the faulty peer says to one question: bytes, and what happens to the connection after them."""

import itertools
import json
import random
import time
from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from protocols.handle.codec import Body, Message, decode, encode, encode_payload
from protocols.handle.codes import CERT, RRDG, OpCode, ResponseCode
from protocols.handle.envelope import MAX_MESSAGE_BYTES, TRUNCATED
from protocols.handle.failures import ErrorAnswer
from protocols.handle.fragments import split
from protocols.handle.replies import reply
from protocols.handle.resolution import Referral, ResolveAnswer, ResolveRequest
from protocols.handle.signing import make_signature
from protocols.handle.site_info import SiteAnswer
from protocols.handle.via import write_trail
from protocols.rest.value_json import values_to_json
from protocols.trail import trail_document
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from tests.faulty_peer.behaviour import ABSENT, WELL, Asked, Behaviour, Canned, Mode

HOUR_S = 3600
REFERRALS = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)
HUGE_VALUES = tuple(Value(at, "BLOB", bytes([at]) * 62_000) for at in range(1, 5))
"""248,000 bytes of data: fits the largest record."""
HTTP_STATUS = {1: 200, 2: 500, 3: 503, 4: 400, 5: 501, 100: 404, 200: 200, 301: 400, 302: 300}


class Then(Enum):
    """What happens to the connection."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"
    ENDLESS = "endless"
    """The last piece is sent again and again until the asker closes."""


class Plan(NamedTuple):
    """Pieces in order; over UDP each is a datagram."""

    pieces: tuple[bytes, ...] = ()
    then: Then = Then.KEEP


SILENCE = Plan()


class Speaker:
    """One peer's voice. ``records`` by identifier in upper case; ``default`` for all others."""

    def __init__(
        self,
        records: dict[bytes, Canned],
        default: Canned = ABSENT,
        behaviour: Behaviour = WELL,
        seed: int = 0,
    ) -> None:
        self.records = {key.upper(): canned for key, canned in records.items()}
        self.default = default
        self.behaviour = behaviour
        self.chance = random.Random(seed)
        self._since_s = time.monotonic()

    def canned(self, identifier: bytes) -> Canned:
        if self.behaviour.mode is Mode.HUGE:
            return Canned(values=HUGE_VALUES)
        return self.records.get(identifier.upper(), self.default)

    def is_deaf(self) -> bool:
        """Lost, or in the silent half of flapping."""
        behaviour = self.behaviour
        if behaviour.flap_s and int((time.monotonic() - self._since_s) / behaviour.flap_s) % 2:
            return True
        return behaviour.loss > 0 and self.chance.random() < behaviour.loss

    # ---------------------------------------------------------------------------------------- native

    def asked(self, data: bytes, transport: str, port: int) -> tuple[Message, Asked]:
        """Raises ``ProtocolError``."""
        request = decode(data)
        body = request.body
        is_question = isinstance(body, ResolveRequest)
        return request, Asked(
            transport,
            body.handle if is_question else b"",  # type: ignore[union-attr]
            port,
            request.envelope.request_id,
            request.header.op_flags,
            request.header.recursion_count,
            body.surplus if is_question else b"",  # type: ignore[union-attr]
        )

    def native(self, request: Message, transport: str) -> Plan:
        mode = self.behaviour.mode
        is_silent = self.behaviour.is_tcp_silent and transport == "tcp"
        if mode is Mode.SILENT or is_silent or self.is_deaf():
            return SILENCE
        if mode is Mode.CLOSE_WITHOUT_ANSWER:
            return Plan(then=Then.CLOSE)
        if mode is Mode.GARBAGE:
            return Plan((b"\xff" * 64,))
        if mode is Mode.ENDLESS_FRAMES:
            wrong = self._answer(request, request_id=request.envelope.request_id ^ 1)
            return Plan((wrong * 100,), Then.ENDLESS)
        if mode is Mode.ENDLESS_FRAME:
            head = encode(self._made(request))[:16] + MAX_MESSAGE_BYTES.to_bytes(4)
            return Plan((head, bytes(MAX_MESSAGE_BYTES - 100)))
        answer = self._answer(request)
        if mode is Mode.RESET_IN_FRAME:
            return Plan((answer[: len(answer) // 2],), Then.RESET)
        if transport == "udp":
            return Plan(self._datagrams(request, answer))
        return Plan((answer,))

    def _answer(self, request: Message, request_id: int | None = None) -> bytes:
        mode, sent_id = self.behaviour.mode, request.envelope.request_id
        if mode is Mode.WRONG_ID and request_id is None:
            request_id = sent_id ^ 0x5A5A
        made = self._made(request)
        if request_id is not None:
            made = made._replace(envelope=made.envelope._replace(request_id=request_id))
        data = encode(self._signed(request, made))
        if mode is Mode.GARBAGE_BODY:
            data = data[:44] + b"\xff" * (len(data) - 44)
        if mode is Mode.TOO_LONG:
            size = MAX_MESSAGE_BYTES + 1
            data = data[:16] + size.to_bytes(4) + data[20:] + bytes(size - len(data) + 20)
        return data

    def _made(self, request: Message, identifier: bytes | None = None) -> Message:
        behaviour = self.behaviour
        now_s = int(time.time())  # noqa: TID251
        expires_s = now_s + (-HOUR_S if behaviour.mode is Mode.EXPIRED else 12 * HOUR_S)
        code, body = self._body(request, identifier)
        if not behaviour.signs_with_digest:
            header = request.header._replace(op_flags=request.header.op_flags & ~RRDG)
            request = request._replace(header=header)
        return reply(request, code, body, serial=1, expiration_s=expires_s)

    def _body(self, request: Message, identifier: bytes | None) -> tuple[int, Body]:
        if request.header.op_code == OpCode.GET_SITE_INFO:
            return ResponseCode.SUCCESS, SiteAnswer(self._site())
        assert isinstance(request.body, ResolveRequest)
        handle = request.body.handle
        if self.behaviour.mode is Mode.WRONG_IDENTIFIER:
            identifier = handle + b"-other"
        canned = self.canned(handle)
        trail = write_trail(canned.trail) if canned.trail is not None else b""
        if canned.code == ResponseCode.SUCCESS:
            return canned.code, ResolveAnswer(identifier or handle, canned.values, trail)
        if canned.code in REFERRALS:
            return canned.code, Referral(canned.referral, canned.values or None, trail)
        return canned.code, ErrorAnswer(canned.text.encode(), surplus=trail)

    def _site(self) -> bytes:
        keys = self.behaviour.site_keys or (b"",)
        servers = tuple(
            Server(at, "127.0.0.1", (Interface(TCP, 2641),), key) for at, key in enumerate(keys, 1)
        )
        return encode_site(Site(servers))

    def _signed(self, request: Message, made: Message) -> Message:
        key = self.behaviour.signs_with
        if key is None or not request.header.op_flags & CERT:
            return made
        return made._replace(credential=make_signature(key, made.envelope, 0, encode_payload(made)))

    def _datagrams(self, request: Message, answer: bytes) -> tuple[bytes, ...]:
        behaviour = self.behaviour
        forged = list(itertools.islice(self._forgeries(answer), behaviour.forged_before))
        if behaviour.forged_identifier_before:
            forged += split(encode(self._made(request, b"88.118/forged")))
        if behaviour.is_udp_too_small:
            error = reply(
                request, ResponseCode.ERROR, ErrorAnswer(b"use TCP"),
                serial=1, expiration_s=int(time.time()) + HOUR_S,  # noqa: TID251
            )  # fmt: skip
            return (*forged, encode(error))
        pieces = split(answer)
        if not behaviour.sets_truncated:
            pieces = [piece[:2] + bytes([piece[2] & ~TRUNCATED]) + piece[3:] for piece in pieces]
        return (*forged, *pieces)

    def _forgeries(self, answer: bytes):
        while True:
            guess = self.chance.getrandbits(31)
            if guess != int.from_bytes(answer[8:12]):
                yield answer[:8] + guess.to_bytes(4) + answer[12:]

    # ------------------------------------------------------------------------------------------ HTTP

    def web(self, target: str) -> Plan:
        """The response to GET ``target``; the caller has counted the question."""
        behaviour, mode = self.behaviour, self.behaviour.mode
        if mode is Mode.SILENT or self.is_deaf():
            return SILENCE
        if mode is Mode.CLOSE_WITHOUT_ANSWER:
            return Plan(then=Then.CLOSE)
        if mode is Mode.GARBAGE:
            return Plan((b"\xff" * 64,), Then.CLOSE)
        if mode in {Mode.ENDLESS_FRAMES, Mode.ENDLESS_FRAME}:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
            return Plan((head + b'{"responseCode": 1, "x": "', b"x" * 65_536), Then.ENDLESS)
        handle = identifier_of(target)
        canned = self.canned(handle)
        if mode in {Mode.WRONG_ID, Mode.WRONG_IDENTIFIER}:
            handle += b"-other"
        document: dict[str, object] = {"responseCode": int(canned.code), "handle": handle.decode()}
        if canned.values:
            document["values"] = values_to_json(canned.values)
        if canned.text:
            document["message"] = canned.text
        if canned.trail is not None:
            document["trail"] = trail_document(canned.trail)
        body = json.dumps(document).encode()
        if mode is Mode.GARBAGE_BODY:
            body = b'{"values": 7}'
        if mode is Mode.TOO_LONG:
            body = body + b" " * 2_000_001
        status = behaviour.http_status or HTTP_STATUS.get(canned.code, 400)
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n"
        if status in {301, 302, 307, 308}:
            head += "Location: /elsewhere\r\n"
        response = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
        if mode is Mode.RESET_IN_FRAME:
            return Plan((response[:-10],), Then.RESET)
        return Plan((response,))


def identifier_of(target: str) -> bytes:
    return unquote_to_bytes(urlsplit(target).path.removeprefix("/api/handles/"))
