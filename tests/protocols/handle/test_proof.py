"""Every MAC, derived key, signature, shared secret and ciphertext of the vectors, recomputed; wrong ones refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
    rsa_recover_prime_factors,
)

from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.handle import proof, signing
from protocols.handle.codec import decode, encode, encode_payload
from protocols.handle.digest import digest_matches, request_digest
from protocols.handle.encryption import decrypt, session_key, shared_secret
from protocols.handle.macs import HMAC_SHA1, HMAC_SHA256, MD5, SHA1, SHA256, mac
from protocols.handle.sessions import CIPHER_AES, read_dh_answer
from protocols.handle.signatures import verify
from protocols.values.keys import decode_public_key
from protocols.values.site import decode_site
from tests.vectors.handle_vectors import ENCRYPTED, VECTORS, bytes_of, hex_of, payload_of

SECRET = b"s3cret"
CHALLENGE = decode(bytes_of("challenge_402"))
CONTENT = proof.challenge_content(CHALLENGE.body.nonce, CHALLENGE.digest.value)


def load_key(key):
    return RSAPublicNumbers(key.e, key.n).public_key()


TEST_KEY = load_key(decode_public_key(bytes_of("data_hs_pubkey_rsa")))
SDK_KEY = load_key(
    decode_public_key(
        decode_site(decode(bytes_of("sdk_e2e_site_info_response")).body.site).servers[0].public_key
    )
)


def private_test_key():
    said = VECTORS["data_hs_pubkey_rsa"].decoded
    e, n, d = (int(said[field], 16) for field in ("e", "n", "d_for_tests"))
    p, q = rsa_recover_prime_factors(n, e, d)
    crt = rsa_crt_dmp1(d, p), rsa_crt_dmq1(d, q), rsa_crt_iqmp(p, q)
    return RSAPrivateNumbers(p, q, d, *crt, RSAPublicNumbers(e, n)).private_key()


@pytest.mark.parametrize(
    ("answer", "request_"),
    [
        ("error_100_with_request_digest", "resolution_request_filtered_auth_rrdg"),
        ("challenge_402", "create_request_overwrite"),
        ("resolution_response_signed", "resolution_request_certify"),
        ("sdk_e2e_login_challenge", "sdk_e2e_login_2001_request"),
        ("classic_e2e_session_setup_response_signed", "classic_e2e_session_setup_request"),
        ("classic_e2e_challenge_in_session", "classic_e2e_create_in_session"),
    ],
)
def test_the_request_digest_is_over_header_and_body_as_received(answer: str, request_: str) -> None:
    request, message = decode(bytes_of(request_)), decode(bytes_of(answer))
    assert request.received == payload_of(request_)
    assert message.digest == request_digest(message.envelope.version, request.received)
    assert digest_matches(message.digest, payload_of(request_))
    assert not digest_matches(message.digest, payload_of(request_) + b"\0")


@pytest.mark.parametrize(
    ("version", "type_", "size"),
    [((2, 1), 2, 20), ((2, 6), 2, 20), ((2, 7), 3, 32), ((2, 11), 3, 32), ((3, 0), 3, 32)],
)
def test_the_digest_follows_the_version(version: tuple[int, int], type_: int, size: int) -> None:
    digest = request_digest(version, b"payload")
    assert (digest.type, len(digest.value)) == (type_, size)


def test_a_digest_over_a_surplus_request_includes_the_surplus() -> None:
    data = bytes_of("sdk_resolution_request_trailing")
    assert decode(data).received == data[20:-4]


@pytest.mark.parametrize("code", ["02", "03", "12", "13"])
def test_mac_answers_of_the_vectors_are_right(code: str) -> None:
    name = f"answer_hs_seckey_alg_{code}"
    signed = decode(bytes_of(name)).body.signed_response
    parsed = proof.decode_secret_proof(signed)
    assert parsed.code == int(code, 16)
    assert parsed.mac == hex_of(name, "mac") == mac(parsed.code, SECRET, CONTENT)
    assert proof.encode_secret_proof(parsed) == signed
    assert proof.secret_is_right(parsed, SECRET, CONTENT)
    assert not proof.secret_is_right(parsed, b"s3creT", CONTENT)
    assert not proof.secret_is_right(parsed, SECRET, CONTENT[:-1] + b"\0")
    assert not proof.secret_is_right(parsed._replace(mac=b""), SECRET, CONTENT)


def test_the_pbkdf2_answer_of_the_vectors_is_right_and_made_again() -> None:
    name = "answer_hs_seckey_pbkdf2"
    signed = decode(bytes_of(name)).body.signed_response
    parsed = proof.decode_secret_proof(signed)
    said = VECTORS[name].decoded
    assert parsed.derivation == proof.Derivation(
        hex_of(name, "salt"), said["iterations"], said["keyBits"]
    )
    assert proof.derive_key(SECRET, parsed.derivation) == hex_of(name, "derivedKey")
    assert parsed.mac == hex_of(name, "mac")
    assert proof.secret_is_right(parsed, SECRET, CONTENT)
    assert not proof.secret_is_right(parsed, b"other", CONTENT)
    assert proof.prove_secret((2, 11), SECRET, CONTENT, parsed.derivation.salt) == signed
    assert proof.encode_secret_proof(parsed) == signed


def test_the_verify_request_carries_the_same_proof() -> None:
    body = decode(bytes_of("verify_auth_request")).body
    parsed = proof.decode_secret_proof(body.signed_response)
    content = proof.challenge_content(body.nonce, body.digest_value)
    assert proof.secret_is_right(parsed, SECRET, content)


def test_a_client_below_2_7_proves_with_sha1() -> None:
    signed = proof.prove_secret((2, 6), SECRET, CONTENT, b"")
    assert signed == decode(bytes_of("answer_hs_seckey_alg_02")).body.signed_response


def test_md5_proves_nothing() -> None:
    assert len(mac(MD5, SECRET, CONTENT)) == 16
    with pytest.raises(Unsupported):
        proof.decode_secret_proof(bytes([MD5]) + mac(MD5, SECRET, CONTENT))


def test_mac_functions_differ_and_have_their_lengths() -> None:
    codes = (MD5, SHA1, SHA256, HMAC_SHA1, HMAC_SHA256)
    macs = [mac(code, b"key", b"data") for code in codes]
    assert [len(m) for m in macs] == [16, 20, 32, 20, 32]
    assert len(set(macs)) == 5
    with pytest.raises(Unsupported):
        mac(0x22, b"key", b"data")


def derivation(salt: int, iterations: int, key_bits: int) -> bytes:
    numbers = iterations.to_bytes(4) + key_bits.to_bytes(4)
    return b"\x22" + salt.to_bytes(4) + bytes(salt) + numbers + (20).to_bytes(4) + bytes(20)


@pytest.mark.parametrize(
    ("signed", "error"),
    [
        (b"", Malformed),
        (b"\x22", Malformed),
        (b"\x02" + bytes(65), TooLarge),
        (b"\x99" + bytes(20), Unsupported),
        (derivation(65, 10_000, 160), TooLarge),
        (derivation(16, 100_001, 160), TooLarge),
        (derivation(16, 0xFFFFFFFF, 160), TooLarge),
        (derivation(16, 10_000, 520), TooLarge),
        (derivation(16, 10_000, 0), Malformed),
        (derivation(16, 10_000, 161), Malformed),
        (derivation(16, 0, 160), Malformed),
    ],
)
def test_a_costly_or_senseless_proof_is_refused_unread(signed: bytes, error: type) -> None:
    with pytest.raises(error):
        proof.decode_secret_proof(signed)


def test_the_dearest_proof_allowed_is_accepted() -> None:
    assert proof.decode_secret_proof(derivation(64, 100_000, 512)).derivation.iterations == 100_000


@pytest.mark.parametrize(
    ("answer", "challenge", "key"),
    [
        ("answer_hs_pubkey_rsa_sha256", "challenge_402", TEST_KEY),
        ("sdk_e2e_login_answer", "sdk_e2e_login_challenge", SDK_KEY),
        ("classic_e2e_challenge_answer_in_session", "classic_e2e_challenge_in_session", SDK_KEY),
    ],
)
def test_rsa_answers_of_the_vectors_are_right(answer: str, challenge: str, key: object) -> None:
    signed = decode(bytes_of(answer)).body.signed_response
    parsed = proof.decode_signature_proof(signed)
    assert parsed.hash_name == b"SHA-256"
    message = decode(bytes_of(challenge))
    content = proof.challenge_content(message.body.nonce, message.digest.value)
    assert proof.signature_is_right(parsed, key, content)
    assert not proof.signature_is_right(parsed, key, content + b"\0")
    other = TEST_KEY if key is SDK_KEY else SDK_KEY
    assert not proof.signature_is_right(parsed, other, content)
    assert proof.encode_signature_proof(parsed) == signed


def test_an_rsa_answer_is_made_again_byte_for_byte() -> None:
    signed = decode(bytes_of("answer_hs_pubkey_rsa_sha256")).body.signed_response
    assert proof.prove_key((2, 11), private_test_key(), CONTENT) == signed


def test_below_2_7_keys_sign_with_sha1() -> None:
    signed = proof.prove_key((2, 6), private_test_key(), CONTENT)
    parsed = proof.decode_signature_proof(signed)
    assert parsed.hash_name == b"SHA1"
    assert proof.signature_is_right(parsed, TEST_KEY, CONTENT)


def test_an_unknown_or_broken_hash_is_unsupported() -> None:
    for name in (b"MD5", b"\x01", b"SHA-512/256", b""):
        with pytest.raises(Unsupported):
            verify(TEST_KEY, name, b"content", bytes(128))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("delete_request_session_mac", "delete_request_session_mac"),
        ("delete_request_session_mac_v2_4", "delete_request_session_mac_v2_4"),
        ("classic_e2e_create_in_session", "classic_e2e_create_in_session"),
        ("classic_e2e_delete_in_session", "classic_e2e_delete_in_session"),
    ],
)
def test_session_macs_of_the_vectors_are_right_and_made_again(name: str, key: str) -> None:
    message, session = decode(bytes_of(name)), hex_of(key, "sessionKey")
    credential = message.credential
    assert signing.mac_is_right(credential, session, message.envelope, message.received)
    made = signing.make_mac(session, message.envelope, credential.counter, encode_payload(message))
    assert made == credential
    assert not signing.mac_is_right(credential, session[::-1], message.envelope, message.received)
    forged = bytearray(message.received)
    forged[-1] ^= 1
    assert not signing.mac_is_right(credential, session, message.envelope, bytes(forged))


def test_a_mac_binds_counter_request_and_session_from_2_7() -> None:
    message = decode(bytes_of("delete_request_session_mac"))
    session = hex_of("delete_request_session_mac", "sessionKey")
    credential, envelope = message.credential, message.envelope
    for changed in (
        (credential._replace(counter=10), envelope),
        (credential, envelope._replace(request_id=envelope.request_id + 1)),
        (credential, envelope._replace(session_id=78)),
        (credential, envelope._replace(suggested_minor=10)),
    ):
        assert not signing.mac_is_right(changed[0], session, changed[1], message.received)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("resolution_response_signed", TEST_KEY),
        ("classic_e2e_session_setup_response_signed", SDK_KEY),
    ],
)
def test_signed_answers_of_the_vectors_are_right(name: str, key: object) -> None:
    message = decode(bytes_of(name))
    assert signing.signature_is_right(message.credential, key, message.envelope, message.received)
    envelope = message.envelope._replace(request_id=1)
    assert not signing.signature_is_right(message.credential, key, envelope, message.received)


def test_a_signed_answer_is_made_again_byte_for_byte() -> None:
    data = bytes_of("resolution_response_signed")
    message = decode(data)
    bare = message._replace(credential=None)
    credential = signing.make_signature(private_test_key(), bare.envelope, 0, encode_payload(bare))
    assert encode(bare._replace(credential=credential)) == data


@pytest.mark.parametrize("minor", range(1, 12))
def test_credentials_of_every_version_verify_or_are_unsupported(minor: int) -> None:
    message = decode(bytes_of("delete_request"))
    envelope = message.envelope._replace(minor=minor)
    if minor in (5, 6):
        with pytest.raises(Unsupported):
            signing.make_mac(bytes(32), envelope, 1, message.received)
    else:
        made = signing.make_mac(bytes(32), envelope, 1, message.received)
        assert signing.mac_is_right(made, bytes(32), envelope, message.received)
        assert not signing.mac_is_right(made, bytes(31), envelope, message.received + b"x")
    if minor == 6:
        with pytest.raises(Unsupported):
            signing.make_signature(private_test_key(), envelope, 1, message.received)
    else:
        made = signing.make_signature(private_test_key(), envelope, 1, message.received)
        assert signing.signature_is_right(made, TEST_KEY, envelope, message.received)


def test_a_credential_of_another_type_is_refused() -> None:
    message = decode(bytes_of("delete_request_session_mac"))
    with pytest.raises(Malformed):
        signing.signature_is_right(message.credential, TEST_KEY, message.envelope, message.received)
    signed = decode(bytes_of("resolution_response_signed"))
    with pytest.raises(Malformed):
        signing.mac_is_right(signed.credential, bytes(32), signed.envelope, signed.received)
    with pytest.raises(Unsupported):
        signing.signed_content("HS_DSAPUBKEY", message.envelope, 0, b"")
    md5 = message.credential._replace(algorithm=b"MD5")
    with pytest.raises(Unsupported):
        signing.mac_is_right(md5, bytes(32), message.envelope, message.received)


def test_both_sides_of_the_dh_vectors_reach_the_session_key() -> None:
    request = decode(bytes_of("session_setup_request_dh"))
    client = decode_public_key(request.body.key)
    answer = decode(bytes_of("session_setup_response_dh"))
    cipher, blob = read_dh_answer(answer.body.data)
    server = decode_public_key(blob)
    assert cipher == CIPHER_AES
    assert (client.p, client.g) == (server.p, server.g)
    client_x = int(VECTORS["session_setup_request_dh"].decoded["clientX"], 16)
    server_x = int(VECTORS["session_setup_response_dh"].decoded["serverX"], 16)
    expected = hex_of("session_setup_response_dh", "sharedSecret")
    assert shared_secret(client.p, client_x, server.y) == expected
    assert shared_secret(client.p, server_x, client.y) == expected
    assert session_key(expected) == hex_of("session_setup_response_dh", "sessionKey")


def test_leading_zero_bytes_of_a_shared_secret_go_only_while_32_remain() -> None:
    assert session_key(bytes(3) + b"k" * 40) == b"k" * 32
    assert session_key(bytes(3) + b"k" * 30) == bytes(2) + b"k" * 30
    with pytest.raises(Malformed):
        session_key(b"k" * 31)


@pytest.mark.parametrize("public", [0, 1, -1, "p-1", "p"])
def test_a_dh_number_that_gives_the_secret_away_is_refused(public: int | str) -> None:
    p = decode_public_key(decode(bytes_of("session_setup_request_dh")).body.key).p
    number = {"p-1": p - 1, "p": p}.get(public, public)
    with pytest.raises(Malformed):
        shared_secret(p, 12345, number)


def test_a_dh_group_too_small_or_too_costly_is_refused() -> None:
    with pytest.raises(Unsupported):
        shared_secret((1 << 512) + 1, 3, 5)
    with pytest.raises(TooLarge):
        shared_secret((1 << 8192) + 1, 3, 5)


def test_a_changed_ciphertext_gives_an_error_or_another_text_never_a_crash() -> None:
    data, key = bytes_of(ENCRYPTED), hex_of(ENCRYPTED, "sessionKey")
    refused = 0
    for at in range(20, len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x55
        try:
            assert decrypt(bytes(changed), key) != bytes_of("delete_request_session_mac")
        except Malformed:
            refused += 1
    assert refused
    with pytest.raises(Malformed):
        decrypt(data, key[::-1])
    with pytest.raises(Malformed):
        decrypt(bytes_of("delete_request_session_mac"), key)
    with pytest.raises(Malformed):
        decrypt(data[:-1], key)


@pytest.mark.parametrize(
    ("minor", "lead"),
    [
        (11, b"\2\x0b\2\x0b" + b"\0\0\0\x4d" + b"\x11\x22\x33\x4f" + b"\0\0\0\x09"),
        (8, b"\2\x08\2\x0b" + b"\0\0\0\x4d" + b"\x11\x22\x33\x4f" + b"\0\0\0\x09"),
        (7, b"\2\x07" + b"\0\0\0\x4d" + b"\x11\x22\x33\x4f" + b"\0\0\0\x09"),
        (4, b""),
    ],
)
@pytest.mark.parametrize("type_", ["HS_MAC", "HS_SIGNED"])
def test_the_signed_content_has_the_layout_of_its_version(
    type_: str, minor: int, lead: bytes
) -> None:
    message = decode(bytes_of("delete_request_session_mac"))
    envelope = message.envelope._replace(minor=minor)
    assert signing.signed_content(type_, envelope, 9, b"payload") == lead + b"payload"
