"""A node that is not running, and commands tried on it: a copy of a template, one registrar for all its commands."""

import contextlib
import shutil

from click.testing import CliRunner

from node.cli import main
from node.config import load_config
from node.registrar_client import open_registrar


class StillNode:
    """Called with the words of a command; tests add what they ask of it."""

    def __init__(self, folder):
        self.folder = folder
        self.config = load_config(folder / "node.toml")

    def __call__(self, *words, code=0):
        words = [*map(str, words), "--config", str(self.folder / "node.toml")]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == code, result.output
        return result


@contextlib.contextmanager
def copy_of(template, folder, kind):
    """A ``kind`` of ``StillNode`` in ``folder``."""
    ignore = shutil.ignore_patterns("*.sock")
    made = kind(shutil.copytree(template, folder, ignore=ignore))
    with open_registrar(made.config):  # one for all commands, instead of one each
        yield made
