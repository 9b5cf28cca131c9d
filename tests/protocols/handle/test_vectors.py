"""Every one of the 60 vectors decodes to what it is said to mean and encodes to the same bytes.

HOW says for each vector how it is checked; a vector without a line there fails.
"""

import hashlib
from collections.abc import Callable

import pytest

from protocols.cursor import Reader, Writer
from protocols.handle.codec import decode, encode
from protocols.handle.encryption import decrypt, encrypt
from protocols.handle.fragments import Reassembly, split
from protocols.handle.stream import MessageStream
from protocols.values.admin import decode_admin, encode_admin
from protocols.values.keys import decode_public_key, encode_public_key
from protocols.values.server_hash import hash_of, hash_of_digest
from protocols.values.site import decode_site, encode_site
from protocols.values.value import Value, read_value, write_value
from protocols.values.vlist import decode_vlist, encode_vlist
from tests.vectors.handle_vectors import (
    ENCRYPTED,
    FRAGMENTS,
    MESSAGES,
    VECTORS,
    Vector,
    bytes_of,
    hex_of,
)

PERMISSION_BITS = {8: 0, 4: 1, 2: 2, 1: 3}


def check_message(vector: Vector) -> None:
    message = decode(vector.data)
    assert encode(message) == vector.data
    envelope, header, said = message.envelope, message.header, vector.decoded
    seen = {
        "version": f"{envelope.major}.{envelope.minor}",
        "suggested": f"{envelope.suggested_major}.{envelope.suggested_minor}",
        "sessionId": envelope.session_id,
        "requestId": envelope.request_id,
        "messageId": envelope.sequence,
        "messageLength": envelope.length,
        "opCode": header.op_code,
        "responseCode": header.response_code,
        "opFlags": header.op_flags,
        "expiration": header.expiration_s,
        "siteInfoSerial": header.site_serial,
    }
    compared = [field for field in seen if field in said]
    assert len(compared) >= 5
    for field in compared:
        assert seen[field] == number_or_text(said[field], field), field
    check_body(message, said)


def check_body(message: object, said: dict[str, object]) -> None:
    body, credential = message.body, message.credential  # type: ignore[attr-defined]
    readings: dict[str, Callable[[], object]] = {
        "handle": lambda: getattr(body, "user_handle", None) or body.handle,
        "indexes": lambda: list(body.indexes),
        "types": lambda: list(body.types),
        "values": lambda: [describe(value) for value in body.values],
        "message": lambda: body.text,
        "digestType": lambda: message.digest.type,  # type: ignore[attr-defined]
        "requestDigest": lambda: (
            (
                message.digest.value if message.digest else body.digest_value  # type: ignore[attr-defined]
            ).hex()
        ),
        "nonce": lambda: body.nonce.hex(),
        "authType": lambda: body.authentication_type,
        "userIdHandle": lambda: body.user_handle,
        "userIdIndex": lambda: body.user_index,
        "handles": lambda: [name.decode() for name in body.names],
        "index": lambda: body.user_index,
        "signedResponse": lambda: body.signed_response.hex(),
        "valid": lambda: body.verdict == 1,
        "mode": lambda: body.mode,
        "timeout": lambda: body.timeout_s,
        "identityHandle": lambda: body.identity_handle,
        "identityIndex": lambda: body.identity_index,
        "referralHandle": lambda: body.handle,
        "sessionCounter": lambda: credential.counter,
        "credentialType": lambda: credential.type,
    }
    for field in readings.keys() & said.keys():
        seen = readings[field]()
        seen = seen.decode() if isinstance(seen, bytes) else seen
        assert seen == said[field], field


def number_or_text(said: object, field: str) -> object:
    if field == "siteInfoSerial" and said == -1:
        return 0xFFFF
    return int(said, 16) if isinstance(said, str) and said.startswith("0x") else said


