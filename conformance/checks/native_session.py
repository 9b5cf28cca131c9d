"""Sessions: set-up by Diffie-Hellman, MACs, counters, encryption, the end (RFC 3652 §3.8; Handle.Net 9.2 client)."""

import secrets

from conformance.asking import FULL, HEARTBEAT, read_as, resolve
from conformance.check import Need, check
from conformance.checks.native_signed import expect_signed, server_keys
from conformance.expectations import NOTHING_THERE, expect_code, expect_indexes, offered
from conformance.native_client import TcpClient
from conformance.native_session import (
    GROUP_1024,
    GROUP_2048,
    SETUP,
    Group,
    Opening,
    Session,
    open_session,
    setup_request,
)
from conformance.outcome import expect, expect_equal
from conformance.visit import ADMIN_INDEX, Visit
from protocols.handle.administration import HandleRequest
from protocols.handle.codec import encode
from protocols.handle.codes import CERT, ENCR, OpCode, ResponseCode
from protocols.handle.encryption import encrypt
from protocols.handle.envelope import ENCRYPTED
from protocols.handle.resolution import ResolveRequest
from protocols.handle.sessions import CIPHER_AES, KeyMode, SessionSetupAnswer, read_dh_answer
from protocols.handle.signing import mac_is_right
from protocols.values.keys import DhKey, decode_public_key
from protocols.values.value import SECRET_PERMISSIONS, Value

SESSION = "RFC 3652 §3.8"
JAVA = "Handle.Net 9.2 client: session set-up"
ENDED = (ResponseCode.SESSION_TIMEOUT, ResponseCode.SESSION_FAILED)
NOT_TAKEN = (
    ResponseCode.INVALID_CREDENTIAL,
    ResponseCode.AUTHENTICATION_FAILED,
    ResponseCode.AUTHENTICATION_ERROR,
    ResponseCode.SESSION_MESSAGE_REJECTED,
    *ENDED,
)
NOT_AGREED = (
    ResponseCode.ERROR,
    ResponseCode.PROTOCOL_ERROR,
    ResponseCode.NOT_SUPPORTED,
    ResponseCode.SESSION_FAILED,
    ResponseCode.INVALID_SESSION_KEY,
    ResponseCode.NEED_RSA_KEY,
    ResponseCode.INVALID_SESSION_SETUP,
    ResponseCode.AUTHENTICATION_ERROR,
)


def opened(visit: Visit, client: TcpClient, group: Group = GROUP_2048) -> Opening:
    """A successful set-up; ``NotOffered`` where there are no sessions."""
    opening = open_session(client, visit.target.administrator, group)
    expect_code(offered(opening.exchange), ResponseCode.SUCCESS)
    return opening


def session_of(visit: Visit, client: TcpClient) -> Session:
    """An open session."""
    return opened(visit, client).session()


@check("native.session.set-up", f"{SESSION}.1", Need.TCP)
def a_session_is_set_up(visit: Visit) -> None:
    """A set-up in Diffie-Hellman mode is answered with a new session id, AES and a public key of the client's group."""
    opening = opened(visit, visit.tcp())
    answer = opening.exchange.answer
    assert isinstance(answer.body, SessionSetupAnswer)
    expect_equal("mode", int(KeyMode.DIFFIE_HELLMAN), answer.body.mode)
    expect(answer.envelope.session_id != 0, "a session id", 0)
    opening.session()
    cipher, blob = read_dh_answer(answer.body.data)
    expect_equal("cipher", CIPHER_AES, cipher)
    key = decode_public_key(blob)
    assert isinstance(key, DhKey)
    expect_equal("group", tuple(GROUP_2048), (key.p, key.g))


@check("native.session.set-up-signed", JAVA, Need.TCP)
def the_set_up_is_signed(visit: Visit) -> None:
    """With CERT the answer to a set-up is signed with the key in the node's HS_SITE: Java clients insist on it."""
    keys = server_keys(visit.tcp())
    expect_signed(keys, opened(visit, visit.tcp()).exchange)


