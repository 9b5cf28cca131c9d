"""Writing over HTTP: PUT of whole records, and who may (Handle.Net manual, JSON API; PYHANDLE)."""

import json

from conformance.check import Need, check
from conformance.http_api import (
    API,
    PYHANDLE,
    admin_json,
    code_of,
    created,
    expect_indexes,
    expect_told,
    get,
    login,
    put,
    record,
    taken,
    target_of,
    text_value,
    value_of,
)
from conformance.outcome import NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.values.admin import ADD_VALUE

WRITE = (Need.HTTP, Need.ADMIN, Need.SECRET)
PAGE = text_value(1, "https://example.org/page")
OTHER = text_value(1, "https://example.org/other")
MAIL = text_value(2, "somebody@example.org", "EMAIL")


@check("http.write.created", API, *WRITE)
def a_new_record_is_201(visit: Visit) -> None:
    """PUT of a new record is 201 with responseCode 1, and the record is there."""
    name = visit.new_name()
    expect_told(put(visit, name, record(visit, PAGE)), 201, 1)
    expect_indexes(get(visit, name), (1, 100))


@check("http.write.replaced", API, *WRITE)
def an_existing_record_is_200(visit: Visit) -> None:
    """PUT of a record that is there is 200 with responseCode 1."""
    name = created(visit, PAGE)
    expect_told(put(visit, name, record(visit, OTHER)), 200, 1)


@check("http.write.replaces-all", API, *WRITE)
def nothing_of_the_old_record_stays(visit: Visit) -> None:
    """PUT without index replaces the whole record: values that are not in the body are gone."""
    name = created(visit, PAGE, MAIL)
    put(visit, name, record(visit, OTHER))
    answer = get(visit, name)
    expect_indexes(answer, (1, 100))
    expect_equal("data", OTHER["data"], value_of(answer, 1).get("data"))


@check("http.write.names-handle", PYHANDLE, *WRITE)
def a_write_names_its_handle(visit: Visit) -> None:
    """The answer to a PUT repeats the handle as it was spelled."""
    name = visit.new_name("-MiXed")
    answer = expect_told(put(visit, name, record(visit, PAGE)), 201, 1)
    expect_equal("handle", name.decode(), answer.document.get("handle"))


@check("http.write.overwrite-false", PYHANDLE, *WRITE)
def overwrite_false_is_409(visit: Visit) -> None:
    """PUT with overwrite=false of a record that is there is 409 with responseCode 101 and changes nothing."""
    name = created(visit, PAGE)
    expect_told(put(visit, name, record(visit, OTHER), "overwrite=false"), 409, 101)
    expect_equal("data", PAGE["data"], value_of(get(visit, name), 1).get("data"))


@check("http.write.overwrite-false-new", PYHANDLE, *WRITE)
def overwrite_false_of_a_new_record(visit: Visit) -> None:
    """PUT with overwrite=false of a new record is 201."""
    expect_told(put(visit, visit.new_name(), record(visit, PAGE), "overwrite=false"), 201, 1)


@check("http.write.array", API, *WRITE)
def a_body_may_be_an_array(visit: Visit) -> None:
    """The body may be an array of values."""
    name = visit.new_name()
    expect_told(put(visit, name, [PAGE, admin_json(visit)]), 201, 1)
    expect_indexes(get(visit, name), (1, 100))


@check("http.write.one-value", API, *WRITE)
def a_body_may_be_one_value(visit: Visit) -> None:
    """The body may be one value."""
    name = created(visit, PAGE)
    expect_told(put(visit, name, MAIL, "index=2"), 200, 1)
    expect_indexes(get(visit, name), (1, 2, 100))


@check("http.write.handle-in-body", API, *WRITE)
def the_body_may_name_the_handle(visit: Visit) -> None:
    """A handle in the body must be that of the URL: another one is 400."""
    name = visit.new_name()
    expect_told(put(visit, name, record(visit, PAGE) | {"handle": name.decode()}), 201, 1)
    wrong = record(visit, OTHER) | {"handle": f"{visit.prefix}/somebody-else"}
    expect_told(put(visit, name, wrong), 400)


@check("http.write.content-type", API, *WRITE)
def the_content_type_is_needed(visit: Visit) -> None:
    """A PUT that does not call its body application/json is refused with 400 or 415."""
    body = json.dumps(record(visit, PAGE)).encode()
    fields = (*login(visit.administrator), ("Content-Type", "text/plain"))
    answer = taken(visit.http().ask("PUT", target_of(visit.new_name()), body, fields))
    expect(answer.status in {400, 415}, "status 400 or 415", answer.told)


@check("http.write.bad-json", API, *WRITE)
def a_body_that_is_no_json(visit: Visit) -> None:
    """A body that is not JSON is 400."""
    fields = (*login(visit.administrator), ("Content-Type", "application/json"))
    answer = visit.http().ask("PUT", target_of(visit.new_name()), b'{"values": [', fields)
    expect_told(taken(answer), 400)


