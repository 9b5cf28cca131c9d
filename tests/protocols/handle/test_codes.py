"""Outcomes and response codes map both ways, in every version, and no code is invented."""

import pytest

from protocols.handle import codes
from protocols.handle.codes import FLAG_NAMES, OUTCOMES, RESPONSE_CODES, ResponseCode
from protocols.handle.versions import OWN, answer_version, since
from protocols.message import Outcome
from tests.protocols.handle.messages import VERSIONS

LOSSY = {
    Outcome.VERSION_CONFLICT: Outcome.ERROR,
    Outcome.KEY_REUSED: Outcome.ERROR,
    Outcome.AUTHENTICATION_NEEDED: Outcome.NOT_SUPPORTED,
    Outcome.UNREACHABLE: Outcome.ERROR,
    Outcome.UNTRUSTED: Outcome.ERROR,
}
KNOWN_TO_JAVA = {
    *range(1, 8), 100, 101, 102, 200, 201, 202, 300, 301, 302, 303,
    400, 401, 402, 403, 404, 405, 406, 500, 501, 502, 503, 504, 505,
}  # fmt: skip


def test_the_response_codes_are_those_of_the_protocol() -> None:
    assert {int(code) for code in ResponseCode} == KNOWN_TO_JAVA | {0}


def test_every_outcome_has_a_code_and_every_code_an_outcome() -> None:
    assert RESPONSE_CODES.keys() == set(Outcome)
    assert {int(code) for code in OUTCOMES} == KNOWN_TO_JAVA


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_survives_the_wire(outcome: Outcome) -> None:
    for version in VERSIONS:
        number = codes.response_code_of(outcome, version)
        assert number in KNOWN_TO_JAVA
        expected = LOSSY.get(outcome, outcome)
        if outcome is Outcome.INVALID_VALUE and version < (2, 5):
            expected = Outcome.VALUE_EXISTS  # 201 stood for both
        assert codes.outcome_of(number, version) is expected


@pytest.mark.parametrize(
    ("outcome", "old", "new"),
    [
        (Outcome.READ_ONLY, 303, 7),
        (Outcome.INVALID_VALUE, 201, 202),
        (Outcome.NOT_FOUND, 100, 100),
        (Outcome.NOT_RESPONSIBLE, 301, 301),
        (Outcome.BUSY, 3, 3),
    ],
)
def test_codes_that_came_with_2_5_are_spelled_for_older_peers(
    outcome: Outcome, old: int, new: int
) -> None:
    for version in VERSIONS:
        expected = old if version < (2, 5) else new
        assert codes.response_code_of(outcome, version) == expected


def test_303_means_referral_from_2_5_and_read_only_before() -> None:
    assert codes.outcome_of(303, (2, 4)) is Outcome.READ_ONLY
    assert codes.outcome_of(303, (2, 5)) is Outcome.REFERRAL


def test_no_outcome_is_sent_as_a_bare_challenge() -> None:
    assert ResponseCode.AUTHENTICATION_NEEDED not in RESPONSE_CODES.values()


@pytest.mark.parametrize("number", [0, 8, 601, 605, 0xFFFFFFFF])
def test_private_and_unknown_codes_are_errors(number: int) -> None:
    assert codes.outcome_of(number, OWN) is Outcome.ERROR


def test_flags_are_single_bits_with_names() -> None:
    assert len(FLAG_NAMES) == 12
    assert all(flag.bit_count() == 1 for flag in FLAG_NAMES)
    assert codes.DEFAULT_REQUEST_FLAGS == 0x19000000


@pytest.mark.parametrize(
    ("version", "suggested", "expected"),
    [
        ((2, 10), (2, 11), (2, 11)),
        ((2, 11), (2, 11), (2, 11)),
        ((2, 1), (2, 1), (2, 1)),
        ((2, 1), (0, 0), (2, 1)),
        ((2, 3), (1, 0), (2, 3)),
        ((2, 11), (2, 0), (2, 11)),
        ((2, 0), (2, 0), (2, 1)),
        ((2, 11), (3, 0), (2, 11)),
        ((2, 15), (2, 15), (2, 11)),
        ((2, 11), (2, 7), (2, 7)),
        ((3, 0), (3, 0), (3, 0)),
        ((3, 0), (2, 11), (3, 0)),
    ],
)
def test_an_answer_has_the_lower_version(
    version: tuple[int, int], suggested: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert answer_version(version, suggested) == expected


def test_a_difference_holds_from_its_version_on() -> None:
    table = (((2, 7), "new"), ((2, 1), "old"))
    assert [since(table, v) for v in ((2, 0), (2, 1), (2, 6), (2, 7), (3, 0))] == [
        "old", "old", "old", "new", "new",
    ]  # fmt: skip
