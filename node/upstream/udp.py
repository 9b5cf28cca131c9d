"""UDP: a connected socket of its own for every question, on a port that the kernel chooses (RFC 5452 §9.2).

The kernel lets only packets from the asked address and port through. Of those, the first that carries the request id
and answers the question ends it; whatever else comes is passed over, told once, and waiting goes on (RFC 5452 §9.1).
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from node.upstream.addresses import Address, address_of, first_address, trouble_of
from node.upstream.job import Job, Said
from node.upstream.messages import decode_answer, is_for
from protocols.errors import Malformed, ProtocolError
from protocols.handle.codes import ResponseCode
from protocols.handle.envelope import ENVELOPE_BYTES, MAX_MESSAGE_BYTES
from protocols.handle.fragments import MAX_DATAGRAM_BYTES, Reassembly
from resolver.asking import Trouble

MOST_DATAGRAM_BYTES = 16_384
"""Answers have at most 512; some servers send larger ones in one piece all the same."""
BURST = 64
"""Datagrams taken at one wake-up, so that a flood at one socket leaves the loop to the others."""
MOST_DATAGRAMS = 10_000
"""For one question. The longest answer has 533; somebody who sends more costs only time."""


class Exchange:
    """One question's socket."""

    __slots__ = ("count", "is_near_miss_told", "job", "reassembly", "socket")

    def __init__(self, job: Job, most_bytes: int) -> None:
        self.job = job
        self.socket: socket.socket | None = None
        self.reassembly = Reassembly(job.request_id, most_bytes)
        self.count = 0
        self.is_near_miss_told = False


class UdpCarrier:
    """All UDP questions under way."""

    def __init__(
        self, on_near_miss: Callable[[Job], None], max_message_bytes: int = MAX_MESSAGE_BYTES
    ) -> None:
        self._on_near_miss = on_near_miss
        self._max_message_bytes = max_message_bytes
        self._exchanges: dict[Job, Exchange] = {}
        self._lookups: dict[Job, asyncio.Task[None]] = {}
        self.wrong_packets = 0
        """Packets from the right place that answered nothing, since the start."""

    def ask(self, job: Job) -> None:
        """See ``Carrier``."""
        job.is_asked = True
        if len(job.message) > MAX_DATAGRAM_BYTES:  # servers refuse requests in several packets
            self._settle_soon(job, Trouble.TOO_LARGE)
            return
        address = address_of(job.target, socket.SOCK_DGRAM)
        if address is not None:
            self._begin(job, address)
            return
        task = asyncio.get_running_loop().create_task(self._look_up(job))
        self._lookups[job] = task
        task.add_done_callback(lambda _: self._lookups.pop(job, None))

    def drop(self, job: Job) -> None:
        """See ``Carrier``."""
        exchange = self._exchanges.pop(job, None)
        if exchange is not None and exchange.socket is not None:
            asyncio.get_running_loop().remove_reader(exchange.socket)
            exchange.socket.close()
        task = self._lookups.pop(job, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """See ``Carrier``."""
        lookups = list(self._lookups.values())
        for job in [*self._exchanges, *self._lookups]:
            self.drop(job)
        await asyncio.gather(*lookups, return_exceptions=True)

    async def _look_up(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        place = job.target.address, job.target.port
        try:
            address = first_address(await loop.getaddrinfo(*place, type=socket.SOCK_DGRAM))
        except (OSError, UnicodeError):
            address = None
        if address is None:
            job.settle(job, Trouble.REFUSED)
        else:
            self._begin(job, address)

    def _begin(self, job: Job, address: Address) -> None:
        exchange = Exchange(job, self._max_message_bytes)
        self._exchanges[job] = exchange
        try:
            exchange.socket = _send(address, job.message)
        except OSError as error:
            del self._exchanges[job]
            self._settle_soon(job, trouble_of(error))
        else:
            asyncio.get_running_loop().add_reader(exchange.socket, self._read, exchange)

    def _read(self, exchange: Exchange) -> None:
        assert exchange.socket is not None
        for _ in range(BURST):
            try:
                datagram = exchange.socket.recv(MOST_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # an ICMP message: nobody listens, or no way there
                self._end(exchange, trouble_of(error))
                return
            self._take(exchange, datagram)
            if exchange.job not in self._exchanges:
                return

    def _take(self, exchange: Exchange, datagram: bytes) -> None:
        job = exchange.job
        exchange.count += 1
        if len(datagram) < ENVELOPE_BYTES or int.from_bytes(datagram[8:12]) != job.request_id:
            self._miss(exchange)  # pieces that came with the right id are kept
        else:
            try:
                answer = self._answer(exchange, datagram)
            except ProtocolError:
                exchange.reassembly = Reassembly(job.request_id, self._max_message_bytes)
                self._miss(exchange)
            else:
                if answer is not None:
                    self._end(exchange, answer)
        if exchange.count >= MOST_DATAGRAMS and job in self._exchanges:
            self._end(exchange, Trouble.GARBAGE)

    def _answer(self, exchange: Exchange, datagram: bytes) -> Said | None:
        """The answer this packet completes. Raises ``ProtocolError`` when it answers something else, or nothing."""
        data = exchange.reassembly.receive(datagram)
        if data is None:
            return None
        message = decode_answer(data, exchange.job)
        if not is_for(message, exchange.job.question):
            raise Malformed("an answer for another identifier")
        if message.header.response_code == ResponseCode.ERROR:
            return Trouble.TOO_LARGE
        return message

    def _miss(self, exchange: Exchange) -> None:
        self.wrong_packets += 1
        if not exchange.is_near_miss_told:
            exchange.is_near_miss_told = True
            self._on_near_miss(exchange.job)

    def _end(self, exchange: Exchange, said: Said) -> None:
        self.drop(exchange.job)
        exchange.job.settle(exchange.job, said)

    def _settle_soon(self, job: Job, trouble: Trouble) -> None:
        asyncio.get_running_loop().call_soon(job.settle, job, trouble)


def _send(address: Address, message: bytes) -> socket.socket:
    """A connected socket from which ``message`` is on its way. Raises ``OSError``."""
    family, place = address
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)  # noqa: FBT003  # named so by the standard library
        sock.connect(place)
        with contextlib.suppress(BlockingIOError):  # as good as lost on the way: patience decides
            sock.send(message)
    except OSError:
        sock.close()
        raise
    return sock
