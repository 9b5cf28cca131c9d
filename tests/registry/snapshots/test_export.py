"""Export and import: lossless, the same bytes for the same content, and strict about every byte that comes back."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from registry.errors import Conflict, DamagedExport, StoreError, StoreMoved, WrongFormat
from registry.snapshots.export import PAGE, export_lines, write_export
from registry.snapshots.read_export import Export, file_lines, seed_from
from registry.stores.lmdb import create_store, open_writer
from registry.stores.memory import MemoryStore
from tests.batteries.scribe import LOG_ID, Scribe, fill
from tests.registry.snapshots.conftest import fill_richly
from tests.registry.stores.settings import SMALL

OTHER = b"another log id!!"


def exported(store):
    return list(export_lines(store))


def imported(lines):
    store = MemoryStore(OTHER)
    seed_from(Export(lines), store)
    return store


RICH = MemoryStore(LOG_ID)
fill_richly(RICH)
LINES = exported(RICH)


def resealed(lines):
    """The lines with a last line that is right again, so that what was damaged before it shows."""
    body = b"".join(lines[:-1])
    last = json.loads(lines[-1]) | {"sha256": hashlib.sha256(body).hexdigest()}
    return [*lines[:-1], json.dumps(last, separators=(",", ":")).encode() + b"\n"]


def test_both_engines_write_the_same_bytes(rich, rich_lmdb):
    assert exported(rich) == exported(rich_lmdb) == LINES


def test_an_imported_export_is_exported_byte_for_byte_again(tmp_path):
    create_store(tmp_path / "data", OTHER, SMALL)
    store = open_writer(tmp_path / "data", SMALL)
    seed_from(Export(LINES), store)
    assert exported(store) == LINES == exported(imported(LINES))
    assert store.head().log_id == LOG_ID
    store.close()


def test_an_imported_store_answers_as_the_source_did(rich):
    store = imported(exported(rich))
    for prefix in (b"0.NA", b"88.A", b"88.B", b"88.CS", b"88.EMPTY"):
        records = rich.list_records(prefix, with_deleted=True)
        assert store.list_records(prefix, with_deleted=True) == records
        assert store.count(prefix) == rich.count(prefix)
    assert store.lookup(parse_identifier("88.A/refs")).spelling == b"88.a/refs"


def test_an_import_may_fork_the_feed_and_keeps_its_number(rich):
    store = MemoryStore(bytes(16))
    seed_from(Export(exported(rich)), store, OTHER)
    head = rich.head()
    assert store.head() == (OTHER, head.seq, head.digest, head.seq + 1)


def test_the_empty_store_is_exported_and_forked_with_a_chain_that_can_begin():
    lines = exported(MemoryStore(LOG_ID))
    assert len(lines) == 2
    assert exported(imported(lines)) == lines
    store = MemoryStore(bytes(16))
    seed_from(Export(lines), store, OTHER)
    assert store.head() == MemoryStore(OTHER).head()
    fill(store, "88.118/A")


def test_values_are_readable_and_sealed_ones_stay_sealed():
    by_handle = {line.get("handle"): line for line in map(json.loads, LINES)}
    assert by_handle["88.a/Sn-1"]["values"][0]["data"].startswith("https://example.com/")
    assert by_handle["88.a/refs"]["values"][0]["references"] == [["88.b/x", 3], ["é", 0]]
    assert "sealed" in by_handle["88.a/secret"]
    assert by_handle["88.a/binary"] | {"seq": 0, "modified_s": 0} == {
        "handle": "88.a/binary", "version": 2, "seq": 0, "modified_s": 0, "deleted": True, "values": [],
    }  # fmt: skip
    assert json.loads(LINES[1]) == {
        "authority": "88.A",
        "case_sensitive": False,
        "created_s": 1780000000,
    }


def test_an_export_runs_over_several_pages(tmp_path):
    store = MemoryStore(LOG_ID)
    fill(store, *(f"88.118/{n:05}" for n in range(PAGE * 2 + 7)))
    heard = []
    trailer = write_export(store, tmp_path / "export", heard.append)
    assert (trailer.authorities, trailer.records, trailer.deleted) == (1, PAGE * 2 + 8, 0)
    assert heard == [PAGE, PAGE * 2]
    with (tmp_path / "export").open("rb") as file:
        assert list(file_lines(file)) == exported(store)
    assert (tmp_path / "export").stat().st_mode & 0o777 == 0o600


def test_a_store_that_moves_is_refused_and_no_file_appears(tmp_path):
    store = MemoryStore(LOG_ID)
    scribe = fill(store, *(f"88.118/{n:05}" for n in range(PAGE + 1)))

    def write(_):
        scribe.put("88.118/NEW")
        scribe.commit()

    with pytest.raises(StoreMoved):
        write_export(store.reader(), tmp_path / "export", write)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", range(len(LINES)))
def test_a_file_cut_at_any_line_is_refused_and_names_the_line(kept):
    store = MemoryStore(OTHER)
    with pytest.raises((DamagedExport, WrongFormat)) as caught:
        seed_from(Export(LINES[:kept]), store)
    if kept > 0:
        assert caught.value.line == kept + 1
    assert store.head() == MemoryStore(OTHER).head()


def test_a_file_cut_inside_a_line_names_that_line():
    lines = [*LINES[:7], LINES[7][:-5]]
    with pytest.raises(DamagedExport, match=r"^line 8: the file ends in the middle"):
        imported(lines)


@given(st.integers(0, len(LINES) - 1), st.randoms(use_true_random=False))
def test_any_flipped_byte_is_refused_and_changes_nothing(number, random):
    line = bytearray(LINES[number])
    place = random.randrange(len(line))
    line[place] ^= 1 << random.randrange(8)
    store = MemoryStore(OTHER)
    with pytest.raises((DamagedExport, WrongFormat)):
        seed_from(Export([*LINES[:number], bytes(line), *LINES[number + 1 :]]), store)
    assert store.head() == MemoryStore(OTHER).head()
    assert store.authorities() == []


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (b'"version":2', b'"version":0', "version"),
        (b'"version":2', b'"version":true', "version"),
        (b'"version":2', b'"version":"2"', "version"),
        (b'"seq":', b'"seq":9999', "seq"),
        (b'"seq":', b'"sqe":', "seq"),
        (b'"handle":"88.a', b'"handle":"99.a', "handle"),
        (b'"handle":"88.a/', b'"handle":"88.a', "handle"),
        (b'"handle":"88.a/Sn-1"', b'"handle":7', "handle"),
        (b'"index":1', b'"index":0', "values[0].index"),
        (b'"ttl":86400', b'"ttl":-1', "values[0].ttl"),
        (b'"data":"', b'"data":1,"d":"', "values[0].data"),
        (b'"data":"', b'"data":{"base64":"#"},"d":"', "values[0].data.base64"),
        (b'"values":[', b'"values":[1,', "values"),
        (b'"values":', b'"surplus":1,"values":', ""),
        (b',"values"', b', "values"', ""),
    ],
)
def test_a_damaged_field_is_named_with_its_line(old, new, field):
    number = next(n for n, line in enumerate(LINES) if b'"88.a/Sn-1"' in line)
    assert old in LINES[number]
    damaged = LINES[number].replace(old, new, 1)
    with pytest.raises(DamagedExport) as caught:
        imported(resealed([*LINES[:number], damaged, *LINES[number + 1 :]]))
    assert (caught.value.line, caught.value.field) == (number + 1, field)


def test_a_delegated_prefix_is_told_by_one_word_and_others_by_none():
    lines = [json.loads(line) for line in LINES if line.startswith(b'{"authority":')]
    told = {line["authority"]: line.get("delegated") for line in lines}
    assert told.pop("88.away") is told.pop("88.never-here") is True
    assert set(told.values()) == {None}
    number = next(n for n, line in enumerate(LINES) if b'"88.away"' in line)
    for word in (b"false", b"1", b"null"):
        damaged = LINES[number].replace(b'"delegated":true', b'"delegated":' + word)
        with pytest.raises(DamagedExport):
            imported(resealed([*LINES[:number], damaged, *LINES[number + 1 :]]))
    store = imported(LINES)
    assert store.authority(b"88.AWAY").is_delegated
    assert store.stored(b"88.away/kept") is None
    assert store.kept(b"88.away/kept") is not None
    assert store.stored(b"88.gone/kept") is not None


@pytest.mark.parametrize(("name", "word"), [(b"88.quit", b"unhosted"), (b"88.own", b"private")])
def test_a_prefix_that_was_given_up_or_is_private_is_told_by_one_word(name, word):
    number = next(n for n, line in enumerate(LINES) if b'"authority":"' + name in line)
    told = b'"' + word + b'":true'
    assert [n for n, line in enumerate(LINES) if told in line] == [number]
    damaged = LINES[number].replace(told, b'"' + word + b'":false')
    with pytest.raises(DamagedExport):
        imported(resealed([*LINES[:number], damaged, *LINES[number + 1 :]]))
    store = imported(LINES)
    assert not store.authority(name.upper()).is_plain
    assert store.stored(name + b"/kept") is None
    assert store.kept(name + b"/kept") is not None


@pytest.mark.parametrize("number", [2, 8])
def test_lines_out_of_order_are_refused(number):
    lines = list(LINES)
    lines[number], lines[number + 1] = lines[number + 1], lines[number]
    with pytest.raises((DamagedExport, Conflict), match=r"order|authorities"):
        imported(resealed(lines))


def test_a_wrong_count_and_a_surplus_line_are_refused():
    last = json.loads(LINES[-1])
    wrong = (
        json.dumps(last | {"records": last["records"] + 1}, separators=(",", ":")).encode() + b"\n"
    )
    with pytest.raises(DamagedExport, match="field records"):
        imported([*LINES[:-1], wrong])
    with pytest.raises(DamagedExport, match=rf"^line {len(LINES) + 1}: nothing may follow"):
        imported([*LINES, b"{}\n"])


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (b"handle,url\n", "not an export"),
        (b'{"format":"other"}\n', "not an export"),
        (b'{"format":"biaojie-export","version":2}\n', "version 2"),
    ],
)
def test_foreign_and_newer_files_are_named(first, message):
    with pytest.raises(WrongFormat, match=message):
        Export([first, *LINES[1:]])


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_lines_give_an_export_error_and_nothing_else(lines):
    with pytest.raises(StoreError):
        imported([LINES[0], *(line + b"\n" for line in lines)])


def test_a_line_without_end_is_read_in_bounded_memory(tmp_path):
    path = Path(tmp_path / "endless")
    path.write_bytes(LINES[0] + b"x" * (6 << 20))
    with path.open("rb") as file, pytest.raises(DamagedExport, match="longer than"):
        seed_from(Export(file_lines(file)), MemoryStore(OTHER))


def test_an_export_needs_an_empty_store(rich):
    with pytest.raises(Conflict, match="empty"):
        seed_from(Export(LINES), rich)


def test_a_scribe_goes_on_behind_an_import():
    store = imported(LINES)
    scribe = Scribe(store)
    scribe.put("88.a/Sn-1")
    scribe.commit()
    assert store.head().seq == RICH.head().seq + 1
