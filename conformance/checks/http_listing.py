"""Lists over HTTP: the handles of a prefix, the prefixes of a node, its site (Handle.Net manual, JSON API)."""

from conformance.check import Need, check
from conformance.http_api import (
    API,
    Json,
    as_administrator,
    as_object,
    as_objects,
    expect_told,
    login,
    taken,
)
from conformance.outcome import Failed, NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.values.value import Value

LIST = (Need.HTTP, Need.ADMIN, Need.SECRET)
PAGE = Value(1, "URL", b"https://example.org/")


def _list(visit: Visit, query: str = "") -> Json:
    """One page of the handles below the test prefix."""
    target = f"/api/handles?prefix={visit.prefix}{query}"
    return expect_told(as_administrator(visit, "GET", target), 200, 1).document


def _handles(document: Json) -> list[str]:
    handles = document.get("handles")
    if not isinstance(handles, list):
        raise Failed("handles, an array", str(document))
    return [str(handle).lower() for handle in handles]


@check("http.list.login-needed", API, Need.HTTP, Need.PREFIX)
def nobody_may_list(visit: Visit) -> None:
    """Handles are listed for administrators only: 401 (403 without TLS) for anybody else."""
    answer = visit.http().ask("GET", f"/api/handles?prefix={visit.prefix}")
    expect(answer.status in {401, 403}, "status 401 or 403", answer.told)


@check("http.list.permission-needed", "RFC 3651 §3.2.1", *LIST)
def strangers_may_not_list(visit: Visit) -> None:
    """Who is logged in without the permission to list is refused with 403."""
    target = f"/api/handles?prefix={visit.prefix}"
    stranger = visit.somebody()
    answer = taken(visit.http().ask("GET", target, None, login(stranger)))
    expect_told(answer, 403, 400, 401)


@check("http.list.complete", API, *LIST)
def every_handle_is_listed(visit: Visit) -> None:
    """A handle that is registered is in the list of its prefix; one that is not, is not."""
    name, absent = visit.make(PAGE), visit.new_name()
    handles = _handles(_list(visit, "&page=-1&pageSize=-1"))
    expect(name.decode().lower() in handles, f"{name.decode()} in the list", len(handles))
    expect(absent.decode().lower() not in handles, f"not {absent.decode()}", absent)


@check("http.list.total-is-text", API, *LIST)
def the_total_is_a_string(visit: Visit) -> None:
    """totalCount is a string of digits, and counts all handles."""
    visit.make(PAGE)
    document = _list(visit, "&page=-1&pageSize=-1")
    total = document.get("totalCount")
    expect(isinstance(total, str) and total.isdecimal(), "a string of digits", repr(total))
    expect_equal("totalCount", str(len(_handles(document))), total)


@check("http.list.names-prefix", API, *LIST)
def a_list_names_its_prefix(visit: Visit) -> None:
    """A list names the prefix that was asked for."""
    expect_equal("prefix", visit.prefix, _list(visit).get("prefix"))


@check("http.list.pages", API, *LIST)
def lists_come_in_pages(visit: Visit) -> None:
    """page and pageSize cut the list into pages, counted from 0, without gaps or repetitions."""
    for _ in range(3):
        visit.make(PAGE)
    first, second = (_handles(_list(visit, f"&page={n}&pageSize=2")) for n in (0, 1))
    expect(len(first) == 2 and second, "two handles, and more on the next page", first)
    expect(not set(first) & set(second), "each handle once", (first, second))


@check("http.list.page-echoed", API, *LIST)
def pages_name_themselves(visit: Visit) -> None:
    """A page says its number and size."""
    visit.make(PAGE)
    document = _list(visit, "&page=0&pageSize=1")
    for member, expected in (("page", 0), ("pageSize", 1)):
        expect_equal(member, expected, document.get(member))


@check("http.list.derived-left-out", "RFC 3652 §3.5", *LIST)
def a_list_stays_below_its_prefix(visit: Visit) -> None:
    """All handles of a list begin with the prefix and a slash."""
    visit.make(PAGE)
    lead = f"{visit.prefix}/".lower()
    for handle in _handles(_list(visit)):
        expect(handle.startswith(lead), f"handles below {visit.prefix}", handle)


def servers_of(visit: Visit) -> list[Json]:
    """Those of /api/site. Raises ``NotOffered`` where there is no such thing."""
    answer = visit.http().ask("GET", "/api/site")
    if answer.status == 404:
        raise NotOffered(answer.told)
    document = expect_told(answer, 200).document
    servers = as_objects(as_object(document.get("site", document)).get("servers"))
    expect(servers, "servers, an array", answer.told)
    return servers


@check("http.site.json", API, Need.HTTP)
def the_site_is_told(visit: Visit) -> None:
    """/api/site tells the node's site: servers with addresses and interfaces."""
    for server in servers_of(visit):
        expect(server.get("address") and server.get("interfaces"), "address, interfaces", server)


@check("http.site.interfaces", API, Need.HTTP)
def interfaces_have_ports(visit: Visit) -> None:
    """Every interface of the site has a protocol and a port."""
    for server in servers_of(visit):
        for interface in as_objects(server.get("interfaces")):
            expect(interface.get("protocol"), "a protocol", interface)
            port = interface.get("port")
            expect(isinstance(port, int) and 0 < port < 65_536, "a port", interface)


@check("http.prefixes.listed", API, *LIST)
def homed_prefixes_are_listed(visit: Visit) -> None:
    """/api/prefixes tells the administrator of a node which prefixes it hosts."""
    answer = as_administrator(visit, "GET", "/api/prefixes")
    if answer.status in {403, 404, 405, 501}:
        raise NotOffered(answer.told)
    expect_told(answer, 200)
    expect(visit.prefix.encode() in answer.body, f"{visit.prefix} among them", answer.told)


@check("http.prefixes.login-needed", API, Need.HTTP, Need.PREFIX)
def nobody_may_home(visit: Visit) -> None:
    """Nobody hosts or gives up a prefix without logging in."""
    for method in ("POST", "DELETE"):
        answer = visit.http().ask(method, f"/api/prefixes?prefix={visit.prefix}.9", b"")
        if answer.status in {404, 405, 501}:
            raise NotOffered(answer.told)
        expect(400 <= answer.status < 500, "a 4xx status", answer.told)
        expect(answer.document.get("responseCode") != 1, "no success", answer.told)
