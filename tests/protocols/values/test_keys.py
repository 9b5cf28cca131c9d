"""HS_PUBKEY data, keys that verify, JSON Web Keys."""

import base64
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Malformed, ProtocolError, TooLarge, Unsupported
from protocols.values.data import TYPES
from protocols.values.jwk import (
    EcKey,
    OkpKey,
    jwk_text,
    key_from_jwk,
    key_from_jwk_text,
    key_to_jwk,
)
from protocols.values.key_objects import key_from_object, load_key
from protocols.values.keys import (
    DhKey,
    DsaKey,
    JwkKey,
    PemKey,
    RsaKey,
    decode_public_key,
    encode_public_key,
)
from tests.protocols.strategies import dsa_keys, keys, rsa_keys
from tests.protocols.values.hostile import assert_every_truncation_is_refused, survive_mutation
from tests.protocols.values.vectors import vector_bytes, vector_meaning

VECTOR = vector_bytes("data_hs_pubkey_rsa")
E_IN_VECTOR = int(vector_meaning("data_hs_pubkey_rsa")["e"], 16)
N_IN_VECTOR = int(vector_meaning("data_hs_pubkey_rsa")["n"], 16)

EC_KEY = ec.derive_private_key(0xB1A0, ec.SECP256R1()).public_key()
EC_PEM = EC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def spki_with_curve(curve_oid: str, point: bytes) -> str:
    """A SubjectPublicKeyInfo in PEM by hand, for curves that the cryptography package does not make."""

    def tlv(tag: int, content: bytes) -> bytes:
        size = len(content)
        return bytes([tag, size] if size < 128 else [tag, 0x81, size]) + content

    algorithm = tlv(0x30, bytes.fromhex("06072a8648ce3d0201") + tlv(6, bytes.fromhex(curve_oid)))
    body = base64.encodebytes(tlv(0x30, algorithm + tlv(3, b"\0" + point))).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n"


SM2_OFF_CURVE = spki_with_curve("2a811ccf5501822d", b"\4" + bytes(range(64)))
SM2_COMPRESSED = spki_with_curve("2a811ccf5501822d", b"\2" + bytes(range(32)))
BRAINPOOL = spki_with_curve("2b2403030208010107", b"\4" + bytes(range(64)))
ED25519_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
ED25519_PEM = ED25519_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


# the blob


def test_the_vector_is_an_rsa_key():
    assert decode_public_key(VECTOR) == RsaKey(E_IN_VECTOR, N_IN_VECTOR, bytes(4))
    assert encode_public_key(RsaKey(E_IN_VECTOR, N_IN_VECTOR)) == VECTOR


def test_a_key_without_the_four_zero_bytes_is_read_and_stays_without():
    key = decode_public_key(VECTOR[:-4])
    assert key == RsaKey(E_IN_VECTOR, N_IN_VECTOR, b"")
    assert encode_public_key(key) == VECTOR[:-4]


@given(keys)
def test_bytes_and_object_are_one(key):
    assert decode_public_key(encode_public_key(key)) == key


def test_an_integer_with_its_top_bit_set_gets_a_leading_zero():
    blob = encode_public_key(RsaKey(0x80, 0x7F, b""))
    assert blob[4 + 11 + 2 :].hex() == "000000020080000000017f"


def test_an_integer_written_without_its_leading_zero_is_still_positive():
    blob = (
        bytes.fromhex("0000000b") + b"RSA_PUB_KEY" + bytes.fromhex("0000 00000001 80 00000001 7f")
    )
    assert decode_public_key(blob) == RsaKey(0x80, 0x7F, b"")


def test_the_order_of_dsa_and_diffie_hellman_fields():
    dsa_blob = encode_public_key(DsaKey(q=1, p=2, g=3, y=4))
    assert [dsa_blob[-1 - 5 * n] for n in (3, 2, 1, 0)] == [1, 2, 3, 4]
    dh_blob = encode_public_key(DhKey(y=1, p=2, g=3))
    assert [dh_blob[-1 - 5 * n] for n in (2, 1, 0)] == [1, 2, 3]


