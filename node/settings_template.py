"""The annotated settings file that ships with the program, and copies of it with some values set."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

_PLACES = (
    Path(__file__).parent / "assets" / "node.toml",
    Path(__file__).parent.parent / "deploy" / "node.toml",
)
"""In an installed wheel, and in a source tree."""


def template_text() -> str:
    """The whole annotated file, every key at its default. Raises ``FileNotFoundError``."""
    for place in _PLACES:
        if place.exists():
            return place.read_text(encoding="utf-8")
    raise FileNotFoundError("node.toml is missing from the installation")


def filled_template(values: Mapping[str, object]) -> str:
    """The template with ``section.key`` values set; ``KeyError`` for a key it does not have."""
    missing = dict(values)
    lines = []
    section = ""
    for line in template_text().splitlines():
        header = re.fullmatch(r"\[(\w+)\]", line)
        key = re.match(r"(\w+) = ", line)
        section = header[1] if header else section
        full = f"{section}.{key[1]}" if key else ""
        lines.append(f"{key[1]} = {_toml(missing.pop(full))}" if key and full in missing else line)
    if missing:
        raise KeyError(f"node.toml has no {', '.join(missing)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """TOML and JSON agree on texts, numbers, booleans and lists of them."""
    return json.dumps(value, ensure_ascii=False)
