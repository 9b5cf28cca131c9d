"""Outcomes as response codes and HTTP statuses, against the published table."""

import pytest

from protocols.message import Outcome
from protocols.rest.codes import (
    CODES,
    RETRY_AFTER_S,
    read_status,
    response_code,
    write_status,
)

PUBLISHED_STATUS = {1: 200, 100: 404, 4: 400, 102: 400, 202: 400, 301: 400, 5: 501, 101: 409, 201: 409,
                    302: 300, 402: 401, 400: 403, 401: 403, 403: 403, 3: 503, 7: 503, 2: 500, 6: 500}  # fmt: skip
OWN = {
    Outcome.VERSION_CONFLICT: 412,
    Outcome.KEY_REUSED: 422,
    Outcome.UNREACHABLE: 504,
    Outcome.UNTRUSTED: 502,
}


def test_every_outcome_has_a_code():
    assert set(CODES) == set(Outcome)


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o not in OWN and o is not Outcome.VALUES_NOT_FOUND]
)
def test_the_status_follows_the_response_code(outcome):
    expected = PUBLISHED_STATUS[response_code(outcome)]
    assert read_status(outcome) == expected
    assert write_status(outcome) == expected


@pytest.mark.parametrize(("outcome", "status"), OWN.items())
def test_outcomes_without_a_code_of_their_own_keep_to_published_codes(outcome, status):
    assert response_code(outcome) in PUBLISHED_STATUS
    assert write_status(outcome) == status


def test_values_not_found_is_an_answer_to_a_question_and_an_error_of_a_change():
    assert response_code(Outcome.VALUES_NOT_FOUND) == 200
    assert read_status(Outcome.VALUES_NOT_FOUND) == 200
    assert write_status(Outcome.VALUES_NOT_FOUND) == 400


def test_a_new_record_is_201():
    assert write_status(Outcome.SUCCESS, was_created=True) == 201
    assert write_status(Outcome.ALREADY_EXISTS, was_created=True) == 409


def test_where_credentials_do_not_count_nobody_is_asked_for_them():
    assert read_status(Outcome.AUTHENTICATION_NEEDED, may_authenticate=False) == 403
    assert write_status(Outcome.AUTHENTICATION_NEEDED, may_authenticate=False) == 403
    assert read_status(Outcome.SUCCESS, may_authenticate=False) == 200


def test_every_503_and_504_says_when_to_come_back():
    assert {o for o in Outcome if write_status(o) in {503, 504}} == set(RETRY_AFTER_S)
