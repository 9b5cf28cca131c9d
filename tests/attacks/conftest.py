"""One node for the attacks of a file, with an honest client that must be served from the first attack to the last."""

from collections.abc import Iterator

import pytest

from tests.attacks.attacked_node import AttackedNode, attacked
from tests.attacks.honest import HonestClient, honest_client

SHORT = {"tcp_request_s": 0.6, "http_request_s": 0.8}
"""Deadlines short enough to wait for."""


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory,
    hot_path: str | None,
) -> Iterator[AttackedNode]:
    with attacked(tmp_path_factory.mktemp("attacked"), **SHORT) as node:
        yield node


@pytest.fixture(scope="module", autouse=True)
def honest(
    request: pytest.FixtureRequest,
    hot_path: str | None,
) -> Iterator[HonestClient | None]:
    """Asks all the while in files that have a node; the last test of such a file looks at what it got.

    Anew for each hot path, as the node is.
    """
    if not getattr(request.module, "HAS_NODE", False):
        yield None
        return
    with honest_client(request.getfixturevalue("node")) as client:
        yield client