@check("native.session.group-of-1024-bits", f"{JAVA}, 1,024 bits", Need.TCP)
def the_java_clients_group_is_taken(visit: Visit) -> None:
    """A group of 1,024 bits, which Java clients propose, is taken."""
    opening = opened(visit, visit.tcp(), GROUP_1024)
    expect(len(opening.session().key) == 32, "a session key", "none")


@check("native.session.ids-differ", SESSION, Need.TCP)
def session_ids_differ(visit: Visit) -> None:
    """Every session has an id of its own, and keys of its own."""
    client = visit.tcp()
    sessions = [session_of(visit, client) for _ in range(3)]
    expect_equal("ids", 3, len({each.id for each in sessions}))
    expect_equal("keys", 3, len({each.key for each in sessions}))


@check("native.session.weak-number-refused", "RFC 2631 §2.1.5", Need.TCP)
def weak_numbers_are_refused(visit: Visit) -> None:
    """A public number of 0, 1 or p-1, which makes the key known to everybody, is refused."""
    opened(visit, visit.tcp())
    for public in (0, 1, GROUP_2048.p - 1):
        body = setup_request(visit.target.administrator, public)
        came = visit.tcp().ask(OpCode.SESSION_SETUP, body, SETUP)
        expect_code(came, *NOT_AGREED)


@check("native.session.small-group-refused", "RFC 2631 §2.2", Need.TCP)
def small_groups_are_refused(visit: Visit) -> None:
    """A group of 61 bits, which anybody can break, is refused."""
    opened(visit, visit.tcp())
    group = Group(2**61 - 1, 3)
    body = setup_request(visit.target.administrator, pow(3, 12_345, group.p), group)
    came = visit.tcp().ask(OpCode.SESSION_SETUP, body, SETUP)
    expect_code(came, *NOT_AGREED)


@check("native.session.dead-modes-answered", "DO-IRP 3.0: Diffie-Hellman only", Need.TCP)
def dead_modes_are_answered(visit: Visit) -> None:
    """A set-up in one of the modes that no client can use any more is refused, not met with silence."""
    for mode in (KeyMode.CLIENT_KEY, KeyMode.SERVER_KEY):
        body = setup_request(visit.target.administrator, 5, mode=mode)
        if mode == KeyMode.SERVER_KEY:
            body = body._replace(key=None)
        came = visit.tcp().ask(OpCode.SESSION_SETUP, body, SETUP)
        expect_code(came, *NOT_AGREED)


@check("native.session.administration", JAVA, Need.TCP, Need.ADMIN)
def a_session_is_authenticated_once(visit: Visit) -> None:
    """In a session the first command is challenged under the session's id, the next ones are carried out at once."""
    client, who = visit.tcp(), visit.administrator
    session = session_of(visit, client)
    first = session.ask(client, OpCode.DELETE, HandleRequest(visit.free_name()))
    expect_code(first, ResponseCode.AUTHENTICATION_NEEDED)
    expect_equal("session id", session.id, first.answer.envelope.session_id)
    expect_code(client.answer_challenge(first, who, FULL), ResponseCode.HANDLE_NOT_FOUND)
    name = visit.make(Value(1, "URL", b"x"))
    expect_code(session.ask(client, OpCode.DELETE, HandleRequest(name)), ResponseCode.SUCCESS)
    expect_code(resolve(visit.tcp(), name), ResponseCode.HANDLE_NOT_FOUND)


@check("native.session.other-connection", JAVA, Need.TCP, Need.ADMIN)
def a_session_outlives_its_connection(visit: Visit) -> None:
    """A session is bound to its key, not to a connection: Java clients use a new one for each request."""
    session = session_of(visit, visit.tcp())
    body = HandleRequest(visit.free_name())
    first = session.ask(visit.tcp(), OpCode.DELETE, body)
    expect_code(first, ResponseCode.AUTHENTICATION_NEEDED)
    came = visit.tcp().answer_challenge(first, visit.administrator, FULL)
    expect_code(came, ResponseCode.HANDLE_NOT_FOUND)
    expect_code(session.ask(visit.tcp(), OpCode.DELETE, body), ResponseCode.HANDLE_NOT_FOUND)


