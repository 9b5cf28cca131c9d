"""Both ends of one connection through the node in between, and the two directions of it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

CHUNK_BYTES = 65_536


class Streams(NamedTuple):
    """The client's connection, and the one to the sound node."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    far_reader: asyncio.StreamReader
    far_writer: asyncio.StreamWriter


async def run_both(requests: Coroutine[Any, Any, None], answers: Coroutine[Any, Any, None]) -> None:
    """When answers end, all does; when requests end, answers may still come. Raises what either raises."""
    loop = asyncio.get_running_loop()
    asking, answering = loop.create_task(requests), loop.create_task(answers)  # awaited below
    try:
        await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
        if asking.done() and not answering.done():
            asking.result()
            await answering
        answering.result()
    finally:
        for side in (asking, answering):
            side.cancel()
        await asyncio.gather(asking, answering, return_exceptions=True)
