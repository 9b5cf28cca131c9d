"""Encodings are told from the bytes by the documented rules, and named."""

import pytest

from registry.importing.encoding import Utf16ToUtf8, choose_encoding
from registry.importing.template import MappingError

CHINESE = "条码,品名,网址\n" + "".join(
    f"69{n:011},铁观音茶叶 {n} 克,https://x.cn/{n}\n" for n in range(200)
)
FRENCH = "code,nom\n" + "".join(
    f"{n},Crème brûlée à l'été n°{n} déjà préparée\n" for n in range(200)
)


def chosen(data: bytes, declared: str = "auto"):
    return choose_encoding(declared, data, data)


@pytest.mark.parametrize(
    ("codec", "name", "mark"),
    [
        ("utf-8", "utf-8", b""),
        ("utf-8-sig", "utf-8", b"\xef\xbb\xbf"),
        ("gb18030", "gb18030", b""),
        ("gbk", "gb18030", b""),
        ("utf-16", "utf-16-le", b"\xff\xfe"),
        ("utf-16-le", "utf-16-le", b""),
        ("utf-16-be", "utf-16-be", b""),
    ],
)
def test_each_encoding_is_recognised_and_named(codec, name, mark):
    found = chosen(CHINESE.encode(codec))
    assert (found.name, found.mark) == (name, mark)
    assert found.reason


def test_utf16_big_endian_with_its_mark_is_recognised():
    found = chosen(b"\xfe\xff" + CHINESE.encode("utf-16-be"))
    assert (found.name, found.mark) == ("utf-16-be", b"\xfe\xff")


def test_plain_ascii_is_utf8():
    assert chosen(b"a,b\n1,2\n").name == "utf-8"


def test_damaged_rows_do_not_turn_a_utf8_file_into_another():
    lines = CHINESE.encode().split(b"\n")
    lines[3::4] = [b"\xff\xfe broken \x81" for _ in lines[3::4]]
    assert chosen(b"\n".join(lines)).name == "utf-8"


def test_latin_text_of_europe_is_not_taken_for_chinese():
    with pytest.raises(MappingError) as caught:
        chosen(FRENCH.encode("latin-1"))
    assert "--encoding" in caught.value.next_step


def test_a_stray_zero_byte_does_not_make_it_utf16():
    assert chosen(b"a,b\n1,\0\n" * 3).name == "utf-8"


def test_the_declared_encoding_wins_over_what_the_bytes_look_like():
    assert chosen(CHINESE.encode(), "gb18030").name == "gb18030"
    assert chosen(CHINESE.encode("gbk"), "UTF-8").name == "utf-8"


def test_declared_utf16_follows_the_mark_and_is_little_endian_without_one():
    assert chosen(b"\xfe\xff\0a", "utf-16").name == "utf-16-be"
    assert chosen(b"a\0\n\0", "utf-16").name == "utf-16-le"


def test_a_declared_encoding_drops_only_its_own_mark():
    assert chosen(b"\xef\xbb\xbfa", "utf-8").mark == b"\xef\xbb\xbf"
    assert chosen(b"\xff\xfea\0", "gb18030").mark == b""


def test_utf32_and_unknown_names_are_refused_with_a_next_step():
    with pytest.raises(MappingError, match="UTF-32"):
        chosen("a,b\n".encode("utf-32"))
    with pytest.raises(MappingError) as caught:
        chosen(b"a", "gb1803")
    assert caught.value.next_step == "did you mean --encoding gb18030?"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_utf16_becomes_utf8_however_it_is_cut(codec, step):
    text = "a,茶\n𠀀,ß\n"
    data, turn = text.encode(codec), Utf16ToUtf8(codec)
    out = b"".join(
        turn.feed(data[at : at + step], is_last=False) for at in range(0, len(data), step)
    )
    assert out + turn.feed(b"", is_last=True) == text.encode()


def test_half_a_surrogate_pair_and_an_odd_byte_stay_recognisably_damaged():
    turn = Utf16ToUtf8("utf-16-le")
    out = turn.feed("ok\n".encode("utf-16-le") + b"\x00\xd8x\0\n\0" + b"z", is_last=False)
    lines = (out + turn.feed(b"", is_last=True)).split(b"\n")
    assert lines[0] == b"ok"
    for damaged in lines[1:]:
        with pytest.raises(UnicodeDecodeError):
            damaged.decode()
