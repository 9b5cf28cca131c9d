"""How a check ends: what it raises decides, and what was not named is not tried."""

import pytest

from conformance.check import Check, Need
from conformance.outcome import Failed, NotOffered, Unable, Verdict, expect, expect_equal, show
from conformance.registering import Registering
from conformance.run import Report, choose, run_checks, try_check
from conformance.target import Account, Target
from conformance.visit import Visit
from tests.conformance.parts import made_up

NOBODY = Target("127.0.0.1", None)


def _raises(error: Exception) -> Check:
    def run(_: Visit) -> None:
        raise error

    return made_up("native.a.b", run)


@pytest.mark.parametrize(
    ("error", "verdict", "expected", "came"),
    [
        (Failed("RC 1", "RC 2"), Verdict.FAIL, "RC 1", "RC 2"),
        (NotOffered("RC 5"), Verdict.NOT_OFFERED, "", "RC 5"),
        (Unable("no connection"), Verdict.ERROR, "", "no connection"),
        (KeyError("x"), Verdict.ERROR, "", "KeyError: 'x'"),
    ],
)
def test_what_a_check_raises_is_its_verdict(
    error: Exception, verdict: Verdict, expected: str, came: str
) -> None:
    ended = try_check(NOBODY, _raises(error), Registering(NOBODY))
    assert (ended.verdict, ended.expected, ended.came) == (verdict, expected, came)


def test_a_check_that_returns_has_passed() -> None:
    assert try_check(NOBODY, made_up("a.b.c"), Registering(NOBODY)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("need", "target"),
    [
        (Need.TCP, Target("h", None)),
        (Need.UDP, Target("h", has_udp=False)),
        (Need.HTTP, Target("h")),
        (Need.PREFIX, Target("h")),
        (Need.ADMIN, Target("h", prefix="88.118")),
        (Need.SECRET, Target("h", prefix="88.118", administrator=Account(b"a/b", 1))),
        (Need.KEY, Target("h", prefix="88.118", administrator=Account(b"a/b", 1, b"s"))),
    ],
)
def test_what_was_not_named_is_not_tried(need: Need, target: Target) -> None:
    def run(_: Visit) -> None:
        raise AssertionError("tried")

    ended = try_check(target, made_up("a.b.c", run, need), Registering(target))
    assert ended.verdict is Verdict.NOT_TRIED
    assert need.value in ended.came


def test_a_run_ends_when_its_time_is_over() -> None:
    report = run_checks(NOBODY, [made_up("a.b.c")], most_total_s=-1)
    assert report.results[0].verdict is Verdict.ERROR
    assert not report.is_conformant


def test_a_failed_check_does_not_stop_the_others() -> None:
    checks = [_raises(Failed("a", "b")), made_up("a.b.c")]
    report = run_checks(NOBODY, checks)
    assert [each.verdict for each in report.results] == [Verdict.FAIL, Verdict.PASS]


@pytest.mark.parametrize(
    ("verdict", "is_conformant"),
    [
        (Verdict.PASS, True),
        (Verdict.NOT_OFFERED, True),
        (Verdict.NOT_TRIED, True),
        (Verdict.FAIL, False),
        (Verdict.ERROR, False),
    ],
)
def test_only_broken_promises_and_missing_verdicts_spoil_a_run(
    verdict: Verdict, is_conformant: bool
) -> None:
    ended = try_check(NOBODY, made_up("a.b.c"), Registering(NOBODY))._replace(verdict=verdict)
    assert Report((ended,), 1.0).is_conformant is is_conformant


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ((), ["native.udp.a", "native.udp-more.b", "http.read.a"]),
        (("native.udp",), ["native.udp.a"]),
        (("*.a",), ["native.udp.a", "http.read.a"]),
        (("http.read.a", "native.udp"), ["native.udp.a", "http.read.a"]),
        (("nothing",), []),
    ],
)
def test_checks_are_chosen_by_group_or_pattern(
    patterns: tuple[str, ...], chosen: list[str]
) -> None:
    checks = [made_up(id_) for id_ in ("native.udp.a", "native.udp-more.b", "http.read.a")]
    assert [each.id for each in choose(checks, patterns)] == chosen


def test_expectations_say_what_was_expected_and_what_came() -> None:
    with pytest.raises(Failed) as told:
        expect(is_so=False, expected="five", came=4)
    assert (told.value.expected, told.value.came) == ("five", "4")
    with pytest.raises(Failed) as told:
        expect_equal("op code", 1, 200)
    assert (told.value.expected, told.value.came) == ("op code 1", "200")
    expect(is_so=True, expected="x", came="y")
    expect_equal("op code", 1, 1)


def test_bytes_are_shown_as_text_where_they_are_some() -> None:
    assert show(b"88.118/a") == "88.118/a"
    assert show(b"\x00\xff") == "00ff"
    assert len(show("x" * 500)) == 200
