"""Every check of the conformance suite passes on a sound node and fails on one that breaks just what it looks at."""

from collections.abc import Iterator

import pytest

from conformance.catalogue import all_checks
from conformance.check import Check
from conformance.outcome import Verdict
from tests.broken_nodes.breakage import SOUND
from tests.broken_nodes.stand import Stand, standing
from tests.broken_nodes.tables import all_breakages

CHECKS = all_checks()
BREAKAGES = all_breakages()


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with standing(tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.mark.process
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_passes_on_a_sound_node_and_fails_on_a_broken_one(
    stand: Stand, check: Check
) -> None:
    breakage = BREAKAGES.get(check.id)
    assert breakage is not None, "no node breaks this; add a row to a table of tests/broken_nodes"
    sound = stand.try_on(check, SOUND)
    assert sound.verdict is Verdict.PASS, sound
    broken = stand.try_on(check, breakage)
    assert broken.verdict is Verdict.FAIL, (f"the node {breakage.wrong}", broken)


def test_every_breakage_belongs_to_a_check() -> None:
    assert BREAKAGES.keys() <= {check.id for check in CHECKS}
