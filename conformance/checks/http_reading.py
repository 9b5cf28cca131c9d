"""Reading over HTTP: the envelope of an answer, selection, what is public (Handle.Net manual, JSON API)."""

from conformance.check import Need, check
from conformance.http_api import (
    API,
    PYHANDLE,
    code_of,
    expect_client_error,
    expect_indexes,
    expect_told,
    get,
    indexes_of,
    login,
    taken,
    target_of,
    values_of,
)
from conformance.outcome import Failed, NotOffered, expect, expect_equal
from conformance.visit import Visit
from protocols.values.value import SECRET_PERMISSIONS, Value

READ = (Need.HTTP, Need.ADMIN)
AS_ADMIN = (*READ, Need.SECRET)
PAGE = Value(1, "URL", b"https://example.org/page")
MAIL = Value(2, "EMAIL", b"somebody@example.org")
PARTS = Value(3, "URL.PART", b"https://example.org/part")
NEARBY = Value(4, "URLS", b"https://example.org/list")
FOR_ADMINISTRATORS = Value(5, "NOTE", b"for administrators", permissions=0b1100)
SECRET = Value(6, "HS_SECKEY", b"never-to-be-seen", permissions=SECRET_PERMISSIONS)


@check("http.read.envelope", API, *READ)
def the_envelope(visit: Visit) -> None:
    """A record is told as 200 with responseCode 1, its handle and an array of values."""
    name = visit.make(PAGE)
    answer = get(visit, name)
    expect_told(answer, 200, 1)
    expect_equal("handle", name.decode(), answer.document.get("handle"))
    expect(1 in indexes_of(answer), "the value at index 1", answer.told)


@check("http.read.content-type-json", API, *READ)
def content_type_is_json(visit: Visit) -> None:
    """The content type of an answer is application/json."""
    answer = get(visit, visit.make(PAGE))
    media_type = answer.field("Content-Type").partition(";")[0].strip().lower()
    expect_equal("content type", "application/json", media_type)


@check("http.read.values-sorted-by-index", API, *READ)
def values_are_sorted(visit: Visit) -> None:
    """The values of an answer stand in the order of their indexes."""
    name = visit.make(NEARBY._replace(index=44), MAIL, PAGE)
    expect_indexes(get(visit, name), (1, 2, 44, 100))


@check("http.read.spelling-echoed", PYHANDLE, *READ)
def spelling_is_echoed(visit: Visit) -> None:
    """The handle of an answer is byte for byte the one of the request, whatever its case."""
    name = visit.make(PAGE, more="-MiXed").decode()
    asked = name.replace("MiXed", "mIxED").encode()
    answer = get(visit, asked)
    expect(answer.status in {200, 404}, "status 200 or 404", answer.told)
    expect_equal("handle", asked.decode(), answer.document.get("handle"))


@check("http.read.not-found", API, *READ)
def absent_is_404(visit: Visit) -> None:
    """An unknown handle is 404 with responseCode 100 in a JSON body."""
    expect_told(get(visit, visit.new_name()), 404, 100)


@check("http.read.not-found-names-handle", PYHANDLE, *READ)
def absent_names_the_handle(visit: Visit) -> None:
    """The 404 of an unknown handle repeats the handle."""
    name = visit.new_name()
    expect_equal("handle", name.decode(), get(visit, name).document.get("handle"))


@check("http.read.head-without-body", "RFC 9110 §9.3.2", *READ)
def head_has_no_body(visit: Visit) -> None:
    """HEAD has the status of GET and no body."""
    name = visit.make(PAGE)
    client = visit.http()
    expect_told(client.ask("HEAD", target_of(name)), 200)
    expect_told(client.ask("GET", target_of(name)), 200, 1)


@check("http.read.head-same-fields", "RFC 9110 §9.3.2", *READ)
def head_has_the_fields_of_get(visit: Visit) -> None:
    """Content-Type and Content-Length of HEAD are those of GET, where they are sent."""
    target = target_of(visit.make(PAGE))
    head, whole = visit.http().ask("HEAD", target), visit.http().ask("GET", target)
    for field in ("Content-Type", "Content-Length"):
        if head.field(field):
            expect_equal(field, whole.field(field), head.field(field))


@check("http.read.post-is-get", API, *READ)
def post_is_get(visit: Visit) -> None:
    """POST reads like GET, with the parameters in the body."""
    name = visit.make(PAGE, MAIL)
    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    answer = visit.http().ask("POST", target_of(name), b"index=2", form)
    if answer.status in {404, 405, 501}:
        raise NotOffered(answer.told)
    expect_indexes(answer, (2,))


