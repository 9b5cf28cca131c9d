"""The way of people: ``GET /{handle}`` leads to where a handle points (Handle.Net proxy server)."""

import urllib.parse

from conformance.check import Need, check
from conformance.http_api import expect_told
from conformance.http_client import FieldList, HttpAnswer
from conformance.outcome import NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.values.value import Value

PROXY = "Handle.Net proxy server, hdl.handle.net/help.html"
LOCATIONS = "Handle value type 10320/loc, hdl.handle.net/help.html"
READ = (Need.HTTP, Need.ADMIN)
HOME = b"https://example.org/home"
TWO_PLACES = b"""<locations chooseby="locatt,weighted">
<location id="0" href="https://example.org/heavy" weight="1"/>
<location id="1" href="https://example.org/light" weight="0" view="light"/>
</locations>"""


def _go(visit: Visit, name: bytes, query: str = "", fields: FieldList = ()) -> HttpAnswer:
    """What a browser is answered. Raises ``NotOffered`` at a node without a proxy."""
    target = f"/{urllib.parse.quote(name, safe='/')}" + (f"?{query}" if query else "")
    answer = visit.http().ask("GET", target, None, fields)
    if answer.status in {405, 501}:
        raise NotOffered(answer.told)
    return answer


def _page(visit: Visit, name: bytes, query: str = "") -> HttpAnswer:
    return _go(visit, name, query, (("Accept", "text/html"),))


def _expect_sent(answer: HttpAnswer, status: int, location: str) -> None:
    expect_told(answer, status)
    expect_equal("Location", location, answer.field("Location"))


@check("http.proxy.redirect", PROXY, *READ)
def a_handle_leads_to_its_url(visit: Visit) -> None:
    """A handle with a URL value leads there by 302."""
    _expect_sent(_go(visit, visit.make(Value(1, "URL", HOME))), 302, HOME.decode())


@check("http.proxy.redirect-body", "RFC 9110 §15.4.3", *READ)
def a_redirect_has_a_link(visit: Visit) -> None:
    """The body of the redirect has the address as a link, for who is not led."""
    answer = _go(visit, visit.make(Value(1, "URL", HOME)))
    expect(HOME in answer.body, "the address", answer.told)
    expect("html" in answer.field("Content-Type"), "HTML", answer.field("Content-Type"))


@check("http.proxy.first-url", PROXY, *READ)
def the_first_url_counts(visit: Visit) -> None:
    """Of several URL values the first by index counts."""
    values = Value(7, "URL", b"https://example.org/second"), Value(2, "URL", HOME)
    _expect_sent(_go(visit, visit.make(*values)), 302, HOME.decode())


@check("http.proxy.url-before-subtypes", PROXY, *READ)
def url_goes_before_its_subtypes(visit: Visit) -> None:
    """A value of type URL counts before those of type URL.…, whatever their index."""
    values = Value(1, "URL.OTHER", b"https://example.org/other"), Value(5, "URL", HOME)
    _expect_sent(_go(visit, visit.make(*values)), 302, HOME.decode())


@check("http.proxy.index-selects", PROXY, *READ)
def an_index_selects_the_url(visit: Visit) -> None:
    """?index= selects which URL counts."""
    values = Value(1, "URL", b"https://example.org/first"), Value(2, "URL", HOME)
    _expect_sent(_go(visit, visit.make(*values), "index=2"), 302, HOME.decode())


@check("http.proxy.no-redirect", PROXY, *READ)
def values_are_shown_instead(visit: Visit) -> None:
    """?noredirect shows the public values on a page."""
    answer = _page(visit, visit.make(Value(1, "URL", HOME)), "noredirect")
    expect_told(answer, 200)
    expect("text/html" in answer.field("Content-Type"), "a page", answer.field("Content-Type"))
    expect(HOME in answer.body, "the value", answer.told)


@check("http.proxy.show-values", PROXY, *READ)
def values_are_shown_by_action(visit: Visit) -> None:
    """?action=showvalues shows the public values too."""
    answer = _page(visit, visit.make(Value(1, "URL", HOME)), "action=showvalues")
    if answer.status in range(300, 400):
        raise NotOffered(answer.told)
    expect(HOME in expect_told(answer, 200).body, "the value", answer.told)


@check("http.proxy.nothing-to-follow", PROXY, *READ)
def records_without_url_are_shown(visit: Visit) -> None:
    """A handle without a URL value is shown as a page."""
    answer = _page(visit, visit.make(Value(1, "EMAIL", b"somebody@example.org")))
    expect(b"somebody@example.org" in expect_told(answer, 200).body, "the value", answer.told)


@check("http.proxy.not-found", PROXY, *READ)
def absent_handles_are_404(visit: Visit) -> None:
    """An unknown handle is 404."""
    expect_told(_page(visit, visit.new_name()), 404)


@check("http.proxy.hidden-values", "RFC 3651 §3.1", *READ)
def pages_show_public_values_only(visit: Visit) -> None:
    """Neither page nor redirect tells a value that only administrators may read."""
    hidden = Value(1, "URL", b"https://example.org/hidden", permissions=0b1100)
    name = visit.make(hidden, Value(2, "EMAIL", b"somebody@example.org"))
    for query in ("", "noredirect", "index=1", "type=URL"):
        answer = _page(visit, name, query)
        told = answer.body + answer.field("Location").encode()
        expect(hidden.data not in told, "nothing hidden", answer.told)


@check("http.proxy.values-escaped", "OWASP ASVS 5.0 §1.2.1", *READ)
def registered_html_is_text(visit: Visit) -> None:
    """HTML in a value is text on a page, not part of it."""
    name = visit.make(Value(1, "DESC", b"<script>alert('conformance')</script>"))
    answer = _page(visit, name, "noredirect")
    expect(b"<script>alert(" not in answer.body, "escaped text", answer.told)


