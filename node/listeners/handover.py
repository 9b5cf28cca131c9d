"""Handover: how a connection goes from a worker that ends to its successor, in mid-life, without its client's notice.

A descriptor sent over a unix socket is the same connection in another process: what the client has sent and nobody has
read yet goes with it (unix(7), SCM_RIGHTS). So only what a worker holds in its own memory binds a connection to it: a
request partly read, an answer owed or not taken. ``README.md`` says when a listener hands over and when it waits.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

HandOver = Callable[[int], bool]
"""Takes the descriptor of a resting connection; True = the successor has a copy of its own, False = try again later."""
SETTLE_S = 0.1
"""A stopping node accepts for so long after the kernel was told to let nobody in: handshakes under way end, and the
queue empties."""
QUIET_S = 0.5
"""A stopping node serves everybody as usual for so long: requests on their way arrive."""
LOOK_EVERY_S = 0.02
"""How often a draining listener looks which connections rest."""


class Ending(Protocol):
    """A connection, to a listener that drains."""

    def give_to(self, hand_over: HandOver) -> None:
        """Hand it over if it rests."""

    def close_if_resting(self) -> None:
        """Close it if it rests."""


async def drain(
    connections: Callable[[], tuple[Ending, ...]], drain_s: float, hand_over: HandOver | None
) -> None:
    """Return when ``connections()`` is empty, at the latest after ``drain_s``; nobody is accepted any more."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while loop.time() - began_s < drain_s:
        # First, because what was accepted a moment ago is told to its protocol a moment later.
        await asyncio.sleep(LOOK_EVERY_S)
        left = connections()
        if not left:
            return
        for one in left:
            if hand_over is not None:
                one.give_to(hand_over)
            elif loop.time() - began_s >= QUIET_S:
                one.close_if_resting()


def pass_on(transport: asyncio.Transport, hand_over: HandOver) -> bool:
    """Hand over a transport between two requests; False when it cannot be now."""
    sock = transport.get_extra_info("socket")
    if sock is None or transport.is_closing() or transport.get_write_buffer_size():
        return False
    transport.pause_reading()
    if hand_over(sock.fileno()):
        transport.abort()  # closes our copy; the connection lives on in the other
        return True
    transport.resume_reading()
    return False
