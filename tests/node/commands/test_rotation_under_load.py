"""Keys and secrets change on a running node while clients verify every answer and log in all the time: none fails.

The same node shows that no secret of all this reaches a log, an output or the feed.
"""

import json
import threading
import time

import pytest
from click.testing import CliRunner

from node.asking.native import ask
from node.asking.web import Login, WebServer
from node.cli import main
from node.demo.node_process import NodeProcess
from node.trust.key_files import facts_of, private_pem, read_key
from node.upstream.proof import key_pin, keys_of_site
from protocols.handle.codec import Message, encode
from protocols.handle.codes import CERT, DEFAULT_REQUEST_FLAGS, OpCode, ResponseCode
from protocols.handle.envelope import Envelope
from protocols.handle.header import UNKNOWN_SERIAL, Header
from protocols.handle.resolution import ResolveRequest
from protocols.handle.signing import signature_is_right

PREFIX = "88.118"
OWN = f"300:0.NA/{PREFIX}"
NAME = f"{PREFIX}/SN-1"
PATIENCE_S = 120.0
"""For what takes seconds: a busy machine takes ten times as long."""
pytestmark = pytest.mark.process


class Running:
    """A node that runs, and everything that its commands have said."""

    def __init__(self, node):
        self.node, self.settings, self.said = node, node.made.settings, []

    def __call__(self, *words, code=0):
        words = [*map(str, words), "--config", str(self.settings)]
        result = CliRunner().invoke(main, words)
        self.said.append(result.output)
        assert result.exit_code == code, result.output
        return result

    def told(self, *words):
        return json.loads(self(*words, "--json").stdout)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rotation") / "node"
    node = NodeProcess(folder, PREFIX, {"node.workers": 2})
    node.start()
    made = Running(node)
    made("put", NAME, "--value", "URL=https://example.org/1")
    yield made
    node.stop()


class Crowd:
    """Clients in threads, each doing one thing again and again; what fails is kept."""

    def __init__(self, *jobs):
        self.failures, self.counts = [], [0] * len(jobs)
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(at, job)) for at, job in enumerate(jobs)
        ]

    def _work(self, at, job):
        while not self._is_over.is_set():
            try:
                job()
            except Exception as error:
                self.failures.append(repr(error))
            self.counts[at] += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def go_on(self, rounds=5):
        """Until everybody has done it so many times more."""
        wanted = [count + rounds for count in self.counts]
        ends_s = time.monotonic() + PATIENCE_S
        while any(count < want for count, want in zip(self.counts, wanted, strict=True)):
            assert time.monotonic() < ends_s, self.failures
            self._is_over.wait(0.01)


class Verifier:
    """Knows a site of the node by its serial, and verifies every answer with the keys of that site."""

    def __init__(self, server, *, follows):
        self.server, self.follows = server, follows
        self.serial, self.keys, self.used = UNKNOWN_SERIAL, (), set()
        self.learn()

    def _ask(self, op_code, flags=DEFAULT_REQUEST_FLAGS):
        header = Header(op_code, op_flags=flags, site_serial=self.serial)
        request = Message(Envelope(request_id=5), header, ResolveRequest(NAME.encode()))
        answer = ask(self.server, encode(request), ("tcp",)).answer
        assert answer is not None
        return answer

    def learn(self):
        told = self._ask(OpCode.GET_SITE_INFO)
        self.serial, self.keys = told.header.site_serial, keys_of_site(told)

    def __call__(self):
        answer = self._ask(OpCode.RESOLVE, DEFAULT_REQUEST_FLAGS | CERT)
        assert answer.header.response_code == ResponseCode.SUCCESS
        assert answer.credential is not None
        good = [
            key
            for key in self.keys
            if signature_is_right(answer.credential, key, answer.envelope, answer.received)
        ]
        assert good, f"not signed with the key of site {self.serial}"
        self.used.add(key_pin(good[0]).hex())
        if self.follows and answer.header.site_serial != self.serial:
            self.learn()


def test_the_server_key_changes_and_every_answer_verifies(running):
    quick, slow, pinning = (
        Verifier(running.node.native, follows=follows) for follows in (True, False, False)
    )
    old = running.told("key", "show")["pin"]
    prepared = running.told("key", "rotate", "--prepare")["newKey"]
    new_key = read_key(running.settings.parent / "keys" / "server.next").public_key()
    pinning.serial, pinning.keys = UNKNOWN_SERIAL, (*pinning.keys, new_key)  # who pinned both
    with Crowd(quick, slow, pinning) as crowd:
        crowd.go_on()
        assert running.told("key", "rotate")["newKey"] == prepared
        crowd.go_on(40)
        assert slow.used == {old.removeprefix("sha256:")}
        slow.follows = True  # its copy of HS_SITE has come to its end
        crowd.go_on(10)
        running("key", "rotate", "--now")
        crowd.go_on(40)
    assert crowd.failures == []
    both = {pin.removeprefix("sha256:") for pin in (old, prepared)}
    assert quick.used == slow.used == pinning.used == both


