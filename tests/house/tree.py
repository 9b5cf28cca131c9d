"""What the house tests look at: the tracked files, the packages' sources, the documents."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocols", "resolver", "registry", "node")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that git knows or would add, relative to the root. Never empty."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout  # fmt: skip
    names = sorted({name.decode() for name in listed.split(b"\0") if name})
    files = tuple(Path(name) for name in names if (ROOT / name).is_file())
    assert files, "git lists no files"
    return files


@cache
def sources() -> tuple[Path, ...]:
    """Python files of the four packages."""
    found = tuple(
        path for path in tracked_files() if path.suffix == ".py" and path.parts[0] in PACKAGES
    )
    assert found, "no sources"
    return found


@cache
def documents() -> tuple[Path, ...]:
    """Markdown files."""
    return tuple(path for path in tracked_files() if path.suffix == ".md")


def text_of(path: Path) -> str:
    """A file of the tree as text."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def all_documentation() -> str:
    """Everything that a reader of the documents can read, in one string."""
    return "\n".join(text_of(path) for path in documents())
