"""The numbers of the Handle protocol as tables: op codes, response codes, op flags, and outcomes <-> response codes.

RFC 3652 §2.2.2 and §3, with the codes added by Handle.Net 7-9 and DO-IRP. Never invent a response code: the Java
decoders throw on any they do not know.
"""

from enum import IntEnum

from protocols.handle.versions import NEW_CODES, Version
from protocols.message import Outcome


class OpCode(IntEnum):
    """What a message is about; answers repeat the op code of the request."""

    RESOLVE = 1
    GET_SITE_INFO = 2
    CREATE = 100
    DELETE = 101
    ADD_VALUE = 102
    REMOVE_VALUE = 103
    MODIFY_VALUE = 104
    LIST_HANDLES = 105
    LIST_DERIVED_PREFIXES = 106
    """DO-IRP 3.0."""
    CHALLENGE_ANSWER = 200
    VERIFY_CHALLENGE = 201
    HOME_PREFIX = 300
    UNHOME_PREFIX = 301
    LIST_HOMED_PREFIXES = 302
    SESSION_SETUP = 400
    SESSION_TERMINATE = 401
    SESSION_EXCHANGE_KEY = 402
    NEXT_TRANSACTION = 1000
    """1000-1003: replication between Handle.Net servers."""
    RETRIEVE_TRANSACTIONS = 1001
    DUMP_HANDLES = 1002
    BACKUP_SERVER = 1003
    SDK_LOGIN = 2001
    """Private to the national SDK (id-pointer-sdk)."""


class ResponseCode(IntEnum):
    """How a request ended; 0 in requests."""

    REQUEST = 0
    SUCCESS = 1
    ERROR = 2
    """The one code after which UDP clients go to TCP at once."""
    TOO_BUSY = 3
    PROTOCOL_ERROR = 4
    NOT_SUPPORTED = 5
    RECURSION_LIMIT = 6
    READ_ONLY = 7
    HANDLE_NOT_FOUND = 100
    HANDLE_EXISTS = 101
    INVALID_HANDLE = 102
    VALUES_NOT_FOUND = 200
    VALUE_EXISTS = 201
    INVALID_VALUE = 202
    OUT_OF_DATE_SITE_INFO = 300
    NOT_RESPONSIBLE = 301
    SERVICE_REFERRAL = 302
    PREFIX_REFERRAL = 303
    NOT_ADMINISTRATOR = 400
    INSUFFICIENT_PERMISSIONS = 401
    AUTHENTICATION_NEEDED = 402
    AUTHENTICATION_FAILED = 403
    INVALID_CREDENTIAL = 404
    AUTHENTICATION_TIMEOUT = 405
    AUTHENTICATION_ERROR = 406
    SESSION_TIMEOUT = 500
    SESSION_FAILED = 501
    INVALID_SESSION_KEY = 502
    NEED_RSA_KEY = 503
    INVALID_SESSION_SETUP = 504
    SESSION_MESSAGE_REJECTED = 505


# Op flags (RFC 3652 §2.2.2.3). Plain integers: the arithmetic of IntFlag costs microseconds.
AUTH = 0x8000_0000
"""Authoritative: bypass caches. A primary sets it in every answer."""
CERT = 0x4000_0000
"""The client wants a signed answer (or the session's MAC)."""
ENCR = 0x2000_0000
"""The answer shall be encrypted with the session key."""
RECU = 0x1000_0000
"""The server may resolve elsewhere on behalf of the client."""
CACR = 0x0800_0000
CONT = 0x0400_0000
"""More messages of this answer follow (list operations)."""
KPAL = 0x0200_0000
PUBL = 0x0100_0000
"""Public values only."""
RRDG = 0x0080_0000
"""The answer shall begin with the digest of the request."""
OVRW = 0x0040_0000
MINT = 0x0020_0000
DNRF = 0x0010_0000
"""Do not send a referral."""

ECHOED_FLAGS = AUTH | CERT | ENCR | CACR | PUBL | DNRF | RRDG
"""What an answer copies from its request; RECU is set always (Handle.Net server)."""
DEFAULT_REQUEST_FLAGS = RECU | CACR | PUBL

FLAG_NAMES = {
    AUTH: "AUTH", CERT: "CERT", ENCR: "ENCR", RECU: "RECU", CACR: "CACR", CONT: "CONT",
    KPAL: "KPAL", PUBL: "PUBL", RRDG: "RRDG", OVRW: "OVRW", MINT: "MINT", DNRF: "DNRF",
}  # fmt: skip

