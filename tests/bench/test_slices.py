"""What is made of slices: medians, ratios, who is client-limited, and who is left out."""

import os
import subprocess
import sys
import time

import pytest

from bench.cpu import tree, tree_times
from bench.slices import Loaded, LoadFailed, Peer, Slice, alternate, median_cpu_us, ratios


def one_slice(cpu_us: float, answers: int = 1000, wall_ns: int = 10**9, wait_ns: int = 0):
    return Slice(answers, 0, 0, int(cpu_us * 1000 * answers), 10**8, wall_ns, wait_ns)


def test_a_ratio_above_one_means_that_ours_is_cheaper():
    ours = [one_slice(2.0), one_slice(4.0), one_slice(3.0)]
    peer = [one_slice(6.0), one_slice(4.0), one_slice(60.0)]
    assert ratios(ours, peer) == (6.0 / 3.0, 1.0, 20.0)


def test_one_disturbed_slice_does_not_move_the_median():
    assert median_cpu_us([one_slice(2.0), one_slice(2.0), one_slice(99.0)]) == 2.0


def test_a_server_with_time_left_was_limited_by_its_client():
    assert one_slice(500.0).is_client_limited  # half a second of CPU in a second
    assert not one_slice(950.0).is_client_limited


def test_a_server_that_waited_for_its_core_was_not_limited_by_its_client():
    assert not one_slice(500.0, wait_ns=450_000_000).is_client_limited


def right(seconds: float) -> Loaded:
    return Loaded(10, 0, 0, 1, int(seconds * 1e9))


def broken(_: float) -> Loaded:
    raise LoadFailed("the server closed a connection")


def test_peers_take_turns_and_each_gets_as_many_slices():
    order = []
    peers = [Peer("a", os.getpid(), right), Peer("b", os.getpid(), right)]
    found = alternate(peers, 3, 0.1, order.append)
    assert order == ["a", "b"] * 4  # the first turn is not measured
    assert {name: len(slices) for name, slices in found.slices.items()} == {"a": 3, "b": 3}
    assert found.failures == {}


def test_who_is_warmed_is_not_measured_meanwhile():
    warmed = []
    peer = Peer("a", os.getpid(), right, lambda: warmed.append("a"))
    assert len(alternate([peer], 2, 0.1).slices["a"]) == 2
    assert warmed == ["a"]


def test_who_fails_is_left_out_and_the_others_go_on():
    peers = [Peer("bad", os.getpid(), broken), Peer("good", os.getpid(), right)]
    found = alternate(peers, 2, 0.1)
    assert found.failures == {"bad": "the server closed a connection"}
    assert list(found.slices) == ["good"]
    assert len(found.slices["good"]) == 2


def test_a_slice_without_a_right_answer_is_a_failure_and_not_infinitely_dear():
    peer = Peer("mute", os.getpid(), lambda seconds: Loaded(0, 7, 2, 1, 1))
    found = alternate([peer], 1, 0.1)
    assert found.failures == {"mute": "not one right answer: 7 lost, 2 wrong"}


def test_a_slice_without_an_answer_is_tried_again_before_its_peer_is_left_out():
    mute = Loaded(0, 9, 0, 1, 1)
    loads, lasted = iter([Loaded(5, 0, 0, 1, 1), mute, mute, Loaded(6, 0, 0, 1, 1)]), []

    def load(seconds: float) -> Loaded:
        lasted.append(seconds)
        return next(loads)

    found = alternate([Peer("slow", os.getpid(), load)], 1, 0.1)
    assert found.failures == {}
    assert lasted == [0.1, 0.1, 1.0, 3.0], "with more time each time"
    assert [one.answers for one in found.slices["slow"]] == [6]


@pytest.fixture
def family():
    """A process that starts another one, which is busy."""
    busy = "while True: pass"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}]).wait()"
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        while len(tree(parent.pid)) < 2:
            assert parent.poll() is None
        yield parent.pid
    finally:
        for pid in reversed(tree(parent.pid)):
            os.kill(pid, 9)
        parent.wait()


def test_a_server_is_charged_for_its_children(family):
    before = tree_times(family)
    deadline_s = time.monotonic() + 20
    while tree_times(family).cpu_ns - before.cpu_ns < 50_000_000:
        assert time.monotonic() < deadline_s, "the busy child costs nothing"


def test_a_process_that_is_gone_costs_nothing():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert tree_times(ended.pid) == (0, 0)
