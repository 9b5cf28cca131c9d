"""aiohttp alone: one route of a plain ``web.Application`` that answers fixed bytes of our answer's size."""

import asyncio
import sys

import uvloop
from aiohttp import web


async def main(body_bytes: int) -> None:
    body = b"x" * body_bytes

    async def fixed(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/handles/{handle:.*}", fixed)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
