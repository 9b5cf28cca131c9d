"""Imports of GenericBatch files and JSON dumps: what comes in, what comes of dirt, and death at every single step."""

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.importing.order_logins import WrongLogin
from protocols.identifier import parse_identifier, prefix_record_of
from protocols.message import Command, Operation, Outcome
from protocols.rest.value_json import value_to_json
from protocols.values.admin import Admin, encode_admin
from protocols.values.value import SECRET_PERMISSIONS, Reference, Value
from protocols.values.value_list import MAX_VALUES
from protocols.values.vlist import encode_vlist
from registry.importing.tally import Tally
from tests.node.importing.order_bench import OrderBench
from tests.registry.importing.batch_writer import write_batch

URL = Value(1, "URL", b"https://a.cn/1")
ADMIN = Value(100, "HS_ADMIN", encode_admin(Admin("0.NA/88.118", 300, 0x7F3)))
SECRET = Value(300, "HS_SECKEY", b"s3cret", permissions=SECRET_PERMISSIONS)


@pytest.fixture
def bench(tmp_path):
    made = OrderBench(tmp_path / "data")
    yield made
    made.close()


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


def put(handle, *values):
    return Command(Operation.PUT, parse_identifier(handle), values or (URL,), overwrite=False)


def records_of(commands):
    return {c.identifier.text: tuple(sorted(c.values)) for c in commands}


# what comes in


SUFFIX = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=12
)
WORDS = st.lists(SUFFIX, min_size=1, max_size=3).map(" ".join)
PLAIN = st.builds(
    lambda type_, text, ttl, perms: Value(1, type_, text.encode(), ttl, permissions=perms),
    st.sampled_from(["URL", "EMAIL", "名称", "10320/loc"]), WORDS, st.integers(0, 10**9), st.integers(0, 15),
)  # fmt: skip
TYPED = st.sampled_from(
    [ADMIN, SECRET, Value(1, "HS_VLIST", encode_vlist([Reference("0.NA/88.118", 300)]))]
)
VALUES = st.lists(PLAIN | TYPED, min_size=1, max_size=4).map(
    lambda values: tuple(v._replace(index=7 * at + 1) for at, v in enumerate(values))
)
RECORDS = st.dictionaries(SUFFIX.map(str.upper).filter(str.isupper), VALUES, min_size=1, max_size=8)
NUMBERS = itertools.count(1)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=RECORDS,
    end=st.sampled_from(["\n", "\r\n"]),
    form=st.sampled_from(["batch", "dump", "lines"]),
)
def test_what_another_server_exports_is_here_after_the_import(bench, tmp_path, records, end, form):
    prefix = f"88.{next(NUMBERS)}"
    creations = [put(f"{prefix}/{suffix}", *values) for suffix, values in records.items()]
    home = Command(Operation.HOST, prefix_record_of(prefix))
    if form == "batch":
        text = write_batch([home, *creations], end)
    else:
        documents = {
            c.identifier.text: {
                "handle": c.identifier.text,
                "values": [
                    {**value_to_json(v), "timestamp": "2020-01-02T03:04:05Z"} for v in c.values
                ],
            }
            for c in creations
        }
        text = json.dumps(
            {"homedPrefixes": [f"0.NA/{prefix}"], "handleRecords": documents}, indent=2
        )
        if form == "lines":
            bench.submit(Command(Operation.HOST, prefix_record_of(prefix)))
            text = end.join(json.dumps(one, ensure_ascii=False) for one in documents.values())
    run = bench.take(write(tmp_path / f"{prefix}.txt", text))
    assert run.shown == []
    assert bench.records(prefix) == records_of(creations)
    assert run.tally.registered == len(creations) + (form != "lines")
    if form != "batch":
        stored = bench.all_values(creations[0].identifier.text)
        assert {value.timestamp for value in stored} == {1_577_934_245}
    again = bench.take(tmp_path / f"{prefix}.txt")
    assert (again.tally.unchanged, again.tally.rejected) == (again.tally.read, 0)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from([Operation.PUT, Operation.ADD, Operation.MODIFY, Operation.REMOVE, Operation.DELETE]),
        st.sampled_from(["a", "A", "b", "c"]),
        st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True),
        st.integers(0, 2),
    ),
    max_size=14,
)  # fmt: skip


