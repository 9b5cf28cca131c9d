"""kill -9 cycles: a real node, four clients that write without end, and a random process killed at a random moment.

After every cycle all clients have their receipts and the judge walks the store. The node is expected to repair itself
when a worker or the registrar dies; when the supervisor dies its children must end, and it is started again as an
operator would.
"""

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple

from node.asking.native import ask, resolve_question
from node.child import name_of
from node.config import load_config
from node.control_socket import connect_control
from node.demo.node_process import NodeProcess
from node.registrar_client import RegistrarClient
from protocols.handle.codes import ResponseCode
from protocols.message import OPERATOR
from protocols.values.value_list import encode_values
from registry.loading import Load
from tests.durability.clients import (
    PREFIX,
    BatchClient,
    Clients,
    LoadClient,
    Place,
    PutClient,
    SocketClient,
    Wrong,
)  # fmt: skip
from tests.durability.journal import Journal, values_of
from tests.durability.judge import Judge

VICTIMS = ("registrar", "worker", "supervisor", "all")
GONE_S = 15.0
"""Longest that children may outlive their supervisor: they finish what they have, at most ``node.drain_s``."""
REPAIR_S = 20.0
LOAD_ROWS = 4000
WORKERS = 2


class Cycle(NamedTuple):
    """What one cycle showed; ``faults`` is empty when all was well."""

    number: int
    victim: str
    after_s: float
    """Seconds of writing before the kill."""
    answer_s: float
    """From the kill (or the start by hand) until a question is answered."""
    write_s: float
    """Until a command is acknowledged again."""
    reads: int
    """Questions answered meanwhile."""
    failed_reads: int
    acknowledged: int
    records: int
    faults: tuple[str, ...]

    def __str__(self) -> str:
        said = "ok" if not self.faults else "FAULT " + "; ".join(self.faults)
        return (
            f"{self.number:4} {self.victim:10} killed after {self.after_s:5.3f} s; answer {self.answer_s:5.2f} s, "
            f"write {self.write_s:5.2f} s; reads {self.reads:5} ok {self.failed_reads:2} failed; "
            f"{self.acknowledged:7} acknowledged, {self.records:7} records; {said}"
        )


class Asker(threading.Thread):
    """Asks for one record over UDP without end, as an application does; counts what is not answered."""

    def __init__(self, node: NodeProcess, identifier: str) -> None:
        super().__init__(name="asker", daemon=True)
        self.node, self.identifier = node, identifier.encode()
        self.answered = self.failed = 0
        self.is_ending = False
        self.first_after_s: dict[float, float] = {}
        """Moments somebody waits from -> when the first question sent after it was answered."""

    def run(self) -> None:
        while not self.is_ending:
            sent_s = time.monotonic()
            if self.ask():
                self.answered += 1
                for since_s, done_s in self.first_after_s.items():
                    if not done_s and sent_s >= since_s:
                        self.first_after_s[since_s] = time.monotonic()
            else:
                self.failed += 1
            time.sleep(0.002)

    def ask(self) -> bool:
        """Whether a question gets the right answer, in the reference client's patience: how soon is for a benchmark."""
        question = resolve_question(self.identifier, (), (), time.time())  # noqa: TID251
        result = ask(self.node.native, question, ("udp",))
        return result.response_code == ResponseCode.SUCCESS


