"""Handle login: ``Authorization: Handle`` to a principal: by a proof, by a session, or by the client's certificate.

The order of what counts: a proof (``signature``), else the certificate when the client says that it shall count
(``clientCert="true"``), else whoever has logged in to the session before. A session alone, without anybody logged in,
is nobody. What goes wrong comes back as words for the client; why a proof is wrong is not among them.
"""

from typing import NamedTuple

from node.http.certificates import is_same_key, read_certificate
from node.http.handle_auth import Fields, read_claim, read_cnonce
from node.http.request import Request
from node.http.session_mail import SessionMail
from node.http.sessions import ADMIT, CLOSE, LOOK, TAKE, Errand, State
from node.proving.pool import PoolFull
from node.server_keys import ServerKeys
from node.service import Service
from protocols.errors import ProtocolError
from protocols.handle.proof import challenge_content
from protocols.handle.signatures import SHA256, sign
from protocols.message import ANONYMOUS, Outcome, Principal

NO_SESSION = "the session is over, or was begun elsewhere; begin a new one"
NEEDS_SESSION = "sessionId: a proof is over the nonce of a session"
WRONG_PROOF = "the proof is not right; its nonce is spent"
WRONG_CERTIFICATE = "client certificate: its key is not the HS_PUBKEY value at {}:{}"
NO_CERTIFICATE = "client certificate: none came with this connection"
BEHIND_PROXY = "client certificate: a proxy stands between, and its certificate is not yours"


class Refusal(NamedTuple):
    """Why somebody is not who he says."""

    outcome: Outcome
    words: str


class HandleLogin:
    """One per listener. ``request.session`` is what a login leaves for whoever tells the client of its session."""

    def __init__(self, service: Service, mail: SessionMail, keys: ServerKeys | None) -> None:
        self._service, self._mail, self._keys = service, mail, keys

    async def identify(self, request: Request, fields: Fields) -> Principal | Refusal:
        """Who asks; nobody (``ANONYMOUS``) when nothing was claimed."""
        if fields.session_id:
            request.session = await self.look(request, fields.session_id)
            if request.session is None:
                return Refusal(Outcome.AUTHENTICATION_NEEDED, NO_SESSION)
        elif fields.wants_server_proof:
            self.open(request)
        try:
            if fields.is_proof:
                return await self._by_proof(request, fields)
            if fields.wants_server_proof:
                await self._prove_server(request, fields)
            if fields.shows_certificate:
                return await self._by_certificate(request)
        except ProtocolError as error:
            return Refusal(Outcome.AUTHENTICATION_FAILED, str(error))
        except PoolFull:
            return Refusal(Outcome.BUSY, "too many logins wait")
        state = request.session
        return Principal(state.handle, state.index) if state and state.is_admitted else ANONYMOUS

    async def look(self, request: Request, session_id: str) -> State | None:
        """The client's session, if it has one by this id; one whose key was taken away is over."""
        state = await self._mail.do(Errand(LOOK, session_id, request.peer.address))
        if state is None or not state.is_admitted:
            return state
        if state.key_print != self._service.key_print(state.handle, state.index):
            await self.close(request, session_id)
            return None
        return state

    def open(self, request: Request) -> State | None:
        """A new session for the client; None when there is no room for one."""
        request.session = self._mail.open(request.peer.address)
        return request.session

    async def close(self, request: Request, session_id: str) -> None:
        """End the client's session."""
        await self._mail.do(Errand(CLOSE, session_id, request.peer.address))

    async def admit(self, request: Request, principal: Principal, proof: bytes = b"") -> None:
        """Remember in the request's session who was proved to be there."""
        assert request.session is not None, "there is a session to remember it in"
        key_print = self._service.key_print(principal.handle, principal.index)
        errand = Errand(
            ADMIT, request.session.id, request.peer.address,
            proof, principal.handle, principal.index, key_print,
        )  # fmt: skip
        request.session = await self._mail.do(errand)

    async def _by_proof(self, request: Request, fields: Fields) -> Principal | Refusal:
        if request.session is None:
            return Refusal(Outcome.AUTHENTICATION_FAILED, NEEDS_SESSION)
        state, digest = request.session, fields.digest
        if state.is_admitted and state.proof == digest:
            return Principal(state.handle, state.index)
        read_claim(fields, b"")  # what cannot be read costs no nonce
        taken = await self._mail.do(Errand(TAKE, state.id, request.peer.address, digest))
        if taken is None:
            return Refusal(Outcome.AUTHENTICATION_NEEDED, NO_SESSION)
        request.session = taken
        claim = read_claim(fields, taken.taken)
        proved = await self._service.prove(claim, request.peer)
        if isinstance(proved, Principal):
            await self.admit(request, proved, digest)
            return proved
        if proved is Outcome.AUTHENTICATION_FAILED:
            return Refusal(proved, WRONG_PROOF)
        return Refusal(proved, "nobody can check it now; try again")

    async def _by_certificate(self, request: Request) -> Principal | Refusal:
        der = request.connection.certificate
        if request.peer is not request.connection.peer:
            return Refusal(Outcome.AUTHENTICATION_FAILED, BEHIND_PROXY)
        if not der:
            return Refusal(Outcome.AUTHENTICATION_FAILED, NO_CERTIFICATE)
        shown = read_certificate(der, self._service.now().wall_s)
        user = shown.user
        key = await self._service.public_key(user.handle, user.index, request.peer)
        if isinstance(key, Outcome):
            return Refusal(key, f"the record of {user.handle} cannot be had now; try again")
        if key is None or not is_same_key(shown.public_key, key):
            words = WRONG_CERTIFICATE.format(user.index, user.handle)
            return Refusal(Outcome.AUTHENTICATION_FAILED, words)
        principal = Principal(user.handle, user.index)
        if request.session is not None:
            await self.admit(request, principal)
        return principal

    async def _prove_server(self, request: Request, fields: Fields) -> None:
        """Sign the session's nonce and the client's, by the key in HS_SITE. Raises ``ProtocolError``, ``PoolFull``."""
        cnonce = read_cnonce(fields)
        if request.session is None or self._keys is None:
            return
        content = challenge_content(request.session.nonce, cnonce)
        request.server_proof = await self._service.pool.run(
            sign, self._keys.signing_key(), SHA256, content
        )
