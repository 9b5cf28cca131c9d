"""Fixtures for tests of the LMDB engine with real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from registry.stores.lmdb import create_store, open_writer
from tests.batteries.scribe import LOG_ID, fill
from tests.registry.stores.settings import SMALL

ROOT = Path(__file__).parents[3]


@pytest.fixture
def directory(tmp_path):
    """A store with prefix 88.118 and one record, nobody writing it."""
    data = tmp_path / "data"
    create_store(data, LOG_ID, SMALL)
    store = open_writer(data, SMALL)
    fill(store, "88.118/FIRST")
    store.close()
    return data


@pytest.fixture
def start_writer(directory):
    """Starts ``writer.py`` on the store; every process is killed and reaped at the end."""
    started = []

    def start(script, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.registry.stores.writer", str(directory), script, *map(str, arguments)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
