"""Settings: the TOML file to ``Config`` and back, with the origin of every value.

Unknown keys and wrong values are errors that name the key, the value and the nearest valid one. Without a file an
embedded default is used, its data below ``$XDG_DATA_HOME/biaojie`` (``./biaojie-data`` when there is no home).
"""

import difflib
import json
import os
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Annotated, Any, Protocol, cast, get_args, get_origin, get_type_hints

from node.config_kinds import OrAuto
from node.config_sections import SECTIONS, Config

__all__ = [
    "Config", "ConfigError", "dump_config", "load_config", "parse_config", "plain_config", "show_config",
]  # fmt: skip

MAX_FILE_BYTES = 1_048_576
"""No settings file is a megabyte; the guard is against naming the wrong file."""


class ConfigError(Exception):
    """A setting that cannot work; ``str()`` names file, key, value and the nearest valid one, one trouble a line."""


class _Kind(Protocol):
    def explain(self, value: object) -> str: ...


def load_config(path: Path | None) -> Config:
    """Read the file, or make the embedded default when ``path`` is None. Raises ``ConfigError``."""
    if path is None:
        return _embedded_default()
    path = path.absolute()
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes, not a settings file")
        text = path.read_bytes().decode()
        tables = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    return read_tables(tables, path, _lines(text))


def read_tables(tables: Mapping[str, object], path: Path, lines: Mapping[str, int]) -> Config:
    """``Config`` from parsed TOML; ``lines`` says on which line a ``section.key`` stands."""
    reading = _Reading(path, lines)
    sections: dict[str, Any] = {
        name: reading.read_section(name, kind, tables.get(name, {}))
        for name, kind in SECTIONS.items()
    }
    for name in tables.keys() - SECTIONS.keys():
        reading.troubles.append(f"{path.name}: no section [{name}]{_nearest(name, SECTIONS)}")
    if reading.troubles:
        raise ConfigError("\n".join(reading.troubles))
    return Config(**sections, path=path, origins=reading.origins)


class _Reading:
    """One pass over one file: collects every trouble instead of stopping at the first."""

    def __init__(self, path: Path, lines: Mapping[str, int]) -> None:
        self.path, self.lines = path, lines
        self.origins: dict[str, str] = {}
        self.troubles: list[str] = []

    def read_section(self, name: str, kind: type, table: object) -> object:
        """The section's dataclass, its paths absolute; what is wrong joins ``troubles``."""
        if not isinstance(table, dict):
            self.troubles.append(f"{self.path.name}: {name} is a section; write [{name}]")
            table = {}
        hints = get_type_hints(kind, include_extras=True)
        self.troubles.extend(
            f"{self._where(f'{name}.{key}')}: no key {key} in [{name}]{_nearest(key, hints)}"
            for key in sorted(table.keys() - hints.keys())
        )
        values: dict[str, object] = {}
        for key, hint in hints.items():
            full = f"{name}.{key}"
            self.origins[full] = self._where(full) if key in table else "default"
            value, trouble = _read_value(hint, table.get(key, MISSING), self.path.parent)
            if trouble:
                shown = json.dumps(table[key], default=str, ensure_ascii=False)
                self.troubles.append(f"{self.origins[full]}: {full} = {shown}: {trouble}")
            elif value is not MISSING:
                values[key] = value
        return _absolute(kind(**values), self.path.parent)

    def _where(self, key: str) -> str:
        return f"{self.path.name} line {self.lines[key]}" if key in self.lines else self.path.name


