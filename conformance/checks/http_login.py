"""Logging in over HTTP: Basic, and what every 401 says (RFC 7617; Handle.Net manual, JSON API)."""

import base64
from collections.abc import Sequence

from conformance.check import Need, check
from conformance.http_api import API, expect_told, get, indexes_of, login, taken
from conformance.http_client import FieldList, HttpAnswer
from conformance.http_login import challenge_in
from conformance.outcome import expect
from conformance.target import Account
from conformance.visit import Visit
from protocols.values.value import Value

PUBLIC = (Need.HTTP, Need.PREFIX)
SECRET = (Need.HTTP, Need.ADMIN, Need.SECRET)
NOTE = Value(5, "NOTE", b"for administrators", permissions=0b1100)


def unauthorized(visit: Visit, fields: FieldList = ()) -> HttpAnswer:
    """The answer to a list of handles that nobody has logged in for, or somebody wrongly."""
    return taken(visit.http().ask("GET", f"/api/handles?prefix={visit.prefix}", None, fields))


def _schemes(answer: HttpAnswer) -> Sequence[str]:
    return [line.partition(" ")[0].lower() for line in answer.all("WWW-Authenticate")]


def _is_in(visit: Visit, account: Account, fields: FieldList) -> bool:
    """Whether who asks like this is told what only ``account`` may read."""
    note = NOTE._replace(data=account.reference.encode())
    name = visit.make(note, visit.admin_value(account, index=101))
    return NOTE.index in indexes_of(taken(get(visit, name, fields=fields)))


@check("http.login.basic-offered", "RFC 7617 §2", *PUBLIC)
def basic_is_offered(visit: Visit) -> None:
    """A 401 offers Basic with a realm."""
    answer = expect_told(unauthorized(visit), 401)
    offered = answer.field("WWW-Authenticate")
    is_there = any(
        line.lower().startswith("basic ") and "realm=" in line.lower()
        for line in answer.all("WWW-Authenticate")
    ) or ("basic realm=" in offered.lower())
    expect(is_there, "Basic realm=…", offered)


@check("http.login.handle-offered", API, *PUBLIC)
def handle_is_offered(visit: Visit) -> None:
    """A 401 offers Handle with a session id and a nonce of 16 bytes or more."""
    challenge = challenge_in(expect_told(unauthorized(visit), 401))
    expect(len(challenge.nonce) >= 16, "a nonce of 16 bytes", challenge.nonce)


@check("http.login.nonces-differ", "RFC 4086 §7", *PUBLIC)
def nonces_are_fresh(visit: Visit) -> None:
    """No two challenges have the same nonce or session id."""
    challenges = [challenge_in(unauthorized(visit)) for _ in range(4)]
    for what, all_ in (
        ("session id", {challenge.session_id for challenge in challenges}),
        ("nonce", {challenge.nonce for challenge in challenges}),
    ):
        expect(len(all_) == len(challenges), f"a {what} for each", sorted(all_))


@check("http.login.scripts-not-offered-basic", API, *PUBLIC)
def scripts_are_not_offered_basic(visit: Visit) -> None:
    """A 401 to X-Requested-With: XMLHttpRequest leaves Basic out, so that browsers ask nobody for a password."""
    answer = expect_told(unauthorized(visit, (("X-Requested-With", "XMLHttpRequest"),)), 401)
    expect("basic" not in answer.field("WWW-Authenticate").lower(), "no Basic", _schemes(answer))


@check("http.login.unauthorized-json", API, *PUBLIC)
def a_401_has_a_code(visit: Visit) -> None:
    """A 401 is JSON with responseCode 402."""
    expect_told(unauthorized(visit), 401, 402)


@check("http.login.basic", API, *SECRET)
def basic_with_an_encoded_user(visit: Visit) -> None:
    """The user of Basic is index:handle with its colon as %3A; the password is the secret."""
    answer = unauthorized(visit, login(visit.administrator))
    expect_told(answer, 200, 1)


@check("http.login.basic-any-case", "RFC 9110 §11.1", *SECRET)
def the_scheme_in_any_case(visit: Visit) -> None:
    """The name of the scheme is understood in any case."""
    ((name, value),) = login(visit.administrator)
    expect_told(unauthorized(visit, ((name, value.replace("Basic", "bASIC")),)), 200, 1)


@check("http.login.basic-colon-in-secret", "RFC 7617 §2", *SECRET)
def secrets_may_have_colons(visit: Visit) -> None:
    """User and password are parted at the first colon: a secret may have colons of its own."""
    account = visit.make_secret_account(b"pass:word:")
    expect(_is_in(visit, account, login(account)), "a login", "none")


@check("http.login.basic-plain-slash", API, *SECRET)
def slashes_need_no_encoding(visit: Visit) -> None:
    """In the user only the colon must be encoded; slashes may stand as they are."""
    who = visit.administrator
    user = who.reference.replace("%", "%25").replace(":", "%3A")
    pair = base64.b64encode(user.encode() + b":" + (who.secret or b"")).decode()
    expect_told(unauthorized(visit, (("Authorization", f"Basic {pair}"),)), 200, 1)


@check("http.login.bad-credentials", "RFC 9110 §11.6.2", *PUBLIC)
def credentials_that_cannot_be_read(visit: Visit) -> None:
    """Credentials that cannot be read are the client's fault: 401 or 400, not a failure of the node."""
    no_colon = base64.b64encode(b"300%3A88.118%2Fx").decode()
    no_index = base64.b64encode(b"somebody:secret").decode()
    for said in ("Basic", "Basic ***", f"Basic {no_colon}", f"Basic {no_index}", "Bearer x", "x"):
        answer = unauthorized(visit, (("Authorization", said),))
        expect(answer.status in {400, 401}, f"status 401 or 400 for {said}", answer.told)
