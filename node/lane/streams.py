"""The lane of one listener's connections: accepts them, has plain hits answered by the compiled ``Streams``.

A connection begins here and stays as long as it asks whole plain questions: no transport, no buffer, no timer of its
own. With the first other word it becomes an ordinary asyncio connection, for good, with what it has sent by then. So
this part needs no rules of its own: slow, broken, large and long-winded clients are all the listener's.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from node.lane.extension import load
from node.lane.memo import Memo
from protocols.handle.fast import MAX_PLAIN_BYTES, OPERATIONS, REMEMBERED_OPERATIONS, VERSIONS

ACCEPTS_PER_WAKEUP = 64
"""Then those who are in already have their turn."""
MOST_REFUSALS, REFUSALS_S = 32, 0.02
"""Connections refused in so many seconds; then accepting rests, and whoever knocks waits in the kernel. A refusal takes
some 50 µs with the kernel's share: a crowd at the door must not take the time of those who are in."""
NO_DESCRIPTORS_S = 1.0
"""When the system has no descriptor left, accepting rests for so long (asyncio does the same)."""

Handed = list[tuple[int, bytes | None, bytes]] | None
"""(descriptor, bytes not answered, bytes not sent) of connections to go on with; bytes None: the peer is gone."""


class Streams(Protocol):
    """``node.lane._lane.Streams``: read its docstrings there."""

    count: int
    hits: int
    remembered: int

    def serve_native(  # noqa: PLR0913  # what may change between two wake-ups
        self,
        hosted: dict[bytes, tuple[bytes, bool]],
        get: Callable[[bytes], bytes | None],
        snapshot: int,
        remembered: Callable[[bytes, float], bytes | None],
        now_s: float,
        serial: int,
        expiration_s: int,
        /,
    ) -> Handed:
        """Answer plain hits over the Handle protocol."""

    def serve_http(
        self,
        heads: dict[bytes, bool],
        hit: Callable[[bytes], bytes | None],
        answer: Callable[..., bytes | None],
        now_s: float,
        /,
    ) -> Handed:
        """Answer plain requests over HTTP."""

    def add(self, descriptor: int, peer: object, flags: int, now_s: float, /) -> None:
        """Watch a connection."""

    def remove(self, descriptor: int, /) -> bool:
        """Watch it no more."""

    def silent_since(self, time_s: float, /) -> list[int]:
        """Who has said nothing since then."""

    def fileno(self) -> int:
        """What to wait for."""


class Door(Protocol):
    """What the lane asks of its listener."""

    def let_in(self, address: str) -> bytes | None:
        """Count a connection in: None when it may stay, else what to tell it before it is closed."""

    def let_out(self, address: str) -> None:
        """Count it out."""

    def introduce(self, address: str, port: int) -> tuple[object, int]:
        """The peer as the listener calls it, and its flags for the compiled part."""

    def serve_lane(self, streams: Streams) -> Handed:
        """Have those answered who have spoken."""

    def make_protocol(self) -> asyncio.Protocol:
        """For a connection that leaves the lane; it counts itself in when it is connected."""


class Arrival(asyncio.Protocol):
    """Stands in for the real protocol until asyncio reads from the connection.

    Whatever comes that early is kept: to feed the real one any sooner would not do, because uvloop begins to read when
    ``connection_made`` returns, even if reading was paused inside it.
    """

    def __init__(self, heard: bytes) -> None:
        self.heard = [heard]
        self.is_ended = self.is_lost = False

    def data_received(self, data: bytes) -> None:
        """The peer has gone on speaking."""
        self.heard.append(data)

    def eof_received(self) -> bool:
        """The peer says no more; what it said is still to be answered."""
        self.is_ended = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """The peer is gone."""
        self.is_lost = True


class Guest(NamedTuple):
    """One connection in the lane; between two requests whenever somebody else looks, so it may be given away."""

    lane: "Lane"
    sock: socket.socket
    address: str

    def give_to(self, hand_over: Callable[[int], bool]) -> None:
        """Hand it over to a successor of this worker."""
        if hand_over(self.sock.fileno()):
            self.lane.drop(self.sock.fileno())

    def close_if_resting(self) -> None:
        """Close it."""
        self.lane.drop(self.sock.fileno())


class Leaver:
    """A connection on its way to asyncio: for a moment it can neither be given away nor closed."""

    def give_to(self, hand_over: Callable[[int], bool]) -> None:
        """Not now."""

    def close_if_resting(self) -> None:
        """Not now."""


_LEAVER = Leaver()