def _read_value(hint: Any, raw: object, base: Path) -> tuple[object, str]:
    """(value, "") or (_, what is wrong)."""
    if raw is MISSING:
        return MISSING, ""
    kinds: tuple[_Kind, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *extra = get_args(hint)
        kinds = cast("tuple[_Kind, ...]", tuple(extra))
    automatic = next((kind for kind in kinds if isinstance(kind, OrAuto)), None)
    if automatic is not None and raw == "auto":
        raw = automatic.choose()
    value, trouble = _read_type(hint, raw, base)
    if automatic is not None and trouble:
        trouble += ', or "auto"'
    for kind in kinds:
        trouble = trouble or kind.explain(value)
    return value, trouble


def _read_type(hint: Any, raw: object, base: Path) -> tuple[object, str]:
    """Right type or not, nothing about its range; TOML's types are few, so this is the whole list."""
    is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
    value, trouble = raw, ""
    if hint is bool:
        trouble = "" if isinstance(raw, bool) else "must be true or false"
    elif hint is int:
        trouble = (
            "" if is_number and isinstance(raw, int) else "must be a whole number" + _whole(raw)
        )
    elif hint is float:
        value, trouble = (float(cast("float", raw)), "") if is_number else (raw, "must be a number")
    elif hint is str:
        trouble = "" if isinstance(raw, str) else "must be text in quotation marks"
    elif get_origin(hint) is tuple:
        if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
            value = tuple(raw)
        else:
            trouble = 'must be a list of texts, ["…", "…"]'
            trouble += f'; the nearest valid value is ["{raw}"]' if isinstance(raw, str) else ""
    elif raw == "" and get_origin(hint) is types.UnionType:
        value = None
    elif isinstance(raw, str) and raw:
        value = base / raw
    else:
        trouble = "must be the path of a file"
    return value, trouble


def _whole(raw: object) -> str:
    if isinstance(raw, float) or (isinstance(raw, str) and raw.strip().lstrip("-").isdigit()):
        return f"; the nearest valid value is {int(float(raw))}"
    return ""


def _absolute(section: object, base: Path) -> object:
    """Default paths count from the file's directory as well."""
    paths = {
        f.name: base / value
        for f in fields(section)  # type: ignore[arg-type]  # every section is a dataclass
        if isinstance(value := getattr(section, f.name), Path)
    }
    return replace(section, **paths)  # type: ignore[type-var]


def _embedded_default() -> Config:
    home = os.environ.get("XDG_DATA_HOME") or (
        Path.home() / ".local/share" if os.environ.get("HOME") else None
    )
    directory = (Path(home) / "biaojie") if home else Path.cwd() / "biaojie-data"
    config = read_tables({}, directory / "node.toml", {})
    return replace(config, path=None)


def show_config(config: Config) -> list[tuple[str, str, str]]:
    """(key, effective value as TOML, origin) of every setting, for check-config and the start log."""
    return [
        (f"{name}.{key}", _toml(value), config.origins.get(f"{name}.{key}", "default"))
        for name, section in plain_config(config).items()
        for key, value in section.items()
    ]


def plain_config(config: Config) -> dict[str, dict[str, object]]:
    """All values as TOML knows them: text, numbers, lists; paths absolute."""
    return {
        name: {f.name: _plain(getattr(getattr(config, name), f.name)) for f in fields(kind)}
        for name, kind in SECTIONS.items()
    }


def dump_config(config: Config) -> str:
    """One line of JSON that ``parse_config`` reads back: how a supervisor hands settings to its children."""
    return json.dumps({"path": str(config.path or ""), "sections": plain_config(config)})


def parse_config(line: str) -> Config:
    """The inverse of ``dump_config``, origins apart."""
    document = json.loads(line)
    path = Path(document["path"] or "node.toml")
    config = read_tables(document["sections"], path, {})
    return replace(config, path=path if document["path"] else None)


def _plain(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _nearest(word: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _lines(text: str) -> dict[str, int]:
    """``section.key`` -> line number, for messages; keys inside multi-line values may be missed, never misnamed."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("[") and not stripped.startswith("[["):
            section = stripped.strip("[] ").partition("]")[0]
        elif "=" in stripped and not stripped.startswith("#"):
            found.setdefault(f"{section}.{stripped.partition('=')[0].strip()}", number)
    return found
