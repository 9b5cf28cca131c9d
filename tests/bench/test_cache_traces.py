"""The comparison of eviction policies: the models do as their papers say, and the shelf does as its model."""

import itertools
import json
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cache_traces.__main__ import POLICIES
from bench.cache_traces.policies import Belady, Fifo, Lru, S3Fifo, SecondChance, Sieve
from bench.cache_traces.traces import SERIALS, TRACES, loop, record_sizes
from resolver.shelf import Entry, Shelf

traces = st.lists(st.integers(0, 7), max_size=40)
MIB = 1_048_576


def hits(policy, trace, size=1):
    return [policy.access(key, size) for key in trace]


def most_hits(trace, room):
    """By trying everything: what the best choice of whom to keep would give."""
    states = {frozenset(): 0}
    for key in trace:
        following: dict[frozenset[int], int] = {}
        for kept, count in states.items():
            choices = [kept]
            if key not in kept:
                choices += [
                    frozenset(c)
                    for c in itertools.combinations(kept | {key}, min(room, len(kept) + 1))
                ]
            for choice in choices:
                following[choice] = max(following.get(choice, 0), count + (key in kept))
        states = following
    return max(states.values())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=14), st.integers(1, 3))
def test_the_bound_is_what_trying_everything_gives(trace, room):
    assert sum(hits(Belady(room, trace), trace)) == most_hits(trace, room)


@given(traces, st.integers(1, 6))
def test_no_policy_does_better_than_the_bound_nor_keeps_more_than_it_may(trace, room):
    bound = sum(hits(Belady(room, trace), trace))
    for make in POLICIES.values():
        policy = make(room)
        for key in trace:
            policy.access(key, 1)
            assert policy.used_bytes <= room
        assert sum(hits(make(room), trace)) <= bound


@given(traces, st.integers(1, 6))
def test_second_chance_is_fifo_while_nothing_is_asked_for_twice(trace, room):
    once = list(dict.fromkeys(trace))
    for make in (SecondChance, Lru, Sieve):
        assert hits(make(room), [*once, *once[-room:]]) == hits(Fifo(room), [*once, *once[-room:]])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 15), max_size=150), st.integers(2, 8))
def test_the_shelf_does_as_the_model_of_sieve_request_by_request(trace, room):
    model, shelf = Sieve(room), Shelf(room * MIB + 100_000)
    for key in trace:
        name = b"88/%d" % key
        entry = shelf.get(name)
        assert model.access(key, 1) == (entry is not None)
        if entry is None:
            shelf.put(Entry(name, MIB))
        else:
            entry.is_asked = True
        assert {int(kept[3:]) for kept in shelf.entries} == {*model.passed, *model.ahead}


def test_a_hot_set_survives_a_scan_under_sieve_and_not_under_lru():
    hot, scan = list(range(50)), range(1000, 2000)
    for make, survives in ((Lru, False), (Fifo, False), (SecondChance, False), (Sieve, True)):
        policy = make(100)
        hits(policy, [*hot, *hot, *scan])
        assert all(hits(policy, hot)) == survives, make


def test_ghosts_bring_back_at_once_what_was_thrown_out_too_early():
    policy = S3Fifo(10)
    hits(policy, range(100))
    assert hits(policy, [95, 95]) in ([False, True], [True, True])
    around = [key % 11 for key in range(1100)]
    assert sum(hits(S3Fifo(10), around)) > 500
    assert not any(hits(Sieve(10), around)), "the price of a single queue: a loop just too long"


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_the_same_for_everybody_and_as_long_as_asked_for(name):
    made = [TRACES[name](random.Random("x"), 500, 4000) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) == 4000
    assert len({key for key in made[0] if key < SERIALS}) > 100


def test_a_loop_is_a_tenth_longer_than_the_cache():
    assert len(set(loop(1000, 5000))) == 1100


def test_sizes_are_those_of_real_records_in_the_cache():
    sizes = record_sizes()
    assert len(sizes) > 1000
    assert 400 < sorted(sizes)[len(sizes) // 2] < 900


def test_the_command_prints_every_ratio_as_json():
    command = [
        sys.executable,
        "-m",
        "bench.cache_traces",
        "--keys",
        "300",
        "--requests",
        "2000",
        "--json",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = json.loads(done.stdout)
    assert len(rows) == 3 * (len(TRACES) + 1)
    for row in rows:
        assert set(row["miss_ratio"]) == {*POLICIES, "bound"}
        assert all(0 < ratio <= 1 for ratio in row["miss_ratio"].values())