def test_an_administrators_secret_changes_and_every_login_succeeds(running):
    folder = running.settings.parent / "keys"
    current = [OWN, (folder / "admin.secret").read_text().strip()]

    def log_in():
        name, secret = current
        index, _, handle = name.partition(":")
        web = WebServer(running.node.url, Login(int(index), handle, secret))
        answer = web.ask("GET", f"/api/handles/0.NA/{PREFIX}?publicOnly=false")
        types = [value["type"] for value in answer.document.get("values", ())]
        assert "HS_SECKEY" in types, answer.document

    new = folder / "new.secret"
    with Crowd(log_in) as crowd:
        crowd.go_on()
        told = running.told("key", "rotate", OWN, "--new-secret", new)
        crowd.go_on()
        current[:] = [told["new"], new.read_text().strip()]
        crowd.go_on()
        running("key", "rotate", OWN, "--finish")
        crowd.go_on()
    assert crowd.failures == []
    current[:] = [OWN, (folder / "admin.secret").read_text().strip()]
    with pytest.raises(AssertionError):
        log_in()


def test_rights_and_keys_can_be_changed_from_afar(running, tmp_path):
    owner, secret = f"320:0.NA/{PREFIX}", tmp_path / "owner.secret"
    running("admin", "grant", PREFIX, owner, "--new-secret", secret)

    def far(*words, code=0):
        words = [
            *map(str, words),
            "--server",
            running.node.url,
            "--user",
            owner,
            "--secret-file",
            str(secret),
        ]
        result = CliRunner().invoke(main, words)
        running.said.append(result.output)
        assert result.exit_code == code, result.output
        return result

    clerk = f"330:0.NA/{PREFIX}"
    far(
        "admin",
        "grant",
        PREFIX,
        clerk,
        "--rights",
        "register",
        "--new-secret",
        tmp_path / "clerk.secret",
    )
    listed = json.loads(far("admin", "list", PREFIX, "--json").stdout)["administrators"]
    assert clerk in [row["administrator"] for row in listed]
    new = json.loads(
        far("key", "rotate", clerk, "--new-key", tmp_path / "clerk.pem", "--json").stdout
    )["new"]
    far("key", "rotate", clerk, "--finish")
    far("admin", "revoke", PREFIX, new, "--remove-key")
    listed = json.loads(far("admin", "list", PREFIX, "--json").stdout)["administrators"]
    assert {clerk, new}.isdisjoint(row["administrator"] for row in listed)
    for gone in (clerk, new):
        assert "no key" in running("key", "show", gone, code=1).stderr
    far("key", "new", tmp_path / "signer.pem", "--kind", "ed25519", "--store", f"340:0.NA/{PREFIX}")
    far("sign", NAME, "--key", tmp_path / "signer.pem", "--as", f"340:0.NA/{PREFIX}")
    types = [v["type"] for v in json.loads(running("get", NAME, "--json").stdout)["values"]]
    assert types == ["URL", "HS_SIGNATURE"]


def test_no_secret_is_in_a_log_an_output_or_the_feed(running, tmp_path):
    secret, key = tmp_path / "more.secret", tmp_path / "more.pem"
    name = f"310:0.NA/{PREFIX}"
    running("admin", "grant", PREFIX, name, "--new-secret", secret, "--json")
    running("admin", "grant", PREFIX, f"311:0.NA/{PREFIX}", "--new-key", key)
    running("admin", "list", PREFIX, "--json")
    running("key", "show", name, "--json")
    running("key", "show", key, "--json")
    running("key", "show", "--json")
    running("sign", NAME, "--key", key, "--as", f"311:0.NA/{PREFIX}", "--json")
    running("admin", "revoke", PREFIX, f"311:0.NA/{PREFIX}", "--remove-key", "--json")
    running("changes", "--json")
    folder = running.settings.parent / "keys"
    secrets = [path.read_text().strip() for path in (secret, *folder.glob("*.secret"))]
    secrets += [line for path in (key, folder / "server.pem") for line in _body(path)]
    written = "".join(running.said) + running.node.log.read_text()
    assert len(secrets) > 30
    assert [one for one in secrets if one in written] == []
    assert facts_of(read_key(key).public_key()).pin in written  # what may be told, is


def _body(path):
    text = private_pem(read_key(path)).decode()
    return [line for line in text.splitlines() if line and not line.startswith("-----")]
