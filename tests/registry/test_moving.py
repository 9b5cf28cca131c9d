"""Moving a prefix between this node and others: what DELEGATE and HOST do to it, and to what is kept below it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Outcome, Principal, Query, Receipt
from protocols.values.admin import (
    ADD_DERIVED_PREFIX,
    ALL_PERMISSIONS,
    DELETE_DERIVED_PREFIX,
    MODIFY_ADMIN,
)
from protocols.values.value_list import encode_values
from registry.chunks import Chunk
from registry.loading import Load
from registry.registrar import Submission
from resolver.answering import answer_now
from resolver.source import Now, Peer
from tests.registry.desk import (
    ADMIN,
    DELEGATE,
    DELETE,
    HIDE,
    HOST,
    MODIFY,
    PUT,
    SHOW,
    STRANGER,
    UNHOST,
    Desk,
    admin,
    command,
    name,
    secret,
    site,
    site_value,
    url,
)

PREFIX = "88.118.7"
HERE, FAR, FARTHER = site_value("192.0.2.1"), site_value("192.0.2.8"), site_value("192.0.2.9")


@pytest.fixture
def desk():
    """Hosts 88.118 and 88.118.7, with one record below it."""
    desk = Desk()
    assert not desk.submit(command(HOST, PREFIX, HERE, admin(), secret())).reason
    assert not desk.put(f"{PREFIX}/x", url()).reason
    return desk


def sites(desk):
    return desk.holdings.delegation(PREFIX.encode())


def test_delegating_replaces_the_record_and_moves_the_authority_in_one_change(desk):
    before = desk.store.authority(PREFIX.encode())
    receipt = desk.submit(command(DELEGATE, PREFIX, FAR, name()))
    assert receipt == Receipt(Outcome.SUCCESS, version=2, seq=4)
    assert [value.index for value in desk.values(PREFIX)] == [1, 2]
    assert sites(desk) == (site("192.0.2.8"),)
    assert desk.store.authority(PREFIX.encode()) == before._replace(is_delegated=True)
    (change,) = desk.store.changes(3)
    assert (change.operation, change.key, change.version) == (DELEGATE, b"0.NA/88.118.7", 2)
    assert desk.store.count(PREFIX.encode()) == 1


def test_the_same_record_can_be_delegated_or_hosted_and_that_is_a_change(desk):
    values = desk.values(PREFIX)
    for operation, is_hosted in ((DELEGATE, False), (HOST, True)):
        receipt = desk.submit(command(operation, PREFIX, *values))
        assert (receipt.outcome, receipt.is_unchanged) == (Outcome.SUCCESS, False)
        assert desk.holdings.hosts(PREFIX.encode()) is is_hosted
        assert desk.values(PREFIX) == values


def test_delegating_again_changes_the_servers_or_nothing(desk):
    desk.submit(command(DELEGATE, PREFIX, FAR))
    assert desk.submit(command(DELEGATE, PREFIX, FAR)).is_unchanged
    receipt = desk.submit(command(DELEGATE, PREFIX, FARTHER))
    assert (receipt.version, receipt.is_unchanged) == (3, False)
    assert sites(desk) == (site("192.0.2.9"),)


def test_a_prefix_that_was_never_kept_here_can_be_delegated():
    desk = Desk()
    receipt = desk.submit(command(DELEGATE, "88.118.Far", FAR))
    assert receipt.was_created
    authority = desk.store.authority(b"88.118.FAR")
    assert (authority.spelling, authority.is_delegated) == (b"88.118.Far", True)
    assert desk.record("88.118.far").spelling == b"0.NA/88.118.Far"


def test_a_record_entered_by_hand_can_be_delegated_or_taken_over_as_it_is():
    for operation in (DELEGATE, HOST):
        desk = Desk()
        desk.put(f"0.NA/{PREFIX}", FAR)
        receipt = desk.submit(command(operation, PREFIX, FAR))
        assert (receipt.outcome, receipt.version, receipt.is_unchanged) == (
            Outcome.SUCCESS,
            2,
            False,
        )
        assert desk.holdings.hosts(PREFIX.encode()) is (operation is HOST)


def test_what_is_moved_at_an_expected_version_is_moved_once(desk):
    away, back = (command(what, PREFIX, FAR, expect_version=1) for what in (DELEGATE, HOST))
    receipts = desk.commit(away, back, away)
    assert [receipt.outcome for receipt in receipts] == [
        Outcome.SUCCESS,
        Outcome.VERSION_CONFLICT,
        Outcome.VERSION_CONFLICT,
    ]


def test_a_repeated_request_to_delegate_happens_once(desk):
    first = command(DELEGATE, PREFIX, FAR, request_id="r1")
    receipt = desk.submit(first)
    desk.submit(command(HOST, PREFIX, HERE))
    assert desk.submit(first) == receipt
    assert desk.holdings.hosts(PREFIX.encode())
    reused = desk.submit(first._replace(operation=HOST))
    assert reused.outcome is Outcome.KEY_REUSED


def test_a_prefix_keeps_its_case_rule_wherever_it_moves():
    desk = Desk()
    desk.commit(
        command(HOST, "88.cs", HERE, case_sensitive=True),
        command(PUT, "88.cs/Ab", url()),
        command(DELEGATE, "88.cs", FAR),
    )
    assert desk.submit(command(HOST, "88.cs", HERE)).field == "case_sensitive"
    assert not desk.submit(command(HOST, "88.cs", HERE, case_sensitive=True)).reason
    assert desk.holdings.lookup(parse_identifier("88.cs/Ab"))
    assert not desk.holdings.lookup(parse_identifier("88.cs/ab"))


def test_the_site_of_a_delegated_prefix_changes_by_any_command_that_leaves_one(desk):
    desk.submit(command(DELEGATE, PREFIX, FAR, admin()))
    moved = site_value("192.0.2.9", index=2)
    for one in (
        command(MODIFY, PREFIX, FARTHER),
        command(PUT, f"0.NA/{PREFIX}", moved, admin()),
        command(MODIFY, PREFIX, moved._replace(type="HS_SITE.6")),
    ):
        assert desk.submit(one, ADMIN).reason == ""
        assert sites(desk) == (site("192.0.2.9"),)
    assert not desk.holdings.hosts(PREFIX.encode())


def test_a_deleted_delegation_ends_and_can_begin_again_or_be_hosted():
    desk = Desk()
    for operation in (DELEGATE, HOST):
        desk.submit(command(DELEGATE, "88.118.5", FAR))
        desk.submit(command(DELETE, "88.118.5"))
        assert desk.holdings.delegation(b"88.118.5") is None
        assert not desk.holdings.hosts(b"88.118.5")
        assert desk.submit(command(operation, "88.118.5", FAR)).was_created
        assert desk.holdings.hosts(b"88.118.5") is (operation is HOST)


# -- who may


def test_the_administrator_above_may_move_what_he_may_delete_and_create():
    desk = Desk()
    for bits, may_create, may_replace in (
        (0, False, False),
        (ADD_DERIVED_PREFIX, True, False),
        (ADD_DERIVED_PREFIX | DELETE_DERIVED_PREFIX, True, True),
    ):
        desk.put("0.NA/88.118", admin(permissions=bits))
        new = f"88.118.{bits}"
        desk.submit(command(HOST, "88.118.old", HERE))
        for one, is_allowed in (
            (command(DELEGATE, new, FAR), may_create),
            (command(DELEGATE, "88.118.old", FAR), may_replace),
            (command(HOST, "88.118.old", HERE), may_replace),
        ):
            assert desk.submit(one, STRANGER).outcome is Outcome.NOT_ADMINISTRATOR
            expected = Outcome.SUCCESS if is_allowed else Outcome.PERMISSION_DENIED
            assert desk.submit(one, ADMIN).outcome is expected


def test_below_a_delegated_prefix_only_the_operator_writes_and_nobody_sees_it(desk):
    one = command(PUT, f"{PREFIX}/y", url())
    assert desk.submit(one, ADMIN).outcome is Outcome.SUCCESS
    desk.submit(command(DELEGATE, PREFIX, FAR, admin()))
    for suffix in "xyz":
        for operation in (PUT, MODIFY, DELETE):
            refused = desk.submit(command(operation, f"{PREFIX}/{suffix}", url("b")), ADMIN)
            assert refused.outcome is Outcome.NOT_RESPONSIBLE
            assert "is not hosted by this node but delegated" in refused.reason
    receipts = desk.commit(
        command(PUT, f"{PREFIX}/z", url()),
        command(MODIFY, f"{PREFIX}/y", url("b")),
        command(DELETE, f"{PREFIX}/x"),
    )
    assert {receipt.outcome for receipt in receipts} == {Outcome.SUCCESS}
    seen = [desk.store.stored(f"{PREFIX}/{suffix}".encode()) for suffix in "xyz"]
    assert seen == [None, None, None]
    desk.submit(command(HOST, PREFIX, HERE))
    found = [desk.holdings.lookup(parse_identifier(f"{PREFIX}/{suffix}")) for suffix in "xyz"]
    assert [record is not None for record in found] == [False, True, True]


def test_nothing_is_kept_below_a_prefix_whose_delegation_has_ended():
    desk = Desk()
    desk.commit(command(DELEGATE, "88.118.5", FAR), command(DELETE, "88.118.5"))
    assert desk.put("88.118.5/x", url()).outcome is Outcome.NOT_RESPONSIBLE


# -- given up, and hosted as it is


def test_a_prefix_given_up_keeps_its_record_and_what_is_below_it_out_of_sight(desk):
    before, authority = desk.values(PREFIX), desk.store.authority(PREFIX.encode())
    receipt = desk.submit(command(UNHOST, PREFIX))
    assert receipt == Receipt(Outcome.SUCCESS, version=2, seq=4)
    assert desk.values(PREFIX) == before
    assert desk.store.authority(PREFIX.encode()) == authority._replace(is_unhosted=True)
    assert not desk.holdings.hosts(PREFIX.encode())
    assert sites(desk) is None, "its HS_SITE names this node; nobody is sent in a circle"
    assert desk.holdings.lookup(parse_identifier(f"{PREFIX}/x")) is None
    assert desk.store.count(PREFIX.encode()) == 1
    query = Query(parse_identifier(f"{PREFIX}/x"))
    answer = answer_now(query, desk.holdings, Peer("192.0.2.7", 1, "tcp", False), Now(0.0, 0.0))
    assert answer.outcome is Outcome.NOT_RESPONSIBLE
    assert desk.submit(command(UNHOST, PREFIX)).is_unchanged


def test_nothing_is_written_below_a_prefix_that_was_given_up_not_even_by_the_operator(desk):
    desk.submit(command(UNHOST, PREFIX))
    for one in (command(PUT, f"{PREFIX}/y", url()), command(DELETE, f"{PREFIX}/x")):
        assert desk.submit(one).outcome is Outcome.NOT_RESPONSIBLE
    assert set(load(desk).statuses) == set(b"x")
    chunk = Chunk(OPERATOR, "test", [], [command(PUT, f"{PREFIX}/y", url())], {}, [])
    (receipt,) = desk.registrar.carry(chunk, 3_000_000_000).others.values()
    assert receipt.outcome is Outcome.NOT_RESPONSIBLE


def test_its_record_can_still_be_changed_but_not_deleted_while_something_lies_below(desk):
    desk.submit(command(UNHOST, PREFIX))
    assert not desk.submit(command(MODIFY, PREFIX, FAR), Principal(ADMIN.handle, 300)).reason
    assert desk.submit(command(DELETE, PREFIX)).outcome is Outcome.ALREADY_EXISTS


def test_hosting_without_values_takes_back_everything_as_it_was(desk):
    before = desk.values(PREFIX)
    desk.commit(command(UNHOST, PREFIX), command(HOST, PREFIX))
    assert desk.values(PREFIX) == before
    assert desk.holdings.hosts(PREFIX.encode())
    assert desk.holdings.lookup(parse_identifier(f"{PREFIX}/x"))
    assert desk.submit(command(HOST, PREFIX)).outcome is Outcome.ALREADY_EXISTS


def test_a_record_made_before_its_prefix_was_hosted_is_kept_by_hosting_without_values():
    desk = Desk()
    desk.put("0.NA/88.118.5", name(), secret())
    receipt = desk.submit(command(HOST, "88.118.5"))
    assert (receipt.outcome, receipt.version, receipt.was_created) == (Outcome.SUCCESS, 2, False)
    assert [value.index for value in desk.values("88.118.5")] == [2, 300]
    assert not desk.put("88.118.5/x", url()).reason


def test_hosting_with_values_over_such_a_record_replaces_it():
    desk = Desk()
    desk.put("0.NA/88.118.5", name(), secret())
    assert not desk.submit(command(HOST, "88.118.5", url())).reason
    assert [value.index for value in desk.values("88.118.5")] == [1]


def test_hosting_without_values_keeps_the_case_rule_whatever_it_was():
    desk = Desk()
    desk.commit(
        command(HOST, "88.cs", HERE, case_sensitive=True),
        command(PUT, "88.cs/Ab", url()),
        command(UNHOST, "88.cs"),
    )
    assert not desk.submit(command(HOST, "88.cs")).reason
    assert desk.holdings.lookup(parse_identifier("88.cs/Ab"))
    assert not desk.holdings.lookup(parse_identifier("88.cs/ab"))


@pytest.mark.parametrize(
    ("one", "needed"),
    [
        (command(HOST, "88.118.new"), ADD_DERIVED_PREFIX),
        (command(HOST, "88.118.record"), ADD_DERIVED_PREFIX),
        (command(HOST, "88.118.record", url()), ADD_DERIVED_PREFIX | DELETE_DERIVED_PREFIX),
        (command(HOST, "88.118.away"), ADD_DERIVED_PREFIX | DELETE_DERIVED_PREFIX),
        (command(HOST, "88.118.quit"), ADD_DERIVED_PREFIX | DELETE_DERIVED_PREFIX),
        (command(UNHOST, "88.118.here"), DELETE_DERIVED_PREFIX),
        (command(UNHOST, "88.118.away"), DELETE_DERIVED_PREFIX),
    ],
    ids=str,
)
def test_who_may_move_a_prefix_is_said_by_the_prefix_above(one, needed):
    desk = Desk()
    desk.commit(
        command(PUT, "0.NA/88.118.record", name()),
        command(DELEGATE, "88.118.away", FAR),
        command(HOST, "88.118.quit"),
        command(UNHOST, "88.118.quit"),
        command(HOST, "88.118.here", admin()),
    )
    grants = [bit for bit in (ADD_DERIVED_PREFIX, DELETE_DERIVED_PREFIX) if needed & bit]
    for missing in grants:
        desk.put("0.NA/88.118", admin(permissions=ALL_PERMISSIONS & ~missing))
        assert desk.submit(one, ADMIN).outcome is Outcome.PERMISSION_DENIED
    assert desk.submit(one, STRANGER).outcome is Outcome.NOT_ADMINISTRATOR
    desk.put("0.NA/88.118", admin(permissions=needed))
    assert desk.submit(one, ADMIN).outcome is Outcome.SUCCESS


def test_the_own_administrators_make_a_prefix_private_and_ordinary_again(desk):
    desk.submit(command(MODIFY, PREFIX, admin("0.NA/88.118.7", 300)))
    owner = Principal("0.NA/88.118.7", 300)
    for operation, is_private in ((HIDE, True), (SHOW, False)):
        assert desk.submit(command(operation, PREFIX), ADMIN).outcome is Outcome.NOT_ADMINISTRATOR
        receipt = desk.submit(command(operation, PREFIX), owner)
        assert (receipt.outcome, receipt.is_unchanged) == (Outcome.SUCCESS, False)
        assert desk.holdings.is_private(PREFIX.encode()) is is_private
        assert desk.submit(command(operation, PREFIX), owner).is_unchanged
    weak = admin(owner.handle, 300, ALL_PERMISSIONS & ~MODIFY_ADMIN)
    desk.submit(command(MODIFY, PREFIX, weak))
    assert desk.submit(command(HIDE, PREFIX), owner).outcome is Outcome.PERMISSION_DENIED


def test_a_private_prefix_stays_private_wherever_it_moves_and_even_when_deleted(desk):
    desk.commit(
        command(HIDE, PREFIX), command(DELETE, f"{PREFIX}/x"), command(DELEGATE, PREFIX, FAR),
        command(UNHOST, PREFIX), command(DELETE, PREFIX), command(HOST, PREFIX),
    )  # fmt: skip
    assert desk.store.authority(PREFIX.encode()).is_private
    assert desk.holdings.hosts(PREFIX.encode())


def test_rows_of_a_file_are_settled_below_a_private_prefix_as_below_any():
    statuses = []
    for operation in (SHOW, HIDE):
        desk = Desk()
        same = url("https://example.com/1")
        desk.commit(
            command(HOST, PREFIX, HERE),
            command(operation, PREFIX),
            command(PUT, f"{PREFIX}/x", same),
            command(PUT, f"{PREFIX}/old", name()),
        )
        statuses.append(load(desk).statuses)
    assert statuses == [b"=ruux", b"=ruux"]


# -- files


def load(desk, principal=OPERATOR):
    rows = [(suffix.encode(), encode_values([url(data)])) for suffix, data in ROWS]
    return desk.registrar.load(
        Load(principal, "import test", PREFIX.encode(), rows, (1,)), 3_000_000_000
    )


ROWS = [("x", "https://example.com/1"), ("X2", "a"), ("old", "b"), ("x2", "c"), ("bad\n", "d")]


def test_a_file_can_be_loaded_below_a_delegated_prefix_beforehand():
    hosted, delegated = (Desk() for _ in range(2))
    for desk in (hosted, delegated):
        desk.commit(
            command(HOST, PREFIX, FAR),
            command(PUT, f"{PREFIX}/x", url()),
            command(PUT, f"{PREFIX}/old", url("https://example.com/old"), name()),
        )
    desk.submit(command(DELEGATE, PREFIX, FAR))
    there, here = load(delegated), load(hosted)
    assert there.statuses == here.statuses == b"=ruux"
    assert load(delegated, ADMIN).statuses == b"xxxxx"
    assert all(delegated.store.stored(f"{PREFIX}/{s}".encode()) is None for s in ("x", "x2"))
    desk.submit(command(HOST, PREFIX, FAR))
    for suffix in ("x", "x2", "old"):
        mine, others = (d.values(f"{PREFIX}/{suffix}") for d in (delegated, hosted))
        assert [v._replace(timestamp=0) for v in mine] == [v._replace(timestamp=0) for v in others]


# -- the whole

moves = st.builds(
    lambda operation, prefix, value: command(operation, prefix, value),
    st.sampled_from([HOST, DELEGATE, DELEGATE, DELETE, UNHOST, HIDE, SHOW]),
    st.sampled_from(["88.118.7", "88.118.8"]),
    st.sampled_from([HERE, FAR, url()]),
)
writes = st.builds(
    lambda operation, prefix, suffix: command(operation, f"{prefix}/{suffix}", url()),
    st.sampled_from([PUT, PUT, DELETE]),
    st.sampled_from(["88.118.7", "88.118.8"]),
    st.sampled_from("ab"),
)
records = st.builds(
    lambda prefix, value: command(PUT, f"0.NA/{prefix}", value),
    st.sampled_from(["88.118.7", "88.118.8"]),
    st.sampled_from([HERE, FAR, url()]),
)
batches = st.lists(st.one_of(moves, moves, writes, records), min_size=1, max_size=20)


@given(batches, st.data())
def test_how_moves_are_batched_makes_no_difference(some, data):
    together, apart = Desk(), Desk()
    batch = [Submission(OPERATOR, one, "test") for one in some]
    receipts = together.registrar.commit(batch, 2_000_000_000)
    cut = data.draw(st.integers(0, len(batch)))
    expected = apart.registrar.commit(batch[:cut], 2_000_000_000)
    expected += [apart.registrar.commit([one], 2_000_000_000)[0] for one in batch[cut:]]
    assert receipts == expected
    assert together.state() == apart.state()


@given(batches)
def test_a_prefix_is_never_hosted_and_delegated_and_a_delegated_one_names_a_server(some):
    desk = Desk()
    for one in some:
        desk.submit(one)
        for prefix in (b"88.118.7", b"88.118.8"):
            holdings, authority = desk.holdings, desk.store.authority(prefix)
            is_there = desk.record(f"0.NA/{prefix.decode()}") is not None
            is_delegated = authority is not None and authority.is_delegated
            assert not (holdings.hosts(prefix) and holdings.delegation(prefix))
            if is_delegated:
                assert (holdings.delegation(prefix) is not None) is is_there
            for suffix in "ab":
                asked = prefix + b"/" + suffix.encode()
                stored = desk.store.stored(asked)
                is_sight = authority is not None and authority.is_plain
                assert (stored is not None) == (is_sight and desk.store.kept(asked) is not None)
