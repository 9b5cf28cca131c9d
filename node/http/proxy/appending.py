"""Appending: ``urlappend=…`` of a link, put behind the registered URL (Handle.Net manual, proxy server).

It goes to the very end, behind a query or fragment if there is one. A URL that ends with its host gets a ``/`` in
between, and what would still lead elsewhere is refused: scheme, host and port are those that were registered.
"""

from urllib.parse import urlsplit

from node.http.links import encode_rest
from protocols.errors import Malformed, TooLarge

MAX_APPENDED_CHARS = 4_000
"""Half of the longest Location."""
PARAMETER = "urlappend"


def append_to_url(url: str, appended: str) -> str:
    """Raises ``Malformed`` when it would lead to another scheme or host, or ``TooLarge``."""
    if not appended:
        return url
    if len(appended) > MAX_APPENDED_CHARS:
        raise TooLarge(
            f"{PARAMETER}: {len(appended)} characters, at most {MAX_APPENDED_CHARS} allowed",
            field=PARAMETER,
        )
    if not appended.isprintable():
        raise Malformed(f"{PARAMETER}: a control character in it", field=PARAMETER)
    try:
        before = urlsplit(url)
        is_bare = not (before.path or before.query or before.fragment)
        if is_bare and not url.endswith(("?", "#")) and appended[0] not in "/?#":
            url += "/"
        longer = url + encode_rest(appended)
        after = urlsplit(longer)
    except ValueError:
        raise Malformed(f"{PARAMETER}: the URL with it is none", field=PARAMETER) from None
    if not before.netloc or after[:2] != before[:2]:
        raise Malformed(f"{PARAMETER}: it would lead to another host", field=PARAMETER)
    return longer
