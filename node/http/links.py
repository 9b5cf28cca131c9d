"""Links: which registered URL may be followed, and as what URI (RFC 3986, RFC 3987 §3.1).

What stands in a value was registered by somebody else: only schemes the operator allows, http and https with a host
only, and nothing in it may end a header line or hide where it goes.
"""

import re
from collections.abc import Container, Sequence
from urllib.parse import quote, urlsplit

from protocols.values.value import Value

MAX_LOCATION_CHARS = 8000
"""What browsers and proxies take as a header line."""
WEB_SCHEMES = ("http", "https")
"""What is followed unless the operator says otherwise (``http.redirect_schemes``)."""

_CONTROLS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]")
_KEPT = "%/:=&?~#+!$,;'@()*[]-._"
"""Characters of an IRI that stay themselves in its URI; everything else is percent-encoded UTF-8."""


def choose_url(values: Sequence[Value], schemes: Container[str] = WEB_SCHEMES) -> Value | None:
    """The first URL value that may be followed, ``URL`` before ``URL.…``; None when there is none."""
    return next((value for value in url_values(values) if to_uri(value.data, schemes)), None)


def choose_location(values: Sequence[Value], schemes: Container[str] = WEB_SCHEMES) -> str | None:
    """The URI to go to, None when no value has one that may be followed."""
    value = choose_url(values, schemes)
    return None if value is None else to_uri(value.data, schemes)


def url_values(values: Sequence[Value]) -> list[Value]:
    """Those of type ``URL``, then those of ``URL.…``."""
    named = [(value.type.upper(), value) for value in values]
    urls = [value for type_, value in named if type_ == "URL"]
    return urls + [value for type_, value in named if type_.startswith("URL.")]


def to_uri(data: bytes, schemes: Container[str] = WEB_SCHEMES) -> str | None:
    """A registered URL as an ASCII URI, None when it must not be followed."""
    try:
        text = data.decode().strip()
        if not text or _CONTROLS.search(text):
            return None
        parts = urlsplit(text)
        scheme = parts.scheme.lower()
        if scheme not in schemes:
            return None
        if not parts.netloc and scheme not in WEB_SCHEMES and parts.path:
            uri = f"{scheme}:{encode_rest(text.partition(':')[2])}"  # mailto: and the like
            return uri if len(uri) <= MAX_LOCATION_CHARS else None
        if not parts.hostname:
            return None
        _ = parts.port  # raises when it is no port
        host = parts.netloc
        if not host.isascii():
            host = host.encode("idna").decode()
        rest = text.partition("//")[2][len(parts.netloc) :]
        uri = f"{scheme}://{encode_rest(host)}{encode_rest(rest)}"
    except ValueError:  # not UTF-8, no valid host or port, no IDNA form
        return None
    return uri if len(uri) <= MAX_LOCATION_CHARS else None


def encode_rest(text: str) -> str:
    """A part of an IRI as a part of a URI. Raises ``ValueError`` for half a surrogate pair."""
    return quote(text, safe=_KEPT)
