"""What the suite's own clients do with peers that misbehave, and with those that hang up after each answer."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from conformance.asking import HEARTBEAT
from conformance.native_client import HungUp, TcpClient, UdpClient
from conformance.native_messages import Fields, request_bytes
from conformance.outcome import Failed, Unable
from node.free_ports import free_ports
from protocols.handle.codec import decode, encode
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.fragments import split
from protocols.handle.replies import error_reply, reply
from protocols.handle.resolution import ResolveAnswer
from protocols.values.value import Value
from tests.conformance.parts import Peer, answering

LATER_S = 2_000_000_000


def _not_found(request: bytes) -> bytes:
    made = error_reply(decode(request), 100, "no", serial=1, expiration_s=LATER_S)
    return encode(made)


def _listen_only(connection: socket.socket) -> None:
    while connection.recv(9999):
        pass


@contextlib.contextmanager
def _client(peer: Peer, answer_s: float = 5.0, **how: bool) -> Iterator[TcpClient]:
    client = TcpClient("127.0.0.1", peer.port, answer_s, **how)
    try:
        yield client
    finally:
        client.close()


def test_an_answer_comes_with_the_request_it_belongs_to() -> None:
    with Peer(answering(_not_found)) as peer, _client(peer) as client:
        came = client.ask(OpCode.RESOLVE, HEARTBEAT, Fields(request_id=77))
    assert came.code == ResponseCode.HANDLE_NOT_FOUND
    assert came.sent == request_bytes(OpCode.RESOLVE, HEARTBEAT, Fields(
        request_id=77, expiration_s=int.from_bytes(came.sent[36:40])
    ))  # fmt: skip


def test_a_peer_that_hangs_up_after_each_answer_is_called_again() -> None:
    with Peer(answering(_not_found)) as peer, _client(peer) as client:
        codes = [client.ask(OpCode.RESOLVE, HEARTBEAT).code for _ in range(3)]
    assert codes == [100, 100, 100]
    assert peer.connections == 3


def test_a_connection_that_must_be_kept_is_not_called_again() -> None:
    with Peer(answering(_not_found)) as peer, _client(peer, may_reconnect=False) as client:
        client.ask(OpCode.RESOLVE, HEARTBEAT)
        with pytest.raises(HungUp):
            client.ask(OpCode.RESOLVE, HEARTBEAT)


def test_a_peer_that_hangs_up_at_once_has_failed() -> None:
    with Peer(answering()) as peer, _client(peer) as client, pytest.raises(HungUp):
        client.ask(OpCode.RESOLVE, HEARTBEAT)


def test_silence_has_failed_when_patience_ends() -> None:
    with (
        Peer(_listen_only) as peer,
        _client(peer, answer_s=0.05) as client,
        pytest.raises(Failed, match="silence"),
    ):
        client.receive_raw()


def test_nobody_there_is_no_verdict() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Unable):
        TcpClient("127.0.0.1", port, 1.0)


def test_bytes_that_are_no_answer_have_failed() -> None:
    nonsense = b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(40)
    with (
        Peer(answering(lambda _: nonsense)) as peer,
        _client(peer) as client,
        pytest.raises(Failed, match="format"),
    ):
        client.ask(OpCode.RESOLVE, HEARTBEAT)


def test_an_answer_in_packets_is_put_together_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as node:
        node.bind(("127.0.0.1", 0))
        client = UdpClient("127.0.0.1", node.getsockname()[1], 5.0)
        request = request_bytes(OpCode.RESOLVE, HEARTBEAT)
        client.send(request)
        asked, address = node.recvfrom(65_536)
        body = ResolveAnswer(b"0", (Value(1, "TEXT", b"x" * 2_000),))
        answer = encode(reply(decode(asked), 1, body, serial=1, expiration_s=LATER_S))
        for packet in reversed(split(answer)):
            node.sendto(packet, address)
        assert decode(client.receive_raw(int.from_bytes(request[8:12]))).body == body
        client.close()


def test_a_stranger_on_loopback_has_an_address_of_its_own() -> None:
    addresses = set()
    for _ in range(3):
        client = UdpClient("127.0.0.1", 9, 1.0, from_stranger=True)
        assert client.is_stranger
        addresses.add(client.socket.getsockname()[0])
        client.close()
    assert len(addresses) == 3
    assert "127.0.0.1" not in addresses
