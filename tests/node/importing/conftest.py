"""Fixtures of the importing tests."""

import pytest

from tests.node.importing.bench_node import Bench


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "data")
    yield made
    made.close()
