"""Child processes of the node: born with inherited sockets (``node/birth.py``), tied to their parent by two pipes.

``stdin`` carries one line of JSON (settings, sockets, slot) and then stays open for a word or two (``PLACE``,
``RETIRE``); its end means the parent is gone, even by kill -9, and the child stops. ``stdout`` carries reports back,
one JSON object a line: ``{"event": "ready", …}``, ``"beat"`` every second, ``"failed"`` with a sentence for people.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from setproctitle import setproctitle

from node.birth import Birth, executed
from node.config import Config, dump_config, parse_config
from node.logs import start_logs

MAX_BOOT_BYTES = 1_048_576
"""Settings and socket numbers are some kilobytes."""
MAX_REPORT_BYTES = 65_536
"""One report line; more than that without a line end is not ours and is thrown away."""
BEAT_S = 1.0
"""A child that has reported nothing for ``SILENCE_S`` hangs and is replaced."""
SILENCE_S = 20.0
PLACE, RETIRE = "place", "retire"
"""What a worker is told: the mailbox of its slot is its own to read now; end, and hand over to slot ``heir``."""
TITLE = "biaojie: "
"""So begins what ``ps`` shows of a child; then its name, and the settings of the node it belongs to."""
EXIT_LOCKED = 75
"""Another process is the store's writer (EX_TEMPFAIL of sysexits)."""
EXIT_CONFIG = 78
"""The settings cannot work (EX_CONFIG of sysexits)."""


class Boot(NamedTuple):
    """What a child is told at birth."""

    config: Config
    slot: int
    """0, 1, 2 … among the workers; 0 for the registrar and the operations process."""
    sockets: dict[str, list[int]]
    """Inherited descriptors by use: udp, tcp, http, operations; mailbox (to read), mailboxes (to write, by slot)."""
    facts: dict[str, Any]
    """What the parent knows: listening addresses, its process id."""


class Child:
    """The parent's side of one child."""

    def __init__(self, module: str, boot: Boot, born: Birth = executed) -> None:
        """Raises ``OSError`` when the process cannot be started."""
        self.module, self.slot = module, boot.slot
        self._partial = b""
        self.process = born(module, [fd for fds in boot.sockets.values() for fd in fds])
        assert self.process.stdin is not None
        line = json.dumps(
            {
                "config": dump_config(boot.config),
                "slot": boot.slot,
                "sockets": boot.sockets,
                "facts": boot.facts,
            }
        )
        with contextlib.suppress(BrokenPipeError):  # it died at once; its exit code says why
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        os.set_blocking(self.report_fd, False)

    @property
    def report_fd(self) -> int:
        """Readable when there are reports."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def read_reports(self) -> list[dict[str, Any]]:
        """Reports that have arrived; never waits. What is no JSON object is skipped."""
        try:
            data = os.read(self.report_fd, MAX_REPORT_BYTES)
        except BlockingIOError:
            return []
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-MAX_REPORT_BYTES:]
        return [report for line in lines if (report := _parse_report(line)) is not None]

    def tell(self, event: str, **facts: object) -> None:
        """Say ``PLACE`` or ``RETIRE``; one that has ended hears nothing."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"event": event, **facts}).encode() + b"\n")
            self.process.stdin.flush()

    def stop(self) -> None:
        """Ask it to drain and end."""
        if self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """End it now."""
        if self.process.poll() is None:
            self.process.kill()

    def close(self) -> None:
        """Give the pipes back; the process has ended or will at the end of its stdin."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def read_boot(descriptor: int = 0) -> Boot:
    """The child's side: what the parent wrote. Raises ``EOFError`` when nobody did."""
    line = bytearray()
    while not line.endswith(b"\n"):
        data = os.read(descriptor, 65_536)
        if not data or len(line) > MAX_BOOT_BYTES:
            raise EOFError("started without a parent; use `biaojie serve`")
        line += data
    document = json.loads(line)
    return Boot(
        parse_config(document["config"]), document["slot"], document["sockets"], document["facts"]
    )


def introduce(boot: Boot, name: str) -> None:
    """The child's side: what it is called, e.g. ``worker-0``, in ``ps`` and on every line of the log."""
    setproctitle(f"{TITLE}{name} ({boot.config.path or 'embedded default'})")
    start_logs(boot.config.logs, name)


def name_of(pid: int | str) -> str:
    """What another process introduced itself as; "" for one that is no node's child, or is not born yet, or ended."""
    try:
        shown = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
    return shown.removeprefix(TITLE).partition(" ")[0] if shown.startswith(TITLE) else ""


def read_words(descriptor: int = 0) -> list[dict[str, Any]] | None:
    """The child's side: what the parent says after the boot line, a line at a time; None = there is no parent."""
    data = os.read(descriptor, MAX_REPORT_BYTES)
    if not data:
        return None
    return [word for line in data.split(b"\n") if (word := _parse_report(line)) is not None]


def report(event: str, descriptor: int = 1, **facts: object) -> None:
    """Tell the parent; a parent that does not read is not waited for."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(descriptor, json.dumps({"event": event, **facts}).encode() + b"\n")


def _parse_report(line: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
