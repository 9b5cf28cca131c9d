"""``biaojie bench`` on a real small node: each measurement as an operator types it, a second or two each."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from bench.load.latencies import Latencies
from bench.report.document import decode_result
from node.demo.node_process import NodeProcess
from tests.house.tree import ROOT

pytestmark = pytest.mark.process

PREFIX = "88.118"
KEYS = f"{PREFIX}/SN-{{000..299}}"
SHORT = ("--duration", "0.5", "--warm-up", "0.1", "--connections", "4")


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bench")
    one = NodeProcess(directory / "node", PREFIX)
    rows = directory / "rows.csv"
    rows.write_text("n\n" + "".join(f"{n:03d}\n" for n in range(300)))
    done = one.run(
        "import", str(rows), "--prefix", PREFIX, "--suffix", "SN-{n}",
        "--value", "URL=https://example.org/{n}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one.start()
    yield one
    one.stop()


def start(*words: str) -> subprocess.Popen:
    """Takes Ctrl-C, even where whoever began these tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "node.cli", "bench", *words],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)


def bench(*words: str, code: int = 0) -> subprocess.CompletedProcess:
    process = start(*words)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    return subprocess.CompletedProcess(words, code, out, err)


def admin(node) -> tuple[str, ...]:
    return ("--user", node.made.administrator, "--secret-file", str(node.made.secret))


def config(node) -> tuple[str, str]:
    return "--config", str(node.made.settings)


def known(node, text: str) -> int:
    """Records whose identifier has ``text`` in it, as the node lists them."""
    found = node.web.ask("GET", f"/api/handles?prefix={PREFIX}").document["handles"]
    return sum(text in handle for handle in found)


@pytest.mark.parametrize("transport", ["udp", "tcp", "http", "redirect"])
def test_every_way_to_ask_is_answered_at_the_rate_that_was_offered(node, tmp_path, transport):
    out = tmp_path / "result.json"
    bench(
        "resolve", *config(node), f"--{transport}", "--keys", KEYS, "--rate", "200",
        "--misses", "0.2", "--json", str(out), *SHORT,
    )  # fmt: skip
    (series,) = decode_result(out.read_bytes()).series
    assert series.transport == transport
    assert (
        90 <= series.answers <= series.sent <= 100
    )  # a busy machine sends or answers one too late
    assert set(series.errors) <= {"timeout", "unsent"}
    assert 5 <= series.misses <= 40
    assert Latencies.decode(series.histogram).count == series.answers
    assert series.clients[0].cpu_share > 0


def test_several_processes_share_the_rate(node, tmp_path):
    out = tmp_path / "result.json"
    bench(
        "resolve", *config(node), "--keys", KEYS, "--rate", "300", "--poisson", "--zipf", "0.9",
        "--processes", "2", "--json", str(out), *SHORT,
    )  # fmt: skip
    (series,) = decode_result(out.read_bytes()).series
    assert len(series.clients) == 2
    assert all(client.sent > 40 for client in series.clients)
    assert series.connections == 8
    assert 100 < series.answers < 210


def test_a_closed_loop_of_sampled_keys_shows_its_table_and_the_servers_cpu(node):
    said = bench(
        "resolve", *config(node), "--sample", PREFIX, "--server-pid", str(node.pid), *SHORT
    )
    assert "closed loop" in said.stdout
    cells = [cell.strip() for cell in said.stdout.splitlines()[3].strip("│").split("│")]
    assert float(cells[-1]) > 0  # CPU per answer
    assert cells[8] == "0"  # errors


def test_keys_may_be_listed_over_http(node):
    said = bench(
        "resolve", "--server", node.url, "--sample", PREFIX, "--sample-size", "10", *admin(node), *SHORT
    )  # fmt: skip
    assert "http" in said.stdout


def test_a_search_says_what_it_found(node, tmp_path):
    out = tmp_path / "result.json"
    said = bench(
        "resolve", *config(node), "--keys", f"{PREFIX}/SN-000", "--search", "--max-p99", "500",
        "--duration", "0.2", "--warm-up", "0", "--json", str(out),
    )  # fmt: skip
    found = decode_result(out.read_bytes())
    assert found.search
    assert any(step.passed for step in found.search)
    assert "highest rate with" in said.stderr
    best = max(step.offered_per_s for step in found.search if step.passed)
    assert found.series[-1].offered_per_s == pytest.approx(best)


def test_keys_that_are_not_there_are_a_failure_that_says_why(node):
    said = bench("resolve", *config(node), "--keys", f"{PREFIX}/none", *SHORT, code=1)
    assert "no right answer (RC 100)" in said.stderr


def test_nobody_there_is_told(tmp_path):
    said = bench("resolve", "--server", "tcp://127.0.0.1:1", "--keys", KEYS, *SHORT, code=3)
    assert "tcp://127.0.0.1:1: Connection refused" in said.stderr


