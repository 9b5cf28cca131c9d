"""The registrar's wire format: everything survives the trip, nothing is believed about sizes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.registrar_client import split_submissions
from node.registrar_wire import (
    MAX_FRAME_BYTES,
    MAX_LOAD_BYTES,
    MAX_SUBMISSIONS,
    FrameBuffer,
    encode_frame,
    pack_load,
    pack_receipts,
    pack_submissions,
    unpack_load,
    unpack_load_receipt,
    unpack_receipts,
    unpack_submissions,
)
from protocols.errors import Malformed, ProtocolError, TooLarge
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome, Principal, Receipt
from protocols.values.value import Reference, Value
from registry.loading import Load, LoadReceipt
from registry.registrar import Submission
from registry.stores.store import Note

texts = st.text(max_size=12)
values = st.builds(
    Value,
    st.integers(-1, 2**32),
    texts,
    st.binary(max_size=40),
    st.integers(0, 2**32),
    st.integers(0, 3),
    st.integers(0, 15),
    st.integers(0, 2**32),
    st.lists(st.builds(Reference, texts, st.integers(0, 9)), max_size=2).map(tuple),
)
commands = st.builds(
    Command,
    st.sampled_from(Operation),
    st.sampled_from(["88.118/a", "88.118", "0.NA/88.118", "88.118/é/%2F//.."]).map(
        parse_identifier
    ),
    st.lists(values, max_size=3).map(tuple),
    st.lists(st.integers(-1, 9), max_size=3).map(tuple),
    st.booleans(),
    st.none() | st.integers(0, 9),
    texts,
    st.booleans(),
    st.integers(0, 90),
)
submissions = st.builds(
    Submission, st.builds(Principal, texts, st.integers(0, 9), st.booleans()), commands, texts
)
receipts = st.builds(
    Receipt, st.sampled_from(Outcome), st.integers(0, 9), st.integers(0, 2**60), st.booleans(),
    st.booleans(), texts, texts,
)  # fmt: skip


def trip(payload: object) -> object:
    (frame,) = FrameBuffer().receive(encode_frame(1, "x", payload))
    return frame.payload


@given(st.lists(submissions, max_size=4))
def test_submissions_arrive_as_they_were_sent(sent: list[Submission]) -> None:
    assert unpack_submissions(trip(pack_submissions(sent))) == sent


@given(st.lists(receipts, max_size=4))
def test_receipts_arrive_as_they_were_sent(sent: list[Receipt]) -> None:
    assert unpack_receipts(trip(pack_receipts(sent))) == sent


def test_loads_and_their_receipts_arrive_as_they_were_sent() -> None:
    load = Load(OPERATOR, "f.csv", b"88.118", [(b"a", b"\0\0\0\0")], (1, 2), (Note(b"n", b"v"),))
    assert unpack_load(trip(pack_load(load))) == load
    receipt = LoadReceipt(b"rx", {1: "why"}, 7)
    assert unpack_load_receipt(trip(receipt)) == receipt


def test_text_that_is_no_unicode_reaches_the_rules_instead_of_breaking_the_wire() -> None:
    command = Command(Operation.PUT, parse_identifier("88.118/a"), (Value(1, "\ud800", b""),))
    sent = [Submission(OPERATOR, command, "test")]
    assert unpack_submissions(trip(pack_submissions(sent))) == sent


@given(st.lists(st.tuples(st.integers(0, 99), st.binary(max_size=30)), max_size=5), st.data())
def test_frames_cut_anywhere_come_out_whole_and_in_order(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(encode_frame(id_, "k", payload) for id_, payload in sent)
    buffer, got = FrameBuffer(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += [(frame.id, frame.payload) for frame in buffer.receive(stream[:size])]
        stream = stream[size:]
    assert got == sent


def test_a_length_above_the_limit_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(TooLarge):
        list(FrameBuffer().receive((MAX_FRAME_BYTES + 1).to_bytes(4)))


@given(st.binary(max_size=60))
def test_garbage_in_a_frame_raises_protocol_errors_only(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        for frame in FrameBuffer().receive(len(body).to_bytes(4) + body):
            for unpack in (unpack_submissions, unpack_receipts, unpack_load, unpack_load_receipt):
                with contextlib.suppress(ProtocolError):
                    unpack(frame.payload)


@given(
    st.recursive(st.none() | st.integers() | st.binary(max_size=3) | texts, st.lists, max_leaves=12)
)
def test_wrong_shapes_raise_protocol_errors_only(payload: object) -> None:
    for unpack in (unpack_submissions, unpack_receipts, unpack_load, unpack_load_receipt):
        with contextlib.suppress(ProtocolError):
            unpack(payload)


def test_too_many_commands_in_a_frame_are_refused() -> None:
    command = Command(Operation.DELETE, parse_identifier("88.118/a"))
    many = [Submission(OPERATOR, command, "t")] * (MAX_SUBMISSIONS + 1)
    with pytest.raises(TooLarge):
        unpack_submissions(trip(pack_submissions(many)))


def test_a_load_above_its_bytes_is_refused_where_it_is_packed() -> None:
    rows = [(b"a", bytes(MAX_LOAD_BYTES))]
    with pytest.raises(TooLarge, match="send fewer rows"):
        pack_load(Load(OPERATOR, "s", b"88.118", rows, (1,)))


@given(st.lists(st.integers(0, 300_000), max_size=40))
def test_batches_fit_a_frame_and_lose_nothing(sizes: list[int]) -> None:
    all_ = [
        Submission(
            OPERATOR,
            Command(Operation.PUT, parse_identifier(f"88.118/{n}"), (Value(1, "T", bytes(size)),)),
            "t",
        )
        for n, size in enumerate(sizes)
    ]
    batches = list(split_submissions(all_))
    assert [s for batch in batches for s in batch] == all_
    for batch in batches:
        encode_frame(1, "submit", pack_submissions(batch))


def test_a_payload_of_the_wrong_kind_is_malformed() -> None:
    with pytest.raises(Malformed):
        unpack_submissions(7)
