"""Questions are what the codec would make, and only answers about the asked handle are right."""

import orjson
import pytest

from bench.load.questions import (
    MALFORMED,
    NOT_A_MISS,
    WRONG_HANDLE,
    HttpAnswer,
    check_json,
    check_native,
    check_redirect,
    http_question,
    native_question,
)
from protocols.handle.codec import decode
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.fast import plain_question
from tests.bench.load.servers import LATER, answer_about, refusal, right_answer

HANDLE = "88.118/SN-泵".encode()
HIT = native_question(HANDLE, LATER, is_miss=False)
MISS = native_question(HANDLE, LATER, is_miss=True)
WEB = http_question(HANDLE, "h:8000", ["X-A: b"], path="/api/handles/", accept="a/b", is_miss=False)
WEB_MISS = WEB._replace(is_miss=True)


def test_a_native_question_is_a_plain_public_one():
    message = decode(bytes(HIT.data))
    assert message.header.op_code == OpCode.RESOLVE
    assert message.body.handle == HANDLE
    assert plain_question(bytes(HIT.data)) is not None


def test_the_right_record_is_right_in_any_spelling_of_ascii_letters():
    assert check_native(HIT, right_answer(bytes(HIT.data))) == ""
    assert check_native(HIT, answer_about(bytes(HIT.data), HANDLE.lower())) == ""


@pytest.mark.parametrize("other", [b"88.118/SN-1", b"88.118/SN-\xe6\xb3\xb6", b"", HANDLE + b"1"])
def test_a_record_of_another_handle_is_wrong(other):
    assert check_native(HIT, answer_about(bytes(HIT.data), other)) == WRONG_HANDLE


@pytest.mark.parametrize("code", [ResponseCode.HANDLE_NOT_FOUND, ResponseCode.TOO_BUSY])
def test_an_error_is_named_by_its_code(code):
    assert check_native(HIT, refusal(bytes(HIT.data), code)) == f"RC {int(code)}"


def test_a_miss_is_right_when_it_is_one():
    data = bytes(MISS.data)
    assert check_native(MISS, refusal(data, ResponseCode.HANDLE_NOT_FOUND)) == ""
    assert check_native(MISS, right_answer(data)) == NOT_A_MISS
    assert check_native(MISS, refusal(data, ResponseCode.TOO_BUSY)) == "RC 3"


@pytest.mark.parametrize("size", range(0, 60, 3))
def test_an_answer_that_is_cut_off_is_never_right(size):
    assert check_native(HIT, right_answer(bytes(HIT.data))[:size]) != ""
    assert check_native(MISS, refusal(bytes(MISS.data), ResponseCode.HANDLE_NOT_FOUND)[:27]) != ""


def test_an_http_question_is_one_whole_get():
    lines = bytes(WEB.data).decode().split("\r\n")
    assert lines[0] == "GET /api/handles/88.118/SN-%E6%B3%B5 HTTP/1.1"
    assert lines[1:4] == ["Host: h:8000", "Accept: a/b", "X-A: b"]
    assert lines[4:] == ["", ""]


def json_answer(status: int, **document: object) -> HttpAnswer:
    return HttpAnswer(status, b"HTTP/1.1 200 OK\r\n", orjson.dumps(document))


def test_a_json_answer_names_the_handle():
    text = HANDLE.decode()
    assert check_json(WEB, json_answer(200, responseCode=1, handle=text, values=[])) == ""
    assert check_json(WEB, json_answer(200, responseCode=1, handle=text.lower())) == ""
    assert check_json(WEB, json_answer(200, responseCode=1, handle="88.118/x")) == WRONG_HANDLE
    assert check_json(WEB, json_answer(200, responseCode=1)) == WRONG_HANDLE
    assert check_json(WEB, json_answer(200, responseCode=200, handle=text)) == "RC 200"
    assert check_json(WEB, json_answer(404, responseCode=100)) == "HTTP 404"
    assert check_json(WEB, json_answer(503, responseCode=3)) == "HTTP 503"


def test_a_json_miss_is_a_404_with_its_code():
    assert check_json(WEB_MISS, json_answer(404, responseCode=100)) == ""
    assert check_json(WEB_MISS, json_answer(404, responseCode=4)) == MALFORMED
    found = json_answer(200, responseCode=1, handle=HANDLE.decode())
    assert check_json(WEB_MISS, found) == NOT_A_MISS


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"x"'])
def test_what_is_no_json_object_is_malformed(body):
    assert check_json(WEB, HttpAnswer(200, b"", body)) == MALFORMED


def test_a_redirect_has_to_say_where_to():
    head = b"HTTP/1.1 302 Found\r\nLOCATION: https://example.org/\r\n"
    assert check_redirect(WEB, HttpAnswer(302, head, b"")) == ""
    assert check_redirect(WEB, HttpAnswer(302, b"HTTP/1.1 302 Found\r\n", b"")) == MALFORMED
    assert check_redirect(WEB, HttpAnswer(200, b"", b"")) == "HTTP 200"
    assert check_redirect(WEB_MISS, HttpAnswer(404, b"", b"")) == ""
    assert check_redirect(WEB_MISS, HttpAnswer(302, head, b"")) == "HTTP 302"
