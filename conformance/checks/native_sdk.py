"""The national Java SDK (id-pointer-sdk 2.3.1): its login, op 2001, and its habits on a connection."""

from conformance.asking import resolve
from conformance.check import Need, check
from conformance.expectations import describe, expect_challenge, expect_code, expect_indexes
from conformance.native_client import TcpClient
from conformance.native_messages import Exchange, Fields
from conformance.outcome import NotOffered, expect, expect_equal
from conformance.target import Account
from conformance.visit import ADMIN_INDEX, Visit
from protocols.handle.administration import HandleRequest, ValuesRequest
from protocols.handle.authentication import LoginRequest
from protocols.handle.codes import CACR, PUBL, RECU, RRDG, OpCode, ResponseCode
from protocols.handle.digest import SHA256
from protocols.handle.resolution import ResolveRequest
from protocols.values.value import Value

SDK = "id-pointer-sdk 2.3.1"
OWN_SESSION_ID = 10_001
"""The SDK counts its own session ids from here."""
VERSIONS = Fields(version=(2, 10), suggested=(2, 11))
QUESTION = VERSIONS._replace(flags=RECU | CACR | PUBL)
LOGIN = VERSIONS._replace(flags=RECU | RRDG, session_id=OWN_SESSION_ID, has_credential_length=False)
COMMAND = VERSIONS._replace(flags=RECU | RRDG, session_id=OWN_SESSION_ID)
NO_LOGIN = (
    ResponseCode.AUTHENTICATION_FAILED,
    ResponseCode.INSUFFICIENT_PERMISSIONS,
    ResponseCode.INVALID_CREDENTIAL,
    ResponseCode.AUTHENTICATION_ERROR,
)
EMPTY_TOKEN = bytes(4)
TOKEN = b"eyJhbGciOiJSUzI1NiJ9.eyJ1c2VyX2luZGV4IjozMDB9.c2lnbmF0dXJl"
URL = Value(1, "URL", b"https://example.org/")


def begin_login(client: TcpClient, who: Account, fields: Fields = LOGIN) -> Exchange:
    """Get-site-info and op 2001, as the SDK sends them; the challenge. Raises ``NotOffered``."""
    site = client.ask(OpCode.GET_SITE_INFO, HandleRequest(), COMMAND)
    expect_code(site, ResponseCode.SUCCESS)
    came = client.ask(OpCode.SDK_LOGIN, LoginRequest(who.handle, who.index), fields)
    if came.code in {ResponseCode.NOT_SUPPORTED, ResponseCode.PROTOCOL_ERROR}:
        raise NotOffered(f"no login of the national SDK: {describe(came)}")
    return came


def log_in(client: TcpClient, who: Account) -> Exchange:
    """The whole login; its end."""
    first = begin_login(client, who)
    expect_challenge(first)
    return client.answer_challenge(first, who, COMMAND)


@check("native.sdk.login-challenged", SDK, Need.TCP, Need.ADMIN)
def a_login_is_challenged(visit: Visit) -> None:
    """Op 2001, which ends after its body, is answered with RC 402, op 2001, a SHA-256 digest, 16 bytes of nonce."""
    came = begin_login(visit.kept_connection(), visit.administrator)
    nonce = expect_challenge(came).nonce
    expect_equal("nonce bytes", 16, len(nonce))
    expect_equal("op code", int(OpCode.SDK_LOGIN), came.answer.header.op_code)
    assert came.answer.digest is not None
    expect_equal("digest type", SHA256, came.answer.digest.type)


@check("native.sdk.login-succeeds", SDK, Need.TCP, Need.ADMIN)
def a_login_ends_with_its_own_op_code(visit: Visit) -> None:
    """A login with an RSA key ends with RC 1 and op code 2001, not 200."""
    came = log_in(visit.kept_connection(), visit.somebody_with_key())
    expect_code(came, ResponseCode.SUCCESS)
    expect_equal("op code", int(OpCode.SDK_LOGIN), came.answer.header.op_code)


@check("native.sdk.login-by-secret", SDK, Need.TCP, Need.ADMIN)
def a_login_by_secret_succeeds(visit: Visit) -> None:
    """A login with a secret key ends with RC 1 and op code 2001 as well."""
    came = log_in(visit.kept_connection(), visit.somebody())
    expect_code(came, ResponseCode.SUCCESS)
    expect_equal("op code", int(OpCode.SDK_LOGIN), came.answer.header.op_code)


@check("native.sdk.commands-after-login", SDK, Need.TCP, Need.ADMIN)
def commands_follow_the_login(visit: Visit) -> None:
    """After the login commands with the session id that the client chose, and no MAC, are carried out unchallenged."""
    client, name = visit.kept_connection(), visit.new_name()
    expect_code(log_in(client, visit.administrator), ResponseCode.SUCCESS)
    values = (URL, visit.admin_value())
    came = client.ask(OpCode.CREATE, ValuesRequest(name, values), COMMAND)
    expect_code(came, ResponseCode.SUCCESS)
    expect_indexes(resolve(visit.kept_connection(), name), [1, ADMIN_INDEX])
    expect_code(client.ask(OpCode.DELETE, HandleRequest(name), COMMAND), ResponseCode.SUCCESS)


