"""The command's skeleton: help without imports, unknown words, and commands found by the table alone."""

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from node.cli import COMMANDS, main
from node.output import CommandError, print_table
from tests.node.importing.bench_node import ROOT


def test_help_lists_every_command_without_importing_one():
    code = (
        "import sys\nfrom node.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "loaded = [m for m in sys.modules if m.startswith(('node.commands.', 'rich', 'lmdb', 'cryptography'))]\n"
        "sys.exit(f'imported {loaded}' if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, entry in COMMANDS.items():
        assert f"{name} " in done.stdout
        assert entry.help.split()[0] in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_line_of_the_table_leads_to_a_command_of_that_name(name):
    command = importlib.import_module(COMMANDS[name].module).command
    assert isinstance(command, click.Command)
    assert command.name == name
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0


def test_an_unknown_command_is_a_usage_error():
    done = CliRunner().invoke(main, ["imprt"])
    assert done.exit_code == 2
    assert "imprt" in done.stderr


def test_an_error_for_people_has_a_reason_a_next_step_and_its_exit_code():
    @click.command()
    def failing():
        raise CommandError("no such thing", "look elsewhere", 3)

    done = CliRunner().invoke(failing)
    assert done.exit_code == 3
    assert done.stdout == ""
    assert done.stderr == "error: no such thing\nnext:  look elsewhere\n"


def test_tables_show_data_as_it_is_and_numbers_with_thousands_apart(capsys):
    print_table("title", ("what", "count"), [("[red]x[/red]", 12345)])
    out = capsys.readouterr().out
    assert out.startswith("title\n")
    assert "[red]x[/red]" in out
    assert "12,345" in out


def test_a_full_disk_behind_the_output_is_told_in_a_sentence():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "node.cli", "version", "--json"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device\n"


def test_a_secret_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    asked = ["get", "88.118/x", "--server", "http://127.0.0.1:1", "--user", "300:0.NA/88.118"]
    done = CliRunner().invoke(main, [*asked, "--secret-file", str(path)])
    assert done.exit_code == 2
    assert f"{path}: not a secret" in done.stderr


def test_a_secret_file_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "secret"
    path.write_text("Vertraulich-1234")
    path.chmod(0o644)
    asked = ["get", "88.118/x", "--server", "http://127.0.0.1:1", "--user", "300:0.NA/88.118"]
    done = CliRunner().invoke(main, [*asked, "--secret-file", str(path)])
    assert done.exit_code == 2
    assert f"chmod 600 {path}" in done.stderr
    assert "Vertraulich" not in done.output
