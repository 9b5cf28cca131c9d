"""``Authorization: Handle``, sessions and verifications (Handle.Net manual, JSON API)."""

import base64
import secrets
import urllib.parse

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from conformance.check import Need, check
from conformance.checks.http_listing import servers_of
from conformance.http_api import API, expect_told, get, indexes_of, taken
from conformance.http_client import FieldList, HttpAnswer
from conformance.http_login import (
    PBKDF2,
    Challenge,
    challenge_in,
    header,
    prove_by_key,
    prove_by_secret,
    read_challenge,
)
from conformance.outcome import Failed, NotOffered, Unable, expect, expect_equal
from conformance.target import Account
from conformance.visit import Visit
from protocols.errors import ProtocolError
from protocols.handle.signatures import verify
from protocols.rest.json_reader import JsonReader
from protocols.rest.key_json import read_key_data
from protocols.values.key_objects import load_key
from protocols.values.keys import decode_public_key
from protocols.values.value import Value

ADMIN = (Need.HTTP, Need.ADMIN)
SECRET = (*ADMIN, Need.SECRET)
NOTE = Value(5, "NOTE", b"for administrators", permissions=0b1100)


def list_as(visit: Visit, fields: FieldList = ()) -> HttpAnswer:
    """A list of handles, which only administrators get, with these credentials."""
    return taken(visit.http().ask("GET", f"/api/handles?prefix={visit.prefix}", None, fields))


def challenge_of(visit: Visit) -> Challenge:
    """A session in which nobody has proved anything."""
    return challenge_in(list_as(visit))


def _by_mac(visit: Visit, alg: str) -> None:
    proof = prove_by_secret(challenge_of(visit), visit.administrator, alg)
    expect_told(list_as(visit, header(proof)), 200, 1)


@check("http.session.sha1", API, *SECRET)
def a_proof_by_sha1(visit: Visit) -> None:
    """A secret is proved by SHA1 over secret, nonce, cnonce and secret."""
    _by_mac(visit, "SHA1")


@check("http.session.sha256", API, *SECRET)
def a_proof_by_sha256(visit: Visit) -> None:
    """A secret is proved by SHA-256 over secret, nonce, cnonce and secret."""
    _by_mac(visit, "SHA-256")


@check("http.session.hmac-sha1", "RFC 2104", *SECRET)
def a_proof_by_hmac_sha1(visit: Visit) -> None:
    """A secret is proved by HMAC-SHA1 over nonce and cnonce."""
    _by_mac(visit, "HMAC-SHA1")


@check("http.session.hmac-sha256", "RFC 2104", *SECRET)
def a_proof_by_hmac_sha256(visit: Visit) -> None:
    """A secret is proved by HMAC-SHA256 over nonce and cnonce."""
    _by_mac(visit, "HMAC-SHA256")


@check("http.session.pbkdf2", "RFC 8018 §5.2", *SECRET)
def a_proof_by_pbkdf2(visit: Visit) -> None:
    """A secret is proved by HMAC-SHA1 with a key derived by PBKDF2."""
    _by_mac(visit, PBKDF2)


@check("http.session.rsa", API, *ADMIN)
def a_proof_by_rsa(visit: Visit) -> None:
    """A key is proved by an RSA signature with SHA-256 over nonce and cnonce."""
    account = visit.somebody_with_key()
    name = visit.make(NOTE, visit.admin_value(account, index=101))
    proof = prove_by_key(challenge_of(visit), account)
    answer = taken(get(visit, name, fields=header(proof)))
    expect(NOTE.index in indexes_of(answer), "what administrators may read", answer.told)


@check("http.session.reused", API, *SECRET)
def a_session_stays(visit: Visit) -> None:
    """After a proof the session id alone is enough."""
    challenge = challenge_of(visit)
    proof = prove_by_secret(challenge, visit.administrator, "HMAC-SHA256")
    expect_told(list_as(visit, header(proof)), 200, 1)
    expect_told(list_as(visit, header({"sessionId": challenge.session_id})), 200, 1)


@check("http.session.nothing-proved", API, *ADMIN)
def a_session_alone_is_nobody(visit: Visit) -> None:
    """A session in which nobody has proved anything opens nothing."""
    expect_told(list_as(visit, header({"sessionId": challenge_of(visit).session_id})), 401)


@check("http.session.made-up", API, *ADMIN)
def a_made_up_session_is_nobody(visit: Visit) -> None:
    """A session id that the node never gave opens nothing."""
    challenge_of(visit)
    expect_told(list_as(visit, header({"sessionId": secrets.token_hex(16)})), 401)


@check("http.session.bad-fields", API, *ADMIN)
def fields_that_cannot_be_read(visit: Visit) -> None:
    """Fields that cannot be read are the client's fault: 401 or 400, not a failure of the node."""
    challenge_of(visit)
    for said in ("Handle", 'Handle sessionId="', 'Handle signature="***"', "Handle ,,,=="):
        answer = list_as(visit, (("Authorization", said),))
        expect(answer.status in {400, 401}, f"status 401 or 400 for {said}", answer.told)


