"""Native UDP: datagrams in, datagrams out, on our own non-blocking socket.

The hot path is all here: a plain public question for a stored record is read, looked up and answered without a task, an
await, a log line or an object of ours. Before an address is proved it gets at most three bytes for each one it sent, so
the node is useless to whoever forges senders (RFC 9000 §8); what is larger becomes RC 2, and clients go to TCP.
"""

import asyncio
import socket

from node.config_sections import LimitsSection
from node.listeners.limits import ProvenAddresses, is_loopback
from node.listeners.native import NativeSpeaker
from node.metrics import NATIVE_FAULTS
from node.service import Service
from node.site import SiteInfo
from protocols.handle.envelope import Action, accept
from protocols.handle.fast import plain_answer, plain_question
from protocols.handle.header import DEFAULT_EXPIRATION_S
from protocols.record import DELETED, NO_VALUES, public_offset
from resolver.source import Now, Peer

DATAGRAMS_PER_WAKEUP = 64
"""Then the loop looks at other sockets; a flood must not starve TCP and HTTP."""
RECEIVE_BYTES = 4096
"""Requests are 512 bytes at most (RFC 3652 §2.3); what is cut here fails the check of its length."""


class UdpListener:
    """One socket of one worker. ``hits`` and ``faults`` are read by the metrics."""

    def __init__(
        self,
        sock: socket.socket,
        service: Service,
        speaker: NativeSpeaker,
        site: SiteInfo,
        proven: ProvenAddresses,
        limits: LimitsSection,
    ) -> None:
        self._socket = sock
        self._service, self._speaker, self._site, self._proven = service, speaker, site, proven
        self._most_bytes = limits.udp_answer_bytes
        self._amplification = limits.udp_amplification
        self.hits = 0
        """Answers of the hot path."""
        self.unsent = 0
        """Answers the kernel did not take; the client asks again."""

    def start(self) -> None:
        """Begin to receive."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def stop(self) -> None:
        """Receive no more; what waits in the socket is for the successor."""
        asyncio.get_running_loop().remove_reader(self._socket)

    def _receive(self) -> None:
        """Everything that waits, up to ``DATAGRAMS_PER_WAKEUP``. Names are local because each look-up counts here."""
        receive, send = self._socket.recvfrom, self._socket.sendto
        now = self._service.now()
        reader = self._service.reader
        reader.refresh()
        stored_of = reader.stored
        serial = self._site.serial
        expiration_s = int(now.wall_s) + DEFAULT_EXPIRATION_S
        most_bytes, amplification = self._most_bytes, self._amplification
        hits = 0
        for _ in range(DATAGRAMS_PER_WAKEUP):
            try:
                data, address = receive(RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError:
                continue  # an earlier answer was refused by its receiver (ICMP)
            question = plain_question(data)
            if question is not None:
                stored = stored_of(question[0])
                if stored is not None and not stored[1] & DELETED:
                    public = stored[public_offset(stored) :]
                    answer = plain_answer(question, public, serial, expiration_s)
                    size = len(answer)
                    if (
                        size <= most_bytes
                        and public != NO_VALUES
                        and (
                            size <= amplification * len(data)
                            or self._proven.is_proven(address[0], now.monotonic_s)
                        )
                    ):
                        try:
                            send(answer, address)
                            hits += 1
                        except OSError:
                            self.unsent += 1
                        continue
            self._answer(data, address, now)
        self.hits += hits

    def _answer(self, data: bytes, address: tuple[str, int], now: Now) -> None:
        """Anything but a plain hit."""
        verdict = accept(data)
        if verdict.action is Action.IGNORE:
            NATIVE_FAULTS.labels("udp", "ignored").inc()
            return
        if verdict.action is Action.REFUSE:
            NATIVE_FAULTS.labels("udp", "refused").inc()
            answer = self._speaker.refuse(data, verdict.response_code, "", now)
            if answer is not None and len(answer) > self._amplification * len(data):
                return
        else:
            most = self._most_bytes
            if not self._proven.is_proven(address[0], now.monotonic_s):
                most = min(most, int(self._amplification * len(data)))
            peer = Peer(address[0], address[1], "udp", is_loopback=is_loopback(address[0]))
            answer = self._speaker.answer(data, peer, now, most)
        if answer is not None:
            try:
                self._socket.sendto(answer, address)
            except OSError:
                self.unsent += 1
