"""Handles in URLs: percent-encoding, and every character a handle may have (RFC 3986; Handle.Net manual, JSON API)."""

from conformance.check import Need, check
from conformance.http_api import API, expect_client_error, expect_told, get, value_of
from conformance.http_client import HttpAnswer
from conformance.outcome import expect, expect_equal
from conformance.visit import Visit
from protocols.values.value import Value

READ = (Need.HTTP, Need.ADMIN)
PAGE = Value(1, "URL", b"https://example.org/")


def _finds(visit: Visit, more: str, path: str = "") -> None:
    """A record whose suffix ends with ``more`` is found, and its name told as it is."""
    name = visit.make(PAGE, more=more)
    if path:
        start = name.decode().removesuffix(more)
        answer = visit.http().ask("GET", f"/api/handles/{start}{path}")
    else:
        answer = get(visit, name)
    _expect_found(answer, name)


def _expect_found(answer: HttpAnswer, name: bytes) -> None:
    value_of(answer, 1)
    expect_equal("handle", name.decode(), answer.document.get("handle"))


@check("http.names.encoded-slash", "RFC 3986 §2.1", *READ)
def an_encoded_slash_is_a_slash(visit: Visit) -> None:
    """The slash between prefix and suffix may be percent-encoded, as clients that encode all of it do."""
    name = visit.make(PAGE)
    path = name.decode().replace("/", "%2F")
    _expect_found(visit.http().ask("GET", f"/api/handles/{path}"), name)


@check("http.names.lower-case-hex", "RFC 3986 §2.1", *READ)
def hex_digits_in_either_case(visit: Visit) -> None:
    """%2f is %2F."""
    name = visit.make(PAGE)
    path = name.decode().replace("/", "%2f")
    _expect_found(visit.http().ask("GET", f"/api/handles/{path}"), name)


@check("http.names.slash-in-suffix", "RFC 3651 §2", *READ)
def a_suffix_may_have_slashes(visit: Visit) -> None:
    """A suffix may have slashes of its own, several in a row too."""
    _finds(visit, "/a//b/")


@check("http.names.dots-in-suffix", API, *READ)
def dots_are_not_paths(visit: Visit) -> None:
    """A suffix with .. in it is a name, not a way out of it."""
    _finds(visit, "/../b")


@check("http.names.percent-in-suffix", API, *READ)
def a_percent_sign_round_trips(visit: Visit) -> None:
    """A suffix with %41 in it (in the URL %2541) is decoded once, not twice."""
    _finds(visit, "-%41", "-%2541")


@check("http.names.unreserved-encoded", "RFC 3986 §2.3", *READ)
def needless_encoding_is_fine(visit: Visit) -> None:
    """Letters that need no encoding may be encoded all the same."""
    _finds(visit, "-abc", "%2D%61bc")


@check("http.names.unicode-suffix", "RFC 3651 §2", *READ)
def suffixes_are_utf_8(visit: Visit) -> None:
    """A suffix may have any UTF-8 characters."""
    _finds(visit, "-标识-é-😀")


@check("http.names.query-characters", "RFC 3986 §2.2", *READ)
def question_mark_and_hash(visit: Visit) -> None:
    """?, # and & in a suffix are part of it when they are percent-encoded."""
    _finds(visit, "-a?b#c&d=e", "-a%3Fb%23c%26d%3De")


@check("http.names.plus-is-plus", "RFC 3986 §3.3", *READ)
def a_plus_is_no_blank(visit: Visit) -> None:
    """A plus sign in the path is a plus sign."""
    _finds(visit, "-a+b", "-a+b")


@check("http.names.space-in-suffix", API, *READ)
def a_blank_is_20(visit: Visit) -> None:
    """A blank in a suffix is %20."""
    _finds(visit, "-a b", "-a%20b")


@check("http.names.semicolon-in-suffix", "RFC 3986 §3.3", *READ)
def semicolons_and_colons(visit: Visit) -> None:
    """;, : and @ in a path are part of the name."""
    _finds(visit, "-a;b:c@d", "-a;b:c@d")


@check("http.names.not-utf-8", API, *READ)
def bytes_that_are_no_text(visit: Visit) -> None:
    """A name that is not UTF-8 is refused with a 4xx status, not with a failure of the node."""
    name = visit.new_name().decode()
    expect_client_error(visit.http().ask("GET", f"/api/handles/{name}%FF%FE"))


@check("http.names.bad-escape", "RFC 3986 §2.1", *READ)
def a_percent_sign_without_digits(visit: Visit) -> None:
    """A % without two hex digits is refused with a 4xx status."""
    name = visit.new_name().decode()
    expect_client_error(visit.http().ask("GET", f"/api/handles/{name}%zz"))


@check("http.names.control-characters", "RFC 3651 §2", *READ)
def control_characters(visit: Visit) -> None:
    """%00 and %0D%0A in a name never end a line or a string: a 4xx status, or the name as it is."""
    name = visit.new_name().decode()
    for more in ("%00", "%0D%0AX-Injected:%20yes"):
        answer = visit.http().ask("GET", f"/api/handles/{name}{more}")
        expect(not answer.field("X-Injected"), "no header out of a name", answer.told)
        expect_client_error(answer)


@check("http.names.too-long", API, *READ)
def a_name_that_is_too_long(visit: Visit) -> None:
    """A name of 5,000 letters is refused with a 4xx status."""
    expect_client_error(visit.http().ask("GET", f"/api/handles/{visit.prefix}/{'x' * 5000}"))


@check("http.names.empty-handle", API, Need.HTTP)
def no_handle_at_all(visit: Visit) -> None:
    """/api/handles/ without a handle is 400 with responseCode 102."""
    expect_told(visit.http().ask("GET", "/api/handles/"), 400, 102)


@check("http.names.case-of-prefix-record", "RFC 3651 §2", Need.HTTP, Need.PREFIX)
def prefix_records_in_either_case(visit: Visit) -> None:
    """The name of a prefix record is told as it was asked, in lower case too."""
    for lead in ("0.NA", "0.na"):
        answer = visit.http().ask("GET", f"/api/handles/{lead}/{visit.prefix}")
        expect(answer.status in {200, 300, 404, 400}, "an answer of the API", answer.told)
        expect_equal("handle", f"{lead}/{visit.prefix}", answer.document.get("handle"))
