"""Reverse look-up: which handles have a value like this (EUDAT's Handle Reverse Look-up Servlet, PYHANDLE)."""

import secrets

from conformance.check import Need, check
from conformance.http_api import expect_told, login, taken
from conformance.http_client import HttpAnswer
from conformance.outcome import Failed, NotOffered, expect
from conformance.visit import Visit
from protocols.values.value import SECRET_PERMISSIONS, Value

HRLS = "EUDAT B2HANDLE, Handle Reverse Look-up Servlet; PYHANDLE search_handle"
SEARCH = (Need.HTTP, Need.ADMIN, Need.SECRET)


def _ask(visit: Visit, query: str) -> HttpAnswer:
    answer = visit.http().ask("GET", f"/hrls/handles?{query}", None, login(visit.administrator))
    if answer.status in {404, 405, 501}:
        raise NotOffered(answer.told)
    return taken(answer)


def _found(visit: Visit, query: str) -> list[str]:
    """Handles in upper case, as servers are free to fold them."""
    found = expect_told(_ask(visit, query), 200).json
    if not isinstance(found, list):
        raise Failed("a JSON array of handles", str(found))
    return [str(handle).upper() for handle in found]


def _mark() -> str:
    """Text that stands in no other record."""
    return "mark" + secrets.token_hex(6)


def _text(name: bytes) -> str:
    return name.decode().upper()


@check("http.search.ping", HRLS, Need.HTTP)
def there_is_a_search(visit: Visit) -> None:
    """/hrls/ping says OK."""
    answer = visit.http().ask("GET", "/hrls/ping")
    if answer.status in {404, 405, 501}:
        raise NotOffered(answer.told)
    expect(expect_told(answer, 200).body.strip() == b"OK", "OK", answer.told)


@check("http.search.login-needed", HRLS, Need.HTTP)
def nobody_may_search(visit: Visit) -> None:
    """A search without credentials is 401 (403 without TLS)."""
    answer = visit.http().ask("GET", "/hrls/handles?URL=*")
    if answer.status == 404:
        raise NotOffered(answer.told)
    expect(answer.status in {401, 403}, "status 401 or 403", answer.told)


@check("http.search.exact", HRLS, *SEARCH)
def a_value_finds_its_handle(visit: Visit) -> None:
    """A search for a whole value finds the handles that have it, and no others."""
    mark = _mark()
    name, _ = (visit.make(Value(1, "URL", f"{text}".encode())) for text in (mark, f"{mark}more"))
    found = _found(visit, f"URL={mark}")
    expect(found == [_text(name)], f"{_text(name)} alone", found)


@check("http.search.nothing", HRLS, *SEARCH)
def nothing_found_is_an_empty_array(visit: Visit) -> None:
    """A search that finds nothing is 200 with an empty array."""
    found = _found(visit, f"URL={_mark()}")
    expect(found == [], "[]", found)


@check("http.search.wildcards", HRLS, *SEARCH)
def stars_stand_for_anything(visit: Visit) -> None:
    """* stands for any text: before, behind and between."""
    mark = _mark()
    name = visit.make(Value(1, "URL", f"https://{mark}.example.org/x".encode()))
    for pattern in (f"*{mark}*", f"https://{mark}*", f"*{mark}.example.org/x", f"*{mark}*/x"):
        found = _found(visit, f"URL={pattern}")
        expect(found == [_text(name)], f"{_text(name)} by {pattern}", found)


@check("http.search.other-wildcards", "OWASP ASVS 5.0 §1.2.4", *SEARCH)
def only_stars_are_wildcards(visit: Visit) -> None:
    """Percent signs, underscores and the like stand for themselves."""
    mark = _mark()
    visit.make(Value(1, "URL", f"{mark}Xtail".encode()))
    for pattern in (f"{mark}%25", f"{mark}_tail", f"{mark}%3Ftail", f"{mark}[X]tail"):
        found = _found(visit, f"URL={pattern}")
        expect(found == [], f"nothing by {pattern}", found)


@check("http.search.no-injection", "OWASP ASVS 5.0 §1.2.4", *SEARCH)
def quotes_end_no_statement(visit: Visit) -> None:
    """Quotes in a pattern are text: nothing is found, and nothing fails."""
    for pattern in ("x%27%20OR%20%271%27=%271", "%22;--", "x%5C%27"):
        found = _found(visit, f"URL={pattern}")
        expect(found == [], f"nothing by {pattern}", found)


