"""Registering: makes and removes the records that checks need.

Natively with the administrator's proof; where a node takes no native commands, over HTTP with its REST interface
(Handle.Net Technical Manual 9, "Handle HTTP JSON REST API"), so that its reading can be tried all the same.
"""

import base64
import contextlib
import http.client
import json
import ssl
import time
import urllib.parse
from collections.abc import Callable, Sequence

from conformance.native_client import TcpClient
from conformance.native_messages import Fields
from conformance.outcome import Failed, Unable
from conformance.target import Account, Target
from protocols.handle.administration import HandleRequest, ValuesRequest
from protocols.handle.codec import Body
from protocols.handle.codes import CACR, OVRW, RECU, OpCode, ResponseCode
from protocols.rest.value_json import value_to_json
from protocols.values.value import Value

WRITE_FLAGS = RECU | CACR
BUSY_TRIES, BUSY_PAUSE_S = 10, 0.5
"""How often a node that says it is too busy is asked to keep a record, and the pause between."""


class Registering:
    """One administrator's commands, on a connection that is kept."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client: TcpClient | None = None
        self._is_native = target.native_port is not None and target.has_tcp
        self._accounts: dict[str, Account] = {}

    def create(self, name: bytes, values: Sequence[Value]) -> None:
        """Register, whatever was there. Raises ``Unable``."""
        body = ValuesRequest(name, tuple(values))
        if self._is_native and self._natively(OpCode.CREATE, body, OVRW):
            return
        document = {"values": [value_to_json(value) for value in values]}
        self._over_http("PUT", name, json.dumps(document).encode())

    def delete(self, name: bytes) -> None:
        """Remove; absent ones are fine. Raises ``Unable``."""
        if self._is_native and self._natively(OpCode.DELETE, HandleRequest(name), 0):
            return
        self._over_http("DELETE", name, None)

    def account(self, kind: str, make: Callable[[], Account]) -> Account:
        """One of that kind for the whole run: nodes let an account wait that they have not seen before."""
        if kind not in self._accounts:
            self._accounts[kind] = make()
        return self._accounts[kind]

    def finish(self) -> None:
        """Remove the shared accounts, and hang up."""
        for account in self._accounts.values():
            with contextlib.suppress(Unable):
                self.delete(account.handle)
        self._accounts.clear()
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _natively(self, op_code: int, body: Body, flags: int) -> bool:
        """False when the node takes no commands this way and HTTP is worth a try."""
        target = self._target
        try:
            if self._client is None:
                self._client = TcpClient(target.host, target.native_port or 0, target.answer_s)
            fields, tries = Fields(WRITE_FLAGS | flags), 1
            code = self._client.ask_as(_who(target), op_code, body, fields).code
            while code == ResponseCode.TOO_BUSY and tries < BUSY_TRIES:
                time.sleep(BUSY_PAUSE_S)  # a busy node is no broken one
                code = self._client.ask_as(_who(target), op_code, body, fields).code
                tries += 1
        except Failed as failed:
            self.close()
            raise Unable(f"op {op_code}: {failed}") from None
        if code in {ResponseCode.SUCCESS, ResponseCode.HANDLE_NOT_FOUND}:
            return True
        if code == ResponseCode.NOT_SUPPORTED and target.http_url is not None:
            self._is_native = False
            return False
        raise Unable(f"op {op_code} of {_who(target).reference} ended with RC {code}")

    def _over_http(self, method: str, name: bytes, body: bytes | None) -> None:
        target = self._target
        if target.http_url is None or _who(target).secret is None:
            raise Unable("the node takes no native commands, and no --http with a secret was named")
        headers = {"Authorization": _basic(_who(target)), "Content-Type": "application/json"}
        path = f"/api/handles/{urllib.parse.quote(name, safe='')}"
        connection = _connect(target.http_url, target)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unable(f"{method} {path}: {error}") from None
        finally:
            connection.close()
        if answer.status not in {200, 201, 404}:
            raise Unable(f"{method} {path}: status {answer.status}: {text[:200]!r}")


def _who(target: Target) -> Account:
    if target.administrator is None:
        raise Unable("no administrator was named")
    return target.administrator


def _basic(account: Account) -> str:
    user = urllib.parse.quote(account.reference, safe="")
    secret = urllib.parse.quote(account.secret or b"", safe="")
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def _connect(url: str, target: Target) -> http.client.HTTPConnection:
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or target.host
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=target.ca_file)
        return http.client.HTTPSConnection(
            host, parts.port, timeout=target.answer_s, context=context
        )
    return http.client.HTTPConnection(host, parts.port, timeout=target.answer_s)