def test_a_stranger_is_not_loaded():
    said = bench("resolve", "--server", "192.0.2.1", "--keys", KEYS, code=2)
    assert "is not this machine" in said.stderr
    assert "--i-may-load 192.0.2.1" in said.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--keys", KEYS, "--sample", PREFIX),
        ("--keys", "88.118/{1-2}"),
        ("--keys", KEYS, "--rate", "5", "--search"),
        ("--keys", KEYS, "--poisson"),
        ("--keys", KEYS, "--http", "--header", "nonsense"),
        ("--keys", KEYS, "--cpus", "100000"),
        ("--keys", KEYS, "--server", "ftp://127.0.0.1"),
        ("--keys", KEYS, "--duration", "100000"),
        ("--keys", KEYS, "--json", "/nonexistent/x.json"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_sent(node, words):
    process = start("resolve", *words)
    _, err = process.communicate(timeout=60)
    assert process.returncode in {1, 2}
    assert "rror" in err


@pytest.mark.parametrize("batch", ["0", "50"])
def test_registrations_are_counted_and_deleted_again(node, tmp_path, batch):
    out, before = tmp_path / "result.json", known(node, "BENCH-")
    said = bench(
        "register", *config(node), "--prefix", PREFIX, *admin(node), "--batch", batch,
        "--json", str(out), *SHORT,
    )  # fmt: skip
    (series,) = decode_result(out.read_bytes()).series
    assert series.answers > 0
    assert series.answers % max(1, int(batch)) == 0
    assert series.errors == {}
    assert known(node, "BENCH-") == before
    assert "left registered" not in said.stderr


def test_what_is_kept_is_named(node):
    said = bench(
        "register", *config(node), "--prefix", PREFIX, *admin(node), "--keep", "--rate", "20",
        "--value", "URL=https://example.org/{n}", *SHORT,
    )  # fmt: skip
    stem = said.stderr.partition("left registered: ")[2].split("…")[0].partition("/")[2]
    assert stem.startswith("BENCH-")
    assert known(node, stem) == 12  # of 0.1 s warm-up and 0.5 s


def test_ctrl_c_deletes_what_was_registered(node):
    before = known(node, "BENCH-")
    with start(
        "register",
        *config(node),
        "--prefix",
        PREFIX,
        *admin(node),
        "--duration",
        "600",
        "--rate",
        "200",
    ) as process:
        try:
            deadline_s = time.monotonic() + 60
            while known(node, "BENCH-") < before + 20:
                assert process.poll() is None
                assert time.monotonic() < deadline_s
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert known(node, "BENCH-") == before


def test_a_wrong_secret_registers_nothing(node, tmp_path):
    secret, before = tmp_path / "secret", known(node, "BENCH-")
    secret.write_text("wrong")
    said = bench(
        "register", *config(node), "--prefix", PREFIX, "--user", node.made.administrator,
        "--secret-file", str(secret), *SHORT, "--timeout", "1", code=1,
    )  # fmt: skip
    assert "does not register" in said.stderr
    assert known(node, "BENCH-") == before


def test_reads_are_shown_alone_and_beside_writes(node, tmp_path):
    out, page = tmp_path / "result.json", tmp_path / "report.html"
    said = bench(
        "mixed", *config(node), "--keys", KEYS, "--rate", "100", "--prefix", PREFIX, *admin(node),
        "--write-rate", "200", "--batch", "20", "--rounds", "2", "--json", str(out),
        "--html", str(page), *SHORT,
    )  # fmt: skip
    found = decode_result(out.read_bytes())
    alone, beside, writes = found.series
    for reads in (
        alone,
        beside,
    ):  # on a busy machine one or the other is sent, or answered, too late
        assert 90 <= reads.answers <= reads.sent <= 100
    assert writes.answers == 200
    assert len(alone.timeline) == 10
    assert found.tables[0].rows[2][0] == "p99"
    assert "What readers feel of writing" in said.stdout
    assert "<!doctype html>" in page.read_text()


def test_a_report_is_made_of_several_results(node, tmp_path):
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file in files:
        bench(
            "resolve", *config(node), "--keys", KEYS, "--rate", "100", "--name", file.stem,
            "--json", str(file), *SHORT,
        )  # fmt: skip
    page = tmp_path / "report.html"
    said = bench("report", *map(str, files), "-o", str(page), "--title", "两个节点", "--json")
    assert json.loads(said.stdout) == {"page": str(page), "results": 2}
    assert "两个节点" in page.read_text(encoding="utf-8")
    seeds = [decode_result(file.read_bytes()).arguments[-2:] for file in files]
    assert all(option == "--seed" and seed.isdigit() for option, seed in seeds)


def test_a_report_of_something_else_is_refused(tmp_path):
    other = tmp_path / "x.json"
    other.write_text("{}")
    said = bench("report", str(other), "-o", str(tmp_path / "r.html"), code=2)
    assert f"{other}: not a result" in said.stderr


def test_the_command_in_the_result_measures_again(node, tmp_path):
    out = tmp_path / "result.json"
    bench("resolve", *config(node), "--keys", KEYS, "--rate", "100", "--json", str(out), *SHORT)
    arguments = decode_result(out.read_bytes()).arguments
    assert arguments[:3] == ["biaojie", "bench", "resolve"]
    out.unlink()
    bench(*arguments[2:])
    assert decode_result(out.read_bytes()).series[0].answers == 50


@pytest.mark.parametrize("name", ["resolve", "register", "mixed", "report"])
def test_help_teaches_with_an_example(name):
    said = bench(name, "--help").stdout
    assert f"biaojie bench {name}" in said
    assert len(said.splitlines()) > 10


def test_the_groups_help_imports_no_measurement():
    code = (
        "import sys\nfrom node.cli import main\n"
        "try: main(['bench', '--help'])\nexcept SystemExit: pass\n"
        "heavy = ('bench.commands', 'bench.load', 'hdrh', 'rich', 'orjson', 'asyncio')\n"
        "sys.exit(str([m for m in sys.modules if m.startswith(heavy)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "Commands:" in done.stdout
    assert done.stderr.strip() == "[]"
