"""SM2: the example of the standard, what OpenSSL made, and the library's own arithmetic as judges of ours."""

import random
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from gmalg import SM2, SM3
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import Malformed, ProtocolError, Unsupported
from protocols.values import sm2, sm2_curve
from protocols.values.key_objects import key_from_object, load_key
from protocols.values.keys import PemKey

# GB/T 32918.5-2017, annex A.2: key pair, user id "1234567812345678", "message digest", and the k it was signed with.
NUMBER = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
PUBLIC = sm2.Sm2PublicKey(
    0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
    0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
)
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
EXAMPLE = sm2.Sm2PrivateKey(NUMBER, PUBLIC)

# `openssl pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:88.118.7/device -inkey …` of OpenSSL 3.0
OPENSSL_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEZ3Y44vJ95arS0OjBU3EWQDZxYWYA
Xbtlc8fQAbXUN5dwxUP/A3wa5LmPpHK0jDe+7SIxoJuDdg9SEsHuFpT5rw==
-----END PUBLIC KEY-----
"""
OPENSSL_SIGNATURE = bytes.fromhex(
    "3046022100fb1fa486ee72c8a29bbec1d1e9ef95284ec2310986a8dc06dc5fb52e13c9ea"
    "cb0221009353b1432ff8c95bfbd5f490208ffa71b269c889c8c59f3287f5084edcd45d38"
)


def chance(seed: int):
    return random.Random(seed).getrandbits


def test_the_standards_example_is_verified_and_made_again():
    signature = encode_dss_signature(R, S)
    assert sm2.verify(PUBLIC, b"message digest", signature)
    assert sm2.sign(EXAMPLE, b"message digest", sm2.DEFAULT_USER_ID, lambda _: K) == signature


def test_the_standards_example_of_sm3():
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm2.sm3(b"abc").hex() == expected
    digest = SM3()
    digest.update(b"abc")
    assert digest.value().hex() == expected


def test_what_openssl_signed_is_right_for_its_user_id_only():
    key = sm2.read_public_key(OPENSSL_KEY)
    assert sm2.verify(key, b"content of a challenge", OPENSSL_SIGNATURE, b"88.118.7/device")
    assert not sm2.verify(key, b"content of a challenge", OPENSSL_SIGNATURE)
    assert not sm2.verify(key, b"content of a Challenge", OPENSSL_SIGNATURE, b"88.118.7/device")


@given(st.binary(max_size=100), st.binary(min_size=1, max_size=40), st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_what_is_signed_is_right_by_the_library_and_by_us(content, user_id, seed):
    key = sm2.make_private_key(chance(seed))
    signature = sm2.sign(key, content, user_id, chance(seed + 1))
    assert sm2.verify(key.public, content, signature, user_id)
    assert not sm2.verify(key.public, content + b"\0", signature, user_id)
    point = key.public.x.to_bytes(32) + key.public.y.to_bytes(32)
    r, s = decode_dss_signature(signature)
    judge = SM2(uid=user_id, pk=b"\4" + point)
    assert judge.verify(content, r.to_bytes(32), s.to_bytes(32))


@given(st.integers(1, sm2_curve.N - 1), st.integers(1, sm2_curve.N - 1))
@settings(max_examples=10, deadline=None)
def test_sums_of_multiples_are_those_of_the_library(s, t):
    def times(number: int) -> int:
        return int.from_bytes(SM2().generate_pk(number.to_bytes(32))[1:33])

    total = (s + t * NUMBER) % sm2_curve.N
    assert sm2_curve.x_of_sum(s, t, tuple(PUBLIC)) == (times(total) if total else None)


def test_sums_that_meet_themselves_or_vanish_are_right():
    g = sm2_curve.G
    minus_g = (g[0], sm2_curve.P - g[1])
    twice = int.from_bytes(SM2().generate_pk((2).to_bytes(32))[1:33])
    assert sm2_curve.x_of_sum(1, 1, g) == twice  # an addition that is a doubling
    assert sm2_curve.x_of_sum(1, 1, minus_g) is None
    assert sm2_curve.x_of_sum(3, 1, minus_g) == twice
    assert sm2_curve.x_of_sum(sm2_curve.N - 1, 1, g) is None


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, S),
        (R, 0),
        (R + sm2_curve.N, S),
        (R, S + sm2_curve.N),
        (R, sm2_curve.N - R),
        (S, R),
        (1, 1),
    ],
)
def test_numbers_out_of_range_or_swapped_prove_nothing(r, s):
    assert not sm2.verify(PUBLIC, b"message digest", encode_dss_signature(r, s))


@pytest.mark.parametrize("signature", [b"", b"0", R.to_bytes(32) + S.to_bytes(32), bytes(72)])
def test_bytes_that_are_no_der_prove_nothing(signature):
    assert not sm2.verify(PUBLIC, b"message digest", signature)


def test_keys_come_back_from_their_text():
    assert sm2.read_public_key(sm2.write_public_key(PUBLIC)) == PUBLIC
    assert sm2.read_private_key(sm2.write_private_key(EXAMPLE)) == EXAMPLE
    assert load_key(PemKey(sm2.write_public_key(PUBLIC), "SM2_PUB_KEY")) == PUBLIC
    assert key_from_object(PUBLIC) == PemKey(sm2.write_public_key(PUBLIC))
    assert sm2.is_sm2_pem(sm2.write_private_key(EXAMPLE))


@given(st.integers(0, 400), st.binary(max_size=8))
def test_damaged_key_text_raises_only_protocol_errors(at, noise):
    text = sm2.write_public_key(PUBLIC)
    damaged = text[:at] + noise.decode("latin-1") + text[at + len(noise) :]
    for read in (sm2.read_public_key, sm2.read_private_key, sm2.is_sm2_pem):
        try:
            read(damaged)
        except ProtocolError:
            continue


def test_a_point_beside_the_curve_is_malformed():
    with pytest.raises(Malformed):
        sm2.read_public_key(sm2.write_public_key(PUBLIC._replace(y=PUBLIC.y ^ 1)))
    with pytest.raises(Malformed):
        sm2.read_public_key(sm2.write_public_key(sm2.Sm2PublicKey(0, 0)))


def test_a_user_id_whose_length_cannot_be_written_is_malformed():
    with pytest.raises(Malformed):
        sm2.sign(EXAMPLE, b"", b"u" * 8192, lambda _: K)


def test_without_the_extra_everything_says_how_to_get_it():
    program = (
        "import sys; sys.modules['gmalg'] = None\n"
        "from protocols.errors import Unsupported\n"
        "from protocols.values import sm2\n"
        "key = sm2.Sm2PublicKey(1, 2)\n"
        "assert not sm2.is_available()\n"
        "for call in (lambda: sm2.verify(key, b'', b''), lambda: sm2.make_private_key(None),\n"
        "             lambda: sm2.read_public_key(''), lambda: sm2.read_private_key('')):\n"
        "    try: call()\n"
        "    except Unsupported as error: assert 'biaojie[sm]' in str(error)\n"
        "    else: raise SystemExit('it should not work')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_private_number_out_of_range_is_malformed():
    for number in (0, sm2_curve.N - 1):
        with pytest.raises((Malformed, Unsupported)):
            sm2.read_private_key(sm2.write_private_key(EXAMPLE._replace(number=number)))
