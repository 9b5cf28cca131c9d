"""A message in several packets comes together in any order, and costs no more than it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, TooLarge
from protocols.handle.fragments import MAX_DATAGRAM_BYTES, Reassembly, split
from tests.fuzz.memory import peak_of, tracing
from tests.vectors.handle_vectors import FRAGMENTS, MESSAGES, bytes_of

REQUEST_ID = 7


def message_of(size: int, request_id: int = REQUEST_ID) -> bytes:
    payload = bytes(number % 251 for number in range(size))
    return (
        b"\2\x0b\2\x0b" + bytes(4) + request_id.to_bytes(4) + bytes(4) + size.to_bytes(4) + payload
    )


def put_together(packets: list[bytes]) -> bytes | None:
    reassembly, whole = Reassembly(REQUEST_ID), None
    for packet in packets:
        whole = reassembly.receive(packet)
    return whole


@given(st.integers(24, 6000), st.randoms(use_true_random=False))
def test_any_order_gives_the_message(size: int, random) -> None:
    message = message_of(size)
    packets = split(message)
    assert all(len(packet) <= MAX_DATAGRAM_BYTES for packet in packets)
    random.shuffle(packets)
    assert put_together(packets) == message


@pytest.mark.parametrize("size", [24, 491, 492, 493, 984, 985, 262_144])
def test_the_edges_of_packets(size: int) -> None:
    message = message_of(size)
    packets = split(message)
    assert len(packets) == -(-size // 492)
    assert put_together(packets[::-1]) == message


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_that_fits_is_one_packet_unchanged(name: str) -> None:
    data = bytes_of(name)
    if len(data) <= 512:
        assert split(data) == [data]
    assert Reassembly(int.from_bytes(data[8:12])).receive(data) == data


def test_packets_without_the_truncated_flag_are_put_together_too() -> None:
    packets = [packet[:2] + b"\2" + packet[3:] for packet in split(message_of(1000))]
    assert put_together(packets) == message_of(1000)


def test_a_repeated_packet_counts_once() -> None:
    first, second = split(message_of(700))
    assert put_together([first, first]) is None
    assert put_together([first, first, second]) == message_of(700)


def test_packets_of_other_requests_are_passed_over() -> None:
    reassembly = Reassembly(REQUEST_ID)
    assert reassembly.receive(bytes_of(FRAGMENTS[0])) is None
    assert put_together([bytes_of(FRAGMENTS[0]), *split(message_of(700))]) == message_of(700)


def changed(packet: bytes, at: int, replacement: bytes) -> bytes:
    return packet[:at] + replacement + packet[at + len(replacement) :]


PACKETS = split(message_of(1000))


@pytest.mark.parametrize(
    ("packet", "error"),
    [
        (PACKETS[0][:-1], Malformed),
        (PACKETS[0] + b"x", Malformed),
        (PACKETS[2] + b"x", Malformed),
        (changed(PACKETS[0], 12, (3).to_bytes(4)), Malformed),
        (changed(PACKETS[0], 12, b"\xff\xff\xff\xff"), Malformed),
        (changed(PACKETS[0], 16, (23).to_bytes(4)), Malformed),
        (changed(PACKETS[0], 16, (262_145).to_bytes(4)), TooLarge),
        (changed(PACKETS[0], 16, b"\xff\xff\xff\xff"), TooLarge),
        (PACKETS[0][:19], Malformed),
    ],
)
def test_a_packet_that_cannot_be_is_refused(packet: bytes, error: type) -> None:
    with pytest.raises(error):
        Reassembly(REQUEST_ID).receive(packet)


def test_packets_that_disagree_are_refused() -> None:
    reassembly = Reassembly(REQUEST_ID)
    reassembly.receive(PACKETS[0])
    with pytest.raises(Malformed):
        reassembly.receive(changed(PACKETS[1], 16, (999).to_bytes(4)))
    with pytest.raises(Malformed):
        reassembly.receive(changed(PACKETS[1], 4, b"\0\0\0\1"))


def test_a_first_packet_reserves_nothing_for_the_rest() -> None:
    first = split(message_of(262_144))[0]
    with tracing():
        reassembly = Reassembly(REQUEST_ID)
        assert peak_of(lambda: reassembly.receive(first)) < 16_384
