"""Documents that a machine can check: links, paths, examples, and that nothing of the code is left untold."""

import importlib.util
import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from tests.house.tree import PACKAGES, ROOT, all_documentation, documents, text_of, tracked_files

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
PATH = re.compile(
    r"`((?:protocols|resolver|registry|node|bench|conformance|tests|deploy|docs|requirements)/[\w./-]*)`"
)
NEEDS_README = (
    *PACKAGES,
    "protocols/handle", "protocols/rest", "protocols/trust", "protocols/values", "registry/stores", "node/http",
    "node/listeners", "node/native", "node/proving", "node/search", "conformance", "tests/broken_nodes",
)  # fmt: skip


def reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = reference()


def prose(path: Path) -> str:
    """A document without its code blocks."""
    return FENCE.sub("", text_of(path))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def blocks(language: str) -> list[tuple[Path, str]]:
    """Every fenced block in the language, with the document it stands in."""
    return [
        (path, text)
        for path in documents()
        for found, text in FENCE.findall(text_of(path))
        if found == language
    ]


@pytest.mark.parametrize("path", documents(), ids=str)
def test_every_internal_link_leads_somewhere(path: Path):
    for target in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (ROOT / path).parent / name if name else ROOT / path
        assert there.exists(), f"{path} links to {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.resolve().relative_to(ROOT)), f"{path} links to {target}"


@pytest.mark.parametrize("path", documents(), ids=str)
def test_every_path_named_in_a_document_exists(path: Path):
    missing = {name for name in PATH.findall(prose(path)) if not (ROOT / name).exists()}
    assert missing == set()


@pytest.mark.parametrize("name", NEEDS_README)
def test_a_package_says_what_lives_there_and_what_to_read_first(name: str):
    text = text_of(Path(name) / "README.md")
    assert len(text.split()) >= 40
    assert re.search(r"[Rr]ead first|[Rr]ead .+ first", text)


def test_every_settings_example_is_valid():
    from node.config_sections import SECTIONS

    for path, text in blocks("toml"):
        for section, keys in tomllib.loads(text).items():
            assert section in SECTIONS, f"{path}: [{section}]"
            assert set(keys) <= set(SECTIONS[section].__dataclass_fields__), f"{path}: [{section}]"


def test_every_json_example_is_json():
    for path, text in blocks("json"):
        assert json.loads(text) is not None, path


def command_lines() -> list[str]:
    """Every line that a reader of a console example would type."""
    lines = [
        line.removeprefix("$ ")
        for _, text in blocks("console")
        for line in text.replace("\\\n", "").splitlines()
        if line.startswith("$ ")
    ]
    assert lines, "no document shows a command"
    return sorted(set(lines))