@check("http.proxy.no-header-injection", "OWASP ASVS 5.0 §1.3", *READ)
def urls_end_no_line(visit: Visit) -> None:
    """Line ends in a URL value never reach the head of an answer."""
    bad = b"https://example.org/\r\nX-Injected: yes\r\n\r\n<b>"
    answer = _go(visit, visit.make(Value(1, "URL", bad)))
    expect(not answer.field("X-Injected"), "no header out of a value", answer.fields)
    expect(answer.status < 500, "no failure", answer.told)


@check("http.proxy.location-encoded", "RFC 3987 §3.1", *READ)
def locations_are_uris(visit: Visit) -> None:
    """A URL value with other than ASCII characters is percent-encoded in Location."""
    name = visit.make(Value(1, "URL", "https://example.org/标识?q=é".encode()))
    expected = "https://example.org/%E6%A0%87%E8%AF%86?q=%C3%A9"
    _expect_sent(_go(visit, name), 302, expected)


@check("http.proxy.expires", PROXY, *READ)
def redirects_may_be_kept(visit: Visit) -> None:
    """A redirect says how long it may be kept: Expires or Cache-Control."""
    answer = expect_told(_go(visit, visit.make(Value(1, "URL", HOME, ttl=600))), 302)
    expect(answer.field("Expires") or answer.field("Cache-Control"), "Expires", answer.fields)


@check("http.proxy.head", "RFC 9110 §9.3.2", *READ)
def head_is_led_too(visit: Visit) -> None:
    """HEAD of a handle is led as GET is."""
    name = visit.make(Value(1, "URL", HOME))
    _expect_sent(visit.http().ask("HEAD", f"/{name.decode()}"), 302, HOME.decode())


@check("http.proxy.alias", PROXY, *READ)
def aliases_are_followed(visit: Visit) -> None:
    """HS_ALIAS leads to the other handle by 301, or to where that one leads."""
    name = visit.make(Value(1, "URL", HOME))
    answer = _go(visit, visit.make(Value(1, "HS_ALIAS", name)))
    if answer.status == 200:
        raise NotOffered(answer.told)
    expect(answer.status in {301, 302}, "status 301 or 302", answer.told)
    location = urllib.parse.unquote(answer.field("Location"))
    is_there = location == HOME.decode() or location.endswith(name.decode())
    expect(is_there, f"the way to {name.decode()}", location)


@check("http.proxy.ignore-aliases", PROXY, *READ)
def aliases_may_be_ignored(visit: Visit) -> None:
    """?ignore_aliases leads nowhere but by the handle's own values."""
    name = visit.make(Value(1, "HS_ALIAS", visit.make(Value(1, "URL", b"https://example.com/"))))
    if _go(visit, name).status == 200:
        raise NotOffered("aliases are not followed at all")
    answer = _page(visit, name, "ignore_aliases")
    expect(answer.status not in {301, 302}, "no way to the alias", answer.told)


@check("http.proxy.locations", LOCATIONS, *READ)
def one_of_several_locations(visit: Visit) -> None:
    """10320/loc leads to the location that its weights choose."""
    name = visit.make(Value(1, "10320/LOC", TWO_PLACES))
    _expect_sent(_located(visit, name), 302, "https://example.org/heavy")


@check("http.proxy.location-chosen", LOCATIONS, *READ)
def a_location_is_chosen(visit: Visit) -> None:
    """?locatt= chooses among the locations by an attribute."""
    name = visit.make(Value(1, "10320/LOC", TWO_PLACES))
    for wanted in ("id:1", "view:light"):
        _expect_sent(_located(visit, name, f"locatt={wanted}"), 302, "https://example.org/light")


@check("http.proxy.location-status", LOCATIONS, *READ)
def a_location_names_its_status(visit: Visit) -> None:
    """A location's http attribute says by which status it is led to."""
    text = b'<locations><location href="https://example.org/kept" http="301"/></locations>'
    name = visit.make(Value(1, "10320/LOC", text))
    _expect_sent(_located(visit, name), 301, "https://example.org/kept")


@check("http.proxy.url-append", PROXY, *READ)
def something_is_appended(visit: Visit) -> None:
    """?urlappend= is put at the end of the address."""
    answer = _go(visit, visit.make(Value(1, "URL", HOME)), "urlappend=%3Fpage%3D2")
    if answer.field("Location") == HOME.decode():
        raise NotOffered("urlappend is not looked at")
    _expect_sent(answer, 302, HOME.decode() + "?page=2")


@check("http.proxy.append-stays-there", "OWASP ASVS 5.0 §3.7.2", *READ)
def appending_leads_nowhere_else(visit: Visit) -> None:
    """What is appended never changes the host of the registered address."""
    name = visit.make(Value(1, "URL", b"https://example.org"))
    for more in ("@example.com/", ".example.com/", "%0D%0AX-Injected:%20yes", "%5C@example.com"):
        answer = _go(visit, name, f"urlappend={more}")
        expect(
            _host(answer.field("Location")) in {"", "example.org"},
            "the registered host",
            answer.field("Location"),
        )
        expect(not answer.field("X-Injected"), "no header out of a parameter", answer.fields)


def _host(location: str) -> str:
    """ "" where there is none; what cannot be read counts as another host."""
    try:
        return urllib.parse.urlsplit(location).hostname or ""
    except ValueError:
        return location


def _located(visit: Visit, name: bytes, query: str = "") -> HttpAnswer:
    """Raises ``NotOffered`` where 10320/loc is a type like any other."""
    answer = _go(visit, name, query)
    if answer.status == 200:
        raise NotOffered("10320/loc is not followed")
    return answer
