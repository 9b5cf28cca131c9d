"""The fast path says exactly what the codec says, or leaves the datagram to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.handle.codec import Message, decode, encode
from protocols.handle.codes import AUTH, RECU, OpCode
from protocols.handle.envelope import Envelope, accept
from protocols.handle.fast import (
    plain_answer,
    plain_error,
    plain_question,
    remembered_question,
)
from protocols.handle.header import Header
from protocols.handle.replies import error_reply, reply
from protocols.handle.resolution import ResolveAnswer, ResolveRequest
from protocols.values.value_list import encode_values
from tests.fuzz.mutations import mutations, with_right_length
from tests.protocols.handle.messages import messages_of, u8, u16, u32, values
from tests.vectors.handle_vectors import MESSAGES, VECTORS, bytes_of

PLAIN_VECTORS = {"udp_resolution_request", "sdk_resolution_request_trailing"}
FREE_FLAGS = (
    0x80000000 | 0x10000000 | 0x08000000 | 0x02000000 | 0x00400000 | 0x00200000 | 0x00100000
)

plain_requests = st.builds(
    lambda minor, suggested, ids, flags, rest, handle, surplus: Message(
        Envelope(2, minor, 0, *suggested, *ids),
        Header(OpCode.RESOLVE, 0, 0x01000000 | flags & FREE_FLAGS, *rest),
        ResolveRequest(handle, surplus=surplus),
    ),
    st.integers(1, 15),
    st.one_of(st.just((0, 0)), st.tuples(st.just(2), st.integers(1, 15)), st.just((3, 0))),
    st.tuples(u32, u32),
    u32,
    st.tuples(u16, u8, u8, u32),
    st.binary(max_size=60),
    st.sampled_from((b"", bytes(4))),
)


def assert_agrees(datagram: bytes, values_: tuple = ()) -> bool:
    """Whether the fast path takes the datagram; if so, the codec must read and answer the same."""
    question = plain_question(datagram)
    if question is None:
        return False
    request = decode(datagram)
    body = request.body
    assert isinstance(body, ResolveRequest)
    assert body.handle == question[0]
    assert (body.indexes, body.types, request.credential) == ((), (), None)
    assert request.header.op_flags & 0x61800000 == 0x01000000
    answer = plain_answer(question, encode_values(values_), 1, 1_778_384_896)
    slow = reply(
        request, 1, ResolveAnswer(body.handle, values_), serial=1, expiration_s=1_778_384_896
    )
    assert answer == encode(slow)
    return True


@given(plain_requests, values)
@settings(max_examples=settings().max_examples * 4)
def test_plain_questions_are_taken_and_answered_as_the_codec_would(
    request: Message, values_: tuple
) -> None:
    assert assert_agrees(encode(request), values_)


@given(
    st.data(), st.sampled_from([(2, n) for n in range(1, 12)] + [(3, 0)]), st.sampled_from(OpCode)
)
def test_any_other_request_is_left_or_read_the_same(
    data: st.DataObject, version: tuple[int, int], op_code: int
) -> None:
    assert_agrees(encode(data.draw(messages_of(op_code, 0, version))))


@given(plain_requests, st.data())
@settings(max_examples=settings().max_examples * 4)
def test_a_plain_question_with_one_byte_changed_is_left_or_read_the_same(
    request: Message, data: st.DataObject
) -> None:
    datagram = bytearray(encode(request))
    datagram[data.draw(st.integers(0, len(datagram) - 1))] = data.draw(u8)
    assert_agrees(bytes(datagram))


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_of_the_vectors_only_plain_questions_are_taken(name: str) -> None:
    assert (plain_question(bytes_of(name)) is not None) == (name in PLAIN_VECTORS)
    if name in PLAIN_VECTORS:
        assert assert_agrees(bytes_of(name))


@pytest.mark.parametrize("name", sorted(PLAIN_VECTORS))
def test_damaged_questions_are_left_or_read_the_same(name: str) -> None:
    taken = 0
    for damaged in mutations(bytes_of(name), 3000, name):
        for datagram in (damaged, with_right_length(damaged)):
            taken += assert_agrees(datagram)
            try:
                decode(datagram)
            except ProtocolError:
                assert plain_question(datagram) is None
    assert 0 < taken < 3000


@pytest.mark.parametrize("name", MESSAGES)
def test_a_truncated_message_is_left_to_the_codec(name: str) -> None:
    for size in range(len(bytes_of(name))):
        assert plain_question(bytes_of(name)[:size]) is None


@pytest.mark.parametrize(
    ("size", "is_taken"), [(2047, True), (2048, True), (2049, False), (2052, False)]
)
def test_a_handle_longer_than_allowed_is_left_to_the_codec(size: int, is_taken: bool) -> None:
    message = Message(Envelope(), Header(1), ResolveRequest(b"h" * size))
    assert (plain_question(encode(message)) is not None) == is_taken


def test_what_is_plain_is_acceptable() -> None:
    for name in PLAIN_VECTORS:
        assert accept(bytes_of(name)).response_code == 0


def test_the_captured_answer_is_made_but_for_the_primary_flag() -> None:
    question = plain_question(bytes_of("udp_resolution_request"))
    reference = bytes_of("udp_resolution_response")
    answer = plain_answer(question, reference[64:-4], 1, 0x6A000000)
    assert answer[:28] + b"\x19" + answer[29:] == reference


def assert_remembered_agrees(datagram: bytes, values_: tuple = ()) -> None:
    """A cache answers who lets us ask and does not insist on authority, as the codec would without AUTH."""
    question = plain_question(datagram)
    assert question is not None
    remembered = remembered_question(datagram, question)
    request = decode(datagram)
    flags = request.header.op_flags
    may = bool(flags & RECU) and not flags & AUTH and not request.header.recursion_count
    assert (remembered is not None) == may
    if remembered is None:
        return
    made = ResolveAnswer(question[0], values_)
    slow = reply(request, 1, made, serial=3, expiration_s=1_778_384_896, is_authoritative=False)
    assert not slow.header.op_flags & AUTH
    assert plain_answer(remembered, encode_values(values_), 3, 1_778_384_896) == encode(slow)


@given(plain_requests, values, st.booleans())
@settings(max_examples=settings().max_examples * 4)
def test_a_cache_answers_as_the_codec_would_without_auth(
    request: Message, values_: tuple, was_forwarded: bool
) -> None:
    if not was_forwarded:
        request = request._replace(header=request.header._replace(recursion_count=0))
    assert_remembered_agrees(encode(request), values_)


@given(plain_requests)
def test_an_answer_that_is_not_authoritative_never_says_so_even_to_who_asked_for_it(
    request: Message,
) -> None:
    for is_authoritative in (False, True):
        told = reply(
            request,
            1,
            ResolveAnswer(b"x/y", ()),
            serial=1,
            expiration_s=9,
            is_authoritative=is_authoritative,
        )
        assert bool(told.header.op_flags & AUTH) is is_authoritative
        assert told.header.op_flags & RECU


@settings(max_examples=60)
@given(plain_requests, st.sampled_from((3, 100, 301)), st.text(max_size=40))
def test_a_short_refusal_is_the_codecs_refusal(message: Message, code: int, text: str) -> None:
    datagram = encode(message)
    question = plain_question(datagram)
    assert question is not None
    slow = error_reply(decode(datagram), code, text, serial=7, expiration_s=1_778_384_896)
    short = plain_error(question, code.to_bytes(4), text.encode(), 7, 1_778_384_896)
    assert short == encode(slow)
