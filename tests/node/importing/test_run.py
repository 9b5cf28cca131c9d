"""Runs against the real registrar and store: real rows, second runs, and death at every single step."""

import os
import shutil

import pytest

from node.importing.source import Declared
from node.importing.trial import Trial
from protocols.identifier import parse_identifier
from protocols.message import Command, Operation
from protocols.values.value import Value
from protocols.values.value_list import decode_values
from registry.importing.tally import Tally
from tests.node.importing.bench_node import ROOT, SAMPLE, Bench

SAMPLE_TALLY = Tally(1246, 1235, 0, 0, (("check digit", 6), ("duplicate", 1), ("length", 4)))
PRODUCTS = ROOT.parent / "shared/data/products.csv"
NUMBERS = ROOT.parent / "shared/data/enterprise-numbers.tsv"
NEEDS_DATA = pytest.mark.skipif(
    not PRODUCTS.exists(), reason="the full files are not beside the repository"
)


def test_the_sample_is_registered_and_its_bad_rows_are_counted_by_reason(bench):
    run, left = bench.run(SAMPLE)
    assert run.tally == SAMPLE_TALLY
    assert left is None
    assert bench.store.count(b"88.118") == SAMPLE_TALLY.registered
    assert bench.values("0000000000017") == {
        "URL": b"https://static.openfoodfacts.org/images/products/000/000/000/0017/front_fr.4.400.jpg",
        "NAME": "Vitória crackers".encode(),
    }


def test_a_second_run_registers_nothing_and_says_so(bench):
    bench.run(SAMPLE)
    head = bench.store.head()
    run, _ = bench.run(SAMPLE)
    assert run.tally == SAMPLE_TALLY._replace(registered=0, unchanged=SAMPLE_TALLY.registered)
    assert bench.store.head().seq == head.seq


