"""Plain heads: strict reading, the table of fields, and a memory that is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config_check import MAX_HEADS_BYTES
from node.http.plain_heads import ASIDE, MAX_FIELDS, MAX_HEAD_BYTES, READ, Heads, read_head
from tests.node.http.real_clients import PLAIN, head_of

HOST = b" HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("client", PLAIN)
def test_real_clients_are_plain(client: str) -> None:
    assert read_head(head_of(PLAIN[client])) is not None


def test_what_an_answer_depends_on_is_read_and_nothing_else_is_kept() -> None:
    head = read_head(
        HOST + b'If-None-Match: "1", W/"2" \r\naccept:text/html\r\nCookie: a=b\r\n'
        b"Accept-Language: zh-CN,en;q=0.8\r\nX-FORWARDED-FOR: 192.0.2.1\r\n\r\n"
    )  # fmt: skip
    assert head is not None
    assert head.headers == {
        "If-None-Match": '"1", W/"2"', "Accept": "text/html", "Accept-Language": "zh-CN,en;q=0.8",
        "X-Forwarded-For": "192.0.2.1",
    }  # fmt: skip
    assert (head.etags, head.language, head.is_forwarded) == ({'"1"', '"2"'}, b"zh", True)
    assert head.takes_remembered


@pytest.mark.parametrize("field", [b"Cache-Control: max-age=0, No-Cache", b"CDN-Loop: aa"])
def test_who_insists_or_comes_from_a_node_gets_no_answer_made_for_others(field: bytes) -> None:
    head = read_head(HOST + field + b"\r\n\r\n")
    assert head is not None
    assert not head.takes_remembered


@pytest.mark.parametrize("name", sorted(ASIDE))
def test_a_field_of_the_table_leaves_no_request_plain(name: bytes) -> None:
    assert read_head(HOST + name.title() + b": 0\r\n\r\n") is None


@pytest.mark.parametrize(
    "head",
    [
        b"", b" HTTP/1.1\r\n\r\n", b" HTTP/1.0\r\nHost: x\r\n\r\n", b" HTTP/1.1\nHost: x\n\n", HOST,
        HOST + b"\r\n\r\n", HOST + b"\r\nX", HOST + b" a: b\r\n\r\n", HOST + b"a : b\r\n\r\n", HOST + b": b\r\n\r\n",
        HOST + b"a: \x7f\r\n\r\n", HOST + b"a: \xc3\xa9\r\n\r\n", HOST + b"a: b\rc: d\r\n\r\n", HOST + b"a: b\n\r\n",
        HOST + b"HOST: y\r\n\r\n", HOST + b"Connection: close\r\n\r\n", HOST + b"Connection: keep-alive, TE\r\n\r\n",
        HOST + b"Connection: \r\n\r\n", HOST + b"Accept: a\r\naccept: b\r\n\r\n",
        HOST + b"".join(b"a%d: b\r\n" % n for n in range(MAX_FIELDS + 1)) + b"\r\n",
        HOST + b"a: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_odd_is_not_plain(head: bytes) -> None:
    assert read_head(head) is None


@given(st.binary(max_size=60), st.integers(0, 400))
def test_no_bytes_make_it_stumble(noise: bytes, at: int) -> None:
    head = head_of(PLAIN["firefox"])
    at %= len(head)
    for bytes_ in (head[:at] + noise + head[at:], head[:at] + noise, head[at:]):
        found = read_head(bytes_)
        assert found is None or set(found.headers) <= set(READ.values())


def test_heads_are_remembered_within_bounds_and_those_with_passwords_never() -> None:
    heads = Heads()
    secret = HOST + b"Authorization: Basic eA==\r\n\r\n"
    assert heads.read(secret) is None
    assert not heads.known
    assert not heads.mean_nothing
    plain, conditional = HOST + b"\r\n", HOST + b'If-None-Match: "1"\r\n\r\n'
    assert heads.read(plain) is heads.read(plain)
    heads.read(conditional)
    assert heads.mean_nothing == {plain: True}, "a tag means something"
    known, mean_nothing = heads.known, heads.mean_nothing
    most = 0
    for number in range(4000):
        heads.read(HOST + b"traceparent: %0500d\r\n\r\n" % number)
        most = max(most, sum(map(len, known)))
        assert mean_nothing.keys() == known.keys() - {conditional}
    assert most < MAX_HEADS_BYTES
    assert len(known) < 4000
    assert (heads.known, heads.mean_nothing) == (known, mean_nothing), (
        "the same tables, for who keeps them"
    )
