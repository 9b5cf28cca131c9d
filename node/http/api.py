"""Api: what every handler is given: the node's service, its settings, and who is asking."""

from node.config_sections import Config
from node.http.basic_auth import read_basic
from node.http.challenge import PLAIN_HTTP, challenge
from node.http.errors import failure
from node.http.handle_auth import read_fields
from node.http.handle_login import HandleLogin, Refusal
from node.http.peers import behind_proxies, came_over_plain_http
from node.http.reply import Reply
from node.http.request import Request
from node.http.session_mail import SessionMail
from node.http.sessions import Sessions
from node.http.tunnel import Speaker
from node.search.cells import scope_of
from node.search.finder import Finder
from node.server_keys import ServerKeys
from node.service import Service
from protocols.errors import ProtocolError
from protocols.message import ANONYMOUS, Outcome, Principal
from resolver.networks import NetworkSet

__all__ = ["PLAIN_HTTP", "Api", "challenge"]
_HANDLE = "handle"


class Api:
    """One per listener."""

    def __init__(
        self,
        service: Service,
        config: Config,
        mail: SessionMail | None = None,
        keys: ServerKeys | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        """``mail``: where sessions are, None = all here. ``keys``: by which the node proves itself, None = it does not.

        ``speaker``: who answers native messages that come in requests, None = nobody.
        """
        self.service = service
        self.config = config
        self.speaker = speaker
        self.proxies = NetworkSet(config.access.trusted_proxies)
        self.mail = mail or SessionMail(0, {}, Sessions(), lambda: service.now().monotonic_s)
        self.login = HandleLogin(service, self.mail, keys)
        self.finder = Finder(
            config.node.data_dir, scope_of(config.search), config.search.question_s
        )

    def derive_peer(self, request: Request) -> None:
        """Look behind a trusted proxy, for limits, passwords and audit alike."""
        request.open_session = lambda: self.login.open(request)
        if self.proxies:
            connection_peer = request.peer
            request.peer = behind_proxies(connection_peer, request.headers, self.proxies)
            if request.peer is not connection_peer and came_over_plain_http(request.headers):
                request.is_secure = False

    async def identify(self, request: Request) -> Principal | Reply:
        """Who asks: nobody without ``Authorization``, else who is proved to; a refusal when that fails."""
        header = request.headers.get("Authorization")
        if header is None:
            return ANONYMOUS
        if not request.is_secure:
            return failure(Outcome.PERMISSION_DENIED, request.method, message=PLAIN_HTTP)
        is_handle = header.strip().partition(" ")[0].lower() == _HANDLE
        said: Principal | Refusal
        try:
            if is_handle:
                said = await self.login.identify(request, read_fields(header))
            else:
                said = await self.identify_by_password(request, header)
        except ProtocolError as error:
            said = Refusal(Outcome.AUTHENTICATION_FAILED, str(error))
        return said if isinstance(said, Principal) else _told(request, said, is_handle=is_handle)

    async def identify_by_password(self, request: Request, header: str) -> Principal | Refusal:
        """Who knows the password of ``Authorization: Basic``. Raises ``ProtocolError``."""
        login = read_basic(header)
        principal = await self.service.authenticate(
            login.handle, login.index, login.secret, request.peer
        )
        if principal is Outcome.BUSY:
            return Refusal(principal, "too many logins of your address are waiting")
        if principal is Outcome.UNREACHABLE:
            return Refusal(principal, f"the node that keeps the key of {login.handle} is silent")
        if isinstance(principal, Outcome):
            words = f"the password is not the one of HS_SECKEY at {login.index}:{login.handle}"
            return Refusal(principal, words)
        return principal

    async def need(self, request: Request) -> Principal | Reply:
        """Like ``identify``, but nobody is refused."""
        principal = await self.identify(request)
        if principal == ANONYMOUS:
            return challenge(
                request, Outcome.AUTHENTICATION_NEEDED, "log in: Authorization Basic or Handle"
            )
        return principal


def _told(request: Request, refusal: Refusal, *, is_handle: bool) -> Reply:
    """401 when another login may help."""
    outcome, words = refusal
    if outcome not in {Outcome.AUTHENTICATION_FAILED, Outcome.AUTHENTICATION_NEEDED}:
        return failure(outcome, request.method, message=words)
    error = words if is_handle else ""
    return challenge(request, Outcome.AUTHENTICATION_NEEDED, words, error=error)
