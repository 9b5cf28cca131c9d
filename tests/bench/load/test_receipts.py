"""Registrations count only when the receipt says so, for the handle that was sent."""

import orjson
import pytest

from bench.load.plan import Target, Writes
from bench.load.questions import MALFORMED, WRONG_HANDLE, HttpAnswer, Question
from bench.load.receipts import check_batch, check_delete, check_delete_batch, check_put
from bench.load.sources import Registrations

TARGET = Target("http", "127.0.0.1", 8000, "127.0.0.1:8000")
PUT = Question(bytearray(), b"88.118/BENCH-1")
BATCH = Question(bytearray(), b"", size=3)


def source(batch_rows: int) -> Registrations:
    values = ["URL=https://example.org/{n}", "NAME=Pump"]
    return Registrations(TARGET, 2, Writes("88.118", "BENCH-x", values, batch_rows, "Basic abc"))


def parts(question: Question) -> tuple[str, dict[str, str], bytes]:
    head, _, body = bytes(question.data).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ") for line in lines), body


def answer(status: int, *documents: object) -> HttpAnswer:
    return HttpAnswer(status, b"", b"\n".join(orjson.dumps(each) for each in documents))


def test_every_put_has_an_identifier_of_its_own_and_refuses_to_replace():
    puts = source(0)
    first, second = puts.next_question(), puts.next_question()
    assert (first.handle, second.handle) == (b"88.118/BENCH-x-2-0", b"88.118/BENCH-x-2-1")
    line, headers, body = parts(second)
    assert line == "PUT /api/handles/88.118/BENCH-x-2-1?overwrite=false HTTP/1.1"
    assert headers["Authorization"] == "Basic abc"
    assert int(headers["Content-Length"]) == len(body)
    assert orjson.loads(body)["values"][0] == {
        "index": 1, "type": "URL", "data": "https://example.org/1",
    }  # fmt: skip


def test_a_batch_is_rows_and_goes_on_where_the_last_one_ended():
    batches = source(500)
    batches.next_question()
    question = batches.next_question()
    line, headers, body = parts(question)
    rows = [orjson.loads(row) for row in body.splitlines()]
    assert line == "POST /api/batch?receipts=rejected HTTP/1.1"
    assert headers["Content-Type"] == "application/x-ndjson"
    assert question.size == len(rows) == 500
    assert rows[0]["handle"] == "88.118/BENCH-x-2-500"
    assert batches.issued == 1000


@pytest.mark.parametrize("batch_rows", [0, 7])
def test_what_was_handed_out_is_deleted_and_nothing_else(batch_rows):
    writes = source(batch_rows)
    for _ in range(3):
        writes.next_question()
    deleted = []
    for question in writes.deletes():
        line, _, body = parts(question)
        if batch_rows:
            rows = [orjson.loads(row) for row in body.splitlines()]
            assert {row["operation"] for row in rows} == {"delete"}
            deleted += [row["handle"] for row in rows]
        else:
            assert line.startswith("DELETE /api/handles/")
            deleted.append(line.split()[1].removeprefix("/api/handles/"))
    assert deleted == [f"88.118/BENCH-x-2-{n}" for n in range(writes.issued)]
    assert writes.issued == 3 * (batch_rows or 1)


def test_a_put_is_right_when_its_receipt_is_about_it():
    right = {"responseCode": 1, "handle": "88.118/bench-1"}
    assert check_put(PUT, answer(201, right)) == ""
    assert check_put(PUT, answer(200, {**right, "handle": "88.118/BENCH-2"})) == WRONG_HANDLE
    assert check_put(PUT, answer(201, {**right, "responseCode": 3})) == "RC 3"
    assert check_put(PUT, answer(409, {"responseCode": 101})) == "HTTP 409"
    assert check_put(PUT, HttpAnswer(201, b"", b"ok")) == MALFORMED


def test_a_delete_is_right_when_the_record_is_gone_or_never_was():
    assert check_delete(PUT, answer(200, {"responseCode": 1, "handle": "88.118/BENCH-1"})) == ""
    assert check_delete(PUT, answer(404, {"responseCode": 100})) == ""
    assert check_delete(PUT, answer(503, {"responseCode": 3})) == "HTTP 503"


def test_a_batch_is_right_when_every_row_is_registered():
    summary = {"summary": True, "rows": 3, "registered": 3}
    assert check_batch(BATCH, answer(200, summary)) == ""
    assert check_batch(BATCH, answer(200, {**summary, "registered": 2})) == "rows missing"
    rejected = {"line": 2, "status": "rejected", "responseCode": 202}
    short = {**summary, "registered": 2, "rejected": 1}
    assert check_batch(BATCH, answer(200, rejected, short)) == "rows rejected, RC 202"
    assert check_batch(BATCH, answer(200)) == MALFORMED
    assert check_batch(BATCH, answer(401, {"responseCode": 402})) == "HTTP 401"


def test_a_batch_of_deletes_may_meet_rows_that_never_were():
    summary = {"summary": True, "rows": 3, "deleted": 2, "rejected": 1}
    not_there = {"line": 1, "status": "rejected", "responseCode": 100}
    forbidden = {"line": 1, "status": "rejected", "responseCode": 401}
    assert check_delete_batch(BATCH, answer(200, not_there, summary)) == ""
    assert check_delete_batch(BATCH, answer(200, forbidden, summary)) == "rows rejected, RC 401"
    assert check_delete_batch(BATCH, answer(200, {**summary, "rows": 2})) == MALFORMED
