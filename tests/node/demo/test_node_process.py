"""The demo's nodes, whatever state they are in, end when they are told to."""

import time

import pytest

from node.demo.node_process import NodeProcess, stop_all
from tests.node.processes import descendants, is_alive, until


@pytest.mark.process
def test_a_frozen_node_is_stopped_at_once_and_starts_again(tmp_path):
    node = NodeProcess(tmp_path / "node", "88.118")
    try:
        node.start()
        pids = [node.pid, *descendants(node.pid)]
        assert node.freeze() == len(pids) - 1
        started_s = time.monotonic()
        node.stop()
        assert time.monotonic() - started_s < 2.0
        until(lambda: not any(map(is_alive, pids)), 2.0)
        assert not node.is_running
        node.start()
        assert node.is_running
    finally:
        node.stop()


def test_nodes_that_never_ran_are_stopped_without_a_word(tmp_path):
    node = NodeProcess(tmp_path / "node", "88.118")
    stop_all([node, node])
    assert not node.is_running


def test_no_two_nodes_of_a_process_get_the_same_port(tmp_path):
    nodes = [NodeProcess(tmp_path / name, "88.118") for name in "ab"]
    urls = [url for node in nodes for url in (node.native.name, node.url, node.operations_url)]
    assert len({url.rpartition(":")[2] for url in urls}) == 6
