"""GenericBatch files: what is read of them, clean and dirty, and that what is written comes back the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.message import Command, Operation
from protocols.values.admin import Admin, decode_admin, encode_admin
from protocols.values.value import Reference, Value
from protocols.values.vlist import encode_vlist
from registry.importing.generic_batch import GenericBatch, is_generic_batch
from registry.importing.lines import LineCutter
from registry.importing.orders import Login, Order, Remark
from registry.importing.rows import Fault
from tests.registry.importing.batch_writer import write_batch


def read(data, codec="utf-8", read_file=None, piece=1 << 20):
    data = data.encode(codec) if isinstance(data, str) else data
    batch = GenericBatch(codec, read_file) if read_file else GenericBatch(codec)
    cutter, items = LineCutter(), []
    for at in range(0, len(data), piece):
        lines = cutter.feed(data[at : at + piece])
        if lines:
            items += batch.feed(lines, is_last=False)
    lines = cutter.finish()
    if lines:
        items += batch.feed(lines, is_last=False)
    items += batch._finish()
    return items


def commands(items):
    return [item.command for item in items if isinstance(item, Order)]


def put(handle, *values):
    return Command(Operation.PUT, parse_identifier(handle), values, overwrite=False)


URL = Value(1, "URL", b"https://a.cn/1")
CLEAN = """AUTHENTICATE PUBKEY:300:0.NA/88.118
/hs/svr_1/admpriv.bin|pass word

CREATE 88.118/1
1 URL 86400 1110 UTF8 https://a.cn/1
100 HS_ADMIN 86400 1110 ADMIN 200:110011111110:0.NA/88.118
300 HS_SECKEY 3600 1100 UTF8 my secret
4 HS_VLIST 86400 1110 LIST 300:0.NA/88.118;1:88.118/b:c;

DELETE 88.118/2

ADD 88.118/3
7 EMAIL 86400 1110 UTF8 a@b.cn

MODIFY 88.118/3
7 EMAIL 86400 1110 UTF8 c@b.cn

REMOVE 7, 8:88.118/3

HOME 192.0.2.1:2641:TCP
0.NA/88.118
0.na/88.119