def commands_of(operations):
    for operation, suffix, indexes, number in operations:
        identifier = parse_identifier(f"88.118/{suffix}")
        values = tuple(Value(index, "X", b"%d" % number) for index in indexes)
        if operation is Operation.DELETE:
            yield Command(operation, identifier)
        elif operation is Operation.REMOVE:
            yield Command(operation, identifier, indexes=tuple(indexes))
        else:
            yield Command(operation, identifier, values, overwrite=False)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operations=OPERATIONS)
def test_a_file_does_what_its_commands_do_one_by_one(tmp_path, operations):
    commands, number = list(commands_of(operations)), next(NUMBERS)
    one_by_one, taken = OrderBench(tmp_path / f"o{number}"), OrderBench(tmp_path / f"t{number}")
    try:
        receipts = [one_by_one.submit(command) for command in commands]
        run = taken.take(
            write(tmp_path / f"{number}.batch", write_batch(commands)),
            format_="generic-batch",
            parcel=3,
        )
        assert taken.records() == one_by_one.records()
        succeeded = sum(receipt.outcome is Outcome.SUCCESS for receipt in receipts)
        same = run.tally.read - run.tally.rejected - succeeded
        assert same >= 0  # a creation of what is there already as it was ordered is no refusal
        assert run.tally.deleted == sum(
            receipt.outcome is Outcome.SUCCESS and command.operation is Operation.DELETE
            for receipt, command in zip(receipts, commands, strict=True)
        )
    finally:
        one_by_one.close()
        taken.close()


def test_a_dry_run_says_the_same_and_changes_nothing(bench, tmp_path):
    commands = [
        Command(Operation.HOST, prefix_record_of("88.119")),
        put("88.119/1"),
        put("88.118/1", URL, ADMIN, SECRET),
        put("88.118/1", URL._replace(data=b"other")),
        put("77.1/x"),
        Command(
            Operation.ADD, parse_identifier("88.118/1"), (Value(5, "X", b"x"),), overwrite=False
        ),
        *[Command(Operation.DELETE, parse_identifier("88.119/1"))] * 2,
    ]
    path = write(tmp_path / "x.batch", write_batch(commands))
    head = bench.store.head()
    tried = bench.take(path, dry=True)
    assert bench.store.head() == head
    done = bench.take(path)
    assert tried.tally == done.tally
    reasons = (("already-exists", 1), ("not-found", 1), ("not-responsible", 1))
    assert done.tally == Tally(8, 3, 0, 1, reasons, 1)


def test_homing_what_is_homed_and_filling_its_empty_record_are_no_refusals(bench, tmp_path):
    text = (
        "HOME 192.0.2.1:2641:TCP\n0.NA/88.118\n0.NA/88.119\n\n"
        "CREATE 0.NA/88.119\n100 HS_ADMIN 86400 1110 ADMIN 300:110011111110:0.NA/88.119\n"
        "300 HS_SECKEY 86400 1100 UTF8 word\n\nUNHOME 0.NA/88.120\n"
    )
    path = write(tmp_path / "x.batch", text)
    run = bench.take(path)
    assert run.tally == Tally(4, 1, 1, 1, (("not-found", 1),))
    values = bench.all_values("0.NA/88.119")
    assert [(v.index, v.type) for v in values] == [(100, "HS_ADMIN"), (300, "HS_SECKEY")]
    again = bench.take(path)
    assert (again.tally.registered, again.tally.unchanged) == (0, 3)


