"""The example on the page about logging in works as it stands, but for the address and the secret."""

import asyncio
import re

from tests.house.tree import ROOT
from tests.node.http.conftest import ADMIN


async def test_the_example_logs_in_and_registers(node, capsys):
    page = (ROOT / "docs/http-login.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "http://127.0.0.1:8000" in example
    assert 'b"the secret"' in example
    example = example.replace(":8000", f":{node.port}").replace("the secret", ADMIN[2])
    await asyncio.to_thread(exec, compile(example, "example", "exec"), {})
    assert capsys.readouterr().out == "300:0.NA/88.118\n1\n"
    assert (await node.ask("GET", "/api/handles/88.118/LOGIN-1")).status == 200