UNHOME 0.NA/88.120
"""


def test_every_operation_of_a_clean_file_is_read():
    login, *orders = read(CLEAN)
    assert login == Login(1, "PUBKEY", 300, "0.NA/88.118", "/hs/svr_1/admpriv.bin", "pass word")
    made = commands(orders)
    admin = encode_admin(Admin("0.NA/88.118", 200, 0b011111110011))
    group = encode_vlist((Reference("0.NA/88.118", 300), Reference("88.118/b:c", 1)))
    assert made[0] == put(
        "88.118/1",
        URL,
        Value(100, "HS_ADMIN", admin),
        Value(300, "HS_SECKEY", b"my secret", ttl=3600, permissions=0b1100),
        Value(4, "HS_VLIST", group),
    )
    assert made[1] == Command(Operation.DELETE, parse_identifier("88.118/2"))
    assert [(c.operation, c.overwrite, c.values[0].data) for c in made[2:4]] == [
        (Operation.ADD, False, b"a@b.cn"),
        (Operation.MODIFY, False, b"c@b.cn"),
    ]
    assert (made[4].operation, made[4].indexes) == (Operation.REMOVE, (7, 8))
    assert [(c.operation, c.identifier.text) for c in made[5:]] == [
        (Operation.HOST, "0.NA/88.118"),
        (Operation.HOST, "0.na/88.119"),
        (Operation.UNHOST, "0.NA/88.120"),
    ]
    assert [order.line for order in orders] == [4, 10, 12, 15, 18, 21, 22, 24]


@pytest.mark.parametrize(
    ("digits", "permissions"),
    [
        ("100000000000", 0x001), ("000000000001", 0x800), ("110011111110", 0x7F3), ("111111111111", 0xFFF),
        ("000010000000", 0x010), ("000000000010", 0x400),
    ],
)  # fmt: skip
def test_the_first_digit_of_an_administrator_is_the_least_bit(digits, permissions):
    (made,) = commands(read(f"CREATE 88.118/1\n100 HS_ADMIN 1 1110 ADMIN 1:{digits}:a/b\n"))
    assert decode_admin(made.values[0].data).permissions == permissions


DIRTY = [
    CLEAN.replace("\n", "\r\n"),
    "\ufeff" + CLEAN,
    CLEAN.rstrip(),
    CLEAN.replace("\n", "  \t\n"),
    CLEAN.replace("\n\n", "\n \n\t\n\n"),
    CLEAN.replace(" 86400 ", "\t86400  "),
    CLEAN.replace("CREATE ", "create\t"),
    "\n\n" + CLEAN + "\n\n\n",
    CLEAN.replace("\n\nDELETE", "\nDELETE"),
    CLEAN.replace("UTF8", "utf8"),
    "# by hand\n" + CLEAN,
    CLEAN.replace("\n100 ", "\n# who\n100 "),
]


@pytest.mark.parametrize("text", DIRTY, ids=range(len(DIRTY)))
@pytest.mark.parametrize("piece", [7, 1 << 20])
def test_dirt_around_the_words_changes_nothing(text, piece):
    data = text.encode().removeprefix(b"\xef\xbb\xbf")  # the source file takes the mark away
    items = read(data, piece=piece)
    assert commands(items) == commands(read(CLEAN))
    assert [i[1:] for i in items if isinstance(i, Login)] == [read(CLEAN)[0][1:]]


def test_a_secret_is_taken_as_it_stands_whatever_it_looks_like():
    login, order = read("AUTHENTICATE SECKEY:300:0.NA/88.118\nCREATE 88.118/1\nDELETE 88.118/2\n")
    assert (login.secret, login.passphrase) == ("CREATE 88.118/1", "")
    assert order.command.operation is Operation.DELETE
    (refused,) = read("AUTHENTICATE SECKEY:300:0.NA/88.118\n")
    assert refused.fault.reason == "bad login"
    (login,) = read("AUTHENTICATE PUBKEY:300:0.NA/88.118\nkey.bin\nwords of mine")
    assert (login.secret, login.passphrase) == ("key.bin", "words of mine")


def test_gb18030_and_damaged_bytes():
    text = "CREATE 88.118/阀门\n1 DESC 86400 1110 UTF8 不锈钢 球阀\n\nDELETE 88.118/2\n"
    assert commands(read(text, "gb18030"))[0] == put(
        "88.118/阀门", Value(1, "DESC", "不锈钢 球阀".encode())
    )
    bad, good = read(text.encode("gb18030"), "utf-8")
    assert (bad.fault.reason, bad.line) == ("encoding", 1)
    assert "--encoding" in bad.fault.detail
    assert good.command.operation is Operation.DELETE


REFUSED = [
    ("CREAT 88.118/1\n1 URL 1 1110 UTF8 x\n", "not understood", "'CREAT' is no operation", 2),
    ("CREATE\n1 URL 1 1110 UTF8 x\n", "no identifier", "behind CREATE stands the identifier", 1),
    ("CREATE /x\n1 URL 1 1110 UTF8 x\n", "no identifier", "prefix is empty", 1),
    ("CREATE 88.118/1\n", "no values", "there is no value below it", 1),
    ("CREATE 88.118/1\n\n1 URL 1 1110 UTF8 x\n", "no values", "blank line too many", 2),
    ("CREATE 88.118/1\n1 URL\n", "bad value", "line 2: the ttl is missing", 1),
    ("CREATE 88.118/1\nx URL 1 1110 UTF8 x\n", "bad value", "line 2: 'x' is neither the index", 1),
    ("CREATE 88.118/1\n0 URL 1 1110 UTF8 x\n", "bad value", "line 2: ", 1),
    ("CREATE 88.118/1\n1 URL -1 1110 UTF8 x\n", "bad value", "'-1' is not a number", 1),
    ("CREATE 88.118/1\n1 URL 1 111 UTF8 x\n", "bad value", "'111' is not four digits", 1),
    ("CREATE 88.118/1\n1 URL 1 1120 UTF8 x\n", "bad value", "'1120' is not four digits", 1),
    ("CREATE 88.118/1\n1 URL 1 1110 UTF16 x\n", "bad value", "'UTF16' is none of UTF8, ADMIN, LIST, FILE", 1),
    ("CREATE 88.118/1\n1 HS_ADMIN 1 1110 ADMIN 1:111:a/b\n", "bad value", "'111' is not 12 digits", 1),
    ("CREATE 88.118/1\n1 HS_ADMIN 1 1110 ADMIN 1:111111111111:\n", "bad value", "the handle is missing", 1),
    ("CREATE 88.118/1\n1 HS_ADMIN 1 1110 UTF8 nonsense\n", "bad value", "line 2: ", 1),
    ("CREATE 88.118/1\n1 HS_VLIST 1 1110 LIST ;\n", "bad value", "the list is empty", 1),
    ("CREATE 88.118/1\n1 HS_VLIST 1 1110 LIST 9999999999:a/b;\n", "bad value", "is not an index from 0 to", 1),
    ("CREATE 88.118/1\n1 HS_VLIST 1 1110 LIST 300;\n", "bad value", "the handle is missing", 1),
    ("CREATE 88.118/1\n1 HS_ADMIN 1 1110 ADMIN 9999999999:000000000000:a/b\n", "bad value", "is not an index", 1),
    ("CREATE 88.118/1\n1 X 1 1110 FILE a.bin\n", "file refused", "--allow-files", 1),
    ("CREATE 88.118/1\n1 A 1 1110 UTF8 x\n1 B 1 1110 UTF8 x\n", "index twice", "line 3: index 1", 1),
    ("DELETE 88.118/1\n1 A 1 1110 UTF8 x\n", "not understood", "line 2: DELETE is one line", 1),
    ("REMOVE 88.118/1\n", "not understood", "write for example REMOVE 3,4:88.118/1", 1),
    ("REMOVE 1,x:88.118/1\n", "not understood", "are no indexes", 1),
    ("REMOVE 1:\n", "no identifier", "", 1),
    ("HOME 88.118/1\n", "no identifier", "is not a prefix", 1),
    ("HOME 192.0.2.1:2641:TCP\n", "no identifier", "no prefix stands below it", 1),
    ("AUTHENTICATE SECKEY:x:0.NA/88.118\nsecret-word\n", "bad login", "write AUTHENTICATE SECKEY", 1),
    ("AUTHENTICATE SECKEY:300\nsecret-word\n", "bad login", "write AUTHENTICATE SECKEY", 1),
    ("AUTHENTICATE SECKEY:9999999999:0.NA/88.118\nsecret-word\n", "bad login", "write AUTHENTICATE SECKEY", 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason", "words", "count"), REFUSED)
def test_what_is_not_understood_is_one_refusal_with_its_line_and_the_next_record_is_read(
    text, reason, words, count
):
    items = read(text + "\nDELETE 88.118/9\n")
    assert items[-1].command == Command(Operation.DELETE, parse_identifier("88.118/9"))
    refused = items[:-1]
    assert len(refused) == count
    assert refused[0].line == 1
    assert refused[0].command is None
    assert refused[0].fault.reason == reason
    assert words in refused[0].fault.detail
    assert "secret-word" not in refused[0].text


def test_secrets_are_left_out_of_what_goes_to_a_reject_file():
    line = "300 hs_seckey 86400 1100 UTF8 hidden-word"
    text = f"CREATE 88.118/1\n{line}\n1 URL x\n\n{line}"
    for order in read(text):
        assert "hidden-word" not in order.text
        assert "(secret left out)" in order.text


def test_a_session_is_passed_over_and_files_are_read_where_allowed():
    text = (
        "SESSIONSETUP\nUSESESSION:1\nTIMEOUT:24\n\nCREATE 88.118/1\n1 X 1 1110 FILE sub/a b.bin\n"
    )
    remark, order = read(text, read_file=lambda type_, path: f"{type_}={path}".encode())
    assert isinstance(remark, Remark)
    assert order.command.values[0].data == b"X=sub/a b.bin"
    _, refused = read(text, read_file=lambda *_: Fault("file refused", "no such file"))
    assert refused.fault == Fault("file refused", "line 6: no such file", "data")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CLEAN, True), ("\n\nCREATE 88.118/1\n", True), ("# x\r\nHOME 0.NA/1\r\n", True), ("SESSIONSETUP\n", True),
        ("CREATE,NAME\n1,2\n", False), ("create table\n", False), ("CREATE\n1\n", False), ("", False),
        ('{"handle":"x"}', False), ("barcode,name\n", False),
    ],
)  # fmt: skip
def test_the_first_words_say_whether_it_is_one(text, expected):
    assert is_generic_batch(text) is expected


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=" "), min_size=1, max_size=20
)  # fmt: skip
HANDLES = st.builds(lambda suffix: f"88.118/{suffix}", TEXT.filter(lambda t: not t.startswith("#")))
TYPES = st.sampled_from(["URL", "EMAIL", "名称", "10320/loc", "X.y"])
PLAIN = st.builds(
    lambda type_, words, ttl, permissions: Value(1, type_, " ".join(words).encode(), ttl, permissions=permissions),
    TYPES, st.lists(TEXT, min_size=1, max_size=3), st.integers(0, 2**31 - 1), st.integers(0, 15),
)  # fmt: skip
ADMINS = st.builds(
    lambda handle, index, bits: Value(1, "HS_ADMIN", encode_admin(Admin(handle, index, bits))),
    HANDLES, st.integers(0, 2**31 - 1), st.integers(0, 0xFFF),
)  # fmt: skip
GROUPS = st.builds(
    lambda members: Value(1, "HS_VLIST", encode_vlist([Reference(f"88.118/{n}", n) for n in members])),
    st.lists(st.integers(0, 999), min_size=1, max_size=3),
)  # fmt: skip
VALUES = st.lists(PLAIN | ADMINS | GROUPS, min_size=1, max_size=4).map(
    lambda values: tuple(v._replace(index=at + 1) for at, v in enumerate(values))
)
COMMANDS = st.builds(
    lambda operation, handle, values: Command(operation, parse_identifier(handle), values, overwrite=False),
    st.sampled_from([Operation.PUT, Operation.ADD, Operation.MODIFY]), HANDLES, VALUES,
) | st.builds(
    lambda handle, indexes: Command(Operation.REMOVE, parse_identifier(handle), indexes=tuple(indexes)),
    HANDLES, st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=3),
) | st.builds(lambda handle: Command(Operation.DELETE, parse_identifier(handle)), HANDLES)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(COMMANDS, max_size=5), st.sampled_from(["\n", "\r\n"]), st.integers(1, 300))
def test_what_is_written_comes_back_the_same_however_it_is_cut(written, end, piece):
    assert commands(read(write_batch(written, end), piece=piece)) == written


@settings(max_examples=150)
@given(
    st.text(max_size=300)
    | st.text("CREATDLO 1:/\n\tUTF80x#,", max_size=200)
    | st.binary(max_size=200)
)
def test_any_file_is_read_to_its_end_and_every_order_is_a_command_or_a_fault(data):
    data = data.encode(errors="replace") if isinstance(data, str) else data
    for item in read(data, piece=64):
        if isinstance(item, Order):
            assert (item.command is None) != (item.fault is None)


def test_spaces_that_are_not_ascii_are_text():
    made = commands(
        read(
            "CREATE 88.118/\u3000a\u3000\n1 X\u00a0Y 1 1110 UTF8 \u3000两 格\u2028\n\u2028\nDELETE 88.118/2\n"
        )
    )
    assert made[0] is None  # a line of other spaces only is no blank line
    (good,) = commands(
        read("CREATE 88.118/\u3000a\u3000\n1 X\u00a0Y 1 1110 UTF8 \u3000两 格\u2028\n")
    )
    assert good == put(
        "88.118/\u3000a\u3000", Value(1, "X\u00a0Y", "\u3000两 格\u2028".encode(), ttl=1)
    )
