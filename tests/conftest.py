"""Settings for the whole suite: how many examples hypothesis draws, what runs both ways. Nothing else belongs here."""

import os

from hypothesis import HealthCheck, settings

from tests.both_ways import hot_path, pytest_generate_tests, pytest_report_header

__all__ = ["hot_path", "pytest_generate_tests", "pytest_report_header"]

# Two shared cores: a slow first example is not a bug. A failure prints the blob that replays it.
settings.register_profile(
    "ci",
    max_examples=60,
    deadline=None,
    print_blob=True,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", settings.get_profile("ci"), max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
