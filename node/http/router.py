"""Router: from a request's path and method to its handler; and the guard around every handler.

The guard is the one place of HTTP where any exception is caught: a bug costs one request a 500 with an id, and the log
has the id with the traceback, once.
"""

import secrets

from node.http.api import Api
from node.http.errors import bad_input, http_trouble
from node.http.jsonp import wrap
from node.http.methods import METHODS
from node.http.openapi import path_text
from node.http.reply import Reply
from node.http.request import Request
from node.http.route import REST, Operation, Route
from node.http.routes import ROUTES
from node.http.tally import TUNNEL, UNKNOWN, Tally
from node.http.tunnel import is_tunnelled, pass_through
from node.logs import get_log
from node.overload import TOO_BUSY, Work
from protocols.errors import ProtocolError

_RECORDS = b"/api/handles/"
_READS = frozenset({"GET", "HEAD"})
"""Of records: too many to read the clock twice for each; the latency of reading is measured from outside."""
_RESERVED = (b"/api/", b"/hrls/")
"""Below these everything is a program's business: unknown paths get a JSON 404, never a page or redirect."""

log = get_log("http")


async def _pass_through(api: Api, request: Request) -> Reply:
    return await pass_through(api.service, api.speaker, request)


_TUNNEL = Operation(_pass_through, "A native message")


class Router:
    """Answers requests by the table of routes."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._may_wrap = api.config.http.jsonp
        self.requests_count = 0
        self.failed_count = 0
        """Handlers that raised what they must not; every one is in the log."""
        self.tally = Tally()
        self._names = {route.path: path_text(route) for route in ROUTES}
        self._exact: dict[bytes, Route] = {route.path: route for route in ROUTES}
        self.records = self._exact[_RECORDS]
        self._below = [
            route
            for route in ROUTES
            if route.takes_identifier and route.path not in {_RECORDS, REST}
        ]
        self.rest = self._exact[REST]

    async def answer(self, request: Request) -> Reply | None:
        """The reply; None when the handler has streamed its own."""
        self.requests_count += 1
        if is_tunnelled(request):
            return await self._tunnel(request)
        route, request.suffix = self.find(request.path)
        if route is None:
            self.tally.count(UNKNOWN, 404)
            return http_trouble(404)
        operation = route.operations.get(request.method)
        if operation is None:
            reply: Reply | None = _wrong_method(route, request.method)
        elif self.api.service.overload.refuses(operation.work):
            reply = http_trouble(503, TOO_BUSY)  # before any password is checked
        elif route is self.records and request.method in _READS:
            reply = await self._guarded(operation, request)
        else:
            began_s = self.api.service.now().monotonic_s
            reply = await self._guarded(operation, request)
            self.tally.time(self._names[route.path], self.api.service.now().monotonic_s - began_s)
        self.tally.count(self._names[route.path], 200 if reply is None else reply.status)
        return wrap(request, reply) if self._may_wrap and reply is not None else reply

    async def _tunnel(self, request: Request) -> Reply:
        """A native message, whatever the path is."""
        api = self.api
        reply: Reply | None
        if api.service.overload.refuses(Work.READ):
            reply = http_trouble(503, TOO_BUSY)
        else:
            reply = await self._guarded(_TUNNEL, request)
        assert reply is not None, "nothing is streamed"
        self.tally.count(TUNNEL, reply.status)
        return reply

    def find(self, path: bytes) -> tuple[Route | None, bytes]:
        """The route of a raw path, and what follows the route's own part of it."""
        if path.startswith(_RECORDS):
            return self.records, path[len(_RECORDS) :]
        route = self._exact.get(path)
        if path.endswith(b"/") and path.startswith(_RESERVED):
            route = self._exact.get(path[:-1], route)  # as clients of other servers write it
        if route is not None and route is not self.rest:
            return route, b""
        for below in self._below:  # what follows their path is an identifier
            if path.startswith(below.path):
                return below, path[len(below.path) :]
        if path.startswith(_RESERVED) or path in {b"/api", b"/hrls", b"*"}:
            return None, b""
        return self.rest, path[1:]

    def name_of(self, route: Route) -> str:
        """Its label in the metrics."""
        return self._names[route.path]

    async def _guarded(self, operation: Operation, request: Request) -> Reply | None:
        try:
            self.api.derive_peer(request)
            self.api.service.refresh()
            return await operation.handler(self.api, request)
        except ProtocolError as error:
            return bad_input(error)
        except ConnectionError:
            raise  # the client is gone; aiohttp cleans up
        except Exception:  # see the module's docstring
            self.failed_count += 1
            request_id = secrets.token_hex(8)
            log.exception(
                "request failed", extra={"request_id": request_id, "method": request.method}
            )
            return http_trouble(500, requestId=request_id)


def _wrong_method(route: Route, method: str) -> Reply:
    allowed = ", ".join([*route.operations, "OPTIONS"])
    if method == "OPTIONS":
        return Reply(
            204,
            headers=(
                ("Allow", allowed),
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Allow-Methods", "GET, HEAD"),
                ("Access-Control-Max-Age", "86400"),
            ),
        )
    return http_trouble(405 if method in METHODS else 501, headers=(("Allow", allowed),))