def test_overwrite_replaces_what_is_there(bench, tmp_path):
    path = write(tmp_path / "x.batch", write_batch([put("88.118/1"), put("88.118/2")]))
    bench.submit(Command(Operation.PUT, parse_identifier("88.118/1"), (Value(9, "OLD", b"x"),)))
    kept = bench.take(path)
    assert kept.tally.reasons == (("already-exists", 1),)
    done = bench.take(path, overwrite=True)
    assert (done.tally.updated, done.tally.unchanged) == (1, 1)
    assert bench.records() == {"88.118/1": (URL,), "88.118/2": (URL,)}


# dirt


def test_refused_records_are_told_with_their_line_their_field_and_without_secrets(bench, tmp_path):
    text = (
        "CREATE 88.118/1\r\n1 URL 86400 1110 UTF8 https://a.cn\r\n\r\nCREATE 88.118/2\r\n"
        "300 HS_SECKEY 1 1100 UTF8 hidden\r\n1 URL 86400 11 UTF8 x\r\n\r\nFOO bar\r\n\r\nDELETE 88.118/3\r\n"
    )
    rejects = tmp_path / "r.csv"
    run = bench.take(write(tmp_path / "x.batch", text), rejects=rejects)
    assert run.tally == Tally(
        4, 1, 0, 0, (("bad value", 1), ("not understood", 1), ("not-found", 1))
    )
    assert [(r.line, r.field) for r in run.shown] == [
        (4, "permissions"),
        (8, ""),
        (10, "identifier"),
    ]
    written = rejects.read_text()
    assert "hidden" not in written
    assert "line 6: '11' is not four digits" in written


def test_gb18030_files_are_recognised(bench, tmp_path):
    path = tmp_path / "x.batch"
    path.write_bytes(
        write_batch([put("88.118/阀门", Value(1, "DESC", "不锈钢球阀门".encode()))]).encode(
            "gb18030"
        )
    )
    bench.take(path)
    assert bench.records() == {"88.118/阀门": (Value(1, "DESC", "不锈钢球阀门".encode()),)}


def test_files_are_read_beside_the_batch_file_and_nowhere_else(bench, tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/a.bin").write_bytes(b"\0\1")
    (folder / "big.bin").write_bytes(bytes(70_000))
    (tmp_path / "outside").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "outside")
    names = ["sub/a.bin", "../outside", str(tmp_path / "outside"), "link", "big.bin", "none", ""]
    text = "".join(
        f"CREATE 88.118/{n}\n1 X 86400 1110 FILE {name}\n\n" for n, name in enumerate(names)
    )
    path = write(folder / "x.batch", text)
    assert bench.take(path).tally.reasons == (("file refused", len(names)),)
    run = bench.take(path, files=True)
    assert run.tally.registered == 1
    assert bench.records() == {"88.118/0": (Value(1, "X", b"\0\1"),)}
    assert "over 65536 bytes" in str(run.shown)


# whose orders they are


def logged_in(*lines):
    return "AUTHENTICATE " + "\n".join(lines) + "\n\n"


def test_orders_of_an_administrator_are_done_with_his_rights_only(bench, tmp_path):
    rights = Value(100, "HS_ADMIN", encode_admin(Admin("0.NA/88.118", 300, 0x001)))
    bench.submit(Command(Operation.PUT, parse_identifier("0.NA/88.118"), (rights, SECRET)))
    text = logged_in("SECKEY:300:0.NA/88.118", "s3cret") + write_batch(
        [
            put("88.118/1"),
            Command(Operation.DELETE, parse_identifier("88.118/1")),
            put("0.NA/77.7"),
        ]
    )
    path = write(tmp_path / "x.batch", text)
    run = bench.take(path, as_admin=True)
    assert run.tally.registered == 1
    assert run.tally.reasons == (("not-administrator", 1), ("permission-denied", 1))
    assert {change.actor for change in bench.store.changes(0)} == {"operator", "300:0.NA/88.118"}
    plain = bench.take(path)
    assert plain.tally.deleted == 1
    assert any("--as-admin" in words for words in plain.remarks)