def describe(value: Value) -> dict[str, object]:
    data: object = value.data.decode("latin-1")
    if value.type == "HS_ADMIN":
        admin = decode_admin(value.data)
        data = {
            "adminId": admin.handle,
            "adminIdIndex": admin.index,
            "permissionBits": f"0x{admin.permissions:04x}",
            "permissionsJson": f"{admin.permissions:012b}",
        }
    return {
        "index": value.index,
        "type": value.type,
        "data": data,
        "permissions": f"{value.permissions:04b}",
        "ttl": value.ttl,
        "ttlType": value.ttl_type,
        "timestamp": value.timestamp,
        "references": [{"handle": r.handle, "index": r.index} for r in value.references],
    }


def check_value(vector: Vector) -> None:
    reader = Reader(vector.data)
    value = read_value(reader)
    assert reader.remaining == 0
    writer = Writer()
    write_value(writer, value)
    assert writer.finish() == vector.data
    said = {k: v for k, v in vector.decoded.items() if not k.startswith("_")}
    assert describe(value) == said
    if value.type == "HS_ADMIN":
        assert encode_admin(decode_admin(value.data)) == value.data


def check_vlist(vector: Vector) -> None:
    members = decode_vlist(vector.data)
    assert [[m.index, m.handle] for m in members] == vector.decoded["list"]
    assert encode_vlist(members) == vector.data


def check_public_key(vector: Vector) -> None:
    key = decode_public_key(vector.data)
    assert (key.e, key.n) == (int(vector.decoded["e"], 16), int(vector.decoded["n"], 16))
    assert encode_public_key(key) == vector.data


def check_site(vector: Vector) -> None:
    site, said = decode_site(vector.data), vector.decoded
    assert encode_site(site) == vector.data
    assert f"{site.major}.{site.minor}" == said["protocolVersion"]
    assert site.serial == said["serialNumber"]
    assert [(a.name, a.value) for a in site.attributes] == [
        (a["name"], a["value"]) for a in said["attributes"]
    ]
    (server,) = site.servers
    assert server.address == said["servers"][0]["address"]
    assert server.public_key == bytes_of("data_hs_pubkey_rsa")
    assert [(i.type, i.port) for i in server.interfaces] == [
        (i["type"], i["port"]) for i in said["servers"][0]["interfaces"]
    ]


def check_encrypted(vector: Vector) -> None:
    key, plain = hex_of(vector.name, "sessionKey"), bytes_of("delete_request_session_mac")
    assert decrypt(vector.data, key) == plain
    iv = vector.data[20:36]
    assert encrypt(plain, key, iv) == vector.data


def check_fragment(vector: Vector) -> None:
    number = FRAGMENTS.index(vector.name)
    pieces = [bytes_of(name) for name in FRAGMENTS]
    reassembly = Reassembly(int(vector.decoded["requestId"], 16))
    assert reassembly.receive(pieces[1]) is None
    whole = reassembly.receive(pieces[0])
    assert whole is not None
    message = decode(whole)
    assert len(message.body.handle) == 700
    assert split(encode(message))[number] == vector.data
    assert message.envelope.length == vector.decoded["messageLength"]


def check_server_selection(vector: Vector) -> None:
    handle = vector.decoded["table"][0]["handle"]
    assert hashlib.md5(handle.upper().encode()).digest() == vector.data
    whole = next(
        r for r in vector.decoded["table"] if r["handle"] == handle and r["hashOption"] == 2
    )
    assert abs(int.from_bytes(vector.data[-4:], signed=True)) == whole["hash"]
    assert hash_of_digest(vector.data) == whole["hash"]
    for row in vector.decoded["table"]:
        hash_ = hash_of(row["handle"].encode(), row["hashOption"])
        assert (hash_, hash_ % 3, hash_ % 7) == (
            row["hash"],
            row["server_of_3"],
            row["server_of_7"],
        )


def check_value_digest(vector: Vector) -> None:
    value = read_value(Reader(bytes_of("value_url")))
    writer = Writer()
    write_value(writer, value)
    assert hashlib.sha256(writer.finish()[8:]).digest() == vector.data


