"""Whole lines out of chunks: nothing lost, nothing unbounded."""

from hypothesis import given
from hypothesis import strategies as st

from registry.importing.lines import KEPT_OF_OVERLONG_BYTES, MAX_ROW_BYTES, LineCutter


def cut(chunks):
    cutter = LineCutter()
    pieces = [cutter.feed(chunk) for chunk in chunks]
    pieces.append(cutter.finish())
    return [piece for piece in pieces if piece]


@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"a", b"\n"))))
def test_the_same_bytes_come_out_cut_at_line_ends_with_their_line_numbers(chunks):
    whole, line = b"".join(chunks), 1
    pieces = cut(chunks)
    assert b"".join(piece.data for piece in pieces) == whole
    for piece in pieces:
        assert piece.first_line == line
        line += piece.data.count(b"\n")
    assert all(piece.data.endswith(b"\n") for piece in pieces[:-1])


def test_of_an_overlong_line_only_the_beginning_is_kept_and_numbering_goes_on():
    half = b'x"' * (MAX_ROW_BYTES // 4)
    pieces = cut([b"one\n", half, half, half, b"\nthree\n", b"four"])
    assert [piece.first_line for piece in pieces] == [1, 2, 4]
    assert pieces[1].overlong == (2,)
    beginning, three, rest = pieces[1].data.split(b"\n")
    assert beginning == b"x'" * (KEPT_OF_OVERLONG_BYTES // 2)
    assert (three, rest) == (b"three", b"")
    assert pieces[2] == (4, b"four", ())


def test_an_overlong_line_that_ends_within_the_next_chunk_is_found_too():
    pieces = cut([b"a" * MAX_ROW_BYTES, b"a\nnext\n"])
    assert [(p.first_line, p.overlong) for p in pieces] == [(1, (1,))]
    assert pieces[0].data.endswith(b"a\nnext\n")
    assert len(pieces[0].data) < 1000


def test_an_overlong_last_line_is_told_at_the_end():
    pieces = cut([b"a" * MAX_ROW_BYTES, b"b" * MAX_ROW_BYTES])
    assert [(p.first_line, p.overlong, len(p.data)) for p in pieces] == [
        (1, (1,), KEPT_OF_OVERLONG_BYTES)
    ]


def test_a_line_of_exactly_the_limit_is_kept():
    pieces = cut([b"a" * MAX_ROW_BYTES, b"\nb\n"])
    assert [(p.first_line, p.overlong, len(p.data)) for p in pieces] == [(1, (), MAX_ROW_BYTES + 3)]


def test_memory_stays_bounded_however_long_the_line():
    cutter = LineCutter()
    for _ in range(20):
        cutter.feed(b"x" * MAX_ROW_BYTES)
    assert len(cutter._rest) <= KEPT_OF_OVERLONG_BYTES