@pytest.mark.parametrize(
    ("login", "why"),
    [
        (("SECKEY:300:0.NA/88.118", "wrong"), "the secret is not the one"),
        (("SECKEY:301:0.NA/88.118", "s3cret"), "no HS_SECKEY at 301"),
        (("SECKEY:300:88.118/none", "s3cret"), "no HS_SECKEY"),
        (("PUBKEY:300:0.NA/88.118", "key.bin"), "no HS_PUBKEY"),
    ],
)
def test_a_wrong_login_ends_the_import_before_any_of_its_orders(bench, tmp_path, login, why):
    bench.submit(Command(Operation.PUT, parse_identifier("0.NA/88.118"), (ADMIN, SECRET)))
    path = write(
        tmp_path / "x.batch",
        write_batch([put("88.118/0")]) + logged_in(*login) + write_batch([put("88.118/1")]),
    )
    with pytest.raises(WrongLogin, match=why) as caught:
        bench.take(path, as_admin=True)
    assert login[1] not in str(caught.value).replace("the secret", "")
    assert list(bench.records()) == ["88.118/0"]


def test_a_key_registered_in_the_same_file_may_be_used_in_it(bench, tmp_path):
    from node.trust.key_files import make_key, public_data, write_key
    from protocols.trust.algorithms import public_key_of

    key, other = make_key("ec"), make_key("ec")
    write_key(tmp_path / "admin.pem", key)
    write_key(tmp_path / "other.pem", other)
    bench.submit(Command(Operation.PUT, parse_identifier("0.NA/88.118"), (ADMIN,)))
    (tmp_path / "pub").write_bytes(public_data(public_key_of(key)))
    text = "ADD 0.NA/88.118\n300 HS_PUBKEY 86400 1110 FILE pub\n\n{}" + write_batch(
        [put("88.118/1")]
    )
    good = write(tmp_path / "good", text.format(logged_in("PUBKEY:300:0.NA/88.118", "admin.pem")))
    run = bench.take(good, files=True, as_admin=True)
    assert run.tally == Tally(2, 1, 0, 1)
    bad = write(
        tmp_path / "bad",
        logged_in("PUBKEY:300:0.NA/88.118", "other.pem") + write_batch([put("88.118/2")]),
    )
    with pytest.raises(WrongLogin, match="the key is not the one"):
        bench.take(bad, as_admin=True)


# death


def mixed_orders():
    creations = [put(f"88.118/{n}", URL, ADMIN) if n % 3 else put(f"88.118/{n}") for n in range(14)]
    again = [put("88.118/3"), put("88.118/3", URL._replace(data=b"other")), put("88.118/0")]
    steps = [
        (Operation.DELETE, "a", 1), (Operation.PUT, "a", 1), (Operation.ADD, "a", 1), (Operation.ADD, "a", 2),
        (Operation.REMOVE, "a", 1), (Operation.MODIFY, "a", 2), (Operation.DELETE, "a", 1),
        (Operation.PUT, "b", 1), (Operation.DELETE, "b", 1), (Operation.PUT, "b", 1),
    ]  # fmt: skip
    changes = list(commands_of((what, name, [index], 0) for what, name, index in steps))
    home = [
        Command(Operation.HOST, prefix_record_of("88.119")),
        put("88.119/1"),
        put("0.NA/88.119", ADMIN),
    ]
    return [
        *creations,
        *again,
        *changes,
        *home,
        *(put(f"88.118/x{n}") for n in range(9)),
        put("77.7/x"),
    ]


def outcome(bench, run, rejects):
    records = bench.records() | bench.records("88.119") | bench.records("0.NA")
    return run.tally, records, rejects.read_bytes().replace(rejects.name.encode(), b"")


