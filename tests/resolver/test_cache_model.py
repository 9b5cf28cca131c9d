"""The foreign cache beside a model of it, and within its budget whatever is done to it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from protocols.identifier import parse_identifier, read_identifier
from protocols.message import Outcome
from protocols.values.value import Value
from resolver.cache import ForeignCache, Rank, State, aged, with_ttl
from resolver.limits import Limits
from resolver.shelf import name_of
from resolver.source import Now

BUDGET = 1 << 20


def at(seconds):
    return Now(1000.0 + seconds, 2_000_000_000.0 + seconds)


def url(ttl, index):
    return Value(index, "URL", b"https://example.com/1", ttl=ttl)


NAMES = [
    parse_identifier(text)
    for text in ("88.2/a", "88.2/A", "88.2.1/b", "88.2.1", "0.na/88.2.1", "88.2", "88.20/x", "89/y", "89/Y")
]  # fmt: skip
names = st.sampled_from(NAMES)


class CacheModel(RuleBasedStateMachine):
    """The rules in a few lines over a plain dict, beside the real thing with room for everything."""

    def __init__(self):
        super().__init__()
        self.limits = Limits(stale_s=100, absent_s=10, failure_s=2, failure_most_s=9, ttl_most_s=64)
        self.cache = ForeignCache(BUDGET, self.limits)
        self.now_s = 0.0
        self.held = {}
        self.failures = {}

    @rule(name=names, ttls=st.lists(st.integers(0, 80), max_size=3), rank=st.sampled_from(Rank))
    def put(self, name, ttls, rank):
        outcome = Outcome.SUCCESS if ttls else Outcome.NOT_FOUND
        values = tuple(url(ttl, index) for index, ttl in enumerate(ttls, 1))
        key, last = name.folded(True), self.held.get(name.folded(True))
        found = self.cache.put(name, outcome, values, rank, at(self.now_s))
        if last and rank < last[1] and self.now_s < last[2] + last[3]:
            assert found is None
            return
        assert (found.state, found.values) == (State.FRESH, values)
        ttl_s = min([64, *ttls]) if ttls else 10
        self.held[key] = (values, rank, self.now_s, ttl_s)
        self.failures.pop(key, None)

    @rule(name=names)
    def get(self, name):
        found = self.cache.get(name, at(self.now_s))
        held = self.held.get(name.folded(True))
        if held is None or self.now_s > held[2] + held[3] + 100:
            assert found is None
            return
        values, rank, learned_s, ttl_s = held
        if not values and self.now_s >= learned_s + ttl_s:  # an absence is never stale
            assert found is None
            del self.held[name.folded(True)]
            return
        assert found.held.rank is rank
        assert found.held.values == values
        if self.now_s >= learned_s + ttl_s:
            assert (found.state, found.values) == (State.STALE, with_ttl(values, 30))
        else:
            assert found.state is not State.STALE
            assert found.values == aged(values, int(self.now_s - learned_s))
            if self.now_s < learned_s + 0.89 * ttl_s:
                assert found.state is State.FRESH

    @rule(name=names)
    def fail(self, name):
        self.cache.fail(name, Outcome.BUSY, "busy", at(self.now_s))
        until_s, wait_s = self.failures.get(name.folded(True), (-1000, 0))
        if self.now_s >= until_s:
            wait_s = 2 if self.now_s >= until_s + 9 else min(9, 2 * wait_s)
            self.failures[name.folded(True)] = (self.now_s + wait_s, wait_s)

    @rule(name=names)
    def failure(self, name):
        until_s, _ = self.failures.get(name.folded(True), (-1000, 0))
        is_told = self.cache.failure(name, at(self.now_s)) is not None
        assert is_told == (self.now_s < until_s)

    @rule(eighths=st.integers(1, 400))
    def pass_time(self, eighths):
        self.now_s += eighths / 8  # exact in binary, so that moments are equal when they should be

    @rule(name=names)
    def drop(self, name):
        self.cache.drop(name.folded())
        self.forget(lambda key: name_of(key) == name.folded())

    @rule(prefix=st.sampled_from([b"88", b"88.2", b"88.2.1", b"8", b"89"]))
    def drop_below(self, prefix):
        self.cache.drop_below(prefix)
        within = (prefix + b"/", prefix + b".")
        self.forget(lambda key: (key.removeprefix(b"0.NA/") + b"/").startswith(within))

    def forget(self, is_gone):
        for table in (self.held, self.failures):
            for key in [key for key in table if is_gone(key)]:
                del table[key]

    @invariant()
    def counts_its_bytes(self):
        assert 0 <= self.cache.used_bytes <= BUDGET
        assert self.cache.count <= len(self.held)

    def teardown(self):
        for name in NAMES:
            self.get(name)
            self.failure(name)
            self.drop(name)
        assert (self.cache.used_bytes, self.cache.count) == (0, 0)


CacheModel.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestTheCacheDoesAsItsModel = CacheModel.TestCase


@settings(max_examples=40, deadline=None)
@given(
    st.integers(12_000, 40_000),
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 12), st.sampled_from(["put", "get", "fail", "drop", "below"])),
        max_size=120,
    ),
)  # fmt: skip
def test_the_budget_holds_whatever_happens(most_bytes, steps):
    cache = ForeignCache(most_bytes)
    for number, size, what in steps:
        name = read_identifier(b"88.%d/%s%d" % (number % 4, b"sS"[number % 2 :][:1], number % 9))
        if what == "put":
            values = [url(60, index) for index in range(1, size * 4)]
            cache.put(name, Outcome.SUCCESS, values, Rank.TCP, at(0))
        elif what == "get":
            cache.get(name, at(1))
        elif what == "fail":
            cache.fail(name, Outcome.BUSY, "x" * size * 40, at(size))
        elif what == "drop":
            cache.drop(name.folded())
        else:
            cache.drop_below(name.prefix)
        assert 0 <= cache.used_bytes <= most_bytes
