"""Native messages in POSTs: what TCP would answer, byte for byte the same rules, on any path."""

import pytest

from conformance.native_messages import Exchange, Fields, read_answer, request_bytes
from conformance.target import Account
from node.http.tunnel import CONTENT_TYPE, MAX_BYTES
from protocols.handle.administration import ValuesRequest
from protocols.handle.codec import Body
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.resolution import ResolveAnswer, ResolveRequest
from protocols.message import Outcome
from tests.node.http.conftest import ADMIN, Node, Response, running, url
from tests.node.native.room import answer_to

NATIVE = {"Content_Type": CONTENT_TYPE}
ACCOUNT = Account(ADMIN[1].encode(), ADMIN[0], secret=ADMIN[2].encode())


@pytest.fixture
async def node():
    async with running(speaks=True) as node:
        yield node


async def post(node: Node, message: bytes, path: str = "/88.118/1", **headers: str) -> Response:
    return await node.ask("POST", path, message, **{**NATIVE, **headers})


async def ask(
    node: Node, op_code: int, body: Body, fields: Fields | None = None, path: str = "/"
) -> Exchange:
    sent = request_bytes(op_code, body, fields or Fields())
    response = await post(node, sent, path)
    assert response.status == 200
    assert response.headers["content-type"] == CONTENT_TYPE
    return Exchange(sent, read_answer(response.body), response.body)


@pytest.mark.parametrize(
    "path", ["/", "/88.118/1", "/api/handles/88.118/1", "/api/nothing", "/hrls/x", "/%3Cx%3E"]
)
async def test_a_record_is_resolved_whatever_the_path_is(node, path):
    node.put("88.118/1", url("https://a.cn/"))
    told = await ask(node, OpCode.RESOLVE, ResolveRequest(b"88.118/1"), path=path)
    assert isinstance(told.answer.body, ResolveAnswer)
    assert [value.data for value in told.answer.body.values] == [b"https://a.cn/"]


async def test_what_is_not_there_is_said_inside_the_message(node):
    told = await ask(node, OpCode.RESOLVE, ResolveRequest(b"88.118/none"))
    assert told.code == ResponseCode.HANDLE_NOT_FOUND


async def test_a_challenge_is_answered_on_another_connection_and_the_record_is_made(node):
    body = ValuesRequest(b"88.118/made", (url("https://a.cn/"),))
    first = await ask(node, OpCode.CREATE, body)
    assert first.code == ResponseCode.AUTHENTICATION_NEEDED
    done = await ask(node, *answer_to(first, ACCOUNT))
    assert done.code == ResponseCode.SUCCESS
    assert (await node.ask("GET", "/api/handles/88.118/made")).status == 200


async def test_a_wrong_secret_makes_nothing(node):
    body = ValuesRequest(b"88.118/made", (url("https://a.cn/"),))
    first = await ask(node, OpCode.CREATE, body)
    wrong = Account(ADMIN[1].encode(), ADMIN[0], secret=b"wrong")
    assert (await ask(node, *answer_to(first, wrong))).code == ResponseCode.AUTHENTICATION_FAILED
    assert (await node.ask("GET", "/api/handles/88.118/made")).status == 404


async def test_what_is_no_request_is_400(node):
    answer = (await ask(node, OpCode.RESOLVE, ResolveRequest(b"88.118/1"))).raw
    for body in (b"", b"\0", bytes(19), answer):
        response = await post(node, body)
        assert response.status == 400, body
        assert response.json["responseCode"] == 4


async def test_more_than_a_message_is_413_before_it_is_read(node):
    assert (await post(node, bytes(MAX_BYTES + 1))).status == 413


async def test_only_posts_of_that_type_are_native(node):
    node.put("88.118/1", url("https://a.cn/"))
    message = request_bytes(OpCode.RESOLVE, ResolveRequest(b"88.118/1"))
    assert (await node.ask("PUT", "/88.118/1", message, **NATIVE)).status == 405
    plain = {"Content_Type": "application/octet-stream"}
    assert (await node.ask("POST", "/88.118/1", message, **plain)).status == 405


async def test_a_listener_without_a_speaker_says_so():
    async with running() as node:
        assert node.put("88.118/1", url("https://a.cn/")).outcome is Outcome.SUCCESS
        message = request_bytes(OpCode.RESOLVE, ResolveRequest(b"88.118/1"))
        assert (await post(node, message)).status == 415
