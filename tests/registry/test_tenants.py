"""Two tenants on one node: whatever one of them does, in whatever order, nothing below the other's prefix changes.

Both are administrators of their own prefix with every permission, and know the names of everything the other has.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from protocols.identifier import parse_identifier
from protocols.message import Command, Operation, Outcome, Principal, Query
from protocols.values.value_list import encode_values
from registry.authority import rights
from registry.chunks import Chunk
from registry.loading import Load
from resolver.answering import answer_now
from resolver.source import Now, Peer
from tests.registry.desk import HOST, PUT, Desk, admin, command, group, secret, site_value, url

MINE, YOURS = "88.118", "88.Other"
ME = Principal("0.NA/88.118", 300)
YOU = Principal("0.NA/88.OTHER", 300)
YOUR_PREFIXES = (b"88.OTHER", b"88.OTHER.7")
EVERYTHING = 0x1FFF

mine = ["88.118", "88.118.7", "88.118.8"]
yours = ["88.Other", "88.other", "88.OTHER.7", "88.other.8", "88.Other.7.1"]
prefixes = st.sampled_from(mine + yours * 2)
suffixes = st.sampled_from(["a", "A", "staff", "clerk", "/", "é", "new", "0.NA/88.Other"])
targets = st.sampled_from(
    [
        "88.other/a",
        "88.other/staff",
        "88.OTHER/clerk",
        "0.NA/88.Other",
        "88.other.7/A",
        "88.other.7",
    ]
)
"""What is there to be changed."""
names = st.one_of(
    targets,
    targets,
    st.builds(lambda prefix, suffix: f"{prefix}/{suffix}", prefixes, suffixes),
    st.builds(lambda prefix: f"0.NA/{prefix}", prefixes),
    prefixes,
    st.just("0.NA/0.NA"),
    st.just("0.na/88"),
)
values = st.sampled_from(
    [
        url(),
        url("mine now"),
        secret(b"my own", 300),
        admin(ME.handle, ME.index, EVERYTHING),
        admin(ME.handle, 0, EVERYTHING, index=101),
        admin("88.118/staff", 200, EVERYTHING, index=102),
        admin("88.other/clerk", 0, EVERYTHING, index=1),
        group((ME.handle, ME.index), ("88.other/clerk", 0)),
        group((ME.handle, 0), index=300),
        site_value("192.0.2.66"),
    ]
)
unique = st.lists(values, max_size=3, unique_by=lambda value: value.index)
commands = st.builds(
    lambda operation, name, some, indexes, overwrite, case_sensitive: Command(
        operation,
        parse_identifier(name),
        tuple(some),
        indexes,
        overwrite,
        case_sensitive=case_sensitive,
    ),
    st.sampled_from(Operation),
    names,
    unique,
    st.sampled_from([(1,), (100,), (5,), (200,), (1, 5), (300, 1), ()]),
    st.booleans(),
    st.booleans(),
)
me = st.sampled_from(
    [ME, ME._replace(index=0), Principal("0.na/88.118", 301), Principal("88.118/clerk", 300)]
)


class Tenants(RuleBasedStateMachine):
    """I try everything; you go on with your work."""

    def __init__(self):
        super().__init__()
        self.desk = desk = Desk()
        everything = admin(ME.handle, ME.index, EVERYTHING)
        receipts = desk.commit(
            command(PUT, MINE, everything, secret(b"mine")),
            command(HOST, YOURS, admin(YOU.handle, YOU.index, EVERYTHING), secret(b"yours"),
                    admin("88.other/staff", 200, EVERYTHING, index=101)),
            command(HOST, "88.Other.7", admin("88.other/staff", 200, EVERYTHING)),
            command(PUT, "88.other/staff", group(("88.other/clerk", 0))),
            command(PUT, "88.other/clerk", secret(b"a clerk's")),
            command(PUT, "88.other/a", url(), secret(b"hidden", 5)),
            command(PUT, "88.other.7/A", url()),
        )  # fmt: skip
        assert {receipt.outcome for receipt in receipts} == {Outcome.SUCCESS}
        self.before = self.look()

    def look(self):
        """All that is yours, and how it is answered."""
        store = self.desk.store
        records = [
            r for prefix in YOUR_PREFIXES for r in store.list_records(prefix, with_deleted=True)
        ]
        own = [
            record
            for record in store.list_records(b"0.NA", with_deleted=True)
            if record.key.partition(b"/")[2].startswith(b"88.OTHER")
        ]
        authorities = [a for a in store.authorities() if a.prefix.startswith(b"88.OTHER")]
        asked = ("88.other/A", "88.other.7/a", "0.NA/88.Other", "88.other/staff", "88.other/new")
        answers = [
            answer_now(
                Query(parse_identifier(name), public_only=True),
                self.desk.holdings,
                Peer("192.0.2.7", 1, "tcp", is_loopback=False),
                Now(0.0, 2_000_000_000.0),
            )
            for name in asked
        ]
        granted = [
            rights(who, parse_identifier(name), self.desk.holdings)
            for who in (ME, Principal("88.118/clerk", 300), Principal("88.118/staff", 200))
            for name in asked
        ]
        return records, own, authorities, answers, granted

    @rule(some=st.lists(commands, min_size=1, max_size=6), who=me)
    def i_send_commands(self, some, who):
        self.desk.commit(*some, principal=who)

    @rule(some=st.lists(commands, min_size=1, max_size=6), who=me, prefix=prefixes)
    def i_send_a_batch(self, some, who, prefix):
        heads = [(encode_values([url("")])[4:-8],)]
        rows = [*some, (f"{prefix}/a".encode(), 0, b"mine now")]
        self.desk.now_s += 10
        self.desk.registrar.carry(Chunk(who, "test", heads, rows, {}, []), self.desk.now_s * 1000)

    @rule(who=me, prefix=prefixes)
    def i_import_a_file(self, who, prefix):
        rows = [(suffix, encode_values([url("mine now")])) for suffix in (b"a", b"new", b"staff")]
        self.desk.now_s += 10
        load = Load(who, "import", prefix.upper().encode(), rows, (1,))
        self.desk.registrar.load(load, self.desk.now_s * 1000)

    @rule(name=st.sampled_from(["88.other/a", "88.other/new", "88.other.7/A"]), some=unique)
    def you_work(self, name, some):
        """By commands that name nobody of mine; what that changes is how it shall be from then on."""
        plain = [value for value in some if value.type == "URL"]
        self.desk.commit(command(PUT, name, *plain), principal=YOU)
        self.before = self.look()

    @invariant()
    def what_is_yours_is_as_it_was(self):
        assert self.look() == self.before


def test_whatever_one_tenant_does_the_others_prefix_stays_as_it_was():
    steps = settings(max_examples=40, stateful_step_count=12, deadline=None)
    run_state_machine_as_test(Tenants, settings=steps)


def test_the_tenant_is_no_cripple_or_the_machine_above_would_prove_nothing():
    desk = Tenants().desk
    receipts = desk.commit(
        command(PUT, "88.118/a", url()),
        command(HOST, "88.118.7", admin(ME.handle, ME.index, EVERYTHING)),
        command(PUT, "88.118.7/a", url()),
        command(Operation.HIDE, MINE),
        command(Operation.UNHOST, "88.118.7"),
        principal=ME,
    )
    assert [receipt.outcome for receipt in receipts] == [Outcome.SUCCESS] * 5