@check("http.read.index-selects", API, *READ)
def indexes_select(visit: Visit) -> None:
    """index, once or several times, selects values."""
    name = visit.make(PAGE, MAIL, PARTS)
    expect_indexes(get(visit, name, "index=2"), (2,))
    expect_indexes(get(visit, name, "index=3&index=1"), (1, 3))


@check("http.read.type-selects", API, *READ)
def types_select(visit: Visit) -> None:
    """type selects the values of exactly this type, several types those of each."""
    name = visit.make(PAGE, MAIL, PARTS, NEARBY)
    expect_indexes(get(visit, name, "type=URL"), (1,))
    expect_indexes(get(visit, name, "type=EMAIL&type=URLS"), (2, 4))


@check("http.read.type-with-dot", "RFC 3651 §3.1", *READ)
def a_dot_selects_subtypes(visit: Visit) -> None:
    """A type that ends with a dot selects the type and all that begin with it and the dot."""
    name = visit.make(PAGE, MAIL, PARTS, NEARBY)
    came = indexes_of(get(visit, name, "type=URL."))
    expect(3 in came and 4 not in came and 2 not in came, "URL.PART and not URLS", came)


@check("http.read.index-or-type", "RFC 3652 §3.2", *READ)
def index_and_type_add_up(visit: Visit) -> None:
    """index and type together select the values that match either."""
    name = visit.make(PAGE, MAIL, PARTS)
    expect_indexes(get(visit, name, "index=2&type=URL"), (1, 2))


@check("http.read.values-not-found", API, *READ)
def nothing_selected_is_200(visit: Visit) -> None:
    """A record without a value of those asked for is 200 with responseCode 200."""
    name = visit.make(PAGE)
    for query in ("index=77", "type=NOBODY"):
        answer = expect_told(get(visit, name, query), 200, 200)
        expect(not answer.document.get("values"), "no values", answer.told)


@check("http.read.auth-parameter", PYHANDLE, *READ)
def auth_is_taken(visit: Visit) -> None:
    """auth=true asks for an authoritative answer and is answered like any question."""
    name = visit.make(PAGE)
    expect_indexes(get(visit, name, "auth=true"), (1, 100))


@check("http.read.cert-parameter", API, *READ)
def cert_is_taken(visit: Visit) -> None:
    """cert=true asks for a certified answer and is answered like any question."""
    expect_indexes(get(visit, visit.make(PAGE), "cert=true"), (1, 100))


@check("http.read.callback-scrubbed", API, *READ)
def callbacks_are_names(visit: Visit) -> None:
    """A callback that is no name never comes back as script: it is scrubbed, ignored or refused."""
    bad = "%3Cscript%3Ealert(1)%3C/script%3E"
    answer = get(visit, visit.make(PAGE), f"callback={bad}")
    expect(
        b"<script>" not in answer.body and b"alert(1)" not in answer.body, "no script", answer.told
    )
    expect("html" not in answer.field("Content-Type"), "no page", answer.field("Content-Type"))


@check("http.read.pretty", API, *READ)
def pretty_is_the_same(visit: Visit) -> None:
    """pretty indents the JSON and leaves what it says as it is."""
    name = visit.make(PAGE, MAIL)
    answer = get(visit, name, "pretty")
    if b"\n" not in answer.body.strip():
        raise NotOffered("the JSON is not indented")
    expect_equal("document", get(visit, name).document, answer.document)


@check("http.read.public-only", "RFC 3651 §3.1", *READ)
def restricted_values_stay_hidden(visit: Visit) -> None:
    """Anybody gets the values that everybody may read, and no others."""
    name = visit.make(PAGE, FOR_ADMINISTRATORS)
    expect_indexes(get(visit, name), (1, 100))


@check("http.read.restricted-not-by-index", "RFC 3651 §3.1", *READ)
def naming_an_index_unlocks_nothing(visit: Visit) -> None:
    """A value for administrators is not told to anybody who names its index or type."""
    name = visit.make(PAGE, FOR_ADMINISTRATORS)
    for query in ("index=5", "type=NOTE", "index=5&publicOnly=false"):
        _has_not(visit, name, query, FOR_ADMINISTRATORS.data)


@check("http.read.secret-never-told", "RFC 3651 §3.2.6", *READ)
def secrets_are_not_told(visit: Visit) -> None:
    """A secret key that only administrators may read never appears in an answer to anybody."""
    name = visit.make(PAGE, SECRET)
    for query in ("", "type=HS_SECKEY", "index=6&publicOnly=false"):
        _has_not(visit, name, query, SECRET.data)


