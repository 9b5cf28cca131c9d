"""What the national SDK and the classic Java resolver were seen to say ends well on a running node, workers or not."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from node.config import load_config
from node.free_ports import free_ports
from node.init_node import init_node
from node.keys import read_server_key
from node.listeners.native import MAY_BE_DONE
from node.registrar_client import open_registrar
from node.relay import ANSWER_S
from node.slots import slot_of
from protocols.handle.administration import CreateAnswer, Done
from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import CERT, CONT, ResponseCode
from protocols.handle.signing import mac_is_right, signature_is_right
from protocols.handle.stream import MessageStream
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.site import decode_site
from protocols.values.value import Value
from registry.registrar import Submission
from tests.clients.captured import (
    PREFIX,
    USER,
    USER_INDEX,
    Classic,
    Wire,
    answered,
    changed,
    patiently,
)
from tests.node.processes import RunningNode, until
from tests.vectors.handle_vectors import bytes_of

pytestmark = pytest.mark.process

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
LIST = encode(changed("list_handles_request", session_id=0))
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


@pytest.fixture(scope="module")
def listed(node: RunningNode) -> set[bytes]:
    """Names of a list that is longer than any one message, or any one word between workers."""
    names = {f"{PREFIX}/{'list':->40}-{number:05}".encode() for number in range(5000)}
    commands = [
        Command(Operation.PUT, parse_identifier(name.decode()), (Value(1, "A", b"x"),))
        for name in sorted(names)
    ]
    with open_registrar(load_config(node.settings)) as registrar:
        for start in range(0, len(commands), 1000):
            batch = [Submission(OPERATOR, command, "test") for command in commands[start:][:1000]]
            assert {one.outcome for one in registrar.submit(batch)} == {Outcome.SUCCESS}
    return names


def assert_whole(told, names: set[bytes]) -> None:
    assert all(one.header.response_code == 1 for one in told)
    found = [name for one in told for name in one.body.names]
    assert len(found) == len(set(found))
    assert names <= set(found)
    assert [bool(one.header.op_flags & CONT) for one in told] == [True] * (len(told) - 1) + [False]


def test_a_long_list_is_told_to_a_slow_reader(node, listed):
    with Wire(node.config.listen.port, is_new_each=False) as wire:
        asked = challenged(wire)
        told = wire.say_all(answered("sdk_e2e_login_answer", asked, KEY), pause_s=0.2)
    assert_whole(told, listed)


def challenged(wire: Wire) -> Message:
    """What a request for a list on that connection is told."""
    (asked,) = patiently(lambda: [wire.say(LIST)])
    return asked


def wire_to(stack: ExitStack, node: RunningNode, slot: int) -> Wire:
    """A connection that the worker in this slot has: the kernel chooses which, its challenges say which it was."""
    while True:
        wire = stack.enter_context(Wire(node.config.listen.port, is_new_each=False))
        if slot_of(challenged(wire).envelope.session_id) == slot:
            return wire


def test_a_long_list_is_whole_over_a_challenge_that_another_worker_sent(node, listed):
    with ExitStack() as stack:
        here = wire_to(stack, node, 0)
        there = wire_to(stack, node, node.config.node.workers - 1)
        asked = challenged(here)
        told = there.say_all(answered("sdk_e2e_login_answer", asked, KEY), pause_s=0.2)
        assert_whole(told, listed)
        assert challenged(there).header.response_code == 402  # the connection goes on


def test_a_long_list_is_whole_over_a_session_that_another_worker_opened(node, listed):
    with ExitStack() as stack:
        here = wire_to(stack, node, 0)
        there = wire_to(stack, node, node.config.node.workers - 1)
        classic = Classic(here.say)
        classic.open()
        assert slot_of(classic.id) == 0
        ask, counter = changed("list_handles_request", session_id=classic.id), count(1)
        (asked,) = patiently(lambda: [there.say(classic.with_mac(ask, next(counter)))])
        answer = answered("classic_e2e_challenge_answer_in_session", asked, KEY)
        assert_whole(there.say_all(answer, pause_s=0.0), listed)
        header = ask.header._replace(op_flags=ask.header.op_flags | CERT)
        proved = ask._replace(header=header)
        told = patiently(
            lambda: there.say_all(classic.with_mac(proved, next(counter)), pause_s=0.2)
        )
        assert_whole(told, listed)
        for one in told:
            assert mac_is_right(one.credential, classic.key, one.envelope, one.received)


def list_whose_maker_is_killed(node: RunningNode) -> list[Message]:
    """What its client is told, till it is told whole, refused, or the connection ends."""
    maker, told, stream = worker_in(node, 0), [], MessageStream({})
    with ExitStack() as stack:
        here = wire_to(stack, node, 0)
        there = wire_to(stack, node, node.config.node.workers - 1)
        asked = challenged(here)
        assert there.sock is not None
        there.sock.settimeout(ANSWER_S / 2)  # to wait till it seems to be gone would be too long
        there.sock.sendall(answered("sdk_e2e_login_answer", asked, KEY))
        there.sock.recv(1, socket.MSG_PEEK)
        os.kill(maker, signal.SIGKILL)
        with suppress(ConnectionResetError):
            while not told or told[-1].header.op_flags & CONT:
                if not (data := there.sock.recv(65_536)):
                    break
                told += map(decode, stream.receive(data))
    until(lambda: worker_in(node, 0) not in {0, maker} and node.get("/health")[0] == 200)
    return told


def worker_in(node: RunningNode, slot: int) -> int:
    """Its process id, 0 while there is none."""
    rows = json.loads(node.get("/health")[1] or "{}").get("workers", [])
    return next((row["pid"] for row in rows if row["worker"] == slot), 0)


def test_a_list_whose_maker_is_killed_ends_in_a_refusal_or_with_the_connection(node, listed):
    is_whole = True
    while is_whole:  # nobody was killed in the middle
        told = list_whose_maker_is_killed(node)
        is_whole = sum(len(one.body.names) for one in told if one.header.response_code == 1) >= len(
            listed
        )
    codes = [one.header.response_code for one in told]
    if node.config.node.workers > 1:
        assert codes.pop() == ResponseCode.ERROR
        assert told[-1].body.message == MAY_BE_DONE.encode()
        assert len({one.envelope.request_id for one in told}) == 1
        told.pop()
    assert set(codes) <= {ResponseCode.SUCCESS}
    assert all(one.header.op_flags & CONT for one in told)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_challenge_may_be_answered_on_a_new_connection(node, number):
    create = changed("sdk_e2e_create_request", session_id=0, request_id=500 + number)
    name = create.body.handle + f"-plain-{number}".encode()
    with Wire(node.config.listen.port, is_new_each=True) as wire:
        asked = wire.say(encode(create._replace(body=create.body._replace(handle=name))))
        assert asked.header.response_code == 402
        made = wire.say(answered("sdk_e2e_login_answer", asked, KEY))
        assert (made.header.op_code, made.header.response_code) == (100, 1)
