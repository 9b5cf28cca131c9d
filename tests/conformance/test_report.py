"""The forms of a report: JSON for programs, JUnit XML for build servers."""

import json
import xml.etree.ElementTree as ET

from conformance.outcome import Verdict
from conformance.report import junit_xml, report_document, summary_rows, told
from conformance.run import Report
from tests.conformance.parts import made_up, result

CHECKS = [made_up(f"native.{name}") for name in ("a.one", "a.two", "b.one", "b.two", "b.three")]
RESULTS = (
    result(CHECKS[0], Verdict.PASS),
    result(CHECKS[1], Verdict.FAIL, "RC 1", "RC 2 <& \x07"),
    result(CHECKS[2], Verdict.NOT_OFFERED, came="RC 5"),
    result(CHECKS[3], Verdict.NOT_TRIED, came="needs --admin"),
    result(CHECKS[4], Verdict.ERROR, came="no connection"),
)
REPORT = Report(RESULTS, 1.5)


def test_the_document_has_every_check_with_its_source() -> None:
    document = json.loads(json.dumps(report_document("h:1", CHECKS, REPORT)))
    assert document["target"] == "h:1"
    assert document["is_conformant"] is False
    assert document["counts"] == {
        "pass": 1, "fail": 1, "not-offered": 1, "not-tried": 1, "error": 1,
    }  # fmt: skip
    failed = document["checks"][1]
    assert failed["id"] == "native.a.two"
    assert failed["verdict"] == "fail"
    assert (failed["expected"], failed["came"]) == ("RC 1", "RC 2 <& \x07")
    assert failed["source"] == "RFC 3652"
    assert failed["requirement"] == "Something about native.a.two."


def test_junit_counts_failures_errors_and_skipped_by_group() -> None:
    root = ET.fromstring(junit_xml("h:1", CHECKS, REPORT))
    counts = {
        suite.get("name"): tuple(
            suite.get(name) for name in ("tests", "failures", "errors", "skipped")
        )
        for suite in root
    }
    assert counts == {"native.a": ("2", "1", "0", "0"), "native.b": ("3", "0", "1", "2")}


def test_junit_marks_each_case_by_its_verdict() -> None:
    root = ET.fromstring(junit_xml("h:1", CHECKS, REPORT))
    marks = {case.get("id"): [mark.tag for mark in case] for case in root.iter("testcase")}
    assert marks == {
        "native.a.one": [],
        "native.a.two": ["failure"],
        "native.b.one": ["skipped"],
        "native.b.two": ["skipped"],
        "native.b.three": ["error"],
    }


def test_junit_survives_what_xml_cannot_hold() -> None:
    root = ET.fromstring(junit_xml("h:1", CHECKS, REPORT))
    (failure,) = root.iter("failure")
    assert failure.get("message") == "expected RC 1, came RC 2 <& \N{REPLACEMENT CHARACTER}"


def test_the_summary_adds_up() -> None:
    rows = summary_rows(CHECKS, REPORT)
    assert rows == [
        ("native.a", 1, 1, 0, 0, 0),
        ("native.b", 0, 0, 1, 1, 1),
        ("all", 1, 1, 1, 1, 1),
    ]


def test_a_group_is_one_row_though_its_checks_stand_apart() -> None:
    checks = [CHECKS[0], CHECKS[2], CHECKS[1]]
    report = Report((RESULTS[0], RESULTS[2], RESULTS[1]), 1.0)
    assert [row[0] for row in summary_rows(checks, report)] == ["native.a", "native.b", "all"]


def test_people_are_told_promise_expectation_and_source() -> None:
    assert told(CHECKS[1], RESULTS[1]).split("\n")[0] == "Something about native.a.two."
    assert "expected: RC 1" in told(CHECKS[1], RESULTS[1])
    assert "source: RFC 3652" in told(CHECKS[1], RESULTS[1])
    assert "why: RC 5" in told(CHECKS[2], RESULTS[2])
