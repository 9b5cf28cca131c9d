"""What only a proxy looks at is aiohttp's: both lanes say the same of it, of own records and of other nodes'."""

import pytest

from protocols.message import Operation
from protocols.values.value import Value
from tests.node.http.conftest import read_response
from tests.node.http.lanes import LANES, two_lanes
from tests.node.parts import PREFIX, put

ALIAS = Value(1, "HS_ALIAS", f"{PREFIX}/url".encode())
PLACES = Value(
    1,
    "10320/loc",
    b"<locations><location href='https://a.cn/'/>"
    b"<location href='https://j.cn/' http_role='conneg' ctype='application/json'/></locations>",
)


def request(target, **headers):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET /{target} HTTP/1.1\r\nHost: node\r\n{lines}\r\n".encode()


@pytest.mark.parametrize("owner", [PREFIX, "99.1"])
async def test_both_lanes_lead_to_the_same_places(owner):
    async with two_lanes() as lanes:
        if owner == PREFIX:
            lanes.put("alias", ALIAS)
            lanes.put("places", PLACES)
        else:
            lanes.remember("99.1/alias", ALIAS)
            lanes.remember("99.1/places", PLACES)
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        for target, accept, status, location in (
            ("alias", "*/*", 301, f"/{PREFIX}/url"),
            ("places", "*/*", 302, "https://a.cn/"),
            ("places", "application/json", 302, "https://j.cn/"),
            ("places", "text/html", 302, "https://a.cn/"),
        ):
            for _ in range(3):  # often enough to be kept, if it could be
                said = [
                    await clients[lane].ask(request(f"{owner}/{target}", Accept=accept))
                    for lane in LANES
                ]
                assert said[0] == said[1]
                response = read_response(said[0])
                assert (response.status, response.headers["location"]) == (status, location)


async def test_a_prefix_taken_out_of_use_is_so_at_once_in_both_lanes():
    async with two_lanes() as lanes:
        clients = {lane: await lanes.connect(lane) for lane in LANES}
        for _ in range(3):
            assert all(
                [b"302" in await clients[lane].ask(request(f"{PREFIX}/url")) for lane in LANES]
            )
        namespace = Value(90, "HS_NAMESPACE", b"<namespace><status>inactive</status></namespace>")
        put(lanes.foreign.parts.store, f"0.NA/{PREFIX}", (namespace,), Operation.ADD)
        said = [await clients[lane].ask(request(f"{PREFIX}/url")) for lane in LANES]
        assert said[0] == said[1]
        assert read_response(said[0]).status == 404
