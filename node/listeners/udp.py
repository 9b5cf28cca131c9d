"""Native UDP: datagrams in, datagrams out, on our own non-blocking socket.

The hot path is all here: a plain public question for a stored record is read, looked up and answered without a task, an
await, a log line or an object of ours. Before an address is proved it gets at most three bytes for each one it sent, so
the node is useless to whoever forges senders (RFC 9000 §8); what is larger becomes RC 2, and clients go to TCP.
"""

import asyncio
import socket
from itertools import starmap

from node.config_sections import LimitsSection
from node.listeners.limits import ProvenAddresses, is_loopback
from node.listeners.native import USE_TCP, NativeSpeaker
from node.metrics import NATIVE_FAULTS
from node.service import Service
from node.site import SiteInfo
from protocols.handle.codes import ResponseCode
from protocols.handle.envelope import Action, accept
from protocols.handle.fast import plain_answer, plain_question
from protocols.handle.header import DEFAULT_EXPIRATION_S
from protocols.record import BODY_OFFSET, DELETED, NO_VALUES, PARTS, public_offset
from resolver.policies.ratelimit import RateLimit
from resolver.source import Peer

DATAGRAMS_PER_WAKEUP = 64
"""Then the loop looks at other sockets; a flood must not starve TCP and HTTP."""
RECEIVE_BYTES = 4096
"""Requests are 512 bytes at most (RFC 3652 §2.3); what fills this was cut and is sent to TCP."""

_BATCH = (RECEIVE_BYTES,) * DATAGRAMS_PER_WAKEUP
_Outgoing = tuple[bytes, tuple[str, int]]


class UdpListener:
    """One socket of one worker. ``hits`` and ``faults`` are read by the metrics."""

    def __init__(  # noqa: PLR0913  # everything a datagram meets
        self,
        sock: socket.socket,
        service: Service,
        speaker: NativeSpeaker,
        site: SiteInfo,
        proven: ProvenAddresses,
        rate: RateLimit,
        limits: LimitsSection,
    ) -> None:
        self._socket = sock
        self._service, self._speaker, self._site, self._proven = service, speaker, site, proven
        self._rate = rate
        self._most_bytes = limits.udp_answer_bytes
        self._amplification = limits.udp_amplification
        self.hits = 0
        """Answers of the hot path."""
        self.unsent = 0
        """Answers the kernel did not take; the client asks again."""
        self.refused = 0
        """Questions of sources over their rate."""

    def start(self) -> None:
        """Begin to receive."""
        asyncio.get_running_loop().add_reader(self._socket, self._serve)

    def stop(self) -> None:
        """Receive no more; what waits in the socket is for the successor."""
        asyncio.get_running_loop().remove_reader(self._socket)

    def _serve(self) -> None:
        """Receive what waits, answer it all, send it all.

        In this order because a system call leaves the processor's caches and predictors cold: measured, going through
        receive, answer and send for each datagram in turn takes half as long again.
        """
        received: list[tuple[bytes, tuple[str, int]]] = []
        try:
            # Whatever ``extend`` got before the socket was empty stays in the list.
            received.extend(map(self._socket.recvfrom, _BATCH))
        except BlockingIOError:
            pass
        except OSError:
            self.unsent += 1  # an earlier answer was refused by its receiver (ICMP)
        self._send(self._answers(received))

    def _answers(self, received: list[tuple[bytes, tuple[str, int]]]) -> list[_Outgoing]:
        """The hot path. Names are local because each look-up counts here."""
        reader = self._service.reader
        reader.refresh()
        stored_of, rate = reader.stored, self._rate
        serial, most_bytes, amplification = self._site.serial, self._most_bytes, self._amplification
        now_s, wall_s = self._service.now()
        expiration_s = int(wall_s) + DEFAULT_EXPIRATION_S
        answers: list[_Outgoing] = []
        slow_count = 0
        host, is_free = "", False
        for data, address in received:
            if address[0] != host:  # bursts come from few sources
                host = address[0]
                is_free = rate.is_free(host)
            if not is_free and not rate.take(host, now_s):
                slow_count += 1
                refusal = self._over_rate(data)
                if refusal is not None:
                    answers.append((refusal, address))
                continue
            question = plain_question(data)
            if question is not None:
                stored = stored_of(question[0])
                if stored is not None and not (flags := stored[1]) & DELETED:
                    public = stored[public_offset(stored) if flags & PARTS else BODY_OFFSET :]
                    answer = plain_answer(question, public, serial, expiration_s)
                    size = len(answer)
                    if (
                        size <= most_bytes
                        and public != NO_VALUES
                        and (size <= amplification * len(data) or self._is_proven(host))
                    ):
                        answers.append((answer, address))
                        continue
            slow_count += 1
            other = self._answer(data, address)
            if other is not None:
                answers.append((other, address))
        self.hits += len(received) - slow_count
        return answers

    def _send(self, answers: list[_Outgoing]) -> None:
        waiting = iter(answers)
        while True:
            try:
                for _ in starmap(self._socket.sendto, waiting):
                    pass
            except OSError:
                self.unsent += 1  # the rest goes on
            else:
                return

    def _over_rate(self, data: bytes) -> bytes | None:
        """Every second one gets RC 2 and can go on over TCP, where its address is proved; the others get silence."""
        self.refused += 1
        if self.refused % 2 or accept(data).action is Action.IGNORE:
            return None
        now = self._service.now()
        return self._speaker.refuse(data, ResponseCode.ERROR, USE_TCP, now, len(data))

    def _answer(self, data: bytes, address: tuple[str, int]) -> bytes | None:
        """Anything but a plain hit; None = silence."""
        verdict = accept(data)
        if verdict.action is Action.IGNORE:
            NATIVE_FAULTS.labels("udp", "ignored").inc()
            return None
        now = self._service.now()
        most = self._most_bytes
        if not self._proven.is_proven(address[0], now.monotonic_s):
            most = min(most, int(self._amplification * len(data)))
        if len(data) == RECEIVE_BYTES:
            NATIVE_FAULTS.labels("udp", "oversize").inc()
            return self._speaker.refuse(data, ResponseCode.ERROR, USE_TCP, now, most)
        if verdict.action is Action.REFUSE:
            NATIVE_FAULTS.labels("udp", "refused").inc()
            return self._speaker.refuse(data, verdict.response_code, verdict.reason, now, most)
        peer = Peer(address[0], address[1], "udp", is_loopback=is_loopback(address[0]))
        return self._speaker.answer(data, peer, now, most)

    def _is_proven(self, address: str) -> bool:
        return self._proven.is_proven(address, self._service.now().monotonic_s)
