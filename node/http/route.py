"""Route: one resource and its methods, as the router and the OpenAPI document read them."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from node.http.api import Api
from node.http.reply import JSON, Reply
from node.http.request import Request
from node.overload import Work

Handler = Callable[[Api, Request], Awaitable[Reply | None]]

EVERYWHERE = (400, 408, 429, 431, 500, 503)
"""Statuses any request can get, from the connection's bounds or a failing node."""
REST = b"/{handle}"
"""The path of the route that takes whatever no other route does."""


class Operation(NamedTuple):
    """One method of one resource."""

    handler: Handler
    summary: str
    parameters: tuple[str, ...] = ()
    """Query parameters, described in ``openapi.PARAMETERS``."""
    headers: tuple[str, ...] = ()
    """Request headers with a meaning here."""
    statuses: tuple[int, ...] = (200,)
    """Beside ``EVERYWHERE``."""
    body: str = ""
    """Content type of the request's body."""
    takes: str = ""
    """Component that the body is an instance of; "" = a plain object."""
    answer: str = JSON
    schema: str = "Outcome"
    """Component that an answer of 200 or 201 is an instance of."""
    needs_login: bool = False
    work: Work = Work.READ
    """As what it is refused when the event loop comes late."""


class Route(NamedTuple):
    """One resource."""

    path: bytes
    operations: dict[str, Operation]

    @property
    def takes_identifier(self) -> bool:
        """Whether what follows the path names a record."""
        return (self.path.endswith(b"/") and self.path != b"/") or self.path == REST