RESPONSE_CODES: dict[Outcome, ResponseCode] = {
    Outcome.SUCCESS: ResponseCode.SUCCESS,
    Outcome.NOT_FOUND: ResponseCode.HANDLE_NOT_FOUND,
    Outcome.ALREADY_EXISTS: ResponseCode.HANDLE_EXISTS,
    Outcome.INVALID_IDENTIFIER: ResponseCode.INVALID_HANDLE,
    Outcome.VALUES_NOT_FOUND: ResponseCode.VALUES_NOT_FOUND,
    Outcome.VALUE_EXISTS: ResponseCode.VALUE_EXISTS,
    Outcome.INVALID_VALUE: ResponseCode.INVALID_VALUE,
    Outcome.NOT_RESPONSIBLE: ResponseCode.NOT_RESPONSIBLE,
    Outcome.REFERRAL: ResponseCode.SERVICE_REFERRAL,
    # Versions and request keys do not exist in this protocol, so neither do codes for them.
    Outcome.VERSION_CONFLICT: ResponseCode.ERROR,
    Outcome.KEY_REUSED: ResponseCode.ERROR,
    # RC 402 must carry a challenge, so only whoever keeps the challenge may send it. Without one it does harm:
    # the national SDK takes 402 after an administrative request for success.
    Outcome.AUTHENTICATION_NEEDED: ResponseCode.NOT_SUPPORTED,
    Outcome.AUTHENTICATION_FAILED: ResponseCode.AUTHENTICATION_FAILED,
    Outcome.NOT_ADMINISTRATOR: ResponseCode.NOT_ADMINISTRATOR,
    Outcome.PERMISSION_DENIED: ResponseCode.INSUFFICIENT_PERMISSIONS,
    Outcome.NOT_SUPPORTED: ResponseCode.NOT_SUPPORTED,
    Outcome.PROTOCOL_ERROR: ResponseCode.PROTOCOL_ERROR,
    Outcome.HOP_LIMIT: ResponseCode.RECURSION_LIMIT,
    Outcome.READ_ONLY: ResponseCode.READ_ONLY,
    Outcome.BUSY: ResponseCode.TOO_BUSY,
    # Both are "error" to a client: on UDP it asks again over TCP at once, where it gets the same, remembered.
    Outcome.UNREACHABLE: ResponseCode.ERROR,
    Outcome.UNTRUSTED: ResponseCode.ERROR,
    Outcome.ERROR: ResponseCode.ERROR,
}

OUTCOMES: dict[int, Outcome] = {
    ResponseCode.SUCCESS: Outcome.SUCCESS,
    ResponseCode.ERROR: Outcome.ERROR,
    ResponseCode.TOO_BUSY: Outcome.BUSY,
    ResponseCode.PROTOCOL_ERROR: Outcome.PROTOCOL_ERROR,
    ResponseCode.NOT_SUPPORTED: Outcome.NOT_SUPPORTED,
    ResponseCode.RECURSION_LIMIT: Outcome.HOP_LIMIT,
    ResponseCode.READ_ONLY: Outcome.READ_ONLY,
    ResponseCode.HANDLE_NOT_FOUND: Outcome.NOT_FOUND,
    ResponseCode.HANDLE_EXISTS: Outcome.ALREADY_EXISTS,
    ResponseCode.INVALID_HANDLE: Outcome.INVALID_IDENTIFIER,
    ResponseCode.VALUES_NOT_FOUND: Outcome.VALUES_NOT_FOUND,
    ResponseCode.VALUE_EXISTS: Outcome.VALUE_EXISTS,
    ResponseCode.INVALID_VALUE: Outcome.INVALID_VALUE,
    ResponseCode.OUT_OF_DATE_SITE_INFO: Outcome.NOT_RESPONSIBLE,
    ResponseCode.NOT_RESPONSIBLE: Outcome.NOT_RESPONSIBLE,
    ResponseCode.SERVICE_REFERRAL: Outcome.REFERRAL,
    ResponseCode.PREFIX_REFERRAL: Outcome.REFERRAL,
    ResponseCode.NOT_ADMINISTRATOR: Outcome.NOT_ADMINISTRATOR,
    ResponseCode.INSUFFICIENT_PERMISSIONS: Outcome.PERMISSION_DENIED,
    ResponseCode.AUTHENTICATION_NEEDED: Outcome.AUTHENTICATION_NEEDED,
    ResponseCode.AUTHENTICATION_FAILED: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.INVALID_CREDENTIAL: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.AUTHENTICATION_TIMEOUT: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.AUTHENTICATION_ERROR: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.SESSION_TIMEOUT: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.SESSION_FAILED: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.INVALID_SESSION_KEY: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.NEED_RSA_KEY: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.INVALID_SESSION_SETUP: Outcome.AUTHENTICATION_FAILED,
    ResponseCode.SESSION_MESSAGE_REJECTED: Outcome.AUTHENTICATION_FAILED,
}

BEFORE_2_5: dict[int, int] = {
    ResponseCode.READ_ONLY: ResponseCode.PREFIX_REFERRAL,
    ResponseCode.INVALID_VALUE: ResponseCode.VALUE_EXISTS,
}
"""How peers below 2.5 spell codes that came with 2.5: read-only goes as 303, invalid value as 201."""

FROM_BEFORE_2_5: dict[int, int] = {ResponseCode.PREFIX_REFERRAL: ResponseCode.READ_ONLY}
"""The way back; 201 stays "value exists", the more frequent of its two meanings."""


def spell_code(code: int, version: Version) -> int:
    """The number that goes on the wire in an answer of ``version``."""
    return code if version >= NEW_CODES else BEFORE_2_5.get(code, code)


def read_code(number: int, version: Version) -> int:
    """What a number on the wire means in an answer of ``version``."""
    return number if version >= NEW_CODES else FROM_BEFORE_2_5.get(number, number)


def response_code_of(outcome: Outcome, version: Version) -> int:
    """The response code that tells a peer of ``version`` the outcome."""
    return spell_code(RESPONSE_CODES[outcome], version)


def outcome_of(number: int, version: Version) -> Outcome:
    """The outcome a peer of ``version`` reported; private and unknown codes are ``ERROR``."""
    return OUTCOMES.get(read_code(number, version), Outcome.ERROR)
