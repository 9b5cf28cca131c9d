"""Two real nodes: people of the enterprise node administer the secondary one with keys that only their own node has."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from conformance.native_client import TcpClient
from conformance.target import Account
from node.free_ports import free_ports
from node.init_node import init_node
from node.registrar_client import open_registrar
from protocols.handle.administration import ValuesRequest
from protocols.handle.codes import OpCode, ResponseCode
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.registrar import Submission
from tests.node.processes import RunningNode, until

pytestmark = pytest.mark.process

LI = "88.118.7/people/li"
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
BY_SECRET = Account(LI.encode(), 300, secret=b"of li")
BY_KEY = Account(LI.encode(), 301, key=KEY)
OTHER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def submit(node: RunningNode, operation: Operation, name: str, *values: Value) -> None:
    command = Command(operation, parse_identifier(name), values)
    with open_registrar(node.config) as registrar:
        (receipt,) = registrar.submit([Submission(OPERATOR, command, "test")])
    assert receipt.outcome is Outcome.SUCCESS, receipt


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Native and HTTP port of the secondary node; the enterprise node runs beside it."""
    folder = tmp_path_factory.mktemp("two")

    def make(name: str, prefix: str) -> tuple[Path, int, int]:
        native, web, operations = free_ports(3)
        made = init_node(
            folder / name, prefix, native_port=native, http_port=web, operations_port=operations
        )
        return made.settings, native, web

    secondary, native, web = make("secondary", "88.118")
    enterprise, _, _ = make("enterprise", "88.118.7")
    with (
        RunningNode(secondary, folder / "s.log") as above,
        RunningNode(enterprise, folder / "e.log") as below,
    ):
        above.await_ready()
        below.await_ready()
        public = encode_public_key(key_from_object(KEY.public_key()))
        secret = Value(300, "HS_SECKEY", b"of li", permissions=SECRET_PERMISSIONS)
        submit(below, Operation.PUT, LI, secret, Value(301, "HS_PUBKEY", public))
        named = below.tcp("88.118.7").body.values  # type: ignore[attr-defined]
        site = next(value for value in named if value.type == "HS_SITE")
        submit(above, Operation.DELEGATE, "0.NA/88.118.7", site)
        admins = (Admin(LI, index, ALL_PERMISSIONS) for index in (300, 301))
        values = (Value(n, "HS_ADMIN", encode_admin(admin)) for n, admin in enumerate(admins, 500))
        submit(above, Operation.ADD, "0.NA/88.118", *values)
        yield native, web


def create(port: int, suffix: str, account: Account) -> int:
    """The last answer's code."""
    client = TcpClient("127.0.0.1", port, 10.0)
    try:
        value = Value(1, "URL", b"https://example.org/", timestamp=1_700_000_000)
        body = ValuesRequest(f"88.118/{suffix}".encode(), (value,))
        return client.ask_as(account, OpCode.CREATE, body).code
    finally:
        client.close()


@pytest.mark.parametrize("account", [BY_SECRET, BY_KEY], ids=["secret", "key"])
def test_a_key_kept_by_the_other_node_administers_here(
    ports: tuple[int, int], account: Account
) -> None:
    assert create(ports[0], f"by-{account.index}", account) == ResponseCode.SUCCESS


@pytest.mark.parametrize(
    "account",
    [
        Account(LI.encode(), 300, secret=b"of Li"),
        Account(LI.encode(), 301, secret=b"of li"),
        Account(LI.encode(), 301, key=OTHER_KEY),
        Account(LI.encode(), 300, key=KEY),
        Account(b"88.118.7/people/nobody", 300, secret=b"of li"),
    ],
    ids=["wrong secret", "index of the key", "wrong key", "index of the secret", "nobody"],
)
def test_anything_else_does_not(ports: tuple[int, int], account: Account) -> None:
    assert create(ports[0], "wrong", account) == ResponseCode.AUTHENTICATION_FAILED


@pytest.mark.parametrize(("password", "status"), [("of li", 201), ("of Li", 401)])
def test_a_password_kept_by_the_other_node_counts_over_http(
    ports: tuple[int, int], password: str, status: int
) -> None:
    user = base64.b64encode(f"300%3A88.118.7%2Fpeople%2Fli:{password}".encode()).decode()
    values = [{"index": 1, "type": "URL", "data": "https://example.org/"}]
    request = urllib.request.Request(
        f"http://127.0.0.1:{ports[1]}/api/handles/88.118/by-password-{status}",
        data=json.dumps({"values": values}).encode(),
        headers={"Authorization": f"Basic {user}", "Content-Type": "application/json"},
        method="PUT",
    )
    assert status_of(request) == status


def status_of(request: urllib.request.Request) -> int:
    """As any client we come back to a node that could not find out in time."""
    statuses: list[int] = []

    def is_answered() -> bool:
        statuses.append(one_status_of(request))
        return statuses[-1] not in {503, 504}

    until(is_answered)
    return statuses[-1]


def one_status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
