"""The search process of a running node: it is replaced, goes on where it was, and follows the settings."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.cli import main
from node.search.view import View
from tests.node.processes import PREFIX, RunningNode, make_node, until
from tests.node.search.parts import found, term

pytestmark = pytest.mark.process

SEARCH = "search"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    directory = tmp_path_factory.mktemp("search")
    with RunningNode(make_node(directory / "node"), directory / "log") as running:
        yield running.await_ready()


def caught_up(node: RunningNode, seq: int) -> bool:
    view = View(node.config.node.data_dir)
    try:
        state = view.state()
    finally:
        view.close()
    return state is not None and state.is_whole and state.seq >= seq


def figure(node: RunningNode, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", node.get("/metrics")[1], re.MULTILINE)
    assert found, name
    return float(found[1])


def test_killed_again_and_again_it_misses_nothing(node: RunningNode) -> None:
    last = 0
    for number in range(30):
        last = node.put(f"k{number:02}", f"https://k.cn/{number}".encode()).seq
        if number % 10 == 5:
            until(lambda: SEARCH in node.children())
            victim = node.children()[SEARCH]
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim: node.children().get(SEARCH, victim) != victim)
    until(lambda: caught_up(node, last))
    names = [f"{PREFIX}/k{number:02}" for number in range(30)]
    assert found(node.config.node.data_dir, term("URL", "https://k.cn/*")) == names


def test_metrics_and_health_tell_how_far_it_is(node: RunningNode) -> None:
    seq = node.put("m", b"https://m.cn/").seq
    until(lambda: figure(node, "biaojie_search_seq") == seq)
    assert figure(node, "biaojie_search_behind") == 0
    assert figure(node, "biaojie_search_whole") == 1
    assert figure(node, "biaojie_search_records") >= 1
    assert figure(node, "biaojie_search_bytes") > 10_000
    status, text = node.get("/health")
    assert status == 200
    assert '"name": "search", "is_fine": true, "reason": "0 changes behind"' in text


def test_the_command_asks_a_running_node_over_http(node: RunningNode) -> None:
    node.put("by-http", b"https://http.cn/")
    secret = node.settings.parent / "keys" / "admin.secret"
    server = f"http://127.0.0.1:{node.config.http.port}"
    login = ["--user", f"300:0.NA/{PREFIX}", "--secret-file", str(secret)]
    asked = ["search", "URL=*http.cn*", "--server", server]
    result = CliRunner().invoke(main, [*asked, *login, "--prefix", PREFIX])
    assert result.exit_code == 0, result.stderr
    assert f"{PREFIX}/by-http" in result.stdout
    refused = CliRunner().invoke(main, asked)
    assert refused.exit_code == 1
    assert "log in" in refused.stderr


def test_it_runs_behind_everybody_else(node: RunningNode) -> None:
    until(lambda: SEARCH in node.children())
    nice = int(
        Path(f"/proc/{node.children()[SEARCH]}/stat").read_text().rpartition(")")[2].split()[16]
    )
    assert nice >= 10


def test_a_reload_switches_it_off_and_on(node: RunningNode) -> None:
    text = node.settings.read_text()
    before, section, after = text.partition("[search]")
    off = before + section + after.replace("enabled = true", "enabled = false", 1)
    assert off != text
    until(lambda: SEARCH in node.children())
    for settings, is_there in ((off, False), (text, True)):
        node.settings.write_text(settings)
        node.process.send_signal(signal.SIGHUP)
        until(lambda is_there=is_there: (SEARCH in node.children()) is is_there)
    seq = node.put("after", b"https://after.cn/").seq
    until(lambda: caught_up(node, seq))
    assert found(node.config.node.data_dir, term("URL", "https://after.cn/")) == [f"{PREFIX}/after"]