def test_a_shortened_key_is_refused():
    zero_tails = {len(VECTOR) - n for n in range(1, 5)}
    assert_every_truncation_is_refused(decode_public_key, VECTOR, also_good=zero_tails)
    assert_every_truncation_is_refused(decode_public_key, encode_public_key(DsaKey(5, 6, 7, 8)))
    assert_every_truncation_is_refused(decode_public_key, encode_public_key(DhKey(5, 6, 7)))
    assert_every_truncation_is_refused(
        decode_public_key, encode_public_key(PemKey(EC_PEM, "EC_PUB_KEY"))
    )


@pytest.mark.parametrize("surplus", [b"\1", b"\0\0\0\0\0", b"\0\0\0\1"])
def test_surplus_other_than_a_few_zero_bytes_is_malformed(surplus):
    with pytest.raises(Malformed) as caught:
        decode_public_key(VECTOR[:-4] + surplus)
    assert caught.value.offset == len(VECTOR) - 4


def test_an_unknown_key_type_and_unknown_flags_are_unsupported():
    with pytest.raises(Unsupported):
        decode_public_key(VECTOR.replace(b"RSA_PUB_KEY", b"XYZ_PUB_KEY"))
    with pytest.raises(Unsupported):
        decode_public_key(VECTOR[:15] + b"\0\1" + VECTOR[17:])


def test_an_integer_above_8192_bits_is_too_large():
    decode_public_key(encode_public_key(RsaKey(3, 2**8192 - 1)))
    with pytest.raises(TooLarge):
        decode_public_key(encode_public_key(RsaKey(3, 2**8192)))


def test_an_integer_of_1025_bytes_without_sign_byte_is_too_large():
    blob = encode_public_key(RsaKey(3, 2**8192 - 1, b"")).replace(
        b"\0" + b"\xff" * 1024, b"\xff" * 1025
    )
    with pytest.raises(TooLarge):
        decode_public_key(blob)


def test_pem_text_alone_is_a_key():
    assert decode_public_key(EC_PEM.encode()) == PemKey(EC_PEM)
    assert encode_public_key(PemKey(EC_PEM)) == EC_PEM.encode()


def test_pem_text_has_a_limit_and_must_be_text():
    with pytest.raises(TooLarge):
        decode_public_key(b"-----BEGIN PUBLIC KEY-----" + b"A" * 8192)
    with pytest.raises(Malformed) as caught:
        decode_public_key(b"-----BEGIN \xff")
    assert caught.value.offset == 11


@given(keys, st.integers(0), st.binary(min_size=1, max_size=6))
def test_a_damaged_key_raises_only_protocol_errors(key, at, replacement):
    survive_mutation(decode_public_key, encode_public_key(key), at, replacement)


# keys that verify


def test_every_kind_of_key_loads_and_comes_back():
    rsa_object = load_key(decode_public_key(VECTOR))
    assert isinstance(rsa_object, rsa.RSAPublicKey)
    assert encode_public_key(key_from_object(rsa_object)) == VECTOR

    ec_object = load_key(PemKey(EC_PEM, "EC_PUB_KEY"))
    assert isinstance(ec_object, ec.EllipticCurvePublicKey)
    assert key_from_object(ec_object) == PemKey(EC_PEM)

    dsa_object = dsa.generate_private_key(1024).public_key()
    dsa_key = key_from_object(dsa_object)
    assert isinstance(dsa_key, DsaKey)
    assert load_key(dsa_key) == dsa_object


def test_a_diffie_hellman_key_verifies_nothing():
    with pytest.raises(Unsupported):
        load_key(DhKey(1, 2, 3))


def test_a_certificate_gives_its_key():
    pem = _self_signed_certificate()
    assert load_key(PemKey(pem)) == EC_KEY


