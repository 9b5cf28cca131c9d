"""JSONP: ``callback=f`` turns a JSON answer into a script that calls ``f`` with it, for old pages (``http.jsonp``).

Any page may have such a script run in a browser, which sends along what it knows of this node. So it is for what
anybody may read: a request that logs in gets plain JSON. Of the name only what a name can have is kept.
"""

import re
from typing import Final

from node.http.reply import Reply
from node.http.request import Request

MAX_NAME_CHARS: Final = 128
CONTENT_TYPE = "application/javascript;charset=UTF-8"

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_$.\[\]]")
_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
"""Line ends in scripts of old browsers, though not in JSON."""


def wrap(request: Request, reply: Reply) -> Reply:
    """The reply as a script, if that is asked for and may be done; its first bytes are no other kind of file's."""
    if request.method != "GET" or not request.query or "Authorization" in request.headers:
        return reply
    if (
        not reply.body
        or not reply.content_type.startswith("application/json")
        or request.connection.certificate
    ):
        return reply
    name = _NOT_IN_NAMES.sub("", request.parameters.first("callback") or "")[:MAX_NAME_CHARS]
    if not name:
        return reply
    body = reply.body
    for end, escape in _LINE_ENDS:
        body = body.replace(end, escape)
    script = b"/**/%b(%b);" % (name.encode(), body.rstrip())
    return reply._replace(body=script, content_type=CONTENT_TYPE)