@check("native.sdk.session-id-kept", SDK, Need.TCP, Need.ADMIN)
def the_clients_session_id_is_echoed(visit: Visit) -> None:
    """After the login answers have the session id that the client chose."""
    client = visit.kept_connection()
    expect_code(log_in(client, visit.administrator), ResponseCode.SUCCESS)
    came = client.ask(OpCode.RESOLVE, ResolveRequest(b"0"), COMMAND)
    expect_equal("session id", OWN_SESSION_ID, came.answer.envelope.session_id)


@check("native.sdk.login-bound-to-connection", SDK, Need.TCP, Need.ADMIN)
def a_login_counts_on_its_connection_only(visit: Visit) -> None:
    """Whoever uses the session id of a login on another connection is nobody there."""
    client, name = visit.kept_connection(), visit.make(URL)
    expect_code(log_in(client, visit.administrator), ResponseCode.SUCCESS)
    came = visit.kept_connection().ask(OpCode.DELETE, HandleRequest(name), COMMAND)
    expect(came.code != ResponseCode.SUCCESS, "a refusal", describe(came))
    expect_indexes(resolve(visit.kept_connection(), name), [1, ADMIN_INDEX])


@check("native.sdk.command-without-login", f"{SDK}: takes RC 402 for success", Need.TCP, Need.ADMIN)
def a_command_without_login_is_refused(visit: Visit) -> None:
    """A command with the SDK's session id, but no login, gets RC 400 or 403: the SDK takes RC 402 for success."""
    name = visit.new_name()
    begin_login(visit.kept_connection(), visit.administrator)
    came = visit.kept_connection().ask(OpCode.CREATE, ValuesRequest(name, (URL,)), COMMAND)
    expect_code(came, ResponseCode.NOT_ADMINISTRATOR, *NO_LOGIN)
    expect_code(resolve(visit.kept_connection(), name), ResponseCode.HANDLE_NOT_FOUND)


@check("native.sdk.resolve-with-token", SDK, Need.TCP, Need.ADMIN)
def a_question_may_carry_a_token(visit: Visit) -> None:
    """A question with the SDK's trailing token, empty or not, is answered like one without."""
    name = visit.make(URL)
    token = len(TOKEN).to_bytes(4) + TOKEN
    for surplus in (EMPTY_TOKEN, token):
        came = visit.kept_connection().ask(
            OpCode.RESOLVE, ResolveRequest(name, surplus=surplus), QUESTION
        )
        expect_indexes(came, [1, ADMIN_INDEX])


@check(
    "native.sdk.low-flags-survived",
    f"{SDK}: flags of its own in the low bits",
    Need.TCP,
    Need.ADMIN,
)
def flags_of_the_sdk_are_survived(visit: Visit) -> None:
    """Flags in the low bits, which only the SDK knows, change nothing."""
    name = visit.make(URL)
    for flag in (0x1, 0x2, 0x4):
        came = resolve(
            visit.kept_connection(), name, fields=QUESTION._replace(flags=QUESTION.flags | flag)
        )
        expect_indexes(came, [1, ADMIN_INDEX])


@check("native.sdk.own-session-ids-survived", SDK, Need.TCP, Need.ADMIN)
def session_ids_of_the_sdk_are_survived(visit: Visit) -> None:
    """A question with a session id that the client chose itself is answered, with that id."""
    came = resolve(
        visit.kept_connection(),
        visit.make(URL),
        fields=QUESTION._replace(session_id=OWN_SESSION_ID),
    )
    expect_indexes(came, [1, ADMIN_INDEX])
    expect_equal("session id", OWN_SESSION_ID, came.answer.envelope.session_id)


@check("native.sdk.version-2-10", f"{SDK}: 2.10, suggesting 2.11", Need.TCP, Need.ADMIN)
def the_sdks_versions_are_answered(visit: Visit) -> None:
    """A question of version 2.10 that suggests 2.11 is answered with the values."""
    expect_indexes(
        resolve(visit.kept_connection(), visit.make(URL), fields=QUESTION), [1, ADMIN_INDEX]
    )


@check("native.sdk.site-before-login", SDK, Need.TCP)
def the_site_is_told_before_a_login(visit: Visit) -> None:
    """Get-site-info with a session id that the client chose is answered: the SDK asks it before it logs in."""
    came = visit.kept_connection().ask(OpCode.GET_SITE_INFO, HandleRequest(), COMMAND)
    expect_code(came, ResponseCode.SUCCESS)
