"""Data cells: a value's data as a person wants to see it: links that may be followed, text, else its JSON form."""

from html import escape

import orjson

from node.http.links import to_uri
from node.http.page_texts import text
from protocols.rest.dates import format_date
from protocols.rest.value_json import value_to_json
from protocols.values.value import TTL_ABSOLUTE, Value

MAX_SHOWN_CHARS = 4000
"""One value on a page; the rest is in the JSON."""

_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def data_cell(value: Value, language: str) -> str:
    """HTML of the data."""
    data = value_to_json(value)["data"]
    assert isinstance(data, dict)
    shown = data["value"]
    if data["format"] in {"base64", "hex"}:
        return escape(text("binary", language, size=len(value.data)))
    if not isinstance(shown, str):
        pretty = orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()
        return f"<pre>{_cut(pretty)}</pre>"
    uri = to_uri(value.data)
    if uri is not None:
        return f'<a href="{escape(uri)}" rel="nofollow noopener noreferrer">{_cut(shown)}</a>'
    return _cut(shown)


def ttl_text(value: Value, language: str) -> str:
    """How long the value may be kept, in the greatest unit that fits: ``1 d``."""
    if value.ttl_type == TTL_ABSOLUTE:
        return f"{text('ttl', language)} {text('until', language, date=format_date(value.ttl))}"
    size, unit = next((u for u in _UNITS if value.ttl and value.ttl % u[0] == 0), _UNITS[-1])
    return f"{text('ttl', language)} {text(unit, language, n=value.ttl // size)}"


def _cut(shown: str) -> str:
    if len(shown) <= MAX_SHOWN_CHARS:
        return escape(shown)
    return escape(shown[:MAX_SHOWN_CHARS]) + "…"
