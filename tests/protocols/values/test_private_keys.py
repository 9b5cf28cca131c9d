"""Key files of Handle.Net, plain and with a passphrase."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cursor import Writer
from protocols.errors import Malformed, ProtocolError, TooLarge, Unsupported
from protocols.values.private_keys import decode_key_file, is_encrypted


def counted(writer, data):
    writer.write_u32(len(data))
    writer.write_bytes(data)


def blob(key_type, *numbers, flags=0):
    writer = Writer()
    counted(writer, key_type)
    writer.write_u16(flags)
    for number in numbers:
        counted(writer, number.to_bytes(number.bit_length() // 8 + 1, signed=True))
    return writer.finish()


def plain(data):
    return bytes([0, 0, 0, 1]) + data


def locked(data, passphrase=b"open", iterations=1000, bits=128, iv=bytes(16)):
    key = hashlib.pbkdf2_hmac("sha1", passphrase, b"salt", iterations, bits // 8 or 1)
    pad = 16 - len(data) % 16
    cipher = Cipher(algorithms.AES(key.ljust(16)[:32]), modes.CBC(bytes(16))).encryptor()
    ciphertext = cipher.update(data + bytes([pad]) * pad) + cipher.finalize()
    writer = Writer()
    writer.write_u32(4)
    counted(writer, b"salt")
    writer.write_u32(iterations)
    writer.write_u32(bits)
    counted(writer, iv)
    counted(writer, ciphertext)
    return writer.finish()


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65_537, 2048)


@pytest.fixture(scope="module")
def rsa_blob(rsa_key):
    n = rsa_key.private_numbers()
    return blob(
        b"RSA_PRIVCRT_KEY", n.public_numbers.n, n.public_numbers.e, n.d, n.p, n.q, n.dmp1, n.dmq1, n.iqmp
    )  # fmt: skip


def test_an_rsa_key_without_passphrase(rsa_key, rsa_blob):
    assert decode_key_file(plain(rsa_blob)).private_numbers() == rsa_key.private_numbers()
    assert not is_encrypted(plain(rsa_blob))


@pytest.mark.parametrize("bits", [128, 256])
def test_an_rsa_key_with_passphrase(rsa_key, rsa_blob, bits):
    data = locked(rsa_blob, bits=bits)
    assert is_encrypted(data)
    assert decode_key_file(data, b"open").private_numbers() == rsa_key.private_numbers()


def test_a_dsa_key():
    key = dsa.generate_private_key(1024)
    numbers = key.private_numbers()
    group = numbers.public_numbers.parameter_numbers
    data = plain(blob(b"DSA_PRIV_KEY", numbers.x, group.p, group.q, group.g))
    assert decode_key_file(data).private_numbers() == numbers


def test_a_wrong_passphrase_is_said_to_be_one(rsa_blob):
    wrong = 0
    for word in (b"a", b"b", b"c"):  # one in 256 paddings happens to be right; then the key is none
        with pytest.raises(ProtocolError) as caught:
            decode_key_file(locked(rsa_blob), word)
        wrong += "does not open" in str(caught.value)
    assert wrong


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda data: locked(data), Unsupported),  # no passphrase
        (lambda data: bytes([0, 0, 0, 2]) + data, Unsupported),
        (lambda data: plain(blob(b"RSA_PRIV_KEY", 1)), Unsupported),
        (lambda data: plain(blob(b"RSA_PRIVCRT_KEY", 1, flags=1)), Unsupported),
        (lambda data: plain(data[:-1]), Malformed),
        (lambda data: plain(blob(b"RSA_PRIVCRT_KEY", *range(3, 11))), Malformed),
        (lambda data: plain(bytes(70_000)), TooLarge),
    ],
)
def test_what_is_no_key_file_is_refused(rsa_blob, make, error):
    with pytest.raises(error):
        decode_key_file(make(rsa_blob))


@pytest.mark.parametrize(
    ("field", "value"), [("iterations", 2_000_000), ("bits", 64), ("iv", bytes(8))]
)
def test_a_costly_or_odd_encryption_is_refused_before_the_work(rsa_blob, field, value):
    good = locked(rsa_blob)
    if field == "iv":
        data = locked(rsa_blob, iv=value)
    else:
        at = 4 + 4 + 4 + (0 if field == "iterations" else 4)
        data = good[:at] + value.to_bytes(4) + good[at + 4 :]
    with pytest.raises((TooLarge, Malformed)):
        decode_key_file(data, b"open")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_bring_nothing_but_protocol_errors(data):
    for candidate in (data, plain(data), plain(blob(b"RSA_PRIVCRT_KEY") + data)):
        try:
            decode_key_file(candidate)
        except ProtocolError:
            continue
