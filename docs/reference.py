"""Writes docs/reference/*.md from the code: settings, outcomes, metrics, commands, HTTP routes, conformance checks.

Run by ``make fix``; a test compares the pages with what this would write, so they cannot fall behind::

    python docs/reference.py            write the pages
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
NOTE = "<!-- Written by docs/reference.py from the code; `make fix` writes it again. -->\n"


def settings() -> str:
    """One table per section of node.toml."""
    from node import config_sections

    documented = _field_docs(Path(config_sections.__file__))
    lines = [
        "# Settings\n",
        (
            "One TOML file, `node.toml`. `biaojie check-config` prints every effective value and where it came from;"
            " an unknown key or an impossible value is refused with the nearest valid one. Units stand in the names.\n"
        ),
    ]
    for name, section in config_sections.SECTIONS.items():
        summary = (section.__doc__ or "").strip()
        lines += [f"## `[{name}]`\n", f"{summary}\n", "| key | default | limits | what it does |"]
        lines.append("|---|---|---|---|")
        hints = get_type_hints(section, include_extras=True)
        for field in fields(section):
            default = "" if field.default is MISSING else _toml(field.default)
            text = documented[section.__name__, field.name]
            limits = _limits(hints[field.name])
            lines.append(f"| `{name}.{field.name}` | {default} | {limits} | {_cell(text)} |")
        lines.append("")
    return "\n".join(lines)


def outcomes() -> str:
    """How each outcome is told in each protocol."""
    from protocols.handle.codes import RESPONSE_CODES
    from protocols.message import Outcome
    from protocols.rest.codes import CODES

    lines = [
        "# Outcomes\n",
        (
            "How a question or a command can end, and how each protocol says it. Native operations that change records"
            " are answered with RC 5 until they are served.\n"
        ),
        "| outcome | native RC | JSON `responseCode` | HTTP, reading | HTTP, writing |",
        "|---|---|---|---|---|",
    ]
    for outcome in Outcome:
        native, http = RESPONSE_CODES[outcome], CODES[outcome]
        lines.append(
            f"| `{outcome.value}` | {int(native)} {native.name.lower().replace('_', ' ')} | {http.response_code} |"
            f" {http.read_status} | {http.write_status} |"
        )
    return "\n".join([*lines, ""])


def metrics() -> str:
    """Every declared metric."""
    from prometheus_client.metrics import MetricWrapperBase

    from node import metrics as declared

    rows = []
    for value in vars(declared).values():
        if isinstance(value, MetricWrapperBase):
            name = value._name + ("_total" if value._type == "counter" else "")
            rows.append((name, value._type, value._labelnames, value._documentation))
        elif isinstance(value, tuple) and len(value) == 3 and "biaojie_" in str(value[0]):
            rows.append((f"{value[0]}_total", "counter", (value[2],), value[1]))
    lines = [
        "# Metrics\n",
        (
            "`GET /metrics` on the operations port, in Prometheus' text format. No label ever holds an identifier or an"
            " address.\n"
        ),
        "| metric | kind | labels | what it counts |",
        "|---|---|---|---|",
    ]
    for name, kind, labels, text in sorted(rows):
        shown = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {kind} | {shown} | {_cell(text)} |")
    return "\n".join([*lines, ""])


def commands() -> str:
    """Every command with its arguments and options."""
    from node.cli import main

    lines = ["# Commands\n", "What `biaojie COMMAND --help` says, in one place.\n"]
    for path, command in _walk("biaojie", main):
        if hasattr(command, "list_commands"):
            continue
        usage = " ".join(
            param.make_metavar(_context(command))
            for param in command.params
            if param.param_type_name == "argument"
        )
        lines += [f"## `{path}`\n", f"`{' '.join([path, usage]).strip()}`\n"]
        lines += [_paragraphs(command.help or ""), ""]
        options = [option for option in command.params if option.param_type_name == "option"]
        if options:
            lines += ["| option | what it does |", "|---|---|"]
            for option in options:
                names, text = option.get_help_record(_context(command)) or ("", "")
                if names:
                    lines.append(f"| `{_cell(names)}` | {_cell(text)} |")
            lines.append("")
    return "\n".join(lines)


def http() -> str:
    """Every route of the OpenAPI document."""
    from node.http.openapi import openapi_document
    from node.http.routes import ROUTES

    lines = [
        "# HTTP routes\n",
        "The same list, with schemas, is served as an OpenAPI document by the node itself.\n",
        "| method | path | what it does | statuses |",
        "|---|---|---|---|",
    ]
    for path, item in openapi_document(ROUTES)["paths"].items():
        for method, operation in item.items():
            if method in {"get", "head", "put", "post", "delete", "options"}:
                statuses = ", ".join(sorted(operation["responses"]))
                lines.append(
                    f"| {method.upper()} | `{path}` | {_cell(operation['summary'])} | {statuses} |"
                )
    return "\n".join([*lines, ""])


def conformance() -> str:
    """Every check of `biaojie conformance`, with its requirement and source."""
    from conformance.catalogue import all_checks

    checks = all_checks()
    lines = [
        "# Conformance checks\n",
        (
            f"The {len(checks)} checks of `biaojie conformance`: what is required of a Handle or IDIS node, and"
            " where that is written. How to run them: [conformance](../conformance.md).\n"
        ),
    ]
    for group in dict.fromkeys(check.group for check in checks):
        rows = [check for check in checks if check.group == group]
        lines += [f"## `{group}`\n", "| check | requirement | source |", "|---|---|---|"]
        lines += [
            f"| `{check.id}` | {_cell(check.requirement)} | {_cell(check.source)} |"
            for check in rows
        ]
        lines.append("")
    return "\n".join(lines)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "outcomes": outcomes,
    "metrics": metrics,
    "commands": commands,
    "http": http,
    "conformance": conformance,
}


def page(name: str) -> str:
    """The whole text of one page."""
    return NOTE + "\n" + PARTS[name]().rstrip() + "\n"


def _field_docs(path: Path) -> dict[tuple[str, str], str]:
    """(class, field) -> the string below the field."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for before, after in zip(node.body, node.body[1:], strict=False):
            if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
                is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                found[node.name, before.target.id] = after.value.value if is_text else ""
    return found


def _toml(value: object) -> str:
    """A default as it would stand in the file."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    return f"`{value}`" if isinstance(value, int | float) else f'`"{value}"`'


def _limits(hint: object) -> str:
    """Bounds or choices of an annotated type."""
    if get_origin(hint) is not Annotated:
        return ""
    kind = get_args(hint)[1]
    if hasattr(kind, "least"):
        return f"{kind.least:,} – {kind.most:,}"
    return ", ".join(f"`{word}`" for word in getattr(kind, "words", ()))


def _walk(path: str, command: object) -> Iterator[tuple[str, object]]:
    """The command and all below it, with their full names."""
    yield path, command
    if hasattr(command, "list_commands"):
        context = _context(command)
        for name in command.list_commands(context):
            yield from _walk(f"{path} {name}", command.get_command(context, name))


def _context(command: object) -> object:
    from click import Context

    return Context(command)


def _cell(text: str) -> str:
    """Text that fits in a table's cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


def _paragraphs(text: str) -> str:
    """Help as paragraphs: click's rewrap marks are dropped."""
    blocks = (" ".join(block.replace("\b", "").split()) for block in text.split("\n\n"))
    return "\n\n".join(block for block in blocks if block)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGES.mkdir(exist_ok=True)
    for part in PARTS:
        (PAGES / f"{part}.md").write_text(page(part), encoding="utf-8")
