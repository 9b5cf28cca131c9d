"""What makes the answers to registrations and deletions right. Pure."""

import orjson

from bench.load.questions import MALFORMED, WRONG_HANDLE, HttpAnswer, Question
from protocols.handle.codes import ResponseCode

_WRITTEN = frozenset({200, 201})


def check_put(question: Question, answer: HttpAnswer) -> str:
    """Registered, and it says which."""
    if answer.status not in _WRITTEN:
        return f"HTTP {answer.status}"
    return _check_receipt(question, answer)


def check_delete(question: Question, answer: HttpAnswer) -> str:
    """Gone, or never there: a registration whose answer was lost may not have happened."""
    if answer.status == 404:
        return ""
    return _check_receipt(question, answer) if answer.status == 200 else f"HTTP {answer.status}"


def check_batch(question: Question, answer: HttpAnswer) -> str:
    """All its rows are registered."""
    lines = _lines(answer)
    if answer.status != 200:
        return f"HTTP {answer.status}"
    if not lines or lines[-1].get("summary") is not True:
        return MALFORMED
    if lines[-1].get("registered") == question.size:
        return ""
    code = lines[0].get("responseCode")
    return f"rows rejected, RC {code}" if len(lines) > 1 else "rows missing"


def check_delete_batch(question: Question, answer: HttpAnswer) -> str:
    """All its rows are gone, or were never there."""
    lines = _lines(answer)
    if answer.status != 200:
        return f"HTTP {answer.status}"
    if not lines or lines[-1].get("rows") != question.size:
        return MALFORMED
    not_there = ResponseCode.HANDLE_NOT_FOUND
    kept = [line for line in lines[:-1] if line.get("responseCode") != not_there]
    return f"rows rejected, RC {kept[0].get('responseCode')}" if kept else ""


def _check_receipt(question: Question, answer: HttpAnswer) -> str:
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return MALFORMED
    if not isinstance(document, dict):
        return MALFORMED
    if document.get("responseCode") != ResponseCode.SUCCESS:
        return f"RC {document.get('responseCode')}"
    handle = document.get("handle")
    is_same = isinstance(handle, str) and handle.encode().upper() == question.handle.upper()
    return "" if is_same else WRONG_HANDLE


def _lines(answer: HttpAnswer) -> list[dict[str, object]]:
    """The JSON objects, one a line; empty when one of them is none."""
    try:
        found = [orjson.loads(line) for line in answer.body.splitlines() if line]
    except orjson.JSONDecodeError:
        return []
    return found if all(isinstance(line, dict) for line in found) else []
