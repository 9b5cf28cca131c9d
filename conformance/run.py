"""Run: tries checks on a target one after another and says how each ended.

One at a time on purpose: a node under test shall be judged by what it answers, not by how much it bears.
"""

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from conformance.check import Check, Need
from conformance.clock import monotonic_s
from conformance.outcome import Failed, NotOffered, Result, Unable, Verdict
from conformance.registering import Registering
from conformance.target import Target
from conformance.visit import Visit

MOST_TOTAL_S = 900.0
"""A node that lets every check run into its patience is not worth a whole night."""


class Report(NamedTuple):
    """All rows, in the order of the table."""

    results: tuple[Result, ...]
    took_s: float

    def count(self, verdict: Verdict) -> int:
        """Rows that ended so."""
        return sum(result.verdict is verdict for result in self.results)

    @property
    def is_conformant(self) -> bool:
        """Nothing failed and nothing could not be tried."""
        return not self.count(Verdict.FAIL) and not self.count(Verdict.ERROR)


def choose(checks: Iterable[Check], patterns: Iterable[str]) -> list[Check]:
    """Those whose id matches one of the shell patterns; a pattern that is a beginning (``native.udp``) counts too."""
    wanted = list(patterns)
    if not wanted:
        return list(checks)
    return [
        check
        for check in checks
        if any(fnmatchcase(check.id, p) or check.id.startswith(f"{p}.") for p in wanted)
    ]


def run_checks(
    target: Target,
    checks: Iterable[Check],
    on_result: Callable[[Check, Result], None] = lambda _check, _result: None,
    registering: Registering | None = None,
    most_total_s: float = MOST_TOTAL_S,
) -> Report:
    """Try all. ``registering``: another way to make records than through ``target`` itself."""
    began_s = monotonic_s()
    hands = registering or Registering(target)
    results = []
    for check in checks:
        if monotonic_s() - began_s > most_total_s:
            result = Result(
                check.id, Verdict.ERROR, came=f"{most_total_s:g} s for the run are over"
            )
        else:
            result = try_check(target, check, hands)
        results.append(result)
        on_result(check, result)
    hands.finish()
    return Report(tuple(results), monotonic_s() - began_s)


def try_check(target: Target, check: Check, registering: Registering) -> Result:
    """One row; never raises."""
    missing = list(missing_needs(target, check))
    if missing:
        names = ", ".join(sorted(need.value for need in missing))
        return Result(check.id, Verdict.NOT_TRIED, came=f"needs {names}")
    began_s = monotonic_s()
    verdict, expected, came = _judge(target, check, registering)
    return Result(check.id, verdict, expected, came, monotonic_s() - began_s)


def missing_needs(target: Target, check: Check) -> Iterator[Need]:
    """What the check needs and the target does not name."""
    who = target.administrator
    there = {
        Need.TCP: target.native_port is not None and target.has_tcp,
        Need.UDP: target.native_port is not None and target.has_udp,
        Need.HTTP: target.http_url is not None,
        Need.PREFIX: target.prefix is not None,
        Need.ADMIN: target.prefix is not None and who is not None,
        Need.SECRET: who is not None and who.secret is not None,
        Need.KEY: who is not None and who.key is not None,
    }
    return (need for need in check.needs if not there[need])


def _judge(target: Target, check: Check, registering: Registering) -> tuple[Verdict, str, str]:
    """Verdict, what was expected, what came."""
    try:
        with Visit(target, registering, check.deadline_s) as visit:
            check.run(visit)
    except Failed as failed:
        return Verdict.FAIL, failed.expected, failed.came
    except NotOffered as why:
        return Verdict.NOT_OFFERED, "", str(why)
    except Unable as why:
        return Verdict.ERROR, "", str(why)
    except Exception as error:  # noqa: BLE001  one bad check or answer must not end the others
        return Verdict.ERROR, "", f"{type(error).__name__}: {error}"
    return Verdict.PASS, "", ""