HOW: dict[str, Callable[[Vector], None]] = {
    "value_url": check_value,
    "value_hs_admin": check_value,
    "value_hs_seckey": check_value,
    "value_abs_ttl_ref": check_value,
    "data_hs_vlist": check_vlist,
    "data_hs_pubkey_rsa": check_public_key,
    "data_hs_site": check_site,
    "udp_resolution_request": check_message,
    "resolution_request_filtered_auth_rrdg": check_message,
    "udp_resolution_response": check_message,
    "error_100_with_request_digest": check_message,
    "create_request_overwrite": check_message,
    "create_response": check_message,
    "challenge_402": check_message,
    "answer_hs_seckey_pbkdf2": check_message,
    "answer_hs_seckey_alg_02": check_message,
    "answer_hs_seckey_alg_03": check_message,
    "answer_hs_seckey_alg_12": check_message,
    "answer_hs_seckey_alg_13": check_message,
    "answer_hs_pubkey_rsa_sha256": check_message,
    "remove_value_request": check_message,
    "modify_value_request": check_message,
    "delete_request": check_message,
    "delete_response": check_message,
    "get_site_info_request": check_message,
    "get_site_info_response": check_message,
    "list_handles_request": check_message,
    "list_handles_response_cont": check_message,
    "verify_auth_request": check_message,
    "verify_auth_response": check_message,
    "session_setup_request_dh": check_message,
    "session_setup_response_dh": check_message,
    "delete_request_session_mac": check_message,
    "delete_request_session_mac_v2_4": check_message,
    "resolution_request_certify": check_message,
    "resolution_response_signed": check_message,
    "service_referral_302": check_message,
    "prefix_referral_303_values": check_message,
    "delete_request_session_mac_encrypted": check_encrypted,
    "udp_fragment_0": check_fragment,
    "udp_fragment_1": check_fragment,
    "sdk_resolution_request_trailing": check_message,
    "sdk_e2e_site_info_request": check_message,
    "sdk_e2e_site_info_response": check_message,
    "sdk_e2e_login_2001_request": check_message,
    "sdk_e2e_login_challenge": check_message,
    "sdk_e2e_login_answer": check_message,
    "sdk_e2e_login_final": check_message,
    "sdk_e2e_create_request": check_message,
    "sdk_e2e_create_response": check_message,
    "classic_e2e_session_setup_request": check_message,
    "classic_e2e_session_setup_response_signed": check_message,
    "classic_e2e_create_in_session": check_message,
    "classic_e2e_challenge_in_session": check_message,
    "classic_e2e_challenge_answer_in_session": check_message,
    "classic_e2e_create_final": check_message,
    "classic_e2e_delete_in_session": check_message,
    "classic_e2e_delete_final": check_message,
    "server_selection_hash": check_server_selection,
    "gs_value_digest_rule": check_value_digest,
}


def test_there_are_sixty_vectors_and_each_is_checked() -> None:
    assert len(VECTORS) == 60
    assert HOW.keys() == VECTORS.keys()


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_decodes_as_described_and_encodes_to_the_same_bytes(name: str) -> None:
    HOW[name](VECTORS[name])


@pytest.mark.parametrize("name", MESSAGES)
def test_a_vector_comes_whole_out_of_a_stream_fed_one_byte_at_a_time(name: str) -> None:
    data = bytes_of(name)
    stream = MessageStream()
    messages = []
    for at in range(len(data)):
        assert messages == []
        messages += stream.receive(data[at : at + 1])
    assert messages == [data]
    assert stream.failure is None
    assert stream.buffered_bytes == 0


def test_the_encrypted_vector_comes_whole_out_of_a_stream_fed_one_byte_at_a_time() -> None:
    data, stream = bytes_of(ENCRYPTED), MessageStream()
    assert [m for byte in data for m in stream.receive(bytes([byte]))] == [data]


def test_all_vectors_in_one_piece_come_out_one_by_one() -> None:
    stream = MessageStream()
    assert stream.receive(b"".join(map(bytes_of, MESSAGES))) == [bytes_of(n) for n in MESSAGES]
    assert stream.failure is None
