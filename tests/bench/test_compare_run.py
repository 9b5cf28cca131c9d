"""A real comparison and a real look at growth, as short as they can be: every process is started, asked and ended."""

import os
import shutil
import subprocess
import sys

import pytest

from bench.compare.contest import OURS, PATHS
from bench.compare.field import LANE, PURE
from bench.compare.subject import has_lane
from bench.cpu import tree
from bench.report.document import decode_result

pytestmark = [pytest.mark.process, pytest.mark.slow]
RUN_S = 200
SHORT = ("--rounds", "2", "--seconds", "0.2")


def bench(*words, **environment):
    command = [sys.executable, "-m", "node.cli", "bench", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=RUN_S, env={**os.environ, **environment}, check=False,
    )  # fmt: skip


def test_a_comparison_measures_everybody_who_is_installed_and_leaves_nobody_behind(tmp_path):
    mine = set(tree(os.getpid()))
    done = bench("compare", *SHORT, "--keys", 1000, "--json", tmp_path / "result.json")
    assert done.returncode == 0, done.stderr
    assert set(tree(os.getpid())) == mine
    result = decode_result((tmp_path / "result.json").read_bytes())
    measured = {row.peer for row in result.compare if row.median_cpu_us is not None}
    wanted = {OURS[PURE], "uvloop UDP echo", "aiohttp, fixed answer"}
    wanted |= {OURS[LANE]} if has_lane() else set()
    programs = {
        "nginx": "nginx, fixed answer",
        "redis-server": "Redis GET",
        "nsd": "NSD",
        "knotd": "Knot DNS",
    }
    installed = {name for program, name in programs.items() if shutil.which(program)}
    assert wanted | installed <= measured
    for row in result.compare:
        if row.median_cpu_us is not None:
            assert row.slices == 2
            assert "wrong" not in row.note, row
        elif row.version is not None:
            pytest.fail(f"{row.peer} is installed and was not measured: {row.note}")
    assert result.tables[0].title.startswith("Aims")


def test_without_a_path_every_program_is_named_as_not_installed_and_python_makes_the_load(tmp_path):
    done = bench("compare", *SHORT, "--keys", 1000, "--path", "tcp", "--path", "http",
                 "--json", tmp_path / "result.json", PATH="")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nginx, fixed answer: skipped, not installed" in done.stderr
    assert "Redis GET: skipped, not installed" in done.stderr
    result = decode_result((tmp_path / "result.json").read_bytes())
    by_peer = {row.peer: row for row in result.compare if row.path.endswith(OURS[PURE])}
    assert by_peer["Redis GET"].version is None
    assert by_peer["aiohttp, fixed answer"].median_cpu_us > 0
    assert by_peer[OURS[PURE]].answers_per_s > 0
    assert {row.peer for row in result.compare} == {
        one.name for key in ("tcp", "http") for one in PATHS[key].contestants()
    }


def test_growth_measures_each_size_and_a_kept_store_can_be_compared(tmp_path):
    kept = tmp_path / "kept"
    done = bench("growth", *SHORT, "--size", 100, "--size", 2000, "--keep", kept,
                 "--json", tmp_path / "growth.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    table, aims = decode_result((tmp_path / "growth.json").read_bytes()).tables
    assert [row[0] for row in table.rows] == [100, 2000]
    large = dict(zip(table.columns, table.rows[1], strict=True))
    assert 100 < large["record B"] < 400
    assert large["feed B"] > 50
    assert all(large[name] > 0 for name in ("start s", "RssAnon MiB", "hit µs", "miss µs"))
    assert len(aims.rows) == 4

    done = bench("compare", *SHORT, "--store", kept / "2000", "--json", tmp_path / "spread.json")
    assert done.returncode == 0, done.stderr
    spread = decode_result((tmp_path / "spread.json").read_bytes())
    assert all("2,000 identifiers" in row.path for row in spread.compare)
    assert {row.peer for row in spread.compare} == {"uniform over all keys", "the hottest key"}