@pytest.mark.parametrize("pem", [SM2_OFF_CURVE, SM2_COMPRESSED, BRAINPOOL])
def test_a_curve_that_is_not_spoken_or_a_point_beside_it_is_refused_not_a_crash(pem):
    with pytest.raises(ProtocolError):
        load_key(PemKey(pem, "SM2_PUB_KEY"))


def test_a_curve_nobody_signs_with_is_unsupported():
    public = ec.derive_private_key(7, ec.SECP256K1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(Unsupported, match="secp256k1"):
        load_key(PemKey(pem))


def test_an_ed25519_key_in_pem_loads_and_comes_back():
    loaded = load_key(PemKey(ED25519_PEM))
    assert isinstance(loaded, ed25519.Ed25519PublicKey)
    assert key_from_object(loaded) == PemKey(ED25519_PEM)


def test_a_kind_of_key_the_protocol_does_not_use_is_unsupported():
    public = x25519.X25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(Unsupported):
        load_key(PemKey(pem))


def test_a_short_rsa_key_is_refused():
    with pytest.raises(ProtocolError):
        load_key(RsaKey(65537, 2**511 + 111))


@pytest.mark.parametrize(
    "key",
    [
        RsaKey(0, 0),
        RsaKey(4, 2**1024 + 1),
        DsaKey(1, 2, 3, 4),
        PemKey("-----BEGIN nothing"),
        PemKey(""),
    ],
)
def test_numbers_that_make_no_key_raise_only_protocol_errors(key):
    with pytest.raises(ProtocolError):
        load_key(key)


@given(keys)
def test_any_decoded_key_loads_or_raises_protocol_errors(key):
    with suppress(ProtocolError):
        load_key(key)


# JSON Web Keys


def test_the_vector_as_a_jwk():
    jwk = key_to_jwk(decode_public_key(VECTOR))
    assert (jwk["kty"], jwk["e"]) == ("RSA", "AQAB")
    assert list(jwk) == ["kty", "n", "e"]
    assert "=" not in jwk["n"]
    assert encode_public_key(key_from_jwk(jwk)) == VECTOR


@given(rsa_keys | dsa_keys)
def test_jwk_and_key_are_one_but_for_the_spare_bytes(key):
    assert key_from_jwk(key_to_jwk(key))[:-1] == key[:-1]


@pytest.mark.parametrize(
    ("curve", "kind"), [("P-256", ec.SECP256R1), ("P-384", ec.SECP384R1), ("P-521", ec.SECP521R1)]
)
def test_a_point_as_a_jwk_is_the_key_it_was(curve, kind):
    public = ec.derive_private_key(0xB1A0, kind()).public_key()
    numbers, size = public.public_numbers(), (public.key_size + 7) // 8
    key = EcKey(curve, numbers.x.to_bytes(size), numbers.y.to_bytes(size))
    assert key_from_jwk(key_to_jwk(key)) == key
    assert load_key(JwkKey(jwk_text(key))) == public


def test_the_ed25519_key_of_rfc_8037_is_read():
    text = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
    x = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert key_from_jwk_text(text) == OkpKey("Ed25519", x)
    assert jwk_text(OkpKey("Ed25519", x)) == text
    loaded = load_key(decode_public_key(text.encode()))
    assert loaded == ed25519.Ed25519PublicKey.from_public_bytes(x)


def test_jwk_text_alone_is_a_key_and_travels_as_it_was_written():
    text = ' {"kty":"RSA"}'.lstrip() + " "
    assert decode_public_key(text.encode()) == JwkKey(text)
    assert encode_public_key(JwkKey(text)) == text.encode()
    vector = jwk_text(decode_public_key(VECTOR))
    spaced = vector.replace(",", ", ").replace("{", '{"kid": "mine", ')
    assert load_key(JwkKey(spaced)) == load_key(decode_public_key(VECTOR))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}',
        '{"a":' + "[" * 4000 + "]" * 4000 + "}",
        "{" + " " * 9000 + "}",
        '{"kty":"EC","crv":"P-256","x":"' + "A" * 43 + '","y":"' + "A" * 43 + '"}',
    ],
)
def test_json_text_that_is_no_public_key_is_refused_not_a_crash(text):
    with pytest.raises(ProtocolError):
        load_key(decode_public_key(text.encode()))


