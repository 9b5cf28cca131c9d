"""Two writers are impossible: real processes try."""

import os
import signal

import pytest

from registry.errors import StoreFailed, StoreLocked
from registry.stores.lmdb import open_reader, open_writer
from registry.stores.writer_lock import FILE_NAME, writer_pid
from tests.batteries.scribe import Scribe
from tests.registry.stores.settings import SMALL

pytestmark = pytest.mark.process


def ask(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_the_second_writer_is_refused_and_told_who_holds_the_lock(directory, start_writer):
    first = start_writer("hold")
    assert first.stdout.readline() == f"open {first.pid}\n"
    with pytest.raises(StoreLocked, match=f"process {first.pid}"):
        open_writer(directory, SMALL)
    second = start_writer("hold")
    answer = second.stdout.readline()
    assert answer.startswith("StoreLocked ")
    assert f"process {first.pid}" in answer
    assert ask(first, "A").startswith("done")


def test_of_many_writers_at_once_one_wins(start_writer):
    racers = [start_writer("hold") for _ in range(6)]
    answers = [racer.stdout.readline() for racer in racers]
    assert sum(answer.startswith("open") for answer in answers) == 1
    assert sum(answer.startswith("StoreLocked") for answer in answers) == 5


def test_a_killed_writer_frees_the_lock(directory, start_writer):
    first = start_writer("hold")
    first.stdout.readline()
    assert writer_pid(directory) == first.pid
    first.kill()
    first.wait()
    assert writer_pid(directory) is None
    store = open_writer(directory, SMALL)
    assert writer_pid(directory) == os.getpid()
    store.close()
    assert writer_pid(directory) is None


def test_a_writer_that_was_replaced_can_never_commit(directory, start_writer):
    old = start_writer("hold")
    old.stdout.readline()
    assert ask(old, "BEFORE") == "done 3\n"
    os.kill(old.pid, signal.SIGSTOP)
    (directory / FILE_NAME).unlink()  # the operator's mistake that gives the lock away
    new = open_writer(directory, SMALL)
    os.kill(old.pid, signal.SIGCONT)
    assert ask(old, "AFTER").startswith("StoreLocked")
    scribe = Scribe(new)
    scribe.put("88.118/NEW")
    scribe.commit()
    assert ask(old, "AGAIN").startswith("StoreFailed")
    assert new.head().seq == 4
    assert new.stored(b"88.118/AFTER") is None
    assert new.stored(b"88.118/AGAIN") is None
    new.close()


def test_readers_need_no_lock_and_follow_the_writer(directory, start_writer):
    writer = start_writer("hold")
    writer.stdout.readline()
    with open_reader(directory, SMALL) as reader:
        assert reader.stored(b"88.118/A") is None
        assert ask(writer, "A").startswith("done")
        assert reader.stored(b"88.118/A") is None
        reader.refresh()
        assert reader.stored(b"88.118/A") is not None


def test_an_environment_is_opened_once_in_a_process(directory):
    with open_reader(directory, SMALL), pytest.raises(StoreFailed, match="already open"):
        open_writer(directory, SMALL)
    store = open_writer(directory, SMALL)  # the refused attempt left no lock behind
    store.close()


def test_slots_of_killed_readers_are_freed(directory, start_writer):
    with open_reader(directory, SMALL) as reader:
        reader.refresh()
        writer = start_writer("hold")
        writer.stdout.readline()
        ask(writer, "A")
        with_writer = reader.statistics().readers
        writer.kill()
        writer.wait()
        freed = reader.check_readers()
        assert freed >= 1
        assert reader.statistics().readers == with_writer - freed
