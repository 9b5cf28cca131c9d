"""A place to import into: a real store with a hosted prefix, a real registrar, and ways to die in the middle."""

import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path

from node.importing.reject_file import RejectFile
from node.importing.run import Plan, Run
from node.importing.scratch import ScratchFiles
from node.importing.source import Declared, open_source
from node.keys import make_node_key
from protocols.identifier import parse_identifier, prefix_record_of
from protocols.message import OPERATOR, Command, Operation
from protocols.values.value_list import decode_values
from registry.importing.mapping import parse_mapping
from registry.importing.preparing import Preparer
from registry.importing.resume import ResumePoint, decode_resume_point, note_name
from registry.importing.seen import Seen
from registry.importing.tally import Tally
from registry.registrar import Registrar, Submission
from registry.sealing import Sealer
from registry.stores.lmdb import create_store, open_reader, open_writer

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "deploy/sample/products.csv"
PREFIX = "88.118"
AS_FOUND = Declared()
NOW_MS = 1_700_000_000_000
PRODUCTS = ("URL={image_url}", "NAME={product_name}")


class Killed(BaseException):
    """The importing process is gone."""


class Bench:
    """A store in a directory, opened by a registrar in this process."""

    def __init__(self, directory: Path, *, case_sensitive: bool = False) -> None:
        self.directory = directory
        if not directory.exists():
            create_store(directory, os.urandom(16))
        self.store = open_writer(directory)
        self.registrar = Registrar(self.store, Sealer(bytes(64)), frozenset())
        self.reader = self.store.reader()
        if self.store.authority(PREFIX.encode()) is None:
            command = Command(
                Operation.HOST, prefix_record_of(PREFIX), case_sensitive=case_sensitive
            )
            self.submit(command)

    def submit(self, command: Command):
        (receipt,) = self.registrar.commit([Submission(OPERATOR, command, "test")], NOW_MS)
        return receipt

    def values(self, suffix: str) -> dict[str, bytes] | None:
        self.reader.refresh()
        record = self.reader.lookup(parse_identifier(f"{PREFIX}/{suffix}"))
        return None if record is None else {v.type: v.data for v in decode_values(record.public)}

    def run(
        self,
        path: Path,
        *,
        suffix="{barcode}",
        values=PRODUCTS,
        checks=("gtin",),
        declared=AS_FOUND,
        rejects: Path | None = None,
        rows=300,
        dies_at: int = -1,
        loader=None,
    ) -> tuple[Run, bytes | None]:
        """One run as the command makes it; the run and the note it left."""
        mapping = parse_mapping(PREFIX, suffix, values, checks)
        source = open_source(path, declared, mapping)
        self.reader.refresh()
        case = self.reader.authority(PREFIX.encode()).is_case_sensitive
        preparer = Preparer(
            mapping, source.shape, Seen(ScratchFiles(self.directory), 100), is_case_sensitive=case
        )
        plan = Plan(
            source, mapping, preparer, note_name(source.identity, mapping.digest(), source.reading)
        )
        note = self.reader.note(plan.note)
        point = decode_resume_point(note) if note else None
        if point is None:
            point = ResumePoint(0, self.reader.head().seq, str(rejects or ""), 0, Tally())
        self.reader.release()
        file = RejectFile(rejects, point.reject_bytes)
        run = Run(plan, loader or InProcess(self.registrar, dies_at), self.reader, file, point)
        try:
            run.finish(lambda *_: None, lambda: rows)
            run.is_reported = True
            run.forget()
        except Killed:
            pass
        finally:
            file.close()
        self.reader.refresh()
        left = self.reader.note(plan.note)
        self.reader.release()
        return run, left

    def close(self) -> None:
        self.reader.close()
        self.store.close()


class InProcess:
    """The registrar without its socket. Two events belong to each load, its commit and its receipt; the importing
    process dies in place of event ``dies_at``."""

    def __init__(self, registrar: Registrar, dies_at: int) -> None:
        self._registrar, self._left = registrar, dies_at
        self._receipts = deque()

    def start_load(self, load):
        self._live()
        assert len(self._receipts) < 2
        self._receipts.append(self._registrar.load(load, NOW_MS))

    def finish_load(self):
        self._live()
        return self._receipts.popleft()

    def _live(self):
        if self._left == 0:
            raise Killed
        self._left -= 1


def make_node(directory: Path) -> Path:
    """The least a command needs: settings, a key, and a store that hosts the prefix. Returns the settings file."""
    (directory / "keys").mkdir(parents=True)
    make_node_key(directory / "keys/node.key")
    settings = directory / "node.toml"
    settings.write_text(f'[node]\nprefix = "{PREFIX}"\n\n[store]\nmap_size_gib = 4\n')
    Bench(directory / "data").close()
    return settings


def biaojie(*words: object) -> list[str]:
    return [sys.executable, "-m", "node.cli", *map(str, words)]


def call(*words: object, **options) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, to its end."""
    return subprocess.run(
        biaojie(*words),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )


def kill(process: subprocess.Popen) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def open_view(settings: Path):
    return open_reader(settings.parent / "data")
