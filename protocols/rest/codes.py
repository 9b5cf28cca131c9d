"""The table of outcomes: their response code in the JSON body and their HTTP status (Handle.Net manual, JSON API).

Two outcomes have no code in the Handle protocol, and codes are never invented (Java clients stop at an unknown one): a
version conflict is told as 2 (error), a reused request id as 4 (protocol error); their HTTP status says more.
Wrong credentials are answered by HTTP listeners like missing ones (AUTHENTICATION_NEEDED): a browser then asks again.
"""

from typing import NamedTuple

from protocols.message import Outcome


class Code(NamedTuple):
    """How one outcome is told over HTTP."""

    response_code: int
    read_status: int
    """HTTP status of GET, HEAD and POST as GET."""
    write_status: int
    """HTTP status of PUT and DELETE."""


CODES: dict[Outcome, Code] = {
    Outcome.SUCCESS: Code(1, 200, 200),
    Outcome.ERROR: Code(2, 500, 500),
    Outcome.UNREACHABLE: Code(2, 504, 504),
    Outcome.UNTRUSTED: Code(2, 502, 502),
    Outcome.BUSY: Code(3, 503, 503),
    Outcome.PROTOCOL_ERROR: Code(4, 400, 400),
    Outcome.NOT_SUPPORTED: Code(5, 501, 501),
    Outcome.HOP_LIMIT: Code(6, 500, 500),
    Outcome.READ_ONLY: Code(7, 503, 503),
    Outcome.NOT_FOUND: Code(100, 404, 404),
    Outcome.ALREADY_EXISTS: Code(101, 409, 409),
    Outcome.INVALID_IDENTIFIER: Code(102, 400, 400),
    Outcome.VALUES_NOT_FOUND: Code(200, 200, 400),
    Outcome.VALUE_EXISTS: Code(201, 409, 409),
    Outcome.INVALID_VALUE: Code(202, 400, 400),
    Outcome.NOT_RESPONSIBLE: Code(301, 400, 400),
    Outcome.REFERRAL: Code(302, 300, 300),
    Outcome.NOT_ADMINISTRATOR: Code(400, 403, 403),
    Outcome.PERMISSION_DENIED: Code(401, 403, 403),
    Outcome.AUTHENTICATION_NEEDED: Code(402, 401, 401),
    Outcome.AUTHENTICATION_FAILED: Code(403, 403, 403),
    Outcome.VERSION_CONFLICT: Code(2, 412, 412),
    Outcome.KEY_REUSED: Code(4, 422, 422),
}

CREATED = 201
FORBIDDEN = 403

RETRY_AFTER_S: dict[Outcome, int] = {
    Outcome.BUSY: 1,
    Outcome.READ_ONLY: 30,
    Outcome.UNREACHABLE: 5,
}
"""Seconds for the Retry-After header: a queue empties at once, a disk or a restart needs somebody's hand."""


def response_code(outcome: Outcome) -> int:
    """``responseCode`` of the JSON body."""
    return CODES[outcome].response_code


def read_status(outcome: Outcome, *, may_authenticate: bool = True) -> int:
    """HTTP status of a question.

    ``may_authenticate`` is False on plain HTTP from another machine, where credentials do not count: asking for them
    (401) would make the client send its password in the clear, so it is 403.
    """
    if outcome is Outcome.AUTHENTICATION_NEEDED and not may_authenticate:
        return FORBIDDEN
    return CODES[outcome].read_status


def write_status(
    outcome: Outcome,
    *,
    was_created: bool = False,
    may_authenticate: bool = True,
) -> int:
    """HTTP status of a change: 201 when it made the record.

    Writes that are stopped are 503 and not 507 even when a full disk is why: clients come back by themselves after the
    time in Retry-After of a 503 (RFC 9110 §15.6.4), and take a 507 for the end; the message says what is full.
    """
    if outcome is Outcome.SUCCESS and was_created:
        return CREATED
    if outcome is Outcome.AUTHENTICATION_NEEDED and not may_authenticate:
        return FORBIDDEN
    return CODES[outcome].write_status