def test_a_private_key_as_json_text_is_no_value_of_a_record():
    private = '{"kty":"OKP","crv":"Ed25519","x":"' + "A" * 43 + '","d":"' + "A" * 43 + '"}'
    with pytest.raises(Malformed):
        TYPES["HS_PUBKEY"].decode(private.encode())


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "])
def test_a_private_key_in_pem_is_no_value_of_a_record(kind):
    pem = f"-----BEGIN {kind}PRIVATE KEY-----\nAAAA\n-----END {kind}PRIVATE KEY-----\n"
    for data in (pem.encode(), encode_public_key(PemKey(pem, "EC_PUB_KEY"))):
        with pytest.raises(Malformed, match="private"):
            TYPES["HS_PUBKEY"].decode(data)


def test_other_kinds_have_no_jwk():
    assert key_to_jwk(DhKey(1, 2, 3)) is None
    assert key_to_jwk(PemKey(EC_PEM)) is None


@pytest.mark.parametrize(
    ("jwk", "field"),
    [
        ({}, "kty"),
        ({"kty": "oct", "k": "AA"}, "kty"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "x"),
        ({"kty": "EC", "crv": "P-256", "x": "A" * 43}, "y"),
        ({"kty": "EC", "crv": "secp256k1", "x": "A" * 43, "y": "A" * 43}, "crv"),
        ({"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43, "d": "AA"}, "d"),
        ({"kty": "EC", "x": "A" * 43, "y": "A" * 43}, "crv"),
        ({"kty": "OKP", "crv": "X25519", "x": "A" * 43}, "crv"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "A" * 42}, "x"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "d": "A" * 43}, "d"),
        ({"kty": ["RSA"]}, "kty"),
        ({"kty": "RSA", "n": "AQAB"}, "e"),
        ({"kty": "RSA", "n": 5, "e": "AQAB"}, "n"),
        ({"kty": "RSA", "n": "", "e": "AQAB"}, "n"),
        ({"kty": "RSA", "n": "A", "e": "AQAB"}, "n"),
        ({"kty": "RSA", "n": "AQ AB", "e": "AQAB"}, "n"),
        ({"kty": "RSA", "n": "é", "e": "AQAB"}, "n"),
        ({"kty": "RSA", "n": "A" * 1367, "e": "AQAB"}, "n"),
        ({"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}, "d"),
        ({"kty": "DSA", "y": "AQ", "p": "AQ", "q": "AQ", "g": "AQ", "x": "AQ"}, "x"),
        ({"kty": "DSA", "y": "AQ", "p": "AQ", "q": "AQ"}, "g"),
    ],
)
def test_what_is_wrong_with_a_jwk_is_named(jwk, field):
    with pytest.raises(ProtocolError) as caught:
        key_from_jwk(jwk)
    assert caught.value.field == field


def test_the_longest_number_of_a_jwk_fits_the_blob():
    key = RsaKey(3, 2**8192 - 1)
    assert key_from_jwk(key_to_jwk(key)) == key
    assert decode_public_key(encode_public_key(key)) == key


def _self_signed_certificate() -> str:
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    private = ec.derive_private_key(0xB1A0, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "300:0.NA/88.118")])
    builder = x509.CertificateBuilder(name, name, private.public_key(), 7)
    builder = builder.not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
    builder = builder.not_valid_after(datetime(2035, 1, 1, tzinfo=UTC))
    return builder.sign(private, SHA256()).public_bytes(Encoding.PEM).decode()