class Trial:
    """One node and its clients over many cycles. Use as a context."""

    def __init__(self, directory: Path, seed: int, records: int = 0) -> None:
        self.dice = random.Random(seed)
        self.node = NodeProcess(directory / "node", PREFIX)
        self._settings()
        self.config = load_config(self.node.made.settings)
        self.journal = Journal(directory / "journal.ndjson")
        self.judge = Judge()
        self.start_s = self.node.start()
        with RegistrarClient(connect_control(self.config.socket_path, 60.0)) as registrar:
            for start in range(0, max(1, records), LOAD_ROWS):
                registrar.load(_filling(start, min(LOAD_ROWS, max(1, records) - start)))
        self.asker = Asker(self.node, f"{PREFIX}/fill-0")
        place = Place(self.config.socket_path, self.node.url, self.node.web.login)
        kinds = {"put": PutClient, "batch": BatchClient, "submit": SocketClient, "load": LoadClient}
        self.clients = Clients([kind(n, place, self.journal, seed) for n, kind in kinds.items()])
        self.asker.start()

    def __enter__(self) -> "Trial":
        return self

    def __exit__(self, *_: object) -> None:
        self.asker.is_ending = True
        self.clients.end()
        self.node.stop()
        self.judge.close()
        self.journal.close()

    def cycle(self, number: int, victim: str) -> Cycle:
        """Write, kill, repair, settle, judge."""
        after_s = self.dice.uniform(0.05, 0.9)
        acknowledged = self.journal.acknowledged
        reads, failed = self.asker.answered, self.asker.failed
        self.clients.go()
        time.sleep(after_s)
        faults: list[str] = []
        self._strike(victim, faults)
        killed_s = time.monotonic()
        self.asker.first_after_s = {killed_s: 0.0}
        if victim in {"supervisor", "all"}:
            self.node.start()
        self._until(lambda: self.asker.first_after_s[killed_s], killed_s, "no answer", faults)
        answer_s = (self.asker.first_after_s[killed_s] or time.monotonic()) - killed_s
        mark = self.journal.acknowledged
        write_s = self._until(
            lambda: self.journal.acknowledged > mark, killed_s, "no write", faults
        )
        try:
            self.clients.pause()
            faults += self.clients.repeat_some(5)
        except Wrong as wrong:
            faults.append(str(wrong))
        reads, failed = self.asker.answered - reads, self.asker.failed - failed
        if victim == "registrar" and failed:
            faults.append(f"{failed} reads failed while only the registrar was gone")
        if self.journal.acknowledged == acknowledged:
            faults.append("nothing was acknowledged in this cycle")
        verdict = self.judge.examine(
            self.config.node.data_dir, self.journal.path, self.config.node.key_file
        )
        faults += verdict.faults
        return Cycle(
            number, victim, after_s, answer_s, write_s, reads, failed,
            verdict.acknowledged, verdict.records, tuple(faults),
        )  # fmt: skip

    def _strike(self, victim: str, faults: list[str]) -> None:
        """kill -9; when the supervisor was among them, wait until nothing is left of the node."""
        if victim == "supervisor":  # held first, or it could make a child that we do not know of
            os.kill(self.node.pid, signal.SIGSTOP)
        family = children(self.node.pid)
        if victim == "supervisor":
            os.kill(self.node.pid, signal.SIGKILL)
        elif victim == "all":
            self.node.kill()
        else:
            chosen = self.dice.choice(
                [pid for pid, name in family.items() if name.startswith(victim)]
            )
            os.kill(chosen, signal.SIGKILL)
            return
        if victim == "supervisor":
            self.node.stop()  # reaps it
        deadline_s = time.monotonic() + GONE_S
        while left := [pid for pid in family if Path(f"/proc/{pid}").exists()]:
            if time.monotonic() > deadline_s:
                faults.append(f"children outlive their supervisor by {GONE_S:g} s: {left}")
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.01)

    def _until(self, is_done: object, since_s: float, else_: str, faults: list[str]) -> float:
        assert callable(is_done)
        while not is_done():
            if time.monotonic() - since_s > REPAIR_S:
                faults.append(f"{else_} within {REPAIR_S:g} s")
                break
            time.sleep(0.005)
        return time.monotonic() - since_s

    def _settings(self) -> None:
        """Two workers, so that one survives the other."""
        settings = self.node.made.settings
        text = settings.read_text()
        settings.write_text(text.replace("\nworkers = 1\n", f"\nworkers = {WORKERS}\n"))


def children(pid: int) -> dict[int, str]:
    """The node's processes below the supervisor, and what each of them is called."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[int(child)] = name_of(child)
    return found


def victims(dice: random.Random, cycles: int) -> list[str]:
    """Each kind equally often, in random order."""
    chosen = [VICTIMS[n % len(VICTIMS)] for n in range(cycles)]
    dice.shuffle(chosen)
    return chosen


def _filling(start: int, rows: int) -> Load:
    """Records that nobody changes, so that the store has a size."""
    numbers = range(start, start + rows)
    wire = [
        (f"fill-{n}".encode(), encode_values(list(values_of(f"f{n}", with_secret=False))[:1])) for n in numbers
    ]  # fmt: skip
    return Load(OPERATOR, "load fill", PREFIX.encode(), wire, (1,))
