import pytest

from protocols.message import OPERATOR, Outcome, Principal
from registry.chunks import Chunk
from registry.registrar import Submission, decide
from tests.registry.desk import (
    ADD,
    ADMIN,
    DELETE,
    HOST,
    MODIFY,
    PUT,
    Desk,
    command,
    name,
    secret,
    url,
)

SN = "88.118/SN-1"
ONE = command(PUT, SN, url(), secret(), request_id="r-1")


@pytest.fixture
def desk():
    return Desk()


def test_the_same_request_again_gets_the_first_receipt_and_changes_nothing(desk):
    first = desk.submit(ONE)
    between = desk.put(SN, url("later"))
    before = desk.state()
    assert desk.submit(ONE) == first
    assert first.was_created
    assert between.version == 2
    assert desk.state() == before


def test_the_same_request_twice_in_one_batch_happens_once(desk):
    first, again, other = desk.commit(ONE, ONE, ONE._replace(values=(url(),)))
    assert first == again
    assert other.outcome is Outcome.KEY_REUSED
    assert desk.store.head().seq == 2


@pytest.mark.parametrize(
    "other",
    [
        ONE._replace(values=(url("b"), secret())),
        ONE._replace(values=(url(), secret(b"another"))),
        ONE._replace(overwrite=False),
        ONE._replace(expect_version=1),
        ONE._replace(operation=ADD),
        command(PUT, "88.118/SN-2", url(), secret(), request_id="r-1"),
    ],
    ids=["value", "secret", "overwrite", "version", "operation", "identifier"],
)
def test_the_same_id_with_another_content_is_refused(desk, other):
    desk.submit(ONE)
    receipt = desk.submit(other)
    assert (receipt.outcome, receipt.field) == (Outcome.KEY_REUSED, "request_id")
    assert desk.store.head().seq == 2


def test_ids_belong_to_their_principal(desk):
    desk.submit(ONE)
    other = command(PUT, "88.118/SN-2", url(), request_id="r-1")
    assert desk.submit(other, ADMIN).outcome is Outcome.SUCCESS
    assert desk.submit(other, Principal("0.NA/88.118", 301)).outcome is Outcome.NOT_ADMINISTRATOR


@pytest.mark.parametrize(
    "one",
    [
        command(PUT, SN, url(), name("b"), request_id="r"),
        command(MODIFY, SN, url("b"), request_id="r"),
        command(DELETE, SN, request_id="r"),
        command(HOST, "88.7", url(), request_id="r"),
    ],
    ids=["put", "modify", "delete", "host"],
)
def test_receipts_of_every_kind_are_told_again(desk, one):
    desk.put(SN, url())
    receipt = desk.submit(one)
    assert receipt.outcome is Outcome.SUCCESS
    assert desk.submit(one) == receipt


def test_a_record_made_anew_behind_a_tombstone_is_told_as_created_again(desk):
    desk.put(SN, url())
    desk.submit(command(DELETE, SN))
    receipt = desk.submit(ONE)
    assert (receipt.version, receipt.was_created) == (3, True)
    assert desk.submit(ONE) == receipt


def test_a_request_that_changed_nothing_is_remembered_too(desk):
    desk.put(SN, url(), secret())
    first = desk.submit(ONE)
    assert first.is_unchanged
    desk.put(SN, url("later"))
    assert desk.submit(ONE) == first
    assert desk.values(SN)[0].data == b"later"


def test_a_refused_request_may_be_repeated_once_the_reason_is_gone(desk):
    one = command(ADD, SN, url(), request_id="r-1")
    assert desk.submit(one).outcome is Outcome.NOT_FOUND
    desk.put(SN, name())
    assert desk.submit(one).outcome is Outcome.SUCCESS


def test_a_request_is_forgotten_with_its_entry_in_the_feed(desk):
    desk.submit(ONE)
    desk.put(SN, url("later"), secret())
    desk.store.truncate_changes(3)
    receipt = desk.submit(ONE)
    assert (receipt.version, receipt.was_created) == (3, False)


