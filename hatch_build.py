"""Builds the optional compiled part, the lane: by the build back-end for wheels, by `make` for this tree.

The compiler is called directly with what `sysconfig` says of this Python: one shared object out of a few C files needs
no second build system, and so no further build dependency. Where there is no compiler, no Python header or another
system than Linux (the lane rests on epoll and recvmmsg), or where BIAOJIE_PURE_PYTHON is set, everything is built
without it: one line says so, and nothing is missing but speed.

By hand: `python hatch_build.py [--strict] [--sanitize] [--needed]`, in the root of the tree.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LANE = Path("node/lane")
FLAGS = ("-O2", "-g", "-fPIC", "-fwrapv", "-fvisibility=hidden", "-std=gnu11")
STRICT = ("-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror")
"""For developers and CI alone: what a compiler of next year warns of must not break an installation."""
SANITIZE = ("-O1", "-UNDEBUG", "-fno-omit-frame-pointer", "-fsanitize=address,undefined")
COMPILE_S = 300
"""An emulated machine of a build farm takes its time."""

TOLD_LINES = 40
"""Of what a compiler says, the first lines are what matters; the rest mostly follows from them."""


class CannotBuildError(Exception):
    """Why there will be no compiled part."""


class FaultyError(CannotBuildError):
    """There is a compiler, and it does not like the sources."""


def built_name() -> str:
    """File name of the compiled part for the Python that runs this."""
    return "_lane" + str(sysconfig.get_config_var("EXT_SUFFIX"))


def compiler() -> list[str]:
    """The C compiler's command. Raises ``CannotBuildError`` where it cannot work, with the reason."""
    if os.environ.get("BIAOJIE_PURE_PYTHON"):
        raise CannotBuildError("BIAOJIE_PURE_PYTHON is set")
    if not sys.platform.startswith("linux"):
        raise CannotBuildError(f"it is for Linux, this is {sys.platform}")
    if sys.implementation.name != "cpython":
        raise CannotBuildError(f"it is for CPython, this is {sys.implementation.name}")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        raise CannotBuildError("the header Python.h is not installed")
    return shlex.split(os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc"))


def compile_lane(root: Path, flags: tuple[str, ...] = ()) -> Path:
    """Compile the C files of the lane into the tree, and say where. Raises ``CannotBuildError``.

    A process that has the former one loaded keeps it: the new file takes its place in one step.
    """
    command = compiler()
    folder = root / LANE
    sources = sorted(str(path.relative_to(root)) for path in folder.glob("*.c"))
    if not sources:
        raise CannotBuildError("its C sources are not here")
    headers = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
    built = folder / built_name()
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as scratch:
        made = Path(scratch) / built.name
        command += [
            *FLAGS, "-DNDEBUG", *flags, *shlex.split(os.environ.get("CFLAGS", "")),
            *(f"-I{path}" for path in sorted(headers)), *sources,
            "-shared", *shlex.split(os.environ.get("LDFLAGS", "")), "-o", str(made),
        ]  # fmt: skip
        try:
            run = subprocess.run(
                command, cwd=root, capture_output=True, text=True, check=False, timeout=COMPILE_S
            )
        except OSError as error:
            raise CannotBuildError(f"no C compiler: {error}") from error
        except subprocess.TimeoutExpired as error:
            raise CannotBuildError(f"the compiler took more than {COMPILE_S} s") from error
        if run.returncode != 0:
            told = "\n".join(run.stderr.splitlines()[:TOLD_LINES])
            raise FaultyError(f"the compiler failed:\n{told}")
        made.replace(built)
    return built


class LaneHook(BuildHookInterface):
    """Puts the compiled part into a wheel, or beside the sources of an editable installation."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Called by the back-end before it collects files; a wheel with the compiled part is for one platform."""
        try:
            built = compile_lane(Path(self.root))
        except CannotBuildError as error:
            self.app.display_warning(f"biaojie is built without its compiled part: {error}")
            return
        if version == "editable":
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        # Git ignores it, so that the back-end has to be told; those of other Pythons stay outside.
        build_data["artifacts"].append(f"/{(LANE / built.name).as_posix()}")


def main(arguments: list[str]) -> int:
    """Build for this tree. 1 = not built although it is ``--needed``, or the sources are not ``--strict``.

    One that cannot be made anew is removed: what runs is made of the sources at hand, or is Python.
    """
    is_strict = "--strict" in arguments
    flags = (STRICT if is_strict else ()) + (SANITIZE if "--sanitize" in arguments else ())
    root = Path(__file__).resolve().parent
    try:
        built = compile_lane(root, flags)
    except CannotBuildError as error:
        (root / LANE / built_name()).unlink(missing_ok=True)
        print(f"Biaojie runs without its compiled part: {error}", file=sys.stderr)
        return int("--needed" in arguments or (is_strict and isinstance(error, FaultyError)))
    print(f"built {built.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