def test_an_import_that_dies_at_any_step_and_is_run_again_adds_up(tmp_path):
    path = write(tmp_path / "x.batch", write_batch(mixed_orders()) + "FOO\n\n")
    whole = OrderBench(tmp_path / "whole")
    rejects = tmp_path / "whole.csv"
    run = whole.take(path, rejects=rejects, parcel=4)
    steps, expected = whole.client.events, outcome(whole, run, rejects)
    whole.close()
    assert steps > 30
    for dies_at in range(steps):
        bench = OrderBench(tmp_path / f"d{dies_at}")
        rejects = tmp_path / f"d{dies_at}.csv"
        deaths = [dies_at, dies_at // 2 + 3, -1] if dies_at % 3 == 0 else [dies_at, -1]
        for death in deaths:
            done = bench.take(path, rejects=rejects, parcel=4, dies_at=death)
            if done.is_done:  # and reported: what comes after that is another import
                break
        told = outcome(bench, done, rejects)
        bench.close()
        assert told[1] == expected[1], dies_at
        assert told[0]._replace(reasons=()) == expected[0]._replace(reasons=()), dies_at
        assert sum(n for _, n in told[0].reasons) == sum(n for _, n in expected[0].reasons), dies_at


# JSON


def test_a_dump_that_is_cut_off_is_imported_up_to_there_and_said_to_be_broken(bench, tmp_path):
    documents = {f"88.118/{n}": {"values": [value_to_json(URL)]} for n in range(3)}
    text = json.dumps({"homedPrefixes": [], "handleRecords": documents}, indent=2)
    run = bench.take(write(tmp_path / "x.json", text[: text.index("88.118/2") + 30]))
    assert run.tally.registered == 2
    assert run.broken is not None
    assert "cut off" in run.broken.words
    whole = bench.take(write(tmp_path / "y.json", text))
    assert (whole.broken, whole.tally.registered, whole.tally.unchanged) == (None, 1, 2)


JSON_FORMS = [
    '[{"handle":"88.118/1","values":[%s]}]',
    '{"handle":"88.118/1","values":[%s]}',
    '{"responseCode":1,"handle":"88.118/1","values":[%s]}\n{"handle":"88.118/2","values":[%s]}',
    '{"handleRecords":{"88.118/1":{"handle":"88.118/1","values":{"1":%s}}},"homedPrefixes":[]}',
    '\n{ "handleRecords" : { "88.118/1" : {"values": [ %s ] } }, "other": {"x": 1} }',
]


@pytest.mark.parametrize("form", JSON_FORMS)
def test_every_form_in_which_records_come_as_json(bench, tmp_path, form):
    value = json.dumps({k: v for k, v in value_to_json(URL).items() if k != "index"} | {"index": 1})
    run = bench.take(write(tmp_path / "x", form.replace("%s", value)))
    assert run.shown == []
    assert bench.records()["88.118/1"] == (URL,)


BAD_RECORDS = [
    ('{"handle":"88.118/1","values":[{"index":0,"type":"X","data":"x"}]}', "bad value"),
    ('{"handle":"88.118/1","values":[]}', "no values"),
    ('{"handle":"88.118/1"}', "bad value"),
    ('{"handle":"/","values":[{"index":1,"type":"X","data":"x"}]}', "no identifier"),
    ('{"handle":7,"values":[]}', "bad value"),
    ("7", "bad value"),
    ('{"handle":"88.118/1","values":{"1":7}}', "bad value"),
    ('{"handle":"88.118/1","values":[{"type":"HS_SECKEY","data":{"format":"string","value":"hidden"}}]}', "bad value"),
    (json.dumps({"handle": "88.118/1", "values": [value_to_json(URL)] * (MAX_VALUES + 1)}), "bad value"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), BAD_RECORDS)
def test_a_record_that_cannot_be_one_is_refused_and_the_next_is_read(bench, tmp_path, text, reason):
    good = '{"handle":"88.118/ok","values":[{"index":1,"type":"URL","data":"https://a.cn/1"}]}'
    run = bench.take(write(tmp_path / "x", f"{text}\n{good}\n"), format_="handle-json")
    assert run.tally.reasons == ((reason, 1),)
    assert "hidden" not in str(run.shown)
    assert list(bench.records()) == ["88.118/ok"]