class Lane:
    """Made by ``make_lane``; of one event loop."""

    def __init__(self, streams: Streams, door: Door, clock: Callable[[], float]) -> None:
        self.streams = streams
        self._door = door
        self._clock = clock
        self._guests: dict[int, Guest] = {}
        self._listening: list[socket.socket] = []
        self._refusals = 0
        """Of the last moment."""
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def present(self) -> tuple[Guest | Leaver, ...]:
        """Connections in the lane, and those that are leaving it for asyncio."""
        return (*self._guests.values(), *(_LEAVER for _ in self._leaving))

    def start(self, sockets: Iterable[socket.socket]) -> None:
        """Begin to accept on listening sockets."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.streams.fileno(), self._serve)
        for sock in sockets:
            sock.setblocking(False)  # noqa: FBT003
            self._listening.append(sock)
            loop.add_reader(sock, self._accept, sock)

    def stop_accepting(self) -> None:
        """Close this worker's copies of the listening sockets."""
        for sock in self._listening:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._listening.clear()

    async def close(self) -> None:
        """Close what is left."""
        self.stop_accepting()
        asyncio.get_running_loop().remove_reader(self.streams.fileno())
        for descriptor in tuple(self._guests):
            self.drop(descriptor)
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def adopt(self, sock: socket.socket) -> bool:
        """Take a connected socket in; False when it was refused."""
        try:
            address, port = sock.getpeername()[:2]
        except OSError:  # it has gone already
            sock.close()
            return True
        refusal = self._door.let_in(address)
        if refusal is not None:
            _tell(sock, refusal)
            sock.close()
            return False
        try:
            sock.setblocking(False)  # noqa: FBT003
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer, flags = self._door.introduce(address, port)
            self.streams.add(sock.fileno(), peer, flags, self._clock())
        except BaseException:  # the system watches no more of them
            sock.close()
            self._door.let_out(address)
            raise
        self._guests[sock.fileno()] = Guest(self, sock, address)
        return True

    def drop(self, descriptor: int) -> None:
        """Close a connection."""
        guest = self._guests.pop(descriptor, None)
        if guest is not None:
            self.streams.remove(descriptor)
            guest.sock.close()
            self._door.let_out(guest.address)

    def drop_silent(self, since_s: float) -> None:
        """Close whoever has said nothing since then."""
        for descriptor in self.streams.silent_since(since_s):
            self.drop(descriptor)

    def _accept(self, listening: socket.socket) -> None:
        try:
            for _ in range(ACCEPTS_PER_WAKEUP):
                if self._refusals >= MOST_REFUSALS:
                    asyncio.get_running_loop().remove_reader(listening)
                    return
                if not self.adopt(listening.accept()[0]):
                    self._count_refusal()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            pass
        except OSError:
            loop = asyncio.get_running_loop()
            loop.remove_reader(listening)
            loop.call_later(NO_DESCRIPTORS_S, self._accept_again, listening)

    def _count_refusal(self) -> None:
        self._refusals += 1
        if self._refusals == 1:
            asyncio.get_running_loop().call_later(REFUSALS_S, self._refuse_again)

    def _refuse_again(self) -> None:
        was_resting = self._refusals >= MOST_REFUSALS
        self._refusals = 0
        for listening in self._listening if was_resting else ():
            self._accept_again(listening)

    def _accept_again(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _serve(self) -> None:
        try:
            handed = self._door.serve_lane(self.streams)
        except Exception:
            # Whoever has spoken goes on with asyncio, which meets the error again, or does not; else the loop would be
            # woken for the same words over and over.
            self._hand_on(self.streams.serve_http({}, _nothing, _nothing, self._clock()))
            raise
        self._hand_on(handed)

    def _hand_on(self, handed: Handed) -> None:
        for descriptor, data, unsent in handed or ():
            guest = self._guests.pop(descriptor)
            if data is None:
                guest.sock.close()
                self._door.let_out(guest.address)
            else:
                self._leave(guest, data, unsent)

    def _leave(self, guest: Guest, heard: bytes, unsent: bytes) -> None:
        """The connection goes on as an ordinary one."""
        task = asyncio.get_running_loop().create_task(self._go_on(guest, heard, unsent))
        self._leaving.add(task)  # as many as there are connections, which are counted
        task.add_done_callback(self._leaving.discard)

    async def _go_on(self, guest: Guest, heard: bytes, unsent: bytes) -> None:
        arrival = Arrival(heard)
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: arrival, guest.sock)
        except OSError:  # the peer has left meanwhile
            guest.sock.close()
            return
        finally:
            self._door.let_out(guest.address)
        if arrival.is_lost:
            return
        protocol = self._door.make_protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        try:
            if unsent and not transport.is_closing():
                transport.write(unsent)
            data = b"".join(arrival.heard)
            if data and not transport.is_closing():
                protocol.data_received(data)
            if arrival.is_ended and not protocol.eof_received():
                transport.close()
        except Exception as error:  # noqa: BLE001  # as asyncio does when it calls a protocol
            transport.abort()
            context = {"message": "a protocol failed", "exception": error, "protocol": protocol}
            loop.call_exception_handler(context)


def _nothing(*_: object) -> None:
    """No plain answer."""


def _tell(sock: socket.socket, refusal: bytes) -> None:
    """What fits into the empty buffer of a new connection; nobody waits for more."""
    try:
        sock.setblocking(False)  # noqa: FBT003
        sock.send(refusal)
    except OSError:
        pass


def make_lane(door: Door, clock: Callable[[], float], memo: Memo | None = None) -> Lane | None:
    """None without a compiled part. ``clock``: monotonic seconds."""
    lane = load()
    if lane is None:
        return None
    streams: Streams = lane.Streams(
        VERSIONS, OPERATIONS, REMEMBERED_OPERATIONS, MAX_PLAIN_BYTES, memo
    )
    return Lane(streams, door, clock)
