"""The bare uvloop DatagramProtocol echo: answers every datagram with as many bytes as our answer has."""

import asyncio
import sys

import uvloop


class Echo(asyncio.DatagramProtocol):
    def __init__(self, answer_bytes: int) -> None:
        self.padding = bytes(max(0, answer_bytes - 12))
        self.answer_bytes = answer_bytes

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data[:12] + self.padding, addr)


async def main(answer_bytes: int) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Echo(answer_bytes), local_addr=("127.0.0.1", 0)
    )
    print(transport.get_extra_info("sockname")[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
