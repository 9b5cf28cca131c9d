"""Site: ``GET /api/site``: this node's own HS_SITE as JSON, for self-configuring clients (Handle.Net manual)."""

from node.http.api import Api
from node.http.errors import http_trouble
from node.http.reading import OPEN
from node.http.reply import Reply, json_reply
from node.http.request import Request
from protocols.identifier import prefix_record_of
from protocols.message import Query
from protocols.rest.site_json import site_to_json
from protocols.values.site import decode_site

SITE_TTL_S = 3600
"""A site changes when somebody moves the node; clients that cached it notice by its serial number."""


async def read_site(api: Api, request: Request) -> Reply:
    """The first HS_SITE of the node's own prefix."""
    prefix = api.config.node.prefix
    if not prefix:
        return http_trouble(404, "this node has no prefix of its own yet, so it publishes no site")
    query = Query(prefix_record_of(prefix), types=("HS_SITE",))
    answer = api.service.resolve_now(query, request.peer, api.service.now())
    if answer is None or not answer.values:
        return http_trouble(404, f"0.NA/{prefix} has no HS_SITE value")
    headers = (("Cache-Control", f"max-age={SITE_TTL_S}"), OPEN)
    content = site_to_json(decode_site(answer.values[0].data))
    return json_reply(200, content, headers, is_pretty=request.is_pretty)
