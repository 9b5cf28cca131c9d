"""Pages: the few HTML pages for people: welcome, the public values of an identifier, what went wrong.

A page is one answer: style inside, no script, nothing loaded from anywhere. Everything that was registered or asked is
escaped here; the content security policy is the second lock.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

from node.http.data_cells import data_cell, ttl_text
from node.http.page_texts import LANGUAGES, text
from node.http.request import Request
from node.http.target import encode_path
from protocols.identifier import Identifier
from protocols.message import Answer
from protocols.rest.dates import format_date
from protocols.values.value import Value

MAX_SHOWN_VALUES = 500
"""More does not help a person; the JSON has them all."""
EXAMPLE_PREFIX = "88.118"

_STYLE = Path(__file__).with_name("page.css").read_text()
STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
"""The content security policy allows this one style and no other."""


def choose_language(request: Request) -> str:
    """``?lang=``, else what the browser accepts."""
    wished = request.parameters.first("lang")
    if wished in LANGUAGES:
        return wished
    return accepted_language(request.headers.get("Accept-Language", ""))


def accepted_language(header: str) -> str:
    """The first of ours in ``Accept-Language`` by weight, else English."""
    best, best_weight = "en", 0.0
    for part in header[:200].split(","):
        tag, _, weight_text = part.strip().partition(";q=")
        try:
            weight = float(weight_text or 1)
        except ValueError:
            continue
        primary = tag.partition("-")[0].lower()
        if primary in LANGUAGES and weight > best_weight:
            best, best_weight = primary, weight
    return best


def welcome_page(language: str, prefix: str) -> bytes:
    """What this node is, and a field to try an identifier."""
    parts = [f"<h1>{_say('node', language)}</h1>", f"<p>{_say('welcome', language)}</p>"]
    if prefix:
        parts.append(
            f'<p class="fact">{_say("serves", language)} <code>{escape(prefix)}</code></p>'
        )
    parts.append(_form(language, prefix, ""))
    parts.append(
        f'<nav aria-label="{_say("links", language)}"><a href="/api/openapi.json">{_say("openapi", language)}</a>'
        f'<a href="/api/site">{_say("site", language)}</a></nav>'
    )
    return _page(language, _say("title", language), "/", "".join(parts))


def record_page(identifier: Identifier, answer: Answer, language: str) -> bytes:
    """The public values of one identifier."""
    path = encode_path(identifier.spelling)
    name = escape(identifier.text)
    facts = f"{_say('version', language)} {answer.version}"
    if not answer.is_authoritative:
        facts = _say("elsewhere", language)
    if answer.modified_s:
        facts += f" · {_say('changed', language)} <time>{format_date(answer.modified_s)}</time>"
    parts = [
        f'<h1 class="handle">{name}</h1>',
        f'<p class="fact">{facts} · <a href="/api/handles/{escape(path)}?pretty">{_say("json", language)}</a></p>',
    ]
    if answer.values:
        parts.append(f"<h2>{_say('values', language)}</h2><ul class='values'>")
        parts += [_value_item(value, language) for value in answer.values[:MAX_SHOWN_VALUES]]
        parts.append("</ul>")
    else:
        parts.append(f"<p>{_say('no_values', language)}</p>")
    return _page(language, name, f"/{path}?noredirect&", "".join(parts))


def trouble_page(kind: str, handle: str, language: str, detail: str = "") -> bytes:
    """ "400", "404", "inactive", "circle" or "unanswered": what is wrong and what to do next.

    ``detail``: words of whoever registered something, shown as they are.
    """
    example = f"{EXAMPLE_PREFIX}/SN-000123"
    parts = [f"<h1>{_say(kind, language)}</h1>"]
    if handle:
        parts.append(f'<p class="handle">{escape(handle)}</p>')
    parts.append(f"<p>{_say(f'{kind}_text', language, example=example)}</p>")
    if detail:
        parts.append(f"<p>{escape(detail)}</p>")
    parts.append(f"<p>{_say(f'{kind}_next', language)}</p>")
    parts.append(_form(language, "", handle))
    here = f"/{encode_path(handle.encode())}?" if handle else "/?"
    return _page(language, _say(kind, language), here, "".join(parts))


def _value_item(value: Value, language: str) -> str:
    facts = [f"{_say('index', language)} {value.index}", ttl_text(value, language)]
    if value.timestamp:
        facts.append(f"<time>{format_date(value.timestamp)}</time>")
    return (
        f'<li><div class="type">{escape(value.type)}</div>'
        f'<div class="data">{data_cell(value, language)}</div>'
        f'<div class="fact">{" · ".join(facts)}</div></li>'
    )


def _form(language: str, prefix: str, handle: str) -> str:
    example = escape(f"{prefix or EXAMPLE_PREFIX}/SN-000123")
    hint = _say("enter", language, example=example)
    return (
        f'<form action="/" method="get"><input type="hidden" name="lang" value="{language}">'
        f'<input name="handle" type="text" required maxlength="2048" autocomplete="off" autocapitalize="off" '
        f'spellcheck="false" aria-label="{hint}" placeholder="{hint}" value="{escape(handle)}">'
        f"<button>{_say('resolve', language)}</button></form>"
    )


def _say(key: str, language: str, **facts: object) -> str:
    return text(key, language, **facts)


def _page(language: str, title: str, here: str, body: str) -> bytes:
    """``here`` is this page's own address, ready for one more parameter."""
    other = "en" if language == "zh" else "zh"
    glue = "" if here.endswith(("?", "&")) else "?"
    switch = f"{escape(here)}{glue}lang={other}"
    return (
        f'<!doctype html><html lang="{_say("html_lang", language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{title}</title><style>{_STYLE}</style></head>'
        f'<body><header><a class="brand" href="/?lang={language}">标解 Biaojie</a>'
        f'<a href="{switch}" hreflang="{other}">{_say("other", language)}</a></header>'
        f"<main>{body}</main></body></html>\n"
    ).encode()