@check("http.search.all-keys", HRLS, *SEARCH)
def keys_are_joined_by_and(visit: Visit) -> None:
    """Several keys find the handles that have a value for each."""
    mark = _mark()
    both = visit.make(Value(1, "URL", mark.encode()), Value(2, "CHECKSUM", b"yes"))
    visit.make(Value(1, "URL", mark.encode()), Value(2, "CHECKSUM", b"no"))
    found = _found(visit, f"URL={mark}&CHECKSUM=yes")
    expect(found == [_text(both)], f"{_text(both)} alone", found)


@check("http.search.below-prefix", HRLS, *SEARCH)
def a_search_may_name_a_prefix(visit: Visit) -> None:
    """/hrls/handles/{prefix} finds handles below the prefix only."""
    mark = _mark()
    name = visit.make(Value(1, "URL", mark.encode()))
    for prefix, expected in ((visit.prefix, [_text(name)]), ("99.999", [])):
        target = f"/hrls/handles/{prefix}?URL={mark}"
        answer = taken(visit.http().ask("GET", target, None, login(visit.administrator)))
        if answer.status == 404 and prefix == visit.prefix:
            raise NotOffered(answer.told)
        if answer.status == 200:
            found = [str(handle).upper() for handle in _array(answer)]
            expect(found == expected, f"{expected} below {prefix}", found)


def _array(answer: HttpAnswer) -> list[object]:
    if not isinstance(answer.json, list):
        raise Failed("a JSON array", answer.told)
    return answer.json


@check("http.search.limit-and-page", HRLS, *SEARCH)
def searches_come_in_pages(visit: Visit) -> None:
    """limit and page cut what is found into pages, each handle once."""
    mark = _mark()
    names = {_text(visit.make(Value(1, "URL", f"{mark}{n}".encode()))) for n in range(3)}
    first, second = (_found(visit, f"URL={mark}*&limit=2&page={page}") for page in (0, 1))
    expect(len(first) == 2 and len(second) == 1, "two handles, then one", (first, second))
    expect(set(first + second) == names, "all three", first + second)


@check("http.search.records", HRLS, *SEARCH)
def records_are_told(visit: Visit) -> None:
    """retrieverecords=true tells the values of what is found: handle -> [{type, value}]."""
    mark = _mark()
    name = visit.make(Value(1, "URL", mark.encode()))
    found = expect_told(_ask(visit, f"URL={mark}&retrieverecords=true"), 200).document
    records = {handle.upper(): values for handle, values in found.items()}
    values = records.get(_text(name))
    pairs = [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []
    texts = [str(value.get("value", value.get("data"))) for value in pairs]
    expect(any(mark in text for text in texts), "the value", found)


@check("http.search.deleted-not-found", HRLS, *SEARCH)
def deleted_handles_are_not_found(visit: Visit) -> None:
    """What was deleted is not found any more."""
    mark = _mark()
    name = visit.make(Value(1, "URL", mark.encode()))
    expect(_found(visit, f"URL={mark}") == [_text(name)], "the handle", "nothing")
    target = f"/api/handles/{name.decode()}"
    expect_told(visit.http().ask("DELETE", target, None, login(visit.administrator)), 200, 1)
    expect(_found(visit, f"URL={mark}") == [], "nothing", "the deleted handle")


@check("http.search.secrets-not-found", "OWASP API Security Top 10 2023, API3", *SEARCH)
def secrets_are_not_searched(visit: Visit) -> None:
    """Secret keys are neither searched nor told."""
    mark = _mark()
    secret = Value(300, "HS_SECKEY", mark.encode(), permissions=SECRET_PERMISSIONS)
    visit.make(secret, Value(1, "URL", b"https://example.org/"))
    for query in (f"HS_SECKEY={mark}", f"HS_SECKEY={mark[:6]}*&retrieverecords=true"):
        answer = _ask(visit, query)
        found = answer.json if answer.status == 200 else []
        expect(not found, "nothing", answer.told)


@check("http.search.restricted-not-found", "OWASP API Security Top 10 2023, API3", *SEARCH)
def restricted_values_are_not_searched(visit: Visit) -> None:
    """Values that are not for everybody are neither searched nor told by a search."""
    mark = _mark()
    visit.make(Value(1, "URL", b"x"), Value(2, "NOTE", mark.encode(), permissions=0b1100))
    found = _found(visit, f"NOTE={mark}")
    expect(found == [], "nothing", found)
