"""A result says whether the machine was quiet when it began."""

import pytest

from bench.report.machine import said_of_load


@pytest.mark.parametrize(("load", "cores", "says"), [(0.3, 2, 0), (2.0, 2, 0), (8.5, 2, 1)])
def test_a_machine_with_more_to_run_than_cores_is_called_busy(load, cores, says):
    said = said_of_load(load, cores)
    assert len(said) == says
    assert all("load average 8.5, 2 cores" in remark for remark in said)
