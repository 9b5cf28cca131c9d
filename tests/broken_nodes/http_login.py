"""Broken logins over HTTP (``conformance/checks/http_login.py`` and ``http_sessions.py``)."""

import base64
import json
import re

from tests.broken_nodes.breakage import SILENT, Answered, Asked, Breakage, Cut, http
from tests.broken_nodes.http_edits import (
    http_ask_when,
    http_believe,
    http_document,
    http_field,
    http_instead,
    http_member,
    http_status,
    http_when,
)

NONCE = base64.b64encode(bytes(16)).decode()


def _basic_parts(asked: Asked) -> list[bytes]:
    """User and password, cut at every colon."""
    return base64.b64decode(asked.field("Authorization").removeprefix("Basic ")).split(b":")


def _last_colon(asked: Asked) -> Asked:
    """What stands before the last colon is left out of the password."""
    if not asked.field("Authorization"):
        return asked
    parts = _basic_parts(asked)
    pair = base64.b64encode(parts[0] + b":" + parts[-1]).decode()
    return asked.altered(authorization=f"Basic {pair}")


def _no_slashes(asked: Asked) -> Asked:
    """Users with a plain slash are not understood."""
    is_plain = b"/" in _basic_parts(asked)[0]
    return asked.altered(authorization="Basic Og==") if is_plain else asked


def _one_nonce(_: Asked, answered: Answered) -> Answered:
    """Every challenge has the same nonce."""
    fields = [(n, re.sub('nonce="[^"]*"', f'nonce="{NONCE}"', v)) for n, v in answered.fields]
    return answered._replace(fields=tuple(fields))


def _short_nonce(_: Asked, answered: Answered) -> Answered:
    fields = [(n, re.sub('nonce="[^"]*"', 'nonce="AAAA"', v)) for n, v in answered.fields]
    return answered._replace(fields=tuple(fields))


def _basic_to_all(asked: Asked) -> Asked:
    """Nobody looks whether a script asks."""
    return asked.altered(x_requested_with=None)


def _without_scheme(name: str) -> Breakage:
    """A node that does not know this way to log in, and takes who tries it for anybody."""

    def ask(asked: Asked) -> Asked:
        is_it = asked.field("Authorization").startswith(name)
        return asked.altered(authorization=None) if is_it else asked

    return http(f"does not understand {name}", ask=ask)


def _without_alg(alg: str) -> Breakage:
    """A node that does not know this algorithm."""

    def ask(asked: Asked) -> Asked:
        said = asked.field("Authorization")
        return asked.altered(authorization=said.replace(f'alg="{alg}"', 'alg="none"'))

    return http(f"does not know {alg}", ask=ask)


def _believe_claims(asked: Asked) -> Asked:
    """Whoever shows any credentials is the administrator."""
    return http_believe(asked) if asked.field("Authorization") else asked


def _tells_accounts(asked: Asked, answered: Answered) -> Answered:
    """Users that do not exist are told so."""
    said = asked.field("Authorization")
    is_absent = asked.scene.memory.setdefault("first", said) != said
    return answered._replace(status=404) if is_absent and said else answered


def _works_for_ever(asked: Asked, answered: Answered) -> Answered | Cut:
    return SILENT if "iterations" in asked.field("Authorization") else answered


def _badly_signed(document: dict[str, object]) -> None:
    if "serverSignature" in document:
        document["serverSignature"] = base64.b64encode(bytes(256)).decode()


def _says(valid: bool) -> Breakage:
    return http(f"says {json.dumps(valid)} of every proof", http_member(isValid=valid))


BELIEVES = http("takes everybody for its administrator", ask=http_believe)
BELIEVES_CLAIMS = http("checks no credentials", ask=_believe_claims)
NO_HANDLE = _without_scheme("Handle")
NO_BASIC = _without_scheme("Basic")
FAILS = http("fails", http_status(500))

BREAKAGES: dict[str, Breakage] = {
    "http.login.basic-offered": http("offers nothing", http_field("WWW-Authenticate", "Handle x")),
    "http.login.handle-offered": http("has short nonces", _short_nonce),
    "http.login.nonces-differ": http("has one nonce for all", _one_nonce),
    "http.login.scripts-not-offered-basic": http("offers Basic to scripts", ask=_basic_to_all),
    "http.login.unauthorized-json": http("tells no codes", http_member(responseCode=None)),
    "http.login.basic": NO_BASIC,
    "http.login.basic-any-case": _without_scheme("bASIC"),
    "http.login.basic-colon-in-secret": http("parts at the last colon", ask=_last_colon),
    "http.login.basic-plain-slash": http("wants slashes encoded", ask=_no_slashes),
    "http.login.wrong-secret": BELIEVES_CLAIMS,
    "http.login.beginning-of-secret": BELIEVES_CLAIMS,
    "http.login.unknown-user": BELIEVES_CLAIMS,
    "http.login.wrong-index": BELIEVES_CLAIMS,
    "http.login.unknown-like-wrong": http("says which accounts there are", _tells_accounts),
    "http.login.bad-credentials": FAILS,
    "http.login.not-for-reading": http(
        "says 403 of passwords", http_when(http_status(403), status=401)
    ),
    "http.session.sha1": _without_alg("SHA1"),
    "http.session.sha256": _without_alg("SHA-256"),
    "http.session.hmac-sha1": _without_alg("HMAC-SHA1"),
    "http.session.hmac-sha256": _without_alg("HMAC-SHA256"),
    "http.session.pbkdf2": _without_alg("PBKDF2-HMAC-SHA1"),
    "http.session.rsa": _without_alg("SHA-256"),
    "http.session.reused": http(
        "forgets sessions",
        ask=lambda asked: (
            asked if "cnonce" in asked.field("Authorization") else asked.altered(authorization=None)
        ),
    ),
    "http.session.nothing-proved": BELIEVES_CLAIMS,
    "http.session.made-up": BELIEVES_CLAIMS,
    "http.session.wrong-proof": BELIEVES_CLAIMS,
    "http.session.proof-of-another-session": BELIEVES_CLAIMS,
    "http.session.somebody-else": BELIEVES_CLAIMS,
    "http.session.wrong-key": BELIEVES_CLAIMS,
    "http.session.costly-derivation": http(
        "derives whatever it is told to", _works_for_ever, is_silent=True
    ),
    "http.session.bad-fields": http(
        "fails",
        lambda asked, answered: (
            answered._replace(status=500) if asked.field("Authorization") else answered
        ),
    ),
    "http.session.created": http("does not say where", http_field("Location", None)),
    "http.session.login-and-look": http("knows nobody", http_member(authenticated=None)),
    "http.session.ended": http(
        "ends no sessions", ask=http_ask_when(http_instead(204), method="DELETE")
    ),
    "http.session.server-proof": http("signs nothing", http_document(_badly_signed)),
    "http.verification.right": _says(False),
    "http.verification.wrong": _says(True),
}
