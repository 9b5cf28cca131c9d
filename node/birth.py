"""Birth of a child process: by fork of a parent that has loaded everything, or by exec of a fresh interpreter.

Loading a worker's modules takes most of a second of CPU, forking one that is loaded some milliseconds: a node starts on
half of the work, a crashed worker is back before its clients have given up, and a reload costs next to nothing. What
makes fork safe here: the parent is one thread without an event loop (``node/supervisor.py``), it holds no store and no
loop that a child could share, and the child gives back at once every descriptor that is not meant for it.

Who is forked runs the code that its parent loaded at its start (``load``): a new version is taken over by a restart,
never half by a reload. It also has its parent's layout of memory, which a fault of memory may have told somebody: who
dies of one is followed by one that was executed, and has a layout of its own (``usual``).
"""

import contextlib
import errno
import fcntl
import gc
import importlib
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn, Protocol

_STOPPING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT, signal.SIGFPE}
"""Ends by these may be somebody's attempt to find out what lies where."""
_FIRST_FREE = 3
"""0, 1 and 2 are the boot line, the reports and the log."""


class Newborn(Protocol):
    """What the parent holds: the part of ``subprocess.Popen`` that it needs."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def poll(self) -> int | None:
        """Exit status, negative = killed by that signal; None while it lives."""

    def wait(self) -> int:
        """The same, when it has ended."""

    def terminate(self) -> None:
        """Send TERM."""

    def kill(self) -> None:
        """Send KILL."""


Birth = Callable[[str, Sequence[int]], Newborn]
"""Start ``main()`` of a module in a process that inherits these descriptors; raises ``OSError``."""


def executed(module: str, descriptors: Sequence[int]) -> Newborn:
    """By exec: slow, and safe in a parent with threads (the command line, tests)."""
    return subprocess.Popen(  # our own interpreter and module
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
        pass_fds=descriptors,
        process_group=0,  # a Ctrl-C at the terminal reaches the parent, which drains in order
    )


def forked(module: str, descriptors: Sequence[int]) -> Newborn:
    """By fork: only for a parent without threads and event loops."""
    main = load(module)
    _flush()  # or the child would write it again
    with contextlib.ExitStack() as undo:
        boot_read, boot_write = _pipe(undo)
        report_read, report_write = _pipe(undo)
        # Told to stop before it can hear: it must end then, and not note it where the parent would look.
        former = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            pid = os.fork()
            if pid == 0:
                _live(
                    main, (boot_read, report_write), (boot_write, report_read), descriptors, former
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
        undo.pop_all()
    os.close(boot_read)
    os.close(report_write)
    return Forked(pid, os.fdopen(boot_write, "wb"), os.fdopen(report_read, "rb", buffering=0))


def load(module: str) -> Callable[[], int]:
    """The module's ``main``. Raises ``OSError`` when it cannot be loaded: half an installation must not end us."""
    try:
        main: Callable[[], int] = importlib.import_module(module).main
    except Exception as error:
        raise OSError(errno.ENOEXEC, f"{module} cannot be loaded: {error}") from error
    return main


def usual(last_status: int) -> Birth:
    """How to bear who follows one that ended so: negative = by that signal."""
    if sys.platform != "linux" or -last_status in _FAULTS:
        return executed  # elsewhere frameworks of the system do not survive a fork
    return forked


class Forked:
    """A child that was forked, as its parent holds it."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin
        self.stdout: IO[bytes] | None = stdout
        self._status: int | None = None

    def poll(self) -> int | None:
        """See ``Newborn``."""
        return self._look(os.WNOHANG)

    def wait(self) -> int:
        """See ``Newborn``."""
        status = self._look(0)
        assert status is not None
        return status

    def terminate(self) -> None:
        """See ``Newborn``."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """See ``Newborn``."""
        self._send(signal.SIGKILL)

    def _look(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def _send(self, number: int) -> None:
        if self.poll() is None:  # or its number may be somebody else's by now
            os.kill(self.pid, number)


def _live(
    main: Callable[[], int],
    own: tuple[int, int],
    parents: tuple[int, int],
    descriptors: Iterable[int],
    mask: Iterable[int],
) -> NoReturn:
    """The child's whole life. It never returns: what the parent's frames hold must not be finalized here."""
    status = 1
    try:
        _leave_parent(own, parents, descriptors)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001  # as an interpreter's outermost frame does
        with contextlib.suppress(Exception):
            traceback.print_exc()
    finally:
        try:
            _flush()
        finally:
            os._exit(status)


def _leave_parent(
    own: tuple[int, int], parents: tuple[int, int], descriptors: Iterable[int]
) -> None:
    """A group of its own, signals as at the start of a program, and no descriptor but the child's own.

    A sibling's pipe kept open here would hide from that sibling that the parent is gone. The parent's ends are closed
    first: what follows needs a descriptor or two, and there may be no other.
    """
    gc.freeze()  # pages that nobody writes stay shared, and no dead object of the parent closes a number of ours
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for end in parents:
        os.close(end)
    kept = sorted({*range(_FIRST_FREE), *own, *descriptors})
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    for one, following in zip(kept, [*kept[1:], highest + 1], strict=True):
        os.closerange(one + 1, following)
    # Away from 0 and 1 first, where a parent that was started without them may have got its pipes.
    boot, report = (fcntl.fcntl(pipe, fcntl.F_DUPFD, _FIRST_FREE) for pipe in own)
    os.dup2(boot, 0)
    os.dup2(report, 1)
    for pipe in {boot, report, *own} - {0, 1}:
        os.close(pipe)


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    """Both ends, closed again when what they are for fails."""
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    return ends


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # None: started without it. Who reads the log may be gone, or its disk full: not a reason to bear nobody.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _environment() -> Mapping[str, str]:
    """Ours, and the packages findable from any working directory."""
    root = str(Path(__file__).resolve().parent.parent)
    paths: Sequence[str] = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
