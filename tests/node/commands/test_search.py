"""``biaojie search`` on a node of its own: what it shows, what it says when it cannot."""

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from node.cli import main
from node.config import load_config
from node.init_node import init_node
from node.search.cells import scope_of
from node.search.indexer import Indexer
from node.store import open_view
from tests.node.processes import PREFIX, put


class Made:
    """A stopped node's settings, and its index as a running one would have made it."""

    def __init__(self, settings: Path) -> None:
        self.settings = settings

    def index(self) -> None:
        config = load_config(self.settings)
        reader = open_view(config)
        indexer = Indexer(config.node.data_dir, reader, scope_of(config.search), lambda: None)
        while indexer.step():
            pass
        indexer.close()
        reader.close()

    def search(self, *words: str) -> Result:
        return CliRunner().invoke(main, ["search", *words, "--config", str(self.settings)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    settings = init_node(tmp_path_factory.mktemp("search") / "node", PREFIX).settings
    config = load_config(settings)
    for number in range(3):
        put(config, f"Sn-{number}", f"https://a.cn/{number}".encode())
    node = Made(settings)
    node.index()
    return node


def test_what_is_found_is_shown_with_its_value(made: Made) -> None:
    result = made.search("url=*a.cn*")
    assert result.exit_code == 0, result.stderr
    rows = [line.replace("│", " ").split() for line in result.stdout.splitlines() if "Sn-" in line]
    assert rows == [[f"{PREFIX}/Sn-{n}", "URL", f"https://a.cn/{n}"] for n in range(3)]


def test_json_has_whole_records_and_how_far_the_index_is(made: Made) -> None:
    result = made.search("URL=*/2", "--json", "--prefix", PREFIX)
    assert json.loads(result.stdout) == {
        "responseCode": 1,
        "found": {f"{PREFIX}/Sn-2": [{"type": "URL", "value": "https://a.cn/2"}]},
        "behind": 0,
    }


def test_where_there_is_more_it_says_how_to_go_on(made: Made) -> None:
    first = made.search("URL=*", "--prefix", PREFIX, "--limit", "2")
    (line,) = [line for line in first.stderr.splitlines() if line.startswith("more: ")]
    program, command, *words = shlex.split(line.removeprefix("more: "))
    assert (program, command) == ("biaojie", "search")
    assert words[:5] == ["URL=*", "--prefix", PREFIX, "--limit", "2"]
    rest = made.search(*words[: words.index("--config")])
    assert "Sn-2" in rest.stdout
    assert "Sn-1 " not in rest.stdout
    assert "nothing found" in made.search("URL=absent").stderr


def test_what_it_cannot_do_it_says_in_words(made: Made, tmp_path: Path) -> None:
    for words, said in (
        (["URL"], "not TYPE=PATTERN"),
        (["HS_SECKEY=*"], "not allowed"),
        (["URL=*", "--prefix", "88/1"], "prefix"),
    ):
        result = made.search(*words)
        assert result.exit_code != 0
        assert said in result.stderr, result.stderr
    empty = Made(init_node(tmp_path / "empty", PREFIX).settings)
    assert "about to be made" in empty.search("URL=*").stderr
    text = empty.settings.read_text().replace("[search]\n", "[search]\n# off\n", 1)
    before, section, after = text.partition("[search]")
    empty.settings.write_text(
        before + section + after.replace("enabled = true", "enabled = false", 1)
    )
    assert "keeps no index" in empty.search("URL=*").stderr


def test_an_index_that_is_behind_says_so_and_tells_nothing_untrue(made: Made) -> None:
    config = load_config(made.settings)
    put(config, "Sn-0", b"https://moved.cn/")
    put(config, "Sn-9", b"https://a.cn/9")
    result = made.search("URL=*a.cn*")
    assert "2 changes behind" in result.stderr
    assert "Sn-0" not in result.stdout
    made.index()
    assert "Sn-9" in made.search("URL=*a.cn*").stdout


def test_what_is_private_is_told_to_the_operator_and_what_is_given_away_to_nobody(
    made: Made,
) -> None:
    def run(*words: str) -> None:
        result = CliRunner().invoke(main, [*words, "--config", str(made.settings)])
        assert result.exit_code == 0, result.stderr

    names = {prefix: f"{PREFIX}.{prefix}/x" for prefix in ("5", "6", "7")}
    for prefix, name in names.items():
        run("prefix", "add", f"{PREFIX}.{prefix}")
        run("put", name, "--value", "URL=https://below.cn/")
    made.index()
    run("prefix", "set", f"{PREFIX}.5", "--private")
    assert all(name in made.search("URL=*below*").stdout for name in names.values())
    run("prefix", "delegate", f"{PREFIX}.6", "--to", "192.0.2.8:2641")
    run("prefix", "unhost", f"{PREFIX}.7")
    for _ in range(2):
        told = made.search("URL=*below*").stdout
        assert [name for name in names.values() if name in told] == [names["5"]]
        made.index()
