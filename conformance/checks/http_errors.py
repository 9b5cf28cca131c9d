"""Errors over HTTP: paths and methods that are none (Handle.Net manual, JSON API; RFC 9110)."""

from conformance.check import Need, check
from conformance.http_api import API, PYHANDLE, expect_told, get, target_of
from conformance.outcome import expect
from conformance.visit import Visit

SITE = "/api/site"


@check("http.errors.bogus-api-path", PYHANDLE, Need.HTTP)
def paths_that_are_none(visit: Visit) -> None:
    """A path of the API that does not exist is an error; a 404 has a JSON body, from which clients read on."""
    answer = visit.http().ask("GET", "/api/bogus/88.118/x")
    expect(answer.status >= 400, "an error", answer.told)
    if answer.status == 404:
        expect(isinstance(answer.json, dict), "a JSON object", answer.told)


@check("http.errors.search-at-the-api", PYHANDLE, Need.HTTP)
def a_search_at_the_wrong_place(visit: Visit) -> None:
    """A reverse look-up sent to the JSON API is refused, not answered with handles."""
    answer = visit.http().ask("GET", "/api/handles?URL=*")
    expect(answer.status >= 400, "an error", answer.told)


@check("http.errors.bogus-search-path", PYHANDLE, Need.HTTP)
def search_paths_that_are_none(visit: Visit) -> None:
    """A reverse look-up at a path that does not exist is 404."""
    expect_told(visit.http().ask("GET", "/bogus/hrls/handles?URL=*"), 404)


@check("http.errors.unknown-method", "RFC 9110 §9.1", Need.HTTP)
def unknown_methods(visit: Visit) -> None:
    """A method that the node does not know is 501, e.g. one of WebDAV."""
    expect_told(visit.http().ask("PROPFIND", SITE), 501)


@check("http.errors.wrong-method", "RFC 9110 §15.5.6", Need.HTTP)
def methods_that_do_not_apply(visit: Visit) -> None:
    """A known method that a resource does not have is 405."""
    expect_told(visit.http().ask("DELETE", SITE), 405)


@check("http.errors.wrong-method-says-allow", "RFC 9110 §10.2.1", Need.HTTP)
def which_methods_apply(visit: Visit) -> None:
    """A 405 says in Allow which methods there are."""
    answer = expect_told(visit.http().ask("DELETE", SITE), 405)
    allowed = {method.strip().upper() for method in answer.field("Allow").split(",")}
    expect("GET" in allowed, "Allow with GET", answer.field("Allow"))


@check("http.errors.json-with-code", API, Need.HTTP, Need.PREFIX)
def errors_are_json(visit: Visit) -> None:
    """Errors of the API are JSON objects with a number in responseCode."""
    for target in (target_of(visit.new_name()), "/api/handles/"):
        answer = visit.http().ask("GET", target)
        code = answer.document.get("responseCode")
        expect(isinstance(code, int) and code != 1, "a responseCode of an error", answer.told)


@check("http.errors.foreign-prefix", API, Need.HTTP)
def handles_of_others(visit: Visit) -> None:
    """A handle of a prefix that nobody hosts is no success, and no failure of the node."""
    answer = get(visit, b"99.999.conformance/nobody")
    expect(answer.document.get("responseCode") != 1, "no success", answer.told)
    expect(answer.status >= 300 and answer.status != 500, "an answer other than 500", answer.told)


@check("http.errors.api-is-never-html", API, Need.HTTP, Need.PREFIX)
def programs_get_no_pages(visit: Visit) -> None:
    """The API answers in JSON, whatever a browser would rather have."""
    wanted = (("Accept", "text/html"),)
    answer = visit.http().ask("GET", target_of(visit.new_name()), None, wanted)
    expect(isinstance(answer.json, dict), "a JSON object", answer.told)


@check("http.errors.no-traces", "OWASP ASVS 5.0 §16.5.1", Need.HTTP, Need.PREFIX)
def errors_show_nothing_of_the_inside(visit: Visit) -> None:
    """Errors show no stack trace and no path of a source file."""
    for target in ("/api/bogus", f"{target_of(visit.new_name())}?index=x", "/api/handles/%FF"):
        body = visit.http().ask("GET", target).body
        for mark in (b"Traceback", b"Exception in", b"\tat ", b'.py"', b".java:"):
            expect(mark not in body, f"no {mark!r}", body)
