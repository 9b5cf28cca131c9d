"""What a person sees whose identifier another node should answer, and does not."""

import asyncio

import pytest

from resolver.asking import Trouble
from tests.node.foreign import make_foreign_parts
from tests.node.http.test_forwarded import FOREIGN, get, web

PERSON = {"Accept": "text/html,*/*;q=0.8", "Accept_Language": "zh"}


@pytest.mark.parametrize(("trouble", "status"), [(Trouble.UNTRUSTED, 502), (Trouble.REFUSED, 504)])
async def test_a_person_gets_a_page_and_a_program_json_when_nobody_answers(
    trouble: Trouble, status: int
) -> None:
    foreign = make_foreign_parts()
    async with web(foreign) as port:
        request = asyncio.create_task(get(port, f"/{FOREIGN}", **PERSON))
        done = 0
        while not request.done():
            if len(foreign.network.sent) > done:
                done = len(foreign.network.sent)
                foreign.network.fail(FOREIGN, trouble)
                foreign.parts.service.monotonic_s += 0.5
            await asyncio.sleep(0.001)
        page = await request
        assert page.status == status
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        assert "accept" in page.headers["vary"].lower()
        text = page.body.decode()
        assert "暂时无法解析" in text
        assert FOREIGN in text
        assert "tcp://" not in text, "whom the node asks is no business of a passer-by"
        program = await get(port, f"/{FOREIGN}")
        assert (program.status, program.json["responseCode"]) == (status, 2)
