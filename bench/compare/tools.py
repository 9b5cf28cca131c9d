"""The two small C programs of a comparison, compiled on the spot: the load generator and the echo."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from bench.peers.process import find_program

SOURCES = Path(__file__).parent
COMPILERS = ("cc", "gcc", "clang")
COMPILE_S = 60.0


class Tools(NamedTuple):
    """The compiled programs; None where there is no compiler."""

    load: Path | None
    echo: Path | None


def compile_tools(directory: Path) -> Tools:
    """Compile both into ``directory``. Raises ``subprocess.CalledProcessError`` when a compiler cannot."""
    compiler = next(filter(None, map(find_program, COMPILERS)), None)
    if compiler is None:
        return Tools(None, None)
    made = {}
    for name in Tools._fields:
        made[name] = directory / f"{name}-compiled"
        command = [compiler, "-O2", "-o", str(made[name]), str(SOURCES / f"{name}.c")]
        subprocess.run(command, check=True, capture_output=True, timeout=COMPILE_S)
    return Tools(**made)
