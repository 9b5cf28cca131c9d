"""``biaojie import`` as people and programs call it: real processes, real node directory, kill -9."""

import contextlib
import csv
import json
import os
import pty
import signal
import socket
import subprocess
from functools import partial

import pytest

from protocols.identifier import parse_identifier
from protocols.values.value_list import decode_values
from tests.node.importing.bench_node import (
    PREFIX,
    ROOT,
    SAMPLE,
    biaojie,
    call,
    kill,
    make_node,
    open_view,
)

pytestmark = pytest.mark.process

WORDS = [
    "--prefix",
    PREFIX,
    "--suffix",
    "{barcode}",
    "--value",
    "URL={image_url}",
    "--value",
    "NAME={product_name}",
]
KEYS = {"read", "registered", "unchanged", "updated", "rejected", "reasons", "rows_per_s"}
REASONS = {"check digit": 6, "duplicate": 1, "length": 4}


@pytest.fixture
def settings(tmp_path):
    return make_node(tmp_path / "node")


def count(settings):
    with open_view(settings) as reader:
        return reader.count(PREFIX.encode())


def test_json_has_the_promised_keys_and_nothing_else_is_on_standard_output(settings, tmp_path):
    rejects = tmp_path / "rejects.csv"
    words = ["import", SAMPLE, *WORDS, "--check", "gtin", "--config", settings, "--json"]
    done = call(*words, "--reject-file", rejects)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) >= KEYS
    assert (told["read"], told["registered"], told["rejected"]) == (1246, 1235, 11)
    assert told["reasons"] == REASONS
    assert (told["encoding"], told["format"], told["delimiter"]) == ("utf-8", "csv", ",")
    assert count(settings) == 1235
    with rejects.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 11
    lines = SAMPLE.read_bytes().split(b"\r\n")
    assert all(row["row"].encode() == lines[int(row["line"]) - 1] for row in rows)
    again = json.loads(call(*words).stdout)
    assert (again["registered"], again["unchanged"], again["reasons"]) == (0, 1235, REASONS)


def test_people_get_a_table_the_first_bad_rows_and_the_next_step(settings):
    done = call("import", SAMPLE, *WORDS, "--check", "gtin", "--config", settings)
    assert done.returncode == 0
    for word in ("registered", "1,235", "check digit"):
        assert word in done.stdout
    assert "CSV, separated by comma; utf-8" in done.stderr
    assert "line 31, barcode: check digit" in done.stderr
    assert "--reject-file" in done.stderr
    assert "%" not in done.stderr, "a progress bar went to something that is no terminal"


def test_a_terminal_gets_a_progress_bar_on_standard_error_only(settings):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        biaojie("import", SAMPLE, *WORDS, "--config", settings),
        cwd=ROOT,
        stderr=theirs,
        stdout=subprocess.PIPE,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            data = os.read(ours, 65_536)
        except OSError:
            break
        if not data:
            break
        seen += data
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert b"100 %" in seen
    assert b"rows" in seen
    assert b"\x1b[" not in out


def test_a_dry_run_changes_nothing_and_says_the_same(settings):
    words = ["import", SAMPLE, *WORDS, "--check", "gtin", "--config", settings, "--json"]
    told = json.loads(call(*words, "--dry-run").stdout)
    assert (told["dry_run"], told["registered"], told["reasons"]) == (True, 1235, REASONS)
    assert count(settings) == 0


@pytest.mark.parametrize(
    ("words", "code", "reason", "next_step"),
    [
        (
            ["--suffix", "{bar_code}"],
            2,
            "the file has no column 'bar_code'",
            "did you mean {barcode}?",
        ),
        (["--value", "X={nam}"], 2, "the file has no column 'nam'", "did you mean"),
        (
            ["--prefix", "88.999"],
            1,
            "does not host the prefix 88.999; it hosts: 88.118",
            "biaojie prefix add 88.999",
        ),
        (["--encoding", "utf8x"], 2, "encoding 'utf8x' is not read here", "--encoding"),
        (["--check", "gtn"], 2, "there is no check 'gtn'", "--check gtin"),
        (
            ["--reject-file", str(SAMPLE)],
            2,
            "the reject file is the imported file itself",
            "name another file",
        ),
    ],
)
def test_what_cannot_work_says_what_and_what_next_and_writes_nothing(
    settings, words, code, reason, next_step
):
    before = SAMPLE.read_bytes()
    done = call("import", SAMPLE, *WORDS, *words, "--config", settings)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert reason in done.stderr
    assert next_step in done.stderr.split("next: ")[1]
    assert "Traceback" not in done.stderr
    assert count(settings) == 0
    assert SAMPLE.read_bytes() == before


