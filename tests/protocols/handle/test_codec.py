"""Every message of every version survives the way there and back; damaged ones give protocol errors only."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cursor import Reader
from protocols.errors import Malformed, ProtocolError, TooLarge, Unsupported
from protocols.handle import codec
from protocols.handle.codec import decode, decode_head, encode, encode_payload
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.encryption import decrypt
from protocols.handle.stream import MessageStream
from protocols.values.admin import decode_admin
from protocols.values.keys import decode_public_key
from protocols.values.site import decode_site
from protocols.values.value import read_value
from protocols.values.vlist import decode_vlist
from tests.fuzz.memory import allowance, peak_of, tracing
from tests.fuzz.mutations import mutations, with_right_length
from tests.protocols.handle.messages import (
    ANSWERS,
    FAILURE_CODES,
    REQUESTS,
    VERSIONS,
    messages_of,
)
from tests.vectors.handle_vectors import (
    ENCRYPTED,
    FRAGMENTS,
    MESSAGES,
    VECTORS,
    bytes_of,
    hex_of,
)

MUTATIONS = 200
EXAMPLES = settings().max_examples // 3
"""Per operation; there are twenty-two, each both ways."""
DECODERS = {
    **dict.fromkeys(MESSAGES, decode),
    **dict.fromkeys(FRAGMENTS, decode_head),
    ENCRYPTED: lambda data: decode(decrypt(data, hex_of(ENCRYPTED, "sessionKey"))),
    "value_url": lambda data: read_value(Reader(data)),
    "value_hs_admin": lambda data: decode_admin(read_value(Reader(data)).data),
    "value_hs_seckey": lambda data: read_value(Reader(data)),
    "value_abs_ttl_ref": lambda data: read_value(Reader(data)),
    "data_hs_vlist": decode_vlist,
    "data_hs_pubkey_rsa": decode_public_key,
    "data_hs_site": decode_site,
}
NOT_DECODED = {"server_selection_hash", "gs_value_digest_rule"}  # bare hashes


def assert_round_trip(message: codec.Message) -> None:
    data = encode(message)
    decoded = decode(data)
    expected = message._replace(
        envelope=message.envelope._replace(length=len(data) - 20),
        received=encode_payload(message),
    )
    assert decoded == expected
    assert type(decoded.body) is type(message.body)
    assert encode(decoded) == data


def test_tables_and_strategies_cover_every_operation() -> None:
    assert REQUESTS.keys() == codec.REQUESTS.keys() == set(OpCode)
    assert ANSWERS.keys() == codec.ANSWERS.keys() == set(OpCode)


@pytest.mark.parametrize("op_code", OpCode)
@given(data=st.data(), version=st.sampled_from(VERSIONS))
@settings(max_examples=EXAMPLES)
def test_requests_round_trip(op_code: int, data: st.DataObject, version: tuple[int, int]) -> None:
    assert_round_trip(data.draw(messages_of(op_code, ResponseCode.REQUEST, version)))


@pytest.mark.parametrize("op_code", OpCode)
@given(data=st.data(), version=st.sampled_from(VERSIONS))
@settings(max_examples=EXAMPLES)
def test_answers_round_trip(op_code: int, data: st.DataObject, version: tuple[int, int]) -> None:
    assert_round_trip(data.draw(messages_of(op_code, ResponseCode.SUCCESS, version)))


@given(
    data=st.data(),
    version=st.sampled_from(VERSIONS),
    op_code=st.one_of(st.sampled_from(OpCode), st.integers(0, 0xFFFFFFFF)),
    code=st.sampled_from(FAILURE_CODES),
)
@settings(max_examples=EXAMPLES * 6)
def test_failures_round_trip_whatever_the_operation(
    data: st.DataObject, version: tuple[int, int], op_code: int, code: int
) -> None:
    assert_round_trip(data.draw(messages_of(op_code, code, version)))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MESSAGES)
def test_a_vector_in_another_version_stays_itself(name: str, version: tuple[int, int]) -> None:
    data = bytes(version) + bytes_of(name)[2:]
    try:
        assert encode(decode(data)) == data
    except ProtocolError:
        # Codes of 2.5 read differently below; nothing else may change its meaning.
        assert name == "prefix_referral_303_values"
        assert version < (2, 5)


@given(st.binary(max_size=300))
def test_noise_is_a_protocol_error_or_a_message(data: bytes) -> None:
    for noise in (data, bytes((2, 11, 2, 11)) + data, with_right_length(b"\2\x0b\2\x0b" + data)):
        error = refusal_of(noise)
        if error is None:
            assert encode(decode(noise)) == noise
        else:
            assert error.reason
            assert -1 <= error.offset <= len(noise)


def refusal_of(data: bytes) -> ProtocolError | None:
    try:
        decode(data)
    except ProtocolError as error:
        return error
    return None


def test_every_vector_has_a_decoder_here() -> None:
    assert DECODERS.keys() | NOT_DECODED == VECTORS.keys()


@pytest.mark.parametrize("name", DECODERS)
def test_a_truncated_vector_is_a_protocol_error_at_every_length(name: str) -> None:
    data = bytes_of(name)
    for size in range(len(data)):
        try:
            DECODERS[name](data[:size])
        except ProtocolError:
            continue
        assert may_end_at(name, data, size)


def may_end_at(name: str, data: bytes, size: int) -> bool:
    """Fragments show their head before their end; an RSA key may lack its spare zero bytes."""
    if name in FRAGMENTS:
        return size >= 44
    return name == "data_hs_pubkey_rsa" and not any(data[size:])


@pytest.mark.parametrize("name", MESSAGES)
def test_a_truncated_body_under_a_fitting_envelope_is_refused_or_stays_itself(name: str) -> None:
    data = bytes_of(name)
    for size in range(len(data)):
        cut = with_right_length(data[:size])
        try:
            message = decode(cut)
        except ProtocolError:
            continue
        # The one whole message in it ends after the body: no credential length, as the SDK's login.
        assert encode(message) == cut
        assert size == 44 + int.from_bytes(data[40:44])
        assert message.credential is None
        assert not message.has_credential_length


@pytest.mark.parametrize("name", DECODERS)
def test_damaged_vectors_give_protocol_errors_only_and_cost_little_memory(name: str) -> None:
    decoder, decoded = DECODERS[name], 0
    with tracing():
        for damaged in mutations(bytes_of(name), MUTATIONS, name):
            for data in (damaged, with_right_length(damaged)):

                def attempt(data: bytes = data) -> bool:
                    try:
                        decoder(data)
                    except ProtocolError:
                        return False
                    return True

                peak = peak_of(attempt)
                decoded += attempt()
                assert peak <= allowance(len(data)), data.hex()
    assert decoded < 2 * MUTATIONS  # the damage is real


@pytest.mark.parametrize("name", MESSAGES)
def test_damaged_vectors_do_not_confuse_a_stream(name: str) -> None:
    for damaged in mutations(bytes_of(name), MUTATIONS, name):
        whole, bytewise = MessageStream(), MessageStream()
        got = whole.receive(damaged)
        assert [m for byte in damaged for m in bytewise.receive(bytes([byte]))] == got
        assert (whole.failure is None) == (bytewise.failure is None)
        assert whole.buffered_bytes <= len(damaged)


def body_message(op_code: int, body: bytes, response_code: int = 0, flags: int = 0) -> bytes:
    numbers = (op_code, response_code, flags, 0, 0, len(body))
    header = b"".join(number.to_bytes(4) for number in numbers)
    return with_right_length(b"\2\x0b\2\x0b" + bytes(16) + header + body + bytes(4))


EMPTY_HANDLE = bytes(4)


@pytest.mark.parametrize(
    ("op_code", "response_code", "body"),
    [
        (1, 0, EMPTY_HANDLE + (2048).to_bytes(4) + b"\x7f\xff\xff\xff" * 2048 + bytes(4)),
        (1, 0, EMPTY_HANDLE + bytes(4) + (2048).to_bytes(4) + bytes(4) * 2048),
        (1, 1, EMPTY_HANDLE + (2048).to_bytes(4) + bytes(26) * 2048),
        (100, 0, EMPTY_HANDLE + (1).to_bytes(4) + bytes(14) + bytes(4) + bytes(4)
         + (256).to_bytes(4) + bytes(8) * 256),
        (105, 1, (4096).to_bytes(4) + bytes(4) * 4096),
        (2, 1, b"s" * 262_000),
        (1, 2, bytes(4) + b"x" * 100_000),
    ],
)  # fmt: skip
def test_the_smallest_items_in_the_largest_number_cost_a_small_multiple(
    op_code: int, response_code: int, body: bytes
) -> None:
    data = body_message(op_code, body, response_code)
    with tracing():
        assert peak_of(lambda: decode(data)) <= allowance(len(data))


@pytest.mark.parametrize("lie", [0xFFFFFFFF, 0x7FFFFFFF, 0x10000000, 2049])
@pytest.mark.parametrize(
    ("op_code", "response_code", "before"),
    [
        (1, 0, b""),
        (1, 0, EMPTY_HANDLE),
        (1, 0, EMPTY_HANDLE + bytes(4)),
        (1, 1, EMPTY_HANDLE),
        (100, 0, EMPTY_HANDLE),
        (103, 0, EMPTY_HANDLE),
        (105, 1, b""),
        (200, 0, bytes(4)),
        (201, 0, EMPTY_HANDLE + bytes(4)),
        (400, 0, b"\0\4" + bytes(4) + EMPTY_HANDLE + bytes(4)),
        (402, 0, b""),
        (1001, 0, b"\1"),
        (1, 302, EMPTY_HANDLE),
    ],
)
def test_a_length_or_count_that_lies_allocates_nothing(
    op_code: int, response_code: int, before: bytes, lie: int
) -> None:
    data = body_message(op_code, before + lie.to_bytes(4) + bytes(64), response_code)
    with pytest.raises((Malformed, TooLarge)), tracing():
        assert peak_of(lambda: decode(data)) <= allowance(len(data))


def test_more_than_the_limits_is_too_large() -> None:
    many = (2049).to_bytes(4) + bytes(4) * 2049
    for body in (EMPTY_HANDLE + many + bytes(4), EMPTY_HANDLE + bytes(4) + many):
        with pytest.raises(TooLarge):
            decode(body_message(1, body))
    with pytest.raises(TooLarge):
        decode(body_message(1, (2049).to_bytes(4) + bytes(2049) + bytes(8)))
    with pytest.raises(TooLarge):
        decode(body_message(105, (4097).to_bytes(4) + bytes(4) * 4097, 1))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", Malformed),
        (bytes_of("delete_request")[:43], Malformed),
        (bytes_of("delete_request") + b"\0", Malformed),
        (b"\2\0" + bytes_of("delete_request")[2:], Unsupported),
        (b"\1\x0b" + bytes_of("delete_request")[2:], Unsupported),
        (b"\4\0" + bytes_of("delete_request")[2:], Unsupported),
        (b"\2\x0b\x82" + bytes_of("delete_request")[3:], Unsupported),
        (b"\2\x0b\x42" + bytes_of("delete_request")[3:], Unsupported),
        (body_message(999, b""), Unsupported),
        (body_message(999, b"", 1), Unsupported),
        (body_message(400, b"\0\5" + bytes(16)), Unsupported),
        (body_message(1, b"\4" + bytes(40), 1, 0x00800000), Unsupported),
    ],
)
def test_what_is_not_spoken_is_refused_with_its_reason(data: bytes, error: type) -> None:
    with pytest.raises(error) as caught:
        decode(data)
    assert caught.value.reason


def test_a_bad_body_still_shows_its_head() -> None:
    data = body_message(1, b"\xff" * 8)
    with pytest.raises(Malformed):
        decode(data)
    head = decode_head(data)
    assert (head.header.op_code, head.received) == (1, data[20:-4])


def test_a_login_without_credential_length_is_an_empty_credential() -> None:
    message = decode(bytes_of("sdk_e2e_login_2001_request"))
    assert message.credential is None
    assert not message.has_credential_length


def test_the_sdk_token_is_surplus_of_the_question() -> None:
    body = decode(bytes_of("sdk_resolution_request_trailing")).body
    assert (body.handle, body.surplus) == (b"20.500.99999/Ab1", bytes(4))


def test_surplus_after_any_last_field_is_kept() -> None:
    for name in MESSAGES:
        data = bytes_of(name)
        body_length = int.from_bytes(data[40:44])
        end = 44 + body_length
        longer = data[:40] + (body_length + 3).to_bytes(4) + data[44:end] + b"\xaa" * 3 + data[end:]
        if name == "prefix_referral_303_values":
            assert decode(with_right_length(longer)).body.surplus == b"\xaa" * 3
        if name == "service_referral_302":
            continue  # what follows the handle there is a value list, and three bytes are none
        assert encode(decode(with_right_length(longer))) == with_right_length(longer)


@pytest.mark.parametrize("padding", [b"", b"\0\0"])
def test_session_setup_is_read_with_and_without_its_two_zero_bytes(padding: bytes) -> None:
    message = decode(bytes_of("session_setup_request_dh"))
    data = encode(message._replace(body=message.body._replace(surplus=padding)))
    assert decode(data).body._replace(surplus=b"") == message.body._replace(surplus=b"")
    assert encode(decode(data)) == data


def test_response_code_303_below_2_5_is_read_only_with_a_message() -> None:
    data = bytearray(bytes_of("error_100_with_request_digest"))
    data[1], data[24:28] = 4, (303).to_bytes(4)
    assert decode(bytes(data)).body.text == "HANDLE NOT FOUND"


def test_version_3_errors_may_list_indexes() -> None:
    data = body_message(104, b"\0\0\0\2no" + b"\0\0\0\2\0\0\0\7\0\0\0\x09", 202)
    assert decode(b"\3\0\3\0" + data[4:]).body.indexes == (7, 9)
    old = decode(data).body
    assert (old.indexes, old.surplus) == (None, b"\0\0\0\2\0\0\0\7\0\0\0\x09")


def test_a_challenge_begins_with_the_digest_even_without_its_flag() -> None:
    data = bytearray(bytes_of("challenge_402"))
    data[28:32] = (0x19000000).to_bytes(4)
    message = decode(bytes(data))
    assert message.digest == decode(bytes_of("challenge_402")).digest
    assert message.body == decode(bytes_of("challenge_402")).body
    assert encode(message) == bytes(data)
