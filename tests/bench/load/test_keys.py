"""Keys: patterns count as they are written, files are read as they are, and nonsense is told."""

import pytest

from bench.load.keys import BadKeys, ListedKeys, PatternKeys, read_keys


def test_a_range_keeps_its_width_and_both_ends():
    keys = PatternKeys("88.118.7/SN-{000000..999999}")
    assert keys.count == 1_000_000
    assert keys.key(0) == b"88.118.7/SN-000000"
    assert keys.key(999_999) == b"88.118.7/SN-999999"
    assert keys.key(4711) == b"88.118.7/SN-004711"


def test_a_range_without_leading_zeros_grows():
    keys = PatternKeys("88.118/{8..11}")
    assert [keys.key(n) for n in range(keys.count)] == [
        b"88.118/8", b"88.118/9", b"88.118/10", b"88.118/11",
    ]  # fmt: skip


def test_several_ranges_make_every_combination_once():
    keys = PatternKeys("88.118/L{1..3}-{00..49}x")
    found = [keys.key(n) for n in range(keys.count)]
    assert keys.count == len(set(found)) == 150
    assert found[:2] == [b"88.118/L1-00x", b"88.118/L1-01x"]
    assert found[-1] == b"88.118/L3-49x"


def test_one_identifier_is_a_pattern():
    keys = PatternKeys("88.118/泵-1")
    assert keys.count == 1
    assert keys.key(0) == "88.118/泵-1".encode()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("88.118/{9..1}", "ends before it begins"),
        ("88.118/{1-9}", "a range is written"),
        ("88.118/{1..}x", "a range is written"),
        ("", "is no identifier"),
    ],
)
def test_a_pattern_that_makes_no_keys_is_told(pattern, said):
    with pytest.raises(BadKeys, match=said):
        PatternKeys(pattern)


def test_a_file_is_one_identifier_a_line(tmp_path):
    path = tmp_path / "keys"
    path.write_bytes("88.118/a\r\n\n88.118/泵\n88.118/c".encode())
    keys = read_keys(path)
    assert [keys.key(n) for n in range(keys.count)] == [
        b"88.118/a", "88.118/泵".encode(), b"88.118/c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"\n\n", "no identifiers"), (b"\xff\xfe/x\n", "not UTF-8"), (b"/\n", "line 1")],
)
def test_a_file_without_identifiers_is_told(tmp_path, data, said):
    path = tmp_path / "keys"
    path.write_bytes(data)
    with pytest.raises(BadKeys, match=said):
        read_keys(path)


def test_an_empty_list_has_no_keys():
    with pytest.raises(BadKeys):
        ListedKeys([])