def test_programs_get_errors_as_json(settings):
    done = call("import", SAMPLE, *WORDS, "--suffix", "{x}", "--config", settings, "--json")
    told = json.loads(done.stderr)
    assert done.returncode == told["exit"] == 2
    assert "no column 'x'" in told["error"]


def has_come_to(settings, rows):
    return count(settings) >= rows


def wait_until(process, condition):
    """Wait, without burning a core, until ``condition`` holds; the process must still be at work then."""
    for _ in range(3000):
        if condition():
            return
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("it was done before it could be stopped")
    raise AssertionError("it never came so far")


def big_file(path, rows):
    with path.open("w", encoding="utf-8") as file:
        file.write("barcode,product_name,ingredients,image_url\n")
        for n in range(rows):
            name = "" if n % 97 == 0 else f"茶叶 {n}"
            code = "" if n % 101 == 0 else f"SN-{n - n % 3:07}" if n % 50 == 0 else f"SN-{n:07}"
            file.write(f"{code},{name},,{'' if n % 97 == 0 else 'http://x/'}\n")
    return path


@pytest.mark.slow
def test_an_import_killed_in_the_middle_goes_on_and_adds_up(tmp_path):
    path, words = big_file(tmp_path / "big.csv", 60_000), []
    told = {}
    for name in ("whole", "killed"):
        settings = make_node(tmp_path / name)
        words = [
            "import",
            path,
            *WORDS,
            "--config",
            settings,
            "--reject-file",
            tmp_path / f"{name}.csv",
        ]
        resumed = 0
        if name == "killed":
            for least in (5_000, 25_000):
                process = subprocess.Popen(
                    biaojie(*words), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                wait_until(process, partial(has_come_to, settings, least))
                kill(process)
                wait_for_orphan(settings)
            resumed = count(settings)
            assert 25_000 <= resumed < 57_000
        done = call(*words, "--json")
        assert done.returncode == 0, done.stderr
        told[name] = json.loads(done.stdout)
        assert (told[name]["resumed_behind"] > 0) == (name == "killed")
    for key in ("read", "registered", "unchanged", "updated", "rejected", "reasons"):
        assert told["killed"][key] == told["whole"][key], key
    assert told["whole"]["registered"] == told["whole"]["read"] - told["whole"]["rejected"]
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    again = json.loads(call(*words[:-2], "--json").stdout)
    assert (again["registered"], again["unchanged"]) == (0, told["whole"]["registered"])


def wait_for_orphan(settings):
    """The registrar of a killed command ends by itself; until then the next command would simply use it."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(30)
        try:
            probe.connect(str(settings.parent / "data/registrar.sock"))
        except OSError:
            return  # it has ended already
        with contextlib.suppress(ConnectionResetError):
            assert probe.recv(1) == b"", "the registrar outlived the command that started it"


def _hears_ctrl_c():
    """In the new process: a shell starts background jobs, and what they start, with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_stops_between_batches_and_the_next_run_goes_on(tmp_path):
    rows = 60_000
    path, settings = big_file(tmp_path / "big.csv", rows), make_node(tmp_path / "node")
    words = ["import", path, *WORDS, "--config", settings]
    process = subprocess.Popen(
        biaojie(*words), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=_hears_ctrl_c,
    )  # fmt: skip
    wait_until(process, lambda: count(settings) >= 5000)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to go on" in said
    assert "Traceback" not in said
    done = call(*words, "--json")
    told = json.loads(done.stdout)
    assert told["resumed_behind"] > 0
    assert told["read"] == rows
    assert told["unchanged"] == 0


def test_an_interrupted_run_goes_on_with_its_own_reject_file_only(tmp_path):
    path, settings = big_file(tmp_path / "big.csv", 60_000), make_node(tmp_path / "node")
    words = ["import", path, *WORDS, "--config", settings]
    rejects = tmp_path / "r.csv"
    process = subprocess.Popen(
        biaojie(*words, "--reject-file", rejects),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(process, lambda: count(settings) >= 5000)
    kill(process)
    other = call(*words)
    assert other.returncode == 1
    assert f"repeat it with --reject-file {rejects}" in other.stderr
    anew = json.loads(call(*words, "--restart", "--json").stdout)
    assert (anew["read"], anew["resumed_behind"]) == (60_000, 0)
    assert anew["unchanged"] >= 5000


def test_values_are_stored_as_they_stand_in_the_file(settings, tmp_path):
    path = tmp_path / "names.tsv"
    path.write_bytes('1\t "tea"  , x \n2\té\u2028\t# note\n'.encode())
    done = call("import", path, "--columns", "number,name,note", "--prefix", PREFIX, "--suffix", "{number}",
                "--value", "NAME={name}", "--value", "NOTE={note}", "--config", settings, "--json")  # fmt: skip
    assert json.loads(done.stdout)["registered"] == 2
    with open_view(settings) as reader:
        stored = [
            [
                v.data.decode()
                for v in decode_values(reader.lookup(parse_identifier(f"{PREFIX}/{n}")).public)
            ]
            for n in (1, 2)
        ]
    assert stored == [[' "tea"  , x '], ["é\u2028", "# note"]]


def batch_file(path, records):
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("AUTHENTICATE SECKEY:300:0.NA/88.118\r\nsecret word\r\n\r\n")
        for n in range(records):
            file.write(
                f"CREATE {PREFIX}/B{n:07}\r\n1 URL 86400 1110 UTF8 https://example.org/{n}\r\n"
            )
            if n % 4 == 0:
                file.write("100 HS_ADMIN 86400 1110 ADMIN 300:110011111110:0.NA/88.118\r\n")
            file.write("\r\n")
            if n % 1000 == 999:
                file.write(f"REMOVE 1:{PREFIX}/B{n:07}\r\n\r\nCREAT {PREFIX}/x\r\n\r\n")
    return path


@pytest.mark.slow
def test_a_batch_file_killed_in_the_middle_goes_on_and_adds_up(tmp_path):
    path, told = batch_file(tmp_path / "export.txt", 20_000), {}
    for name in ("whole", "killed"):
        settings, rejects = make_node(tmp_path / name), tmp_path / f"{name}.csv"
        words = ["import", path, "--config", settings, "--reject-file", rejects]
        if name == "killed":
            for least in (3_000, 9_000):
                process = subprocess.Popen(
                    biaojie(*words), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                wait_until(process, partial(has_come_to, settings, least))
                kill(process)
                wait_for_orphan(settings)
        done = call(*words, "--json")
        assert done.returncode == 0, done.stderr
        told[name] = json.loads(done.stdout)
        assert (told[name]["resumed_behind"] > 0) == (name == "killed")
        assert count(settings) == 20_000
    for key in ("read", "registered", "unchanged", "updated", "deleted", "rejected", "reasons"):
        assert told["killed"][key] == told["whole"][key], key
    assert (told["whole"]["registered"], told["whole"]["updated"]) == (20_000, 20)
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_batch_file_is_known_by_its_first_words_and_told_about_in_a_table(settings, tmp_path):
    path = batch_file(tmp_path / "export.txt", 1_000)
    done = call("import", path, "--config", settings)
    assert done.returncode == 0, done.stderr
    assert "1,000" in done.stdout
    assert "export.txt: GenericBatch; utf-8" in done.stderr
    assert "line 1: logins are passed over" in done.stderr
    assert "secret word" not in done.stdout + done.stderr
    assert "not understood ('CREAT' is no operation" in done.stderr
    tried = json.loads(call("import", path, "--config", settings, "--dry-run", "--json").stdout)
    assert (tried["dry_run"], tried["registered"], tried["unchanged"]) == (True, 0, 999)


@pytest.mark.parametrize(
    ("words", "reason", "next_step"),
    [
        (["--suffix", "{x}", "--format", "generic-batch"], "says itself what to register", "leave --prefix"),
        (["--format", "csv", "--as-admin"], "--as-admin are for GenericBatch files", "biaojie import --help"),
        (["--format", "csv"], "Missing option '--prefix'", "biaojie import --help"),
        (["--as-admin"], "no HS_SECKEY at 300:0.NA/88.118", "leave --as-admin out"),
    ],
)  # fmt: skip
def test_what_cannot_work_with_a_batch_file_is_said_before_anything_is_written(
    settings, tmp_path, words, reason, next_step
):
    done = call("import", batch_file(tmp_path / "x.txt", 3), *words, "--config", settings)
    assert done.returncode != 0
    assert reason in done.stderr
    assert next_step in done.stderr.split("next: ")[1]
    assert count(settings) == 0


def test_a_dump_that_is_cut_off_ends_with_an_error_that_names_the_line(settings, tmp_path):
    path = tmp_path / "dump.json"
    value = '{"index":1,"type":"URL","data":{"format":"string","value":"https://a.cn/"}}'
    record = f'"{PREFIX}/1": {{"handle": "{PREFIX}/1", "values": [{value}]}}'
    path.write_text(f'{{"homedPrefixes": [],\n "handleRecords": {{\n {record},\n "{PREFIX}/2": {{')
    done = call("import", path, "--config", settings)
    assert done.returncode == 1
    assert "dump.json, line 4: not JSON" in done.stderr
    assert "import it again" in done.stderr.split("next: ")[1]
    assert count(settings) == 1
