"""Report: the rows of a run as a JSON document, as JUnit XML, and as tables of text.

JSON::

    {"target": "192.0.2.1:2641", "counts": {"pass": 240, "fail": 1, …}, "took_s": 31.2,
     "checks": [{"id": …, "verdict": "fail", "requirement": …, "source": …, "expected": …, "came": …, "took_s": …}]}

JUnit XML has one ``testsuite`` for each group of checks; what is not offered or not tried is ``skipped``.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence

from conformance.check import Check
from conformance.outcome import Result, Verdict
from conformance.run import Report

SKIPPED = frozenset({Verdict.NOT_OFFERED, Verdict.NOT_TRIED})


def check_document(check: Check) -> dict[str, object]:
    """What is promised, without a verdict."""
    return {
        "id": check.id,
        "requirement": check.requirement,
        "source": check.source,
        "needs": sorted(need.value for need in check.needs),
    }


def report_document(name: str, checks: Sequence[Check], report: Report) -> dict[str, object]:
    """The whole run; ``name`` is the target's."""
    rows = [
        {
            "id": check.id,
            "verdict": result.verdict.value,
            "requirement": check.requirement,
            "source": check.source,
            "expected": result.expected,
            "came": result.came,
            "took_s": round(result.took_s, 4),
        }
        for check, result in zip(checks, report.results, strict=True)
    ]
    counts = {verdict.value: report.count(verdict) for verdict in Verdict}
    return {
        "target": name,
        "is_conformant": report.is_conformant,
        "counts": counts,
        "took_s": round(report.took_s, 2),
        "checks": rows,
    }


def junit_xml(name: str, checks: Sequence[Check], report: Report) -> bytes:
    """For build servers; UTF-8 with a declaration."""
    root = ET.Element("testsuites", name=f"conformance of {name}", time=f"{report.took_s:.3f}")
    for group, rows in by_group(checks, report.results):
        verdicts = [result.verdict for _, result in rows]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=group,
            tests=str(len(rows)),
            failures=str(verdicts.count(Verdict.FAIL)),
            errors=str(verdicts.count(Verdict.ERROR)),
            skipped=str(sum(verdict in SKIPPED for verdict in verdicts)),
            time=f"{sum(result.took_s for _, result in rows):.3f}",
        )
        for check, result in rows:
            _add_case(suite, check, result)
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def by_group(
    checks: Sequence[Check], results: Iterable[Result]
) -> list[tuple[str, list[tuple[Check, Result]]]]:
    """Rows by group, in the order in which groups first appear."""
    groups: dict[str, list[tuple[Check, Result]]] = {}
    for check, result in zip(checks, results, strict=True):
        groups.setdefault(check.group, []).append((check, result))
    return list(groups.items())


def summary_rows(checks: Sequence[Check], report: Report) -> list[tuple[object, ...]]:
    """Group, and how many of its checks ended in each way."""
    rows: list[tuple[object, ...]] = []
    for group, found in by_group(checks, report.results):
        verdicts = [result.verdict for _, result in found]
        rows.append((group, *(verdicts.count(verdict) for verdict in Verdict)))
    rows.append(("all", *(report.count(verdict) for verdict in Verdict)))
    return rows


def told(check: Check, result: Result) -> str:
    """What people need of a row that did not pass: the promise, where it stands, what came instead."""
    lines = [check.requirement]
    if result.expected:
        lines.append(f"expected: {result.expected}")
    if result.came:
        lines.append(f"{'came' if result.expected else 'why'}: {result.came}")
    return "\n".join([*lines, f"source: {check.source}"])


def _add_case(suite: ET.Element, check: Check, result: Result) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=check.group, name=check.title, time=f"{result.took_s:.3f}"
    )
    case.set("id", check.id)
    tags = {Verdict.FAIL: "failure", Verdict.ERROR: "error"}
    if result.verdict is Verdict.PASS:
        return
    mark = ET.SubElement(case, tags.get(result.verdict, "skipped"))
    short = f"expected {result.expected}, came {result.came}" if result.expected else result.came
    mark.set("message", _for_xml(short))
    mark.text = _for_xml(told(check, result))


def _for_xml(text: str) -> str:
    """XML 1.0 has no control characters."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