def _begin(visit: Visit, body: bytes = b"") -> HttpAnswer:
    fields = (("Content-Type", "application/json"),) if body else ()
    answer = taken(visit.http().ask("POST", "/api/sessions", body, fields))
    if answer.status in {404, 405, 501}:
        raise NotOffered(answer.told)
    return answer


def _this(visit: Visit, method: str, fields: FieldList) -> HttpAnswer:
    return visit.http().ask(method, "/api/sessions/this", None, fields)


@check("http.session.created", API, Need.HTTP)
def a_session_is_created(visit: Visit) -> None:
    """POST /api/sessions is 201 with Location, a session id and a nonce."""
    answer = expect_told(_begin(visit), 201)
    expect(answer.field("Location"), "Location", answer.told)
    expect(len(read_challenge(answer.document).nonce) >= 16, "a nonce of 16 bytes", answer.told)


@check("http.session.login-and-look", API, *SECRET)
def who_is_logged_in_is_told(visit: Visit) -> None:
    """GET /api/sessions/this says whether somebody is logged in, and who."""
    challenge = read_challenge(_begin(visit).document)
    before = _this(visit, "GET", header({"sessionId": challenge.session_id}))
    expect(before.document.get("authenticated") is not True, "nobody", before.told)
    proof = prove_by_secret(challenge, visit.administrator, "HMAC-SHA256")
    after = expect_told(_this(visit, "PUT", header(proof)), 200)
    expect(after.document.get("authenticated") is True, "authenticated", after.told)
    shown = urllib.parse.unquote(str(after.document.get("id")))
    expect_equal("id", visit.administrator.reference.upper(), shown.upper())


@check("http.session.ended", API, *SECRET)
def a_session_ends(visit: Visit) -> None:
    """DELETE /api/sessions/this is 204; after it the session opens nothing."""
    challenge = read_challenge(_begin(visit).document)
    proof = prove_by_secret(challenge, visit.administrator, "HMAC-SHA256")
    expect_told(list_as(visit, header(proof)), 200, 1)
    mine = header({"sessionId": challenge.session_id})
    expect_told(_this(visit, "DELETE", mine), 204)
    expect_told(list_as(visit, mine), 401)


@check("http.session.server-proof", API, Need.HTTP)
def the_server_proves_itself(visit: Visit) -> None:
    """Asked with a cnonce, the server signs nonce and cnonce with the key of its site."""
    cnonce = secrets.token_bytes(16)
    body = b'{"cnonce": "%b"}' % base64.b64encode(cnonce)
    document = expect_told(_begin(visit, body), 201).document
    signature = document.get("serverSignature")
    if not isinstance(signature, str):
        raise NotOffered("no serverSignature")
    keys = [_rsa_key(server.get("publicKey")) for server in servers_of(visit)]
    name = str(document.get("serverAlg")).encode()
    content = read_challenge(document).nonce + cnonce
    try:
        is_right = any(verify(key, name, content, base64.b64decode(signature)) for key in keys)
    except (ProtocolError, ValueError) as error:
        raise Failed("a signature in base64, by an algorithm that is known", str(error)) from None
    expect(is_right, "a signature by the key in /api/site", document)


def _rsa_key(document: object) -> RSAPublicKey:
    """Of a server. Raises ``Failed`` when it is none."""
    try:
        key = load_key(decode_public_key(read_key_data(JsonReader(document))))
    except ProtocolError as error:
        raise Failed("a public key in /api/site", str(error)) from None
    if not isinstance(key, RSAPublicKey):
        raise Unable("the key in /api/site is no RSA key")
    return key


def verify_over_http(visit: Visit, account: Account, secret: bytes) -> bool:
    """Whether the node says that a proof by ``secret`` is one by ``account``."""
    challenge = Challenge("", secrets.token_bytes(16))
    proof = prove_by_secret(
        challenge, Account(account.handle, account.index, secret=secret), "HMAC-SHA256"
    )
    asked = {name: proof[name] for name in ("cnonce", "alg", "signature")}
    asked["nonce"] = base64.b64encode(challenge.nonce).decode()
    path = urllib.parse.quote(account.reference, safe="")
    target = f"/api/verifications/{path}?{urllib.parse.urlencode(asked)}"
    answer = visit.http().ask("GET", target)
    if answer.status in {404, 405, 501}:
        raise NotOffered(answer.told)
    said = expect_told(answer, 200).document.get("isValid")
    if not isinstance(said, bool):
        raise Failed("isValid true or false", answer.told)
    return said


@check("http.verification.right", API, *SECRET)
def a_right_proof_is_verified(visit: Visit) -> None:
    """/api/verifications says true of a proof by the secret at this index of this handle."""
    account = visit.somebody()
    expect(verify_over_http(visit, account, account.secret or b""), "isValid true", "false")