def test_nothing_is_remembered_by_an_entry_that_is_gone_already(desk):
    desk.put(SN, url(), secret())
    desk.put("88.118/other", url())
    desk.store.truncate_changes(3)
    batch = [Submission(OPERATOR, ONE, "test")]
    decision = decide(batch, desk.store, desk.sealer, frozenset(), 1_000)
    assert decision.receipts[0].is_unchanged
    assert decision.marks == []


def test_a_request_with_numbers_no_rule_lets_pass_is_refused_by_the_rule(desk):
    one = command(PUT, SN, url(index=2**70), request_id="r")
    assert desk.submit(one).outcome is Outcome.INVALID_VALUE
    half = command(PUT, SN, url()._replace(type="\ud800"), request_id="r")
    assert desk.submit(half).field == "values[0].type"


def test_commands_without_an_id_are_not_remembered(desk):
    plain = ONE._replace(request_id="")
    receipts = desk.registrar.commit([Submission(OPERATOR, plain, "test")] * 2, 1_000)
    assert [receipt.is_unchanged for receipt in receipts] == [False, True]


# -- ids that last some seconds only

BRIEF = command(MODIFY, SN, url("b"), request_id="192.0.2.7 7 d1", request_lasts_s=60)


def after(desk, seconds):
    """The time of the next commit is that much later than the last one's."""
    desk.now_s += seconds - 10


@pytest.mark.parametrize("seconds", [0, 1, 60])
def test_a_request_that_lasts_is_the_same_until_its_time_is_over(desk, seconds):
    desk.put(SN, url())
    first = desk.submit(BRIEF)
    after(desk, seconds)
    assert desk.submit(BRIEF) == first
    assert desk.store.head().seq == first.seq


def test_after_that_the_same_id_is_a_new_command_with_whatever_content(desk):
    desk.put(SN, url())
    desk.submit(BRIEF)
    desk.put(SN, url("between"))
    after(desk, 61)
    again = desk.submit(BRIEF)
    assert (again.outcome, again.version, again.is_unchanged) == (Outcome.SUCCESS, 4, False)
    after(desk, 61)
    other = desk.submit(BRIEF._replace(values=(url("c"),)))
    assert (other.outcome, other.version) == (Outcome.SUCCESS, 5)
    after(desk, 60)
    assert desk.submit(BRIEF).outcome is Outcome.KEY_REUSED


def test_a_repeated_request_that_changed_nothing_undoes_nothing_while_it_lasts(desk):
    """Its mark names a change that may be old, so the time of that change must not be what counts."""
    desk.put(SN, url("b"))
    after(desk, 3600)
    first = desk.submit(BRIEF)
    assert first.is_unchanged
    desk.put(SN, url("between"))
    assert desk.submit(BRIEF) == first
    assert desk.values(SN)[0].data == b"between"


def test_a_clock_set_back_makes_no_new_request_of_an_old_one(desk):
    desk.put(SN, url())
    first = desk.submit(BRIEF)
    after(desk, -500)
    assert desk.submit(BRIEF) == first


def test_whether_an_id_lasts_is_said_by_who_comes_with_it(desk):
    """A mark without a time is kept as before, and one with a time counts for ever to who sets no limit."""
    desk.put(SN, url())
    endless = BRIEF._replace(request_lasts_s=0)
    for first, again in ((endless, BRIEF), (BRIEF, endless)):
        one = first._replace(request_id=f"{first.request_lasts_s}")
        receipt = desk.submit(one)
        after(desk, 100)
        two = again._replace(request_id=one.request_id)
        assert desk.submit(two) == receipt


def test_ids_that_last_work_in_chunks(desk):
    desk.put(SN, url())
    chunk = Chunk(OPERATOR, "test", [], [BRIEF], {}, [])
    first = desk.registrar.carry(chunk, 2_000_000_000)
    assert desk.registrar.carry(chunk, 2_000_060_000).others == first.others
    desk.registrar.commit([Submission(OPERATOR, command(PUT, SN, url("x")), "t")], 2_000_061_000)
    assert desk.registrar.carry(chunk, 2_000_061_000).others[0].version == 4