@check("http.write.bad-index", API, *WRITE)
def indexes_are_positive(visit: Visit) -> None:
    """A value with index 0 is refused with 400, and nothing is stored."""
    name = visit.new_name()
    expect_told(put(visit, name, record(visit, text_value(0, "x"))), 400)
    expect_told(get(visit, name), 404, 100)


@check("http.write.index-twice", "RFC 3651 §3.1", *WRITE)
def indexes_are_unique(visit: Visit) -> None:
    """A record with two values of the same index is refused with 400 or 409, and nothing is stored."""
    name = visit.new_name()
    answer = put(visit, name, record(visit, PAGE, OTHER))
    expect(answer.status in {400, 409}, "status 400 or 409", answer.told)
    expect_told(get(visit, name), 404, 100)


@check("http.write.read-at-once", "RFC 9110 §9.3.4", *WRITE)
def what_was_written_is_read(visit: Visit) -> None:
    """A record that was just written is read as it is, on any connection."""
    name = created(visit, PAGE)
    for number in range(3):
        value = text_value(1, f"https://example.org/{number}")
        expect_told(put(visit, name, record(visit, value)), 200, 1)
        expect_equal("data", value["data"], value_of(get(visit, name), 1).get("data"))


@check("http.write.pyhandle-register", PYHANDLE, *WRITE)
def as_pyhandle_registers(visit: Visit) -> None:
    """What register_handle sends: index several times, overwrite, and bare strings in data."""
    name = visit.new_name()
    values = [
        admin_json(visit),
        {"index": 1, "type": "URL", "data": "https://example.org/"},
        {"index": 2, "type": "CHECKSUM", "data": "abc"},
    ]
    expect_told(put(visit, name, {"values": values}, "overwrite=false"), 201, 1)
    changed = {"values": [{"index": 2, "type": "CHECKSUM", "data": "def"}]}
    expect_told(put(visit, name, changed, "index=2&overwrite=true"), 200, 1)
    answer = get(visit, name, "auth=true")
    expect_indexes(answer, (1, 2, 100))
    expect_equal("data", {"format": "string", "value": "def"}, value_of(answer, 2).get("data"))


@check("http.write.login-needed", API, Need.HTTP, Need.PREFIX)
def nobody_may_write(visit: Visit) -> None:
    """A PUT without credentials is 401 with responseCode 402 (403 without TLS), and stores nothing."""
    name = visit.new_name()
    fields = (("Content-Type", "application/json"),)
    answer = visit.http().ask("PUT", target_of(name), json.dumps([PAGE]).encode(), fields)
    expect(answer.status in {401, 403}, "status 401 or 403", answer.told)
    expect_equal("responseCode", 402, code_of(answer))
    expect_told(get(visit, name), 404, 100)


@check("http.write.strangers-refused", "RFC 3651 §3.2.1", *WRITE)
def strangers_may_not_write(visit: Visit) -> None:
    """Who is logged in but no administrator of a record is refused with 403 and responseCode 400 or 401."""
    name, stranger = created(visit, PAGE), visit.somebody()
    expect_told(put(visit, name, record(visit, OTHER), who=stranger), 403, 400, 401)
    expect_equal("data", PAGE["data"], value_of(get(visit, name), 1).get("data"))


@check("http.write.strangers-create-nothing", "RFC 3651 §3.2.1", *WRITE)
def strangers_may_not_create(visit: Visit) -> None:
    """Who is logged in but no administrator of the prefix creates nothing below it."""
    name, stranger = visit.new_name(), visit.somebody()
    expect_told(put(visit, name, record(visit, PAGE), who=stranger), 403, 400, 401)
    expect_told(get(visit, name), 404, 100)


@check("http.write.permission-bits", "RFC 3651 §3.2.1", *WRITE)
def each_permission_is_looked_at(visit: Visit) -> None:
    """An administrator who may only add values adds one, and is refused to replace one."""
    who = visit.somebody()
    page = visit.make(visit.admin_value(who, ADD_VALUE, index=101))
    expect_told(put(visit, page, [MAIL], "index=2", who), 200, 1)
    expect_told(put(visit, page, [text_value(2, "changed")], "index=2", who), 403, 400, 401)
    expect_equal("data", MAIL["data"], value_of(get(visit, page), 2).get("data"))


@check("http.write.mint", API, *WRITE)
def suffixes_are_minted(visit: Visit) -> None:
    """PUT with mintNewSuffix makes a new handle that begins with the one named, and names it."""
    begun = visit.new_name("-")
    answer = put(visit, begun, record(visit, PAGE), "mintNewSuffix=true")
    if answer.status in {400, 501} and code_of(answer) in {4, 5}:
        raise NotOffered(answer.told)
    expect_told(answer, 201, 1)
    minted = str(answer.document.get("handle")).encode()
    visit.will_remove(minted)
    expect(minted.startswith(begun) and minted != begun, f"{begun.decode()}…", minted)
    expect_indexes(get(visit, minted), (1, 100))
