"""A sheet gives the registrar what ``read_row`` would, and its receipts are lines as ``receipt_line`` writes them."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.batch_rows import read_row, receipt_line, status_of
from node.http.batch_sheet import LINES_AT_ONCE, PlainLines, Sheet
from node.http.ndjson import Line
from node.registrar_wire import FrameBuffer, Parcel, encode_frame, pack_parcel, unpack_chunk
from protocols.identifier import read_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome, Receipt
from protocols.values.value_list import decode_values
from registry.chunks import MAX_CHUNK_ROWS, Chunk, ChunkReceipt
from registry.shapes import Shape


def lines_of(*texts: bytes) -> list[Line]:
    return [Line(number, text) for number, text in enumerate(texts, 1)]


def filled(lines: list[Line], key: str = "") -> Sheet:
    sheet = Sheet(PlainLines(), key)
    for at in range(0, len(lines), LINES_AT_ONCE):
        sheet.add(lines[at : at + LINES_AT_ONCE])
    return sheet


def chunk_of(parcel: Parcel) -> Chunk:
    """As the registrar gets it."""
    (frame,) = FrameBuffer().receive(encode_frame(1, "chunk", pack_parcel(parcel)))
    return unpack_chunk(frame.payload)


def commands_of(parcel: Parcel | None) -> list[Command]:
    """What the registrar understands."""
    if parcel is None:
        return []
    chunk = chunk_of(parcel)
    assert len(chunk.rows) == parcel.row_count
    found = []
    for at, row in enumerate(chunk.rows):
        if isinstance(row, Command):
            found.append(row)
            continue
        spelling, shape, *data = row
        overwrite, version = chunk.conditions.get(at, (True, None))
        found.append(Command(
            Operation.PUT, read_identifier(spelling),
            decode_values(Shape.list_of(chunk.shapes[shape], data)),
            overwrite=overwrite, expect_version=version,
            request_id=chunk.request_ids[at] if chunk.request_ids else "",
        ))  # fmt: skip
    return found


def is_plain(document: object) -> bool:
    return PlainLines().read(json.dumps(document).encode()) is not None


VALUE = {"index": 1, "type": "URL", "data": "https://a.cn/"}
ROW = {"handle": "88.118/a", "values": [VALUE]}


@pytest.mark.parametrize(
    "document",
    [
        ROW,
        {**ROW, "operation": "put", "overwrite": False, "ifVersion": 0},
        {**ROW, "overwrite": None, "ifVersion": None},
        {**ROW, "values": [{**VALUE, "data": {"format": "string", "value": "x"}}]},
        {**ROW, "values": [{**VALUE, "ttl": 60, "permissions": "1110"}]},
        {**ROW, "handle": '88.118/产品"\\'},
    ],
)
def test_what_rows_mostly_look_like_is_plain(document):
    assert is_plain(document)


@pytest.mark.parametrize(
    "document",
    [
        {**ROW, "operation": "add"},
        {**ROW, "ifVersion": -1},
        {**ROW, "ifVersion": True},
        {**ROW, "overwrite": 1},
        {**ROW, "comment": [[]]},
        {**ROW, "handle": "88.118"},
        {**ROW, "handle": "/a"},
        {**ROW, "handle": "88.118/"},
        {**ROW, "handle": "88.118/" + "é" * 1100},
        {**ROW, "values": []},
        {**ROW, "values": [{**VALUE, "index": True}]},
        {**ROW, "values": [{**VALUE, "index": 1.0}]},
        {**ROW, "values": [{**VALUE, "index": "1"}]},
        {**ROW, "values": [{**VALUE, "index": 0}]},
        {**ROW, "values": [{**VALUE, "type": ""}]},
        {**ROW, "values": [{**VALUE, "ttl": True}]},
        {**ROW, "values": [{**VALUE, "ttl": "2030-01-01T00:00:00Z"}]},
        {**ROW, "values": [{**VALUE, "permissions": "1112"}]},
        {**ROW, "values": [{**VALUE, "timestamp": "2030-01-01T00:00:00Z"}]},
        {**ROW, "values": [{**VALUE, "data": {"format": "base64", "value": "eA=="}}]},
        {**ROW, "values": [{**VALUE, "data": "x" * 20_000}]},
    ],
)
def test_what_needs_a_closer_look_is_not(document):
    assert not is_plain(document)


def test_an_index_that_only_equals_a_known_one_is_looked_at_again():
    plain = PlainLines()
    for index, is_known in ((1, True), (True, False), (1.0, False)):
        text = json.dumps({**ROW, "values": [{**VALUE, "index": index}]}).encode()
        assert (plain.read(text) is not None) == is_known


# -- any lines

scalars = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "1", "put", 1.0])
indexes = st.integers(1, 3) | scalars
data = st.one_of(
    st.sampled_from(["", "text", "é产", '"\\\n', "x" * 17_000]),
    st.builds(
        lambda f, v: {"format": f, "value": v},
        st.sampled_from(["string", "base64", "hex", "odd", 7]),
        st.sampled_from(["text", "eA==", "00", 5, None]),
    ),
    scalars,
)
extras = st.dictionaries(
    st.sampled_from(["ttl", "permissions", "timestamp", "references", "more"]),
    st.sampled_from([60, "1110", "0000", "60", True, None, [], "2030-01-01T00:00:00Z", 2**33]),
    max_size=2,
)
some_values = st.builds(
    lambda index, type_, data, extra: {"index": index, "type": type_, "data": data, **extra},
    indexes, st.sampled_from(["URL", "HS_ADMIN", "", "é", 7, None]), data, extras,
)  # fmt: skip
good_values = st.builds(
    lambda index, text: {**VALUE, "index": index, "data": text}, st.integers(1, 3), st.text()
)
documents = st.builds(
    lambda handle, values, extra: {"handle": handle, "values": values, **extra},
    st.sampled_from(["88.118/a", "88.118/é", "88.118", "0.NA/88.118", "/x", "88.118/", "", 7, None])
    | st.text(max_size=5).map(lambda text: f"88.118/{text}"),
    st.lists(some_values | good_values | scalars, max_size=3) | scalars,
    st.dictionaries(
        st.sampled_from(["operation", "overwrite", "ifVersion", "indexes", "more"]),
        scalars | st.sampled_from(["delete", "add", [1], {}]),
        max_size=2,
    ),
)
many = st.builds(
    lambda n, values: json.dumps({**ROW, "handle": f"88.118/{n}", "values": values}).encode(),
    st.integers(0, 9), st.lists(good_values, max_size=3),
)  # fmt: skip
odd = st.sampled_from(
    [
        b"{}",
        b"[]",
        b"null",
        b"7",
        b'"x"',
        b"\xff",
        b"{",
        b'{"handle":"\\ud800","values":[]}',
        b"[" * 40,
    ]
)
texts = st.one_of(
    documents.map(lambda one: json.dumps(one).encode()),
    documents.map(lambda one: json.dumps(one, ensure_ascii=False).encode(errors="replace")),
    many,
    odd,
)


@given(st.lists(texts, max_size=8), st.sampled_from(["", "key"]))
def test_any_lines_are_the_commands_that_read_row_makes_of_them(some, key):
    lines = lines_of(*some)
    sheet = filled(lines, key)
    rows = [read_row(line, key) for line in lines]
    expected = [row.command for row in rows if row.command is not None]
    parcel = sheet.parcel(OPERATOR, "test")
    assert commands_of(parcel) == expected
    told = [_some_receipt(n) for n in range(len(expected))]
    receipt = ChunkReceipt(10, 10 + len(told), dict(enumerate(told)))
    out = b"".join(sheet.receipts(receipt, Counter(), is_brief=False))
    given_ = iter(told)
    wanted = b""
    for row in rows:
        one = row.refusal or next(given_)
        wanted += receipt_line(row, one, status_of(row, one))
    assert out == wanted


def _some_receipt(number: int) -> Receipt:
    kinds = [
        Receipt(Outcome.SUCCESS, 1, 11 + number, was_created=True),
        Receipt(Outcome.SUCCESS, 7, 3),
        Receipt(Outcome.SUCCESS, 2, is_unchanged=True),
        Receipt(Outcome.NOT_RESPONSIBLE, reason="é", field="identifier"),
    ]
    return kinds[number % len(kinds)]


def test_rows_without_a_word_of_their_own_are_registered_with_numbers_that_follow_one_another():
    lines = lines_of(*(json.dumps({**ROW, "handle": f'88.118/"{n}é'}).encode() for n in range(200)))
    sheet = filled(lines)
    others = {
        3: Receipt(Outcome.SUCCESS, 1, is_unchanged=True),
        5: Receipt(Outcome.SUCCESS, 2, 105),
        7: Receipt(Outcome.SUCCESS, 1, 40, was_created=True),
        9: Receipt(Outcome.READ_ONLY, reason="full"),
    }
    receipt = ChunkReceipt(100, 296, others)
    counts: Counter[str] = Counter()
    out = b"".join(sheet.receipts(receipt, counts, is_brief=False))
    expected = []
    for line, one in zip(lines, receipt.receipts(200), strict=True):
        row = read_row(line, "")
        expected.append(receipt_line(row, one, status_of(row, one)))
    assert out == b"".join(expected)
    assert [r.seq for r in receipt.receipts(12)] == [
        101,
        102,
        103,
        0,
        104,
        105,
        106,
        40,
        107,
        0,
        108,
        109,
    ]
    assert counts == {"registered": 197, "updated": 1, "unchanged": 1, "rejected": 1}
    assert sheet.last_seq == 297
    brief = b"".join(filled(lines).receipts(receipt, Counter(), is_brief=True))
    assert [json.loads(line)["line"] for line in brief.splitlines()] == [10]


def test_a_sheet_is_bounded_by_rows_and_by_bytes():
    line = Line(1, json.dumps(ROW).encode())
    sheet = Sheet(PlainLines(), "")
    while sheet.room:
        sheet.add([line] * sheet.room)
    assert len(sheet) == MAX_CHUNK_ROWS
    big = Line(1, json.dumps({**ROW, "more": "x" * 1_000_000}).encode())
    sheet = Sheet(PlainLines(), "")
    while sheet.room:
        sheet.add([big])
    assert len(sheet) == 5
    assert chunk_of(sheet.parcel(OPERATOR, "test"))