def test_changed_rows_are_updates_and_values_at_other_indexes_stay(bench, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("b,n\n1,tea\n2,rice\n")
    options = {"suffix": "{b}", "values": ["7:NAME={n}"], "checks": ()}
    bench.run(path, **options)
    own = Command(Operation.ADD, parse_identifier("88.118/1"), (Value(1, "URL", b"http://own/"),))
    assert bench.submit(own).outcome.value == "success"
    path.write_text("b,n\n1,green tea\n2,rice\n3,salt\n")
    run, _ = bench.run(path, **options)
    assert run.tally == Tally(3, 1, 1, 1)
    assert bench.values("1") == {"URL": b"http://own/", "NAME": b"green tea"}


def test_a_dry_run_tells_the_same_and_changes_nothing(bench, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("b,n\n1,tea\n2,rice\n")
    options = {"suffix": "{b}", "values": ["NAME={n}"], "checks": ()}
    bench.run(path, **options)
    path.write_text("b,n\n1,green tea\n2,rice\n3,salt\n3,again\n,x\n")
    head = bench.store.head()
    told, _ = bench.run(path, **options, loader=Trial(bench.store.reader()))
    assert bench.store.head() == head
    done, _ = bench.run(path, **options)
    assert told.tally == done.tally == Tally(5, 1, 1, 1, (("duplicate", 1), ("empty suffix", 1)))


def test_what_the_registrar_refuses_is_rejected_with_its_line_and_its_words(bench, tmp_path):
    path, rejects = tmp_path / "p.csv", tmp_path / "r.csv"
    path.write_text('b,n\n1,tea\n"2\t",rice\n3,salt\n')
    run, _ = bench.run(path, suffix="{b}", values=["NAME={n}"], checks=(), rejects=rejects)
    assert (run.tally.read, run.tally.registered, run.tally.rejected) == (3, 2, 1)
    assert [(r.line, r.row) for r in run.shown] == [(3, '"2\t",rice')]
    assert rejects.read_text().splitlines()[1].startswith("3,")


def test_a_case_sensitive_prefix_keeps_what_only_differs_in_case(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("b,n\nab,1\nAB,2\n")
    for case, expected in ((True, 2), (False, 1)):
        bench = Bench(tmp_path / f"data{case}", case_sensitive=case)
        run, _ = bench.run(path, suffix="{b}", values=["NAME={n}"], checks=())
        assert run.tally.registered == expected
        bench.close()


def test_a_file_whose_name_is_not_utf8_is_imported_and_named_in_the_feed(bench, tmp_path):
    path, rejects = (tmp_path / os.fsdecode(name) for name in (b"\xb2.csv", b"\xfe.csv"))
    path.write_text("b,n\n1,tea\n,rice\n")
    run, left = bench.run(path, suffix="{b}", values=["NAME={n}"], checks=(), rejects=rejects)
    assert (run.tally.registered, run.tally.rejected, left) == (1, 1, None)
    assert bench.store.changes(1)[0].source == r"import \xb2.csv"


def feed(bench):
    """What happened to which record, without the marks of time."""
    return [(c.operation, c.key, c.version, c.source) for c in bench.store.changes(0, 10_000)]


def whole_and_killed(tmp_path, path, dies_at, **options):
    """The same import uninterrupted, and killed at one step and run again."""
    whole, killed = Bench(tmp_path / "whole"), Bench(tmp_path / "killed")
    expected, _ = whole.run(path, rejects=tmp_path / "whole.csv", **options)
    _, note = killed.run(path, rejects=tmp_path / "killed.csv", dies_at=dies_at, **options)
    found, left = killed.run(path, rejects=tmp_path / "killed.csv", **options)
    assert left is None
    try:
        return expected, found, feed(whole), feed(killed), note
    finally:
        whole.close()
        killed.close()


@pytest.mark.parametrize("dies_at", range(11))
def test_a_run_killed_at_any_step_and_resumed_counts_like_an_uninterrupted_one(tmp_path, dies_at):
    expected, found, whole, killed, note = whole_and_killed(tmp_path, SAMPLE, dies_at)
    assert found.tally == expected.tally == SAMPLE_TALLY
    assert killed == whole
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert (note is not None) == (dies_at > 0)


@pytest.mark.parametrize("dies_at", [2, 3, 4, 6])
def test_updates_and_unchanged_rows_of_a_killed_run_are_told_apart_too(tmp_path, dies_at):
    path = tmp_path / "p.csv"
    options = {"suffix": "{b}", "values": ["NAME={n}"], "checks": (), "rows": 300}
    path.write_text("b,n\n" + "".join(f"{n},old\n" for n in range(0, 2000, 2)))
    for name in ("whole", "killed"):
        bench = Bench(tmp_path / name)
        bench.run(path, **options)
        bench.close()
    path.write_text("b,n\n" + "".join(f"{n},{'new' if n % 4 else 'old'}\n" for n in range(2000)))
    expected, found, whole, killed, _ = whole_and_killed(tmp_path, path, dies_at, **options)
    assert expected.tally == Tally(2000, 1000, 500, 500)
    assert found.tally == expected.tally
    assert killed == whole


def test_a_run_killed_behind_its_last_commit_has_reported_everything(bench):
    run, left = bench.run(SAMPLE, dies_at=11)
    assert (run.is_reported, run.tally, left) == (True, SAMPLE_TALLY, None)


def test_a_run_killed_again_and_again_still_adds_up(tmp_path):
    bench = Bench(tmp_path / "data")
    for _ in range(20):
        run, left = bench.run(SAMPLE, rejects=tmp_path / "r.csv", dies_at=5)
        if left is None:
            break
    assert left is None
    assert run.tally == SAMPLE_TALLY
    bench.close()


def test_a_changed_file_does_not_go_on_where_another_stood(bench, tmp_path):
    path = tmp_path / "p.csv"
    shutil.copy(SAMPLE, path)
    _, left = bench.run(path, dies_at=3)
    assert left is not None
    path.write_bytes(path.read_bytes() + b"96385074,one more,,http://x/\r\n")
    run, _ = bench.run(path)
    assert run.tally.read == SAMPLE_TALLY.read + 1
    assert run.tally.unchanged > 0


@NEEDS_DATA
def test_all_products_as_a_factory_would_import_them(bench):
    run, _ = bench.run(PRODUCTS, rows=5000)
    assert run.tally == Tally(
        30_000, 27_946, 0, 0, (("check digit", 1877), ("duplicate", 1), ("length", 176))
    )


@NEEDS_DATA
def test_every_enterprise_number_is_registered_with_the_bytes_of_the_file(bench):
    declared = Declared(columns=("number", "name", "note"))
    run, _ = bench.run(
        NUMBERS,
        suffix="{number}",
        values=["NAME={name}", "NOTE={note}"],
        checks=(),
        declared=declared,
        rows=5000,
    )
    assert run.tally == Tally(62_240, 62_240)
    bench.reader.refresh()
    for line in NUMBERS.read_bytes().split(b"\n")[:-1]:
        number, name, *note = line.split(b"\t")
        record = bench.reader.lookup(parse_identifier(f"88.118/{number.decode()}"))
        assert [v.data for v in decode_values(record.public)] == [name, *note]