def _has_not(visit: Visit, name: bytes, query: str, data: bytes) -> None:
    answer = get(visit, name, query)
    expect(data not in answer.body, f"nothing restricted with ?{query}", answer.told)
    expect(answer.status in {200, 401, 403}, "status 200, 401 or 403", answer.told)


@check("http.read.administrator-reads-all", API, *AS_ADMIN)
def administrators_read_more(visit: Visit) -> None:
    """Who is logged in as administrator gets values for administrators too: publicOnly is then false."""
    name = visit.make(PAGE, FOR_ADMINISTRATORS)
    answer = taken(get(visit, name, fields=login(visit.administrator)))
    expect_indexes(answer, (1, 5, 100))


@check("http.read.public-only-for-administrators", API, *AS_ADMIN)
def administrators_may_ask_for_public_values(visit: Visit) -> None:
    """publicOnly=true leaves out values for administrators, whoever asks."""
    name = visit.make(PAGE, FOR_ADMINISTRATORS)
    answer = taken(get(visit, name, "publicOnly=true", login(visit.administrator)))
    expect_indexes(answer, (1, 100))


@check("http.read.cors-open", API, *READ)
def any_web_page_may_read(visit: Visit) -> None:
    """Web pages of any origin may read: Access-Control-Allow-Origin is *."""
    answer = get(visit, visit.make(PAGE), fields=(("Origin", "https://example.org"),))
    expect_equal("Access-Control-Allow-Origin", "*", answer.field("Access-Control-Allow-Origin"))


@check("http.read.cors-without-credentials", "Fetch Standard, CORS protocol and credentials", *READ)
def web_pages_get_no_credentials(visit: Visit) -> None:
    """Web pages of other origins are not allowed to send credentials."""
    answer = get(visit, visit.make(PAGE), fields=(("Origin", "https://example.org"),))
    allowed = answer.field("Access-Control-Allow-Credentials")
    expect(allowed.lower() != "true", "no Access-Control-Allow-Credentials", allowed)


@check("http.read.not-modified", "RFC 9110 §13.1.2", *READ)
def a_known_entity_tag_is_304(visit: Visit) -> None:
    """A request with the entity tag of the present answer is 304 without a body."""
    name = visit.make(PAGE)
    tag = get(visit, name).field("ETag")
    if not tag:
        raise NotOffered("no ETag")
    client = visit.http()
    expect_told(client.ask("GET", target_of(name), None, (("If-None-Match", tag),)), 304)
    expect_told(client.ask("GET", target_of(name)), 200, 1)


@check("http.read.modified", "RFC 9110 §13.1.2", *READ)
def another_entity_tag_is_200(visit: Visit) -> None:
    """A request with the entity tag of another record is answered in full."""
    name, other = visit.make(PAGE), visit.make(MAIL)
    if not get(visit, name).field("ETag"):
        raise NotOffered("no ETag")
    tag = '"' + get(visit, other).field("ETag").strip('W/"') + '-other"'
    expect_indexes(get(visit, name, fields=(("If-None-Match", tag),)), (1, 100))


@check("http.read.bad-index", API, *READ)
def an_index_that_is_no_number_is_refused(visit: Visit) -> None:
    """An index that is not a number is the asker's fault: a 4xx status."""
    expect_client_error(get(visit, visit.make(PAGE), "index=one"))


@check("http.read.status-fits-code", API, *READ)
def status_and_code_agree(visit: Visit) -> None:
    """Status and responseCode agree: 1 and 200 with 200, 100 with 404, 102 and 4 with 400."""
    name = visit.make(PAGE)
    statuses = {1: 200, 200: 200, 100: 404, 102: 400, 4: 400}
    for asked, query in ((name, ""), (name, "index=9"), (visit.new_name(), ""), (name, "index=x")):
        answer = get(visit, asked, query)
        code = code_of(answer)
        if code not in statuses:
            raise Failed(f"responseCode out of {sorted(statuses)}", answer.told)
        expect(answer.status == statuses[code], f"{statuses[code]} with RC {code}", answer.told)


@check("http.read.every-answer-whole", "RFC 9112 §6.3", *READ)
def large_records_come_whole(visit: Visit) -> None:
    """A record of some 60,000 bytes is told whole."""
    text = "0123456789" * 6000
    came = values_of(get(visit, visit.make(Value(1, "TEXT", text.encode()))))
    expect(came and came[0].get("data") == {"format": "string", "value": text}, "all of it", came)