@check("native.session.hidden-values-read", JAVA, Need.TCP, Need.ADMIN)
def hidden_values_are_read_in_a_session(visit: Visit) -> None:
    """Who has proved himself in a session reads what he may without another challenge."""
    name = visit.make(Value(7, "SECRET", b"hidden", permissions=SECRET_PERMISSIONS))
    client = visit.tcp()
    session = session_of(visit, client)
    body = ResolveRequest(name)
    came = session.ask_as(client, visit.administrator, OpCode.RESOLVE, body)
    expect_indexes(came, [7, ADMIN_INDEX])
    expect_indexes(session.ask(client, OpCode.RESOLVE, body), [7, ADMIN_INDEX])


@check("native.session.wrong-mac", "RFC 3652 §2.2.4", Need.TCP)
def a_wrong_mac_is_refused(visit: Visit) -> None:
    """A message whose MAC is wrong is refused."""
    client = visit.tcp()
    session = session_of(visit, client)
    stolen = Session(session.id, secrets.token_bytes(32))
    expect_code(stolen.ask(client, OpCode.RESOLVE, HEARTBEAT), *NOT_TAKEN)


@check("native.session.changed-message", "RFC 3652 §2.2.4", Need.TCP)
def a_changed_message_is_refused(visit: Visit) -> None:
    """A message that was changed after its MAC was made is refused, whatever was changed: ids, flags, body."""
    client = visit.tcp()
    session = session_of(visit, client)
    for at in (11, 31, 48):
        message = bytearray(encode(session.message(OpCode.RESOLVE, ResolveRequest(b"0.NA/0"))))
        message[at] ^= 0x01
        expect_code(client.ask_raw(bytes(message)), *NOT_TAKEN)


@check("native.session.replay", "Handle.Net Technical Manual 9: session counters", Need.TCP)
def a_counter_counts_once(visit: Visit) -> None:
    """A counter that was used counts no more: another message with it gets RC 505."""
    client = visit.tcp()
    session = session_of(visit, client)
    for counter, codes in ((5, NOTHING_THERE), (5, (ResponseCode.SESSION_MESSAGE_REJECTED,))):
        message = session.message(OpCode.RESOLVE, HEARTBEAT, counter=counter)
        expect_code(client.ask_raw(encode(message)), *codes)


@check("native.session.counters-out-of-order", "Handle.Net 9.2 server: a window of 200", Need.TCP)
def counters_may_come_out_of_order(visit: Visit) -> None:
    """Messages of a session may overtake each other: any counter that was not used yet, near the highest, is taken."""
    client = visit.tcp()
    session = session_of(visit, client)
    for counter in (3, 10, 7, 1):
        message = session.message(OpCode.RESOLVE, HEARTBEAT, counter=counter)
        expect_code(client.ask_raw(encode(message)), *NOTHING_THERE)


@check("native.session.unknown-session", "RFC 3652 §2.2.2.2: session time-out", Need.TCP)
def an_unknown_session_is_told(visit: Visit) -> None:
    """A MAC'd message of a session that does not exist is answered with RC 500."""
    server_keys(visit.tcp())
    session = Session(secrets.randbelow(2**31 - 2) + 1, secrets.token_bytes(32))
    came = session.ask(visit.tcp(), OpCode.RESOLVE, HEARTBEAT)
    expect_code(came, ResponseCode.SESSION_TIMEOUT)


@check("native.session.mac-of-answer", "RFC 3652 §2.2.2.3: CERT", Need.TCP)
def answers_have_the_sessions_mac(visit: Visit) -> None:
    """With the CERT flag an answer inside a session has its MAC, or the server's signature."""
    client = visit.tcp()
    session = session_of(visit, client)
    came = session.ask(client, OpCode.RESOLVE, HEARTBEAT, FULL._replace(flags=FULL.flags | CERT))
    credential = came.answer.credential
    expect(credential is not None, "a credential", "none")
    assert credential is not None
    if credential.type == "HS_MAC":
        is_right = mac_is_right(credential, session.key, came.answer.envelope, came.answer.received)
        expect(is_right, "the session's MAC", "a wrong one")
    else:
        expect_signed(server_keys(visit.tcp()), came)


