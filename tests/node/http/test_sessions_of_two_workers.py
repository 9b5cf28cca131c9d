"""A real node with two workers: a session begun on one connection is good on every other."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from node.demo.node_process import NodeProcess
from node.http.sessions import owner_of
from tests.node.http.handle_client import by_secret, handle

PREFIX = "88.118"
CONNECTIONS = 24
"""The kernel leads each to a worker by its port; that all come to one happens once in eight million runs."""


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[NodeProcess]:
    node = NodeProcess(tmp_path_factory.mktemp("two"), PREFIX)
    settings: Path = node.made.settings
    lines = settings.read_text().splitlines()
    settings.write_text(
        "\n".join("workers = 2" if line.startswith("workers") else line for line in lines)
    )
    node.start()
    yield node
    node.stop()


def ask(node: NodeProcess, method: str, target: str, authorization: str = "", body: object = None):
    place = urlsplit(node.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=15)
    headers = {"Authorization": authorization} if authorization else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection.request(method, target, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    said = response.read()
    connection.close()
    return response.status, json.loads(said) if said else {}


@pytest.mark.process
def test_a_session_works_whichever_worker_answers(running):
    index, _, name = running.made.administrator.partition(":")
    login = (int(index), name, running.made.secret.read_text().strip())
    begun = [ask(running, "POST", "/api/sessions")[1] for _ in range(CONNECTIONS)]
    assert {owner_of(session["sessionId"]) for session in begun} == {0, 1}
    for session in begun[:4]:
        status, shown = ask(
            running, "PUT", "/api/sessions/this", by_secret(login, session, "HMAC-SHA256")
        )
        assert (status, shown["authenticated"]) == (200, True)
    alone = handle(sessionId=begun[0]["sessionId"])
    body = {"index": 1, "type": "URL", "data": "https://a.cn/"}
    for n in range(CONNECTIONS):
        status, _ = ask(running, "PUT", f"/api/handles/{PREFIX}/{n}", alone, body)
        assert status == 201
    assert ask(running, "DELETE", "/api/sessions/this", alone)[0] == 204
    gone = {ask(running, "GET", "/api/sessions/this", alone)[0] for _ in range(CONNECTIONS)}
    assert gone == {403}


@pytest.mark.process
def test_an_unauthenticated_session_of_another_worker_can_answer_its_challenge(running):
    """The nonce of a 401 from one worker, signed for a request that another one gets."""
    index, _, name = running.made.administrator.partition(":")
    login = (int(index), name, running.made.secret.read_text().strip())
    body = {"index": 1, "type": "URL", "data": "https://a.cn/"}
    for n in range(12):
        session = ask(running, "POST", "/api/sessions")[1]
        proof = by_secret(login, session, "SHA-256")
        assert ask(running, "PUT", f"/api/handles/{PREFIX}/c{n}", proof, body)[0] == 201
