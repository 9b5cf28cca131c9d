"""Changing single values and deleting over HTTP (Handle.Net manual, JSON API; PYHANDLE)."""

from conformance.check import Need, check
from conformance.http_api import (
    API,
    PYHANDLE,
    created,
    delete,
    expect_indexes,
    expect_told,
    get,
    put,
    target_of,
    text_value,
    value_of,
)
from conformance.outcome import expect, expect_equal
from conformance.visit import Visit

WRITE = (Need.HTTP, Need.ADMIN, Need.SECRET)
PAGE = text_value(1, "https://example.org/page")
OTHER = text_value(1, "https://example.org/other")
MAIL = text_value(2, "somebody@example.org", "EMAIL")
NOTE = text_value(3, "a note", "NOTE")


@check("http.change.add-by-index", API, *WRITE)
def values_are_added_by_index(visit: Visit) -> None:
    """PUT with index adds a value; all others stay."""
    name = created(visit, PAGE)
    expect_told(put(visit, name, [MAIL], "index=2"), 200, 1)
    answer = get(visit, name)
    expect_indexes(answer, (1, 2, 100))
    expect_equal("data", PAGE["data"], value_of(answer, 1).get("data"))


@check("http.change.replace-by-index", API, *WRITE)
def values_are_replaced_by_index(visit: Visit) -> None:
    """PUT with index replaces the value at it; all others stay."""
    name = created(visit, PAGE, MAIL)
    expect_told(put(visit, name, [OTHER], "index=1"), 200, 1)
    answer = get(visit, name)
    expect_indexes(answer, (1, 2, 100))
    expect_equal("data", OTHER["data"], value_of(answer, 1).get("data"))


@check("http.change.add-and-replace", PYHANDLE, *WRITE)
def both_in_one_request(visit: Visit) -> None:
    """One PUT with several indexes adds some values and replaces others, in any order."""
    name = created(visit, PAGE)
    expect_told(put(visit, name, [NOTE, OTHER, MAIL], "index=2&index=3&index=1"), 200, 1)
    answer = get(visit, name)
    expect_indexes(answer, (1, 2, 3, 100))
    expect_equal("data", OTHER["data"], value_of(answer, 1).get("data"))


@check("http.change.index-various", API, *WRITE)
def indexes_may_be_those_of_the_body(visit: Visit) -> None:
    """index=various takes the indexes of the body; all other values stay."""
    name = created(visit, PAGE)
    expect_told(put(visit, name, [MAIL, NOTE], "index=various"), 200, 1)
    expect_indexes(get(visit, name), (1, 2, 3, 100))


@check("http.change.indexes-must-agree", API, *WRITE)
def indexes_must_be_those_of_the_body(visit: Visit) -> None:
    """The indexes of the URL must be those of the body: else 400 with responseCode 4, and nothing changes."""
    name = created(visit, PAGE)
    for query, body in (
        ("index=2", [MAIL, NOTE]),
        ("index=2&index=3", [MAIL]),
        ("index=9", [MAIL]),
    ):
        expect_told(put(visit, name, body, query), 400, 4)
    expect_indexes(get(visit, name), (1, 100))


@check("http.change.record-must-exist", API, *WRITE)
def values_need_a_record(visit: Visit) -> None:
    """PUT with index of a record that is not there is 404 with responseCode 100, and makes none."""
    name = visit.new_name()
    expect_told(put(visit, name, [MAIL], "index=2"), 404, 100)
    expect_told(get(visit, name), 404, 100)


@check("http.change.overwrite-false-by-index", API, *WRITE)
def values_are_not_overwritten(visit: Visit) -> None:
    """PUT with index and overwrite=false of a value that is there is 409, and changes nothing."""
    name = created(visit, PAGE)
    expect_told(put(visit, name, [OTHER], "index=1&overwrite=false"), 409, 101, 201)
    expect_equal("data", PAGE["data"], value_of(get(visit, name), 1).get("data"))


@check("http.change.delete-record", PYHANDLE, *WRITE)
def a_record_is_deleted(visit: Visit) -> None:
    """DELETE is 200 with responseCode 1; after it the handle is unknown."""
    name = created(visit, PAGE)
    expect_told(delete(visit, name), 200, 1)
    expect_told(get(visit, name), 404, 100)


@check("http.change.delete-absent", PYHANDLE, *WRITE)
def an_absent_record_is_not_deleted(visit: Visit) -> None:
    """DELETE of an unknown handle is 404 with responseCode 100."""
    expect_told(delete(visit, visit.new_name()), 404, 100)


@check("http.change.delete-by-index", PYHANDLE, *WRITE)
def values_are_deleted_by_index(visit: Visit) -> None:
    """DELETE with index, once or several times, removes these values; all others stay."""
    name = created(visit, PAGE, MAIL, NOTE)
    expect_told(delete(visit, name, "index=1&index=3"), 200, 1)
    expect_indexes(get(visit, name), (2, 100))


@check("http.change.delete-absent-values", PYHANDLE, *WRITE)
def absent_values_are_not_deleted(visit: Visit) -> None:
    """DELETE of values none of which is there is 400 with responseCode 200; the record stays."""
    name = created(visit, PAGE)
    expect_told(delete(visit, name, "index=7&index=8"), 400, 200)
    expect_indexes(get(visit, name), (1, 100))


@check("http.change.delete-needs-login", API, *WRITE)
def nobody_may_delete(visit: Visit) -> None:
    """DELETE without credentials is 401 (403 without TLS), and the record stays."""
    name = created(visit, PAGE)
    answer = visit.http().ask("DELETE", target_of(name))
    expect(answer.status in {401, 403}, "status 401 or 403", answer.told)
    expect_indexes(get(visit, name), (1, 100))


@check("http.change.create-after-delete", API, *WRITE)
def a_deleted_name_is_free(visit: Visit) -> None:
    """A deleted handle may be created anew, with nothing of the old record."""
    name = created(visit, PAGE, MAIL)
    expect_told(delete(visit, name), 200, 1)
    expect_told(put(visit, name, [NOTE], "overwrite=false"), 201, 1)
    expect_indexes(get(visit, name), (3,))
