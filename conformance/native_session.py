"""Sessions, op 400 in Diffie-Hellman mode: agree on a key, then send MAC'd or encrypted messages (RFC 3652 §3.8)."""

import secrets
from typing import NamedTuple

from conformance.asking import FULL
from conformance.native_client import Client
from conformance.native_messages import Exchange, Fields, make_request, read_answer
from conformance.outcome import Failed
from conformance.target import Account
from protocols.errors import ProtocolError
from protocols.handle.codec import Body, Message, encode, encode_payload
from protocols.handle.codes import CERT, RRDG, OpCode
from protocols.handle.encryption import decrypt, encrypt, session_key, shared_secret
from protocols.handle.envelope import ENCRYPTED
from protocols.handle.sessions import (
    KeyMode,
    SessionSetupAnswer,
    SessionSetupRequest,
    read_dh_answer,
)
from protocols.handle.signing import make_mac
from protocols.values.keys import DhKey, decode_public_key, encode_public_key

SETUP = FULL._replace(flags=FULL.flags | CERT | RRDG)
TIMEOUT_S = 86_400
"""What Java clients ask for."""


class Group(NamedTuple):
    """Where both sides calculate."""

    p: int
    g: int


_PI_1024 = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)
_PI_2048 = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF"
)
GROUP_1024 = Group(int(_PI_1024, 16), 2)
"""RFC 2409 §6.2; Java clients propose one of this length."""
GROUP_2048 = Group(int(_PI_2048, 16), 2)
"""RFC 3526 §3."""


class Session:
    """An open session: numbers its messages and makes their MACs."""

    def __init__(self, id_: int, key: bytes) -> None:
        self.id = id_
        self.key = key
        self.counter = 0

    def message(
        self, op_code: int, body: Body, fields: Fields = FULL, *, counter: int | None = None
    ) -> Message:
        """The request with its MAC; ``counter``: instead of the next."""
        if counter is None:
            self.counter += 1
            counter = self.counter
        plain = make_request(op_code, body, fields._replace(session_id=self.id))
        mac = make_mac(self.key, plain.envelope, counter, encode_payload(plain))
        return plain._replace(credential=mac)

    def ask(self, client: Client, op_code: int, body: Body, fields: Fields = FULL) -> Exchange:
        """One MAC'd request, one answer."""
        return client.ask_raw(encode(self.message(op_code, body, fields)))

    def ask_as(
        self, client: Client, who: Account, op_code: int, body: Body, fields: Fields = FULL
    ) -> Exchange:
        """``ask``, with the answer to its challenge, as Java clients do it: in the session, without a MAC."""
        first = self.ask(client, op_code, body, fields)
        if first.code != 402:
            return first
        return client.answer_challenge(first, who, fields)

    def ask_encrypted(
        self, client: Client, op_code: int, body: Body, fields: Fields = FULL
    ) -> Exchange:
        """A MAC'd request, encrypted; the answer decrypted where it came so."""
        plain = encode(self.message(op_code, body, fields))
        client.send(encrypt(plain, self.key, secrets.token_bytes(16)))
        return self.read(plain, client.receive_raw(int.from_bytes(plain[8:12])))

    def read(self, sent: bytes, raw: bytes) -> Exchange:
        """An answer that may be encrypted. Raises ``Failed``."""
        if raw[2] & ENCRYPTED:
            try:
                return Exchange(sent, read_answer(decrypt(raw, self.key)), raw)
            except ProtocolError as error:
                raise Failed("an answer encrypted with the session key", str(error)) from None
        return Exchange(sent, read_answer(raw), raw)


class Opening(NamedTuple):
    """A session set-up: the exchange, and the private number that turns its answer into a key."""

    exchange: Exchange
    private: int
    group: Group

    def session(self) -> Session:
        """The session that was agreed on. Raises ``Failed``."""
        body = self.exchange.answer.body
        if not isinstance(body, SessionSetupAnswer):
            raise Failed("a session", f"RC {self.exchange.code}")
        try:
            _, blob = read_dh_answer(body.data)
            theirs = decode_public_key(blob)
            if not isinstance(theirs, DhKey):
                raise Failed("a Diffie-Hellman key", type(theirs).__name__)
            key = session_key(shared_secret(self.group.p, self.private, theirs.y))
        except ProtocolError as error:
            raise Failed("a Diffie-Hellman key", str(error)) from None
        return Session(self.exchange.answer.envelope.session_id, key)


def setup_request(
    who: Account | None, public: int, group: Group = GROUP_2048, mode: int = KeyMode.DIFFIE_HELLMAN
) -> SessionSetupRequest:
    """The body of op 400. An identity is only told; it is proved later."""
    blob = encode_public_key(DhKey(public, group.p, group.g))
    handle, index = (who.handle, who.index) if who else (b"", 0)
    return SessionSetupRequest(mode, TIMEOUT_S, handle, index, blob)


def open_session(
    client: Client, who: Account | None, group: Group = GROUP_2048, fields: Fields = SETUP
) -> Opening:
    """Op 400 with a fresh key."""
    private = secrets.randbits(256) | 1
    body = setup_request(who, pow(group.g, private, group.p), group)
    return Opening(client.ask(OpCode.SESSION_SETUP, body, fields), private, group)
