"""Api: what every handler is given: the node's service, its settings, and who is asking."""

from node.config_sections import Config
from node.http.basic_auth import read_basic
from node.http.errors import failure
from node.http.peers import Networks, behind_proxies, came_over_plain_http
from node.http.reply import Reply
from node.http.request import Request
from node.service import Service
from protocols.errors import ProtocolError
from protocols.message import ANONYMOUS, Outcome, Principal

PLAIN_HTTP = (
    "passwords are accepted over HTTPS, or from this machine itself, only; this connection is neither, "
    "and a password sent over it should be changed"
)


class Api:
    """One per listener."""

    def __init__(self, service: Service, config: Config) -> None:
        self.service = service
        self.config = config
        self.proxies = Networks(config.access.trusted_proxies)

    def derive_peer(self, request: Request) -> None:
        """Look behind a trusted proxy, for limits, passwords and audit alike."""
        if self.proxies.networks:
            connection_peer = request.peer
            request.peer = behind_proxies(connection_peer, request.headers, self.proxies)
            if request.peer is not connection_peer and came_over_plain_http(request.headers):
                request.is_secure = False

    async def identify(self, request: Request) -> Principal | Reply:
        """Who asks: nobody without ``Authorization``, else who the password proves; a refusal when it is wrong."""
        header = request.headers.get("Authorization")
        if header is None:
            return ANONYMOUS
        if not request.is_secure:
            return failure(Outcome.PERMISSION_DENIED, request.method, message=PLAIN_HTTP)
        try:
            login = read_basic(header)
        except ProtocolError as error:
            return challenge(request, Outcome.AUTHENTICATION_FAILED, str(error))
        principal = await self.service.authenticate(
            login.handle, login.index, login.secret, request.peer
        )
        if principal is Outcome.BUSY:
            words = "too many logins of your address are waiting"
            return failure(Outcome.BUSY, request.method, message=words)
        if isinstance(principal, Outcome):
            words = f"the password is not the one of HS_SECKEY at {login.index}:{login.handle}"
            return challenge(request, Outcome.AUTHENTICATION_FAILED, words)
        return principal

    async def need(self, request: Request) -> Principal | Reply:
        """Like ``identify``, but nobody is refused."""
        principal = await self.identify(request)
        if principal == ANONYMOUS:
            return challenge(
                request, Outcome.AUTHENTICATION_NEEDED, "log in with Basic authentication"
            )
        return principal


def challenge(request: Request, outcome: Outcome, message: str, handle: str = "") -> Reply:
    """401 with what to log in with, or 403 where a password could not be accepted anyway (Handle.Net manual)."""
    if not request.is_secure:
        return failure(
            Outcome.PERMISSION_DENIED,
            request.method,
            handle=handle,
            message=f"{message}; {PLAIN_HTTP}",
        )
    headers: tuple[tuple[str, str], ...] = ()
    if request.headers.get("X-Requested-With", "").lower() != "xmlhttprequest":
        headers = (("WWW-Authenticate", 'Basic realm="handle", charset="UTF-8"'),)
    reply = failure(outcome, request.method, handle=handle, message=message, headers=headers)
    return reply._replace(status=401)
