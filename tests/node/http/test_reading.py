"""GET, HEAD and POST of records, over real sockets."""

import json

from tests.node.http.conftest import url


async def test_a_registered_record_is_answered_with_the_spelling_that_was_asked(node):
    node.put("88.118/Sn-1", url("https://example.com/1"))
    response = await node.ask("GET", "/api/handles/88.118/sN-1")
    assert response.status == 200
    assert response.json["handle"] == "88.118/sN-1"
    assert response.json["responseCode"] == 1
    assert response.json["values"][0]["data"] == {"format": "string", "value": "https://example.com/1"}
