"""Query, Command, Answer, Receipt: the defaults everybody relies on."""

import pytest

from protocols.identifier import parse_identifier
from protocols.message import (
    ANONYMOUS,
    OPERATOR,
    Answer,
    Command,
    Operation,
    Outcome,
    Principal,
    Query,
    Receipt,
)

HERE = parse_identifier("88.118.7/SN-1")


def test_a_question_asks_for_public_values_as_nobody_unless_it_says_otherwise():
    query = Query(HERE)
    assert query.public_only
    assert query.principal is ANONYMOUS
    assert not query.principal.is_operator
    assert not query.may_recurse


@pytest.mark.parametrize(
    ("principal", "name"),
    [
        (ANONYMOUS, "anonymous"),
        (OPERATOR, "operator"),
        (Principal("0.NA/88.118", 300), "300:0.NA/88.118"),
        (Principal("0.NA/88.118", 300, is_operator=True), "300:0.NA/88.118"),
        (Principal("0.NA/88.118"), "0:0.NA/88.118"),
    ],
)
def test_an_actor_has_one_name_in_changes_and_logs(principal, name):
    assert principal.name == name


def test_a_command_overwrites_any_version_unless_it_says_otherwise():
    command = Command(Operation.PUT, HERE)
    assert command.overwrite
    assert command.expect_version is None
    assert command.request_id == ""
    assert not command.case_sensitive


def test_a_receipt_of_nothing_done_carries_no_change_number():
    receipt = Receipt(Outcome.NOT_FOUND)
    assert (receipt.seq, receipt.version) == (0, 0)
    assert not receipt.was_created
    assert not receipt.is_unchanged
    assert Answer(Outcome.NOT_FOUND).values == ()


def test_outcomes_and_operations_are_stored_and_sent_by_distinct_words():
    for kind in (Outcome, Operation):
        words = [member.value for member in kind]
        assert len(set(words)) == len(words)
        assert all(kind(word).value == word for word in words)
