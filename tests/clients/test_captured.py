"""What the national SDK and the classic Java resolver were seen to say ends well on a running node, workers or not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from node.config import load_config
from node.free_ports import free_ports
from node.init_node import init_node
from node.keys import read_server_key
from node.registrar_client import open_registrar
from protocols.handle.administration import CreateAnswer, Done
from protocols.handle.codec import decode, encode
from protocols.handle.codes import CERT, CONT
from protocols.handle.signing import signature_is_right
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.site import decode_site
from protocols.values.value import Value
from registry.registrar import Submission
from tests.clients.captured import PREFIX, USER, USER_INDEX, Classic, Wire, answered, changed
from tests.node.processes import RunningNode
from tests.vectors.handle_vectors import bytes_of

pytestmark = pytest.mark.process

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
ROUNDS = 6
"""Connections are spread over the workers by chance: enough that both are met, alone and in the middle."""


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def node(request, tmp_path_factory) -> Iterator[RunningNode]:
    directory: Path = tmp_path_factory.mktemp("captured") / "node"
    native, http, operations = free_ports(3)
    made = init_node(
        directory, PREFIX, native_port=native, http_port=http, operations_port=operations,
        settings={"node.workers": request.param},
    )  # fmt: skip
    with RunningNode(made.settings, directory / "log") as running:
        running.await_ready()
        register(running)
        yield running


def register(node: RunningNode) -> None:
    """The user of the captured conversations, with a key of today, and his rights."""
    public = encode_public_key(key_from_object(KEY.public_key()))
    admin = encode_admin(Admin(USER, USER_INDEX, ALL_PERMISSIONS))
    commands = (
        Command(Operation.PUT, parse_identifier(USER), (Value(USER_INDEX, "HS_PUBKEY", public),)),
        Command(
            Operation.ADD, parse_identifier(f"0.NA/{PREFIX}"), (Value(400, "HS_ADMIN", admin),)
        ),
    )
    for command in commands:
        submit(node, command)


def submit(node: RunningNode, command: Command) -> None:
    with open_registrar(load_config(node.settings)) as registrar:
        (receipt,) = registrar.submit([Submission(OPERATOR, command, "test")])
        assert receipt.outcome is Outcome.SUCCESS, receipt


def assert_like(answer, name: str, **but: int) -> None:
    """The same op code, response code and ids as the captured answer."""
    captured = decode(bytes_of(name))
    assert answer.header.op_code == captured.header.op_code
    assert answer.header.response_code == captured.header.response_code
    wanted = captured.envelope._replace(**but)
    assert answer.envelope.request_id == wanted.request_id
    assert answer.envelope.session_id == wanted.session_id


@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_national_sdk_logs_in_and_registers(node: RunningNode, number: int):
    with Wire(node.config.listen.port, is_new_each=False) as wire:
        site = wire.say(bytes_of("sdk_e2e_site_info_request"))
        assert_like(site, "sdk_e2e_site_info_response")
        decode_site(site.body.site)
        asked = wire.say(bytes_of("sdk_e2e_login_2001_request"))
        assert_like(asked, "sdk_e2e_login_challenge")
        last = wire.say(answered("sdk_e2e_login_answer", asked, KEY))
        assert_like(last, "sdk_e2e_login_final")
        assert (last.body, last.digest) == (Done(), None)
        # The captured request again would be a repetition: ids and name of this round make it one of its own.
        create = changed("sdk_e2e_create_request", request_id=100 + number)
        name = create.body.handle + f"-{number}".encode()
        made = wire.say(encode(create._replace(body=create.body._replace(handle=name))))
        assert_like(made, "sdk_e2e_create_response", request_id=100 + number)
        assert made.body == CreateAnswer(name)


def test_the_captured_request_itself_is_carried_out_and_its_repetition_is_recognised(node):
    for _ in range(2):
        with Wire(node.config.listen.port, is_new_each=False) as wire:
            asked = wire.say(bytes_of("sdk_e2e_login_2001_request"))
            wire.say(answered("sdk_e2e_login_answer", asked, KEY))
            made = wire.say(bytes_of("sdk_e2e_create_request"))
            assert_like(made, "sdk_e2e_create_response")
    submit(node, Command(Operation.DELETE, parse_identifier(made.body.handle.decode())))


@pytest.mark.parametrize("is_new_each", [False, True], ids=["one connection", "a new one each"])
@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_classic_resolver_opens_a_session_creates_and_deletes(node, is_new_each, number):
    server_key = read_server_key(node.config.node.server_key_file).public_key()
    with Wire(node.config.listen.port, is_new_each) as wire:
        classic = Classic(wire.say)
        opened = classic.open()
        assert opened.header.response_code == 1
        assert opened.header.op_flags & CERT
        assert signature_is_right(opened.credential, server_key, opened.envelope, opened.received)
        asked = wire.say(classic.in_session("classic_e2e_create_in_session"))
        assert_like(asked, "classic_e2e_challenge_in_session", session_id=classic.id)
        made = wire.say(answered("classic_e2e_challenge_answer_in_session", asked, KEY))
        assert_like(made, "classic_e2e_create_final", session_id=classic.id)
        gone = wire.say(classic.in_session("classic_e2e_delete_in_session"))
        assert_like(gone, "classic_e2e_delete_final", session_id=classic.id)


def test_a_long_list_is_told_to_a_slow_reader(node):
    names = {f"{PREFIX}/list-{number:05}".encode() for number in range(3000)}
    commands = [
        Command(Operation.PUT, parse_identifier(name.decode()), (Value(1, "A", b"x"),))
        for name in sorted(names)
    ]
    with open_registrar(load_config(node.settings)) as registrar:
        for start in range(0, len(commands), 250):
            batch = [Submission(OPERATOR, command, "test") for command in commands[start:][:250]]
            assert {one.outcome for one in registrar.submit(batch)} == {Outcome.SUCCESS}
    with Wire(node.config.listen.port, is_new_each=False) as wire:
        asked = wire.say(encode(changed("list_handles_request", session_id=0)))
        told = wire.say_all(answered("sdk_e2e_login_answer", asked, KEY), pause_s=0.2)
    assert all(one.header.response_code == 1 for one in told)
    assert names <= {name for one in told for name in one.body.names}
    assert [bool(one.header.op_flags & CONT) for one in told] == [True] * (len(told) - 1) + [False]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_challenge_may_be_answered_on_a_new_connection(node, number):
    create = changed("sdk_e2e_create_request", session_id=0, request_id=500 + number)
    name = create.body.handle + f"-plain-{number}".encode()
    with Wire(node.config.listen.port, is_new_each=True) as wire:
        asked = wire.say(encode(create._replace(body=create.body._replace(handle=name))))
        assert asked.header.response_code == 402
        made = wire.say(answered("sdk_e2e_login_answer", asked, KEY))
        assert (made.header.op_code, made.header.response_code) == (100, 1)
