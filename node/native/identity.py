"""Identity: who is speaking in a native message, and how far that is proved.

A MAC under a session's key proves the session; a login counts on its connection, under the session id that the client
chose. A session id alone proves nothing: whoever has heard one can write it into his messages. The rules, by what the
message shows:

==============================  =========================================================================
credential HS_MAC               the session's; RC 500 unknown session, 404 wrong MAC, 505 seen before, 5 version
                                before 2.7
encrypted, no credential        nobody: told what anybody is told, RC 404 for what needs an administrator, but op 200,
                                which proves itself
credential of another type      RC 404: clients sign nothing else (RFC 3652 §2.2.4)
session id with a login on it   who has logged in there, on this connection
unknown session id, UDP         nobody for what anybody may ask, else RC 500
unknown session id, TCP         nobody, with an id of its own: the national SDK before its login
no session id                   nobody
==============================  =========================================================================
"""

import hashlib
from collections.abc import Callable

from node.native.exchange import Refusal, Speaking
from node.native.link import Link, Login
from node.native.sessions import Repeatable, Session, Sessions
from protocols.errors import ProtocolError
from protocols.handle.codec import Message
from protocols.handle.codes import OpCode, ResponseCode
from protocols.handle.credential import MAC_TYPE, Credential
from protocols.handle.encryption import decrypt
from protocols.handle.envelope import Envelope
from protocols.handle.signing import mac_is_right
from protocols.handle.versions import IV_IN_FRONT, Version, answer_version
from protocols.message import ANONYMOUS, Principal
from resolver.source import Now, Peer

Known = Callable[[Login], Principal]

NO_SESSION = Refusal(ResponseCode.SESSION_TIMEOUT, "there is no such session; set up a new one")
WRONG_MAC = Refusal(ResponseCode.INVALID_CREDENTIAL, "the MAC is not the session's")
OTHER_CREDENTIAL = Refusal(
    ResponseCode.INVALID_CREDENTIAL, "requests carry a session's HS_MAC or no credential"
)
REPLAYED = Refusal(
    ResponseCode.SESSION_MESSAGE_REJECTED, "a message with this number was seen before"
)
NUMBERED: Version = (2, 7)
"""Before it MACs leave out the message's number, or are laid out in a way not spoken here: whoever has recorded a
message could send it again under another number."""
OLD_SESSION = "sessions of versions before 2.7"
OLD_MAC = Refusal(ResponseCode.NOT_SUPPORTED, OLD_SESSION)
_OF_ANYBODY = frozenset({OpCode.RESOLVE, OpCode.GET_SITE_INFO, OpCode.CHALLENGE_ANSWER})
BAD_CIPHERTEXT = Refusal(
    ResponseCode.PROTOCOL_ERROR, "the encrypted message cannot be read with the session's key"
)
"""In these words whatever is wrong with it: who tries ciphertexts learns nothing from the answers."""


def open_sealed(
    sessions: Sessions, envelope: Envelope, message: bytes, now: Now
) -> bytes | Refusal:
    """The plain message out of an encrypted one."""
    session = sessions.find(envelope.session_id, now.monotonic_s)
    if session is None:
        return NO_SESSION
    if _answered_in(envelope) < IV_IN_FRONT:
        return BAD_CIPHERTEXT
    try:
        return decrypt(message, session.key)
    except ProtocolError:
        return BAD_CIPHERTEXT


def _answered_in(envelope: Envelope) -> Version:
    """The suggested version stands outside of what is encrypted, and of what a MAC of 2.7 is over: whoever changes it
    must not get an answer in a version that has no encryption.
    """
    return answer_version(envelope.version, envelope.suggested)


def identify(  # noqa: PLR0913  # everything it rests on
    sessions: Sessions,
    request: Message,
    message: bytes,
    peer: Peer,
    link: Link | None,
    now: Now,
    known: Known,
    *,
    is_encrypted: bool = False,
) -> Speaking | Refusal | Repeatable:
    """Who speaks, why he is not listened to, or what the same message got before.

    ``known``: whose login it is, nobody's when the key that proved it has changed.
    """
    id_ = request.envelope.session_id
    if request.credential is not None:
        return _by_mac(sessions, request, request.credential, message, peer, link, now, known,
                       is_encrypted=is_encrypted)  # fmt: skip
    session = sessions.find(id_, now.monotonic_s) if id_ else None
    if is_encrypted:
        # Whoever made it has the key, but somebody else may have changed or repeated it: good for questions.
        return Speaking(session=session, is_encrypted=True)
    if link is not None and id_ in link.logins:
        principal = known(link.logins[id_])
        return Speaking(principal, has_own_id=principal == ANONYMOUS)
    if not id_ or session is not None:
        return Speaking()
    if peer.transport != "udp":
        return Speaking(has_own_id=True)
    return Speaking() if request.header.op_code in _OF_ANYBODY else NO_SESSION


def _by_mac(  # noqa: PLR0913  # as above
    sessions: Sessions,
    request: Message,
    credential: Credential,
    message: bytes,
    peer: Peer,
    link: Link | None,
    now: Now,
    known: Known,
    *,
    is_encrypted: bool,
) -> Speaking | Refusal | Repeatable:
    if credential.type.upper() != MAC_TYPE:
        return OTHER_CREDENTIAL
    if _answered_in(request.envelope) < NUMBERED:
        return OLD_MAC
    session = sessions.find(request.envelope.session_id, now.monotonic_s)
    if session is None:
        return NO_SESSION
    if not _is_right(credential, session, request):
        return BAD_CIPHERTEXT if is_encrypted else WRONG_MAC
    sessions.touch(session, now.monotonic_s)
    if not session.window.is_new(credential.counter):
        digest = hashlib.sha256(message).digest()
        repeated = session.recall(digest, peer.address, link, now.monotonic_s)
        return REPLAYED if repeated is None else repeated
    return Speaking(known(session.login), session, credential.counter, is_encrypted)


def _is_right(credential: Credential, session: Session, request: Message) -> bool:
    try:
        return mac_is_right(credential, session.key, request.envelope, request.received)
    except ProtocolError:
        return False
