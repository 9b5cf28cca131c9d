"""The table of checks is a document: each row has an id, a sentence, and a public source."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import checks
from conformance.catalogue import all_checks
from conformance.check import Check, Need, add, check

CHECKS = all_checks()
FOLDER = Path(checks.__file__).parent
PUBLIC = re.compile(
    r"RFC \d{4}|Handle\.Net|DO-IRP 3\.0|id-pointer-sdk 2\.3\.1|PYHANDLE|B2HANDLE|OWASP|handle\.net|Fetch"
)
"""Documents and programs that anybody can get."""


def test_there_are_checks_enough_and_each_has_an_id_of_its_own() -> None:
    ids = [each.id for each in CHECKS]
    assert len(ids) == len(set(ids)) >= 150
    assert all(re.fullmatch(r"(native|http)(\.[a-z0-9-]+){2}", id_) for id_ in ids)


@pytest.mark.parametrize("each", CHECKS, ids=lambda each: each.id)
def test_a_check_says_what_is_required_and_where_that_is_written(each: Check) -> None:
    assert re.fullmatch(r"\S.{8,250}\.", each.requirement), each.requirement
    assert PUBLIC.search(each.source), each.source
    assert each.needs & {Need.TCP, Need.UDP, Need.HTTP}, "it speaks to nobody"


def test_every_file_of_checks_is_in_the_catalogue() -> None:
    registered = {each.run.__module__.rpartition(".")[2] for each in CHECKS}
    there = {path.stem for path in FOLDER.glob("*.py") if "@check(" in path.read_text()}
    assert there <= registered


def test_wrong_proofs_come_last() -> None:
    guessing = [each.run.__module__.endswith("guessing") for each in CHECKS]
    assert any(guessing)
    assert guessing == sorted(guessing)


def test_an_id_cannot_be_used_twice() -> None:
    with pytest.raises(ValueError, match="used twice"):
        add(CHECKS[0])


def test_a_check_without_a_requirement_is_refused() -> None:
    def nothing(visit: object) -> None:
        pass

    with pytest.raises(ValueError, match="requirement"):
        check("native.none.at-all", "RFC 3652")(nothing)


def test_the_order_is_the_same_whoever_imported_a_file_before() -> None:
    words = (
        "import conformance.checks.http_tunnel; from conformance.catalogue import all_checks; "
        "print(*(each.id for each in all_checks()))"
    )
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert said.stdout.split() == [each.id for each in CHECKS]