@check("native.session.encrypted-request", "RFC 3652 §2.2.1.2: EC flag", Need.TCP, Need.ADMIN)
def an_encrypted_request_is_answered_encrypted(visit: Visit) -> None:
    """A request encrypted with the session key is understood, and its answer encrypted with the same."""
    name = visit.make(Value(1, "URL", b"plainly readable"))
    client = visit.tcp()
    session = session_of(visit, client)
    came = session.ask_encrypted(client, OpCode.RESOLVE, ResolveRequest(name))
    expect_indexes(came, [1, ADMIN_INDEX])
    expect(came.raw[2] & ENCRYPTED, "an encrypted answer", "one in plain")


@check("native.session.encrypted-answer", "RFC 3652 §2.2.2.3: ENCR", Need.TCP, Need.ADMIN)
def an_answer_is_encrypted_on_request(visit: Visit) -> None:
    """With the ENCR flag in a session the answer to a plain request comes encrypted."""
    name = visit.make(Value(1, "URL", b"plainly readable"))
    client = visit.tcp()
    session = session_of(visit, client)
    plain = encode(
        session.message(
            OpCode.RESOLVE, ResolveRequest(name), FULL._replace(flags=FULL.flags | ENCR)
        )
    )
    client.send(plain)
    came = session.read(plain, client.receive_raw())
    expect_indexes(came, [1, ADMIN_INDEX])
    expect(came.raw[2] & ENCRYPTED, "an encrypted answer", "one in plain")


@check("native.session.encrypted-unknown-session", "RFC 3652 §2.2.2.2: session time-out", Need.TCP)
def encrypted_for_nobody_is_told(visit: Visit) -> None:
    """An encrypted message of a session that does not exist is answered with RC 500."""
    server_keys(visit.tcp())
    session = Session(secrets.randbelow(2**31 - 2) + 1, secrets.token_bytes(32))
    plain = encode(session.message(OpCode.RESOLVE, HEARTBEAT))
    came = visit.tcp().ask_raw(encrypt(plain, session.key, secrets.token_bytes(16)))
    expect_code(came, ResponseCode.SESSION_TIMEOUT)


@check("native.session.bad-ciphertext", "RFC 3652 §2.2.1.2", Need.TCP)
def bad_ciphertext_is_refused(visit: Visit) -> None:
    """An encrypted message that does not decrypt is refused, not met with silence."""
    client = visit.tcp()
    session = session_of(visit, client)
    plain = encode(session.message(OpCode.RESOLVE, HEARTBEAT))
    sealed = encrypt(plain, secrets.token_bytes(32), secrets.token_bytes(16))
    client.send(sealed)
    came = session.read(plain, client.receive_raw())
    expect_code(came, ResponseCode.PROTOCOL_ERROR, ResponseCode.ERROR, *NOT_TAKEN)


@check("native.session.terminated", f"{SESSION}.4", Need.TCP)
def a_session_is_terminated(visit: Visit) -> None:
    """After op 401 the session is over: its messages get RC 500."""
    client = visit.tcp()
    session = session_of(visit, client)
    expect_code(session.ask(client, OpCode.RESOLVE, HEARTBEAT), *NOTHING_THERE)
    came = session.ask(client, OpCode.SESSION_TERMINATE, HandleRequest())
    expect_code(came, ResponseCode.SUCCESS)
    expect_code(session.ask(client, OpCode.RESOLVE, HEARTBEAT), *ENDED)


@check("native.session.id-alone-proves-nothing", "RFC 3652 §2.2.4", Need.TCP, Need.ADMIN)
def a_session_id_alone_proves_nothing(visit: Visit) -> None:
    """Who knows the id of somebody's authenticated session, but not its key, may do nothing in it."""
    client, who = visit.tcp(), visit.administrator
    session = session_of(visit, client)
    first = session.ask(client, OpCode.DELETE, HandleRequest(visit.free_name()))
    expect_code(first, ResponseCode.AUTHENTICATION_NEEDED)
    expect_code(client.answer_challenge(first, who, FULL), ResponseCode.HANDLE_NOT_FOUND)
    name = visit.make(Value(1, "URL", b"x"))
    for thief in (visit.tcp(), client):
        thief.ask(OpCode.DELETE, HandleRequest(name), FULL._replace(session_id=session.id))
    expect_indexes(read_as(visit.tcp(), who, name), [1, ADMIN_INDEX])