@pytest.mark.parametrize("line", command_lines())
def test_a_command_in_a_document_can_be_typed(line: str):
    """``make`` targets exist; ``biaojie`` commands, arguments and options are accepted by the parser."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"\w+=\S*", words[0]):
        words = words[1:]
    for end in ("|", ">", ">>", "&", "&&", "<"):
        words = words[: words.index(end)] if end in words else words
    if words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        for target in targets:
            assert re.search(rf"^{target}:", text_of(Path("Makefile")), re.MULTILINE), target
    if words[0].endswith("biaojie"):
        accept(words[1:])


def accept(words: list[str]) -> None:
    """Parse without running: unknown commands and options raise; files need not exist."""
    from node.cli import main

    command, context = main, click.Context(main, info_name="biaojie")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(context, words[0])
        assert command is not None, words
        context = click.Context(command, parent=context, info_name=words[0])
        words = words[1:]
    if "--help" not in words:
        command.make_parser(context).parse_args(list(words))


@pytest.mark.parametrize("name", REFERENCE.PARTS)
def test_the_reference_is_what_the_code_says(name: str):
    assert text_of(Path(f"docs/reference/{name}.md")) == REFERENCE.page(name), "run `make fix`"


def test_every_setting_is_documented():
    from node.config_sections import SECTIONS

    text, annotated = all_documentation(), text_of(Path("deploy/node.toml"))
    for name, section in SECTIONS.items():
        assert f"[{name}]" in annotated
        for key in section.__dataclass_fields__:
            assert f"`{name}.{key}`" in text
            assert re.search(rf"^#? ?{key} = ", annotated, re.MULTILINE), f"{name}.{key}"


def test_every_setting_says_what_it_is_for():
    page = REFERENCE.settings()
    assert re.findall(r"^\| `[\w.]+` \|.*\|  \|$", page, re.MULTILINE) == []


def test_every_outcome_is_documented():
    from protocols.message import Outcome

    text = all_documentation()
    assert [outcome for outcome in Outcome if f"`{outcome.value}`" not in text] == []


def test_every_metric_is_documented_and_well_named():
    from node import metrics

    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", REFERENCE.metrics(), re.MULTILINE)
    assert len(rows) >= 20
    for name, kind in rows:
        assert re.fullmatch(r"biaojie_[a-z][a-z_]*", name)
        assert name.endswith("_total") == (kind == "counter")
        if kind == "histogram":
            assert name.endswith(("_seconds", "_bytes"))
    declared = set(re.findall(r'"(biaojie_\w+)"', Path(metrics.__file__).read_text()))
    assert {name.removesuffix("_total") for name, _ in rows} == declared


def test_no_metric_is_made_outside_its_file():
    made = re.compile(r"^\s*(?:\w+ = )?(?:Counter|Gauge|Histogram|Summary)\($", re.MULTILINE)
    for path in tracked_files():
        if path.parts[0] in PACKAGES and path.suffix == ".py" and path.name != "metrics.py":
            assert not re.search(r"prometheus_client.*import.*(Counter|Gauge)", text_of(path)), path
            assert not made.search(text_of(path)), path


def commands(prefix: str, command: click.Command):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(f"{prefix} {name}", command.get_command(context, name))
    else:
        yield prefix, command


def test_every_command_is_documented_and_there():
    from node.cli import main

    there = dict(commands("biaojie", main))
    assert {
        "biaojie " + name
        for name in (
            "init", "serve", "check-config", "prefix add", "prefix list", "put", "get", "resolve", "import",
            "export", "backup", "restore", "verify", "changes", "demo", "version",
        )
    } <= set(there)  # fmt: skip
    text = all_documentation()
    for name, command in there.items():
        assert f"`{name}`" in text, name
        assert command.help, f"{name} has no help"


NO_NODE_OF_THEIRS = {
    "init", "serve", "demo", "version", "check-config", "bench compare", "bench growth", "bench report",
}  # fmt: skip
"""They make nodes of their own, or look at none."""


def test_every_command_but_the_plain_ones_knows_where_to_look_and_speaks_json():
    from node.cli import main

    for name, command in commands("biaojie", main):
        options = {word for param in command.params for word in param.opts}
        if name.removeprefix("biaojie ") not in NO_NODE_OF_THEIRS:
            assert options & {"--config", "--server"}, name
        if name.split()[1] not in {"serve", "demo"}:
            assert "--json" in options, name


def test_every_route_is_documented():
    from node.http.openapi import openapi_document
    from node.http.routes import ROUTES

    text = all_documentation()
    paths = openapi_document(ROUTES)["paths"]
    assert paths
    assert [path for path in paths if f"`{path}`" not in text] == []


def test_the_glossary_is_bilingual_and_each_term_has_a_place():
    rows = [
        row.split("|")[1:-1]
        for row in text_of(Path("docs/glossary.md")).splitlines()
        if row.startswith("|") and not row.startswith(("|---", "| English"))
    ]
    assert len(rows) >= 70
    for row in rows:
        english, chinese, meaning, where = (cell.strip() for cell in row)
        assert re.search(r"[A-Za-z]", english)
        assert re.search(r"[\u4e00-\u9fff]", chinese)
        assert len(meaning) > 15, english
        assert where == "—" or PATH.fullmatch(where), where
    terms = [row[0].strip() for row in rows]
    assert len(terms) == len(set(terms))
