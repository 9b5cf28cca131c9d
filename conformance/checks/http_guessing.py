"""Wrong passwords and proofs over HTTP. The last of all checks: good nodes slow down whoever guesses."""

import urllib.parse

from conformance.check import Need, check
from conformance.checks.http_login import unauthorized
from conformance.checks.http_sessions import challenge_of, list_as, verify_over_http
from conformance.http_api import API, code_of, expect_told, get, login
from conformance.http_login import PBKDF2, Challenge, header, prove_by_key, prove_by_secret
from conformance.outcome import NotOffered, expect, expect_equal
from conformance.target import Account
from conformance.visit import Visit

PUBLIC = (Need.HTTP, Need.PREFIX)
ADMIN = (Need.HTTP, Need.ADMIN)


def account_with(account: Account, secret: bytes) -> Account:
    """The same account with another secret."""
    return Account(account.handle, account.index, secret=secret)


@check("http.login.wrong-secret", API, *ADMIN)
def a_wrong_secret_is_401(visit: Visit) -> None:
    """A wrong password is 401."""
    account = visit.make_secret_account()
    answer = unauthorized(visit, login(account_with(account, b"not it")))
    expect_told(answer, 401, 402, 403)


@check("http.login.beginning-of-secret", API, *ADMIN)
def a_part_of_the_secret_is_wrong(visit: Visit) -> None:
    """The beginning of the secret is a wrong password, and so is nothing at all."""
    account = visit.make_secret_account()
    for secret in ((account.secret or b"")[:-1], b""):
        answer = unauthorized(visit, login(account_with(account, secret)))
        expect_told(answer, 401)


@check("http.login.unknown-user", API, *PUBLIC)
def an_unknown_user_is_401(visit: Visit) -> None:
    """A user whose handle does not exist is 401."""
    nobody = Account(visit.new_name(), 300, secret=b"anything")
    expect_told(unauthorized(visit, login(nobody)), 401, 402, 403)


@check("http.login.wrong-index", API, *ADMIN)
def another_index_is_another_account(visit: Visit) -> None:
    """The right secret of another index is 401."""
    account = visit.make_secret_account()
    elsewhere = Account(account.handle, account.index + 1, secret=account.secret)
    expect_told(unauthorized(visit, login(elsewhere)), 401)


@check("http.login.unknown-like-wrong", "OWASP ASVS 5.0 §6.3.8", *ADMIN)
def accounts_cannot_be_guessed(visit: Visit) -> None:
    """Unknown users and wrong passwords are answered alike."""
    account = visit.make_secret_account()
    wrong = unauthorized(visit, login(account_with(account, b"not it")))
    nobody = Account(visit.new_name("-account"), account.index, secret=b"not it")
    unknown = unauthorized(visit, login(nobody))
    expect_equal("status", wrong.status, unknown.status)
    expect_equal("responseCode", code_of(wrong), code_of(unknown))


@check("http.login.not-for-reading", API, *ADMIN)
def who_logs_in_is_checked(visit: Visit) -> None:
    """Wrong credentials are 401 for public reading too: nobody shall believe to be logged in."""
    account = visit.make_secret_account()
    answer = get(visit, account.handle, fields=login(account_with(account, b"not it")))
    if answer.status == 200:
        raise NotOffered("credentials are not looked at for public reading")
    expect_told(answer, 401)


@check("http.session.wrong-proof", API, *ADMIN)
def a_wrong_proof_is_401(visit: Visit) -> None:
    """A proof with a wrong secret is 401, and the session stays without anybody."""
    challenge, account = challenge_of(visit), visit.make_secret_account()
    wrong = Account(account.handle, account.index, secret=b"not it")
    expect_told(list_as(visit, header(prove_by_secret(challenge, wrong, "HMAC-SHA256"))), 401)
    expect_told(list_as(visit, header({"sessionId": challenge.session_id})), 401)


@check("http.session.proof-of-another-session", API, *ADMIN)
def a_proof_is_for_one_nonce(visit: Visit) -> None:
    """A proof that was made for one session is worth nothing in another."""
    proof = prove_by_secret(challenge_of(visit), visit.make_secret_account(), "HMAC-SHA256")
    elsewhere = proof | {"sessionId": challenge_of(visit).session_id}
    expect_told(list_as(visit, header(elsewhere)), 401)


@check("http.session.somebody-else", API, *ADMIN)
def a_proof_is_for_one_account(visit: Visit) -> None:
    """A proof by one's own secret does not make one somebody else."""
    account, other = visit.make_secret_account(), visit.make_secret_account(b"another secret")
    proof = prove_by_secret(challenge_of(visit), account, "HMAC-SHA256")
    who = urllib.parse.quote(other.reference, safe="")
    expect_told(list_as(visit, header(proof | {"id": who})), 401)


@check("http.session.wrong-key", API, *ADMIN)
def a_signature_by_another_key(visit: Visit) -> None:
    """A signature over something else is 401."""
    account, challenge = visit.make_key_account(), challenge_of(visit)
    elsewhere = Challenge(challenge.session_id, bytes(len(challenge.nonce)))
    expect_told(list_as(visit, header(prove_by_key(elsewhere, account))), 401)


@check("http.session.costly-derivation", "RFC 8018 §7; OWASP ASVS 5.0 §11.4", *ADMIN)
def derivations_cost_little(visit: Visit) -> None:
    """A proof that wants two thousand million rounds of PBKDF2 is refused at once."""
    proof = prove_by_secret(challenge_of(visit), visit.make_secret_account(), PBKDF2)
    answer = list_as(visit, header(proof | {"iterations": "2000000000"}))
    expect(answer.status in {400, 401}, "status 400 or 401", answer.told)


@check("http.verification.wrong", API, *ADMIN)
def a_wrong_proof_is_not_verified(visit: Visit) -> None:
    """/api/verifications says false of a proof by another secret."""
    account = visit.make_secret_account()
    expect(not verify_over_http(visit, account, b"not it"), "isValid false", "true")
