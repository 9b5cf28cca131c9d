"""Links: which registered URL may be followed, and as what URI (RFC 3986, RFC 3987 §3.1).

What stands in a value was registered by somebody else: only http and https, only with a host, and nothing in it may
end a header line or hide where it goes.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from protocols.values.value import Value

MAX_LOCATION_CHARS = 8000
"""What browsers and proxies take as a header line."""

_CONTROLS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_KEPT = "%/:=&?~#+!$,;'@()*[]-._"
"""Characters of an IRI that stay themselves in its URI; everything else is percent-encoded UTF-8."""


def choose_location(values: Sequence[Value]) -> str | None:
    """The URI to go to, None when no value has one that may be followed."""
    named = [(value.type.upper(), value) for value in values]
    urls = [value for type_, value in named if type_ == "URL"]
    urls += [value for type_, value in named if type_.startswith("URL.")]
    return next((uri for value in urls if (uri := to_uri(value.data))), None)


def to_uri(data: bytes) -> str | None:
    """A registered URL as an ASCII URI, None when it must not be followed."""
    try:
        text = data.decode().strip()
        if not text or _CONTROLS.search(text):
            return None
        parts = urlsplit(text)
        if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
            return None
        _ = parts.port  # raises when it is no port
        host = parts.netloc
        if not host.isascii():
            host = host.encode("idna").decode()
        rest = text.partition("//")[2][len(parts.netloc) :]
        uri = f"{parts.scheme.lower()}://{quote(host, safe=_KEPT)}{quote(rest, safe=_KEPT)}"
    except ValueError:  # not UTF-8, no valid host or port, no IDNA form
        return None
    return uri if len(uri) <= MAX_LOCATION_CHARS else None
