"""The indexer: in step with the store after whatever happened to either of them."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from node.search.cells import Scope
from node.search.finding import Asked
from node.search.layout import FILE_NAME, open_to_read, read_state, size_bytes
from node.search.view import NotThere, TookTooLong, View
from protocols.message import Operation
from protocols.values.admin import Admin, encode_admin
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.registrar import Registrar
from registry.stores.lmdb import open_writer
from tests.node.search.parts import PREFIX, SEALER, SETTINGS, Bench, bench, finish, found, term

ALL = term("URL", "*")
SECRET = b"TOP-SECRET-OF-SOMEBODY"


def url(text: str | bytes, index: int = 1, **more: int) -> Value:
    return Value(index, "URL", text if isinstance(text, bytes) else text.encode(), **more)


def state_of(directory: Path):
    connection = open_to_read(directory / FILE_NAME)
    try:
        return read_state(connection)
    finally:
        connection.close()


def fill(node: Bench, count: int, start: int = 0) -> list[str]:
    names = [f"{PREFIX}/n{number:03}" for number in range(start, start + count)]
    for name in names:
        node.put(name, url(f"https://a.cn/{name}"))
    return names


def test_every_change_is_in_after_its_step_and_the_state_says_so() -> None:
    with bench() as node:
        indexer = node.indexer()
        finish(indexer)
        node.put(f"{PREFIX}/A", url("https://one"), Value(2, "note", b"Old"))
        finish(indexer)
        assert node.find(term("URL", "*one*"), term("NOTE", "Old")) == [f"{PREFIX}/A"]
        node.put(f"{PREFIX}/A", url("https://two"))
        finish(indexer)
        assert node.find(term("URL", "*one*")) == node.find(term("NOTE", "*")) == []
        assert node.find(term("URL", "https://two")) == [f"{PREFIX}/A"]
        node.do(Operation.DELETE, f"{PREFIX}/A")
        finish(indexer)
        assert node.find(ALL) == []
        state = state_of(node.directory)
        assert (state.seq, state.records, state.cells) == (4, 0, 0)
        node.put(f"{PREFIX}/a", url("https://three"))
        finish(indexer)
        assert node.find(ALL) == [f"{PREFIX}/a"], "registered anew, with another spelling"
        indexer.close()


def test_a_store_that_is_there_already_is_read_once_and_then_followed() -> None:
    with bench() as node:
        names = fill(node, 30)
        node.do(Operation.DELETE, names[3])
        indexer = node.indexer(rows_at_once=10)
        assert indexer.step()
        with pytest.raises(NotThere, match=r"being made, 32 % of 31 records"):
            node.find(ALL)
        more = fill(node, 3, 50)  # beside it
        finish(indexer)
        indexer.close()
        assert node.find(ALL) == names[:3] + names[4:] + more


def test_nothing_that_not_everybody_may_read_is_anywhere_in_the_file() -> None:
    with bench() as node:
        hidden = Value(2, "NOTE", SECRET, permissions=SECRET_PERMISSIONS)
        node.put(f"{PREFIX}/x", url("https://x"), hidden)
        node.put(f"{PREFIX}/y", Value(3, "HS_SECKEY", SECRET, permissions=SECRET_PERMISSIONS))
        fill(node, 2)
        indexer = node.indexer()
        finish(indexer)
        for file in node.directory.glob(FILE_NAME + "*"):
            assert SECRET not in file.read_bytes(), file.name
        for type_ in ("NOTE", "HS_SECKEY"):
            assert node.find(term(type_, "*")) == node.find(term(type_, "*SECRET*")) == []
        indexer.close()


def test_a_value_that_stops_being_public_leaves_with_the_change_that_says_so() -> None:
    with bench() as node:
        indexer = node.indexer()
        node.put(f"{PREFIX}/x", url(SECRET), Value(2, "NOTE", b"stays"))
        finish(indexer)
        assert node.find(term("URL", "*SECRET*")) == [f"{PREFIX}/x"]
        node.put(
            f"{PREFIX}/x", url(SECRET, permissions=SECRET_PERMISSIONS), Value(2, "NOTE", b"stays")
        )
        finish(indexer)
        assert node.find(term("URL", "*SECRET*")) == node.find(ALL) == []
        assert node.find(term("NOTE", "stays")) == [f"{PREFIX}/x"]
        indexer.close()


def test_values_that_are_not_text_are_found_by_being_there_only() -> None:
    with bench() as node:
        admin = encode_admin(Admin("0.NA/88.118", 300, 0xFFF))
        node.put(f"{PREFIX}/a", url("https://a"), Value(100, "HS_ADMIN", admin))
        node.put(
            f"{PREFIX}/b",
            url("https://b"),
            Value(2, "BLOB", b"\xff\xfe"),
            Value(3, "ZERO", b"a\0b"),
        )
        node.index()
        assert node.find(term("HS_ADMIN", "*"), ALL) == [f"{PREFIX}/a"]
        assert node.find(term("HS_ADMIN", "*88*")) == []
        assert node.find(term("BLOB", "*"), term("ZERO", "*")) == [f"{PREFIX}/b"]
        assert node.find(term("ZERO", "a*")) == []


def test_of_a_long_value_the_beginning_is_found_and_nothing_is_claimed_of_its_end() -> None:
    text = "标识" * 20 + "x" * 1500
    with bench(scope=Scope(text_bytes=64)) as node:
        node.put(f"{PREFIX}/long", Value(1, "DESC", text.encode()))
        node.put(f"{PREFIX}/short", Value(1, "DESC", ("标识" * 10).encode()))
        node.index()
        assert node.find(term("DESC", "标识*")) == [f"{PREFIX}/long", f"{PREFIX}/short"]
        kept = text.encode()[:64].decode(errors="ignore")
        for pattern in (kept, f"*{kept}", text, "*x*"):
            assert node.find(term("DESC", pattern)) == [], pattern
        assert node.find(term("DESC", f"{kept}*")) == [f"{PREFIX}/long"]
        assert (node.directory / FILE_NAME).read_bytes().count(b"x" * 100) == 0


@pytest.mark.parametrize(
    "damage", ["missing", "empty", "torn", "garbage", "other format", "bytes", "not ended"]
)
def test_a_file_that_is_not_whole_is_made_anew(damage: str) -> None:
    with bench() as node:
        names = fill(node, 400)
        node.index()
        file = node.directory / FILE_NAME
        data = file.read_bytes()
        assert len(data) > 60_000
        match damage:
            case "missing":
                file.unlink()
            case "empty":
                file.write_bytes(b"")
            case "torn":
                file.write_bytes(data[: len(data) // 2])
            case "garbage":
                file.write_bytes(b"garbage" * 5000)
            case "other format":
                _set_state(file, "format = 99")
            case "bytes":
                _set_state(file, "ended_well = 0")
                data = bytearray(file.read_bytes())
                for page in range(4096 * 8, len(data) - 4096, 4096):
                    data[page : page + 8] = b"\xff" * 8
                file.write_bytes(data)
            case "not ended":
                _set_state(file, "ended_well = 0")
        node.index()
        assert node.find(term("URL", "*a.cn*")) == names
        assert state_of(node.directory).ended_well


def _set_state(file: Path, what: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute(f"UPDATE state SET {what}")
    connection.commit()
    connection.close()


def test_whoever_meets_damage_while_asking_takes_the_file_away_and_it_is_made_anew() -> None:
    with bench() as node:
        names = fill(node, 400)
        indexer = node.indexer()
        finish(indexer)
        indexer.close()
        file = node.directory / FILE_NAME
        data = bytearray(file.read_bytes())
        for page in range(4096 * 5, len(data), 4096):
            data[page : page + 64] = b"\xff" * 64
        file.write_bytes(data)
        with pytest.raises(NotThere, match="cannot be read"):
            node.find(term("URL", "*a.cn*"))
        assert not file.exists()
        finish(indexer)  # it was open all the time
        assert node.find(term("URL", "*a.cn*")) == names
        indexer.close()


def test_a_file_deleted_while_it_is_used_is_made_anew_and_views_notice() -> None:
    with bench() as node:
        names = fill(node, 5)
        indexer, view = node.indexer(), View(node.directory)
        assert view.state() is None
        finish(indexer)
        asked = Asked((ALL,), 100)
        assert len(view.find(asked, 5).hits) == 5
        (node.directory / FILE_NAME).unlink()
        with pytest.raises(NotThere):
            view.find(asked, 5)
        finish(indexer)
        assert [hit.spelling for hit in view.find(asked, 5).hits] == names
        indexer.close()
        view.close()


def test_other_settings_make_it_anew() -> None:
    with bench() as node:
        node.put(f"{PREFIX}/x", url("https://x"), Value(2, "NOTE", b"text"))
        node.index()
        indexer = node.indexer(Scope(frozenset({"URL"})))
        finish(indexer)
        indexer.close()
        assert node.find(ALL) == [f"{PREFIX}/x"]
        assert node.find(term("NOTE", "*")) == []


def test_an_index_being_made_goes_on_where_it_was_killed() -> None:
    with bench() as node:
        names = fill(node, 25)
        indexer = node.indexer(rows_at_once=10)
        assert indexer.step()
        assert indexer.step()
        assert state_of(node.directory).done == 20
        # Killed: nothing is closed, another one comes.
        again = node.indexer(rows_at_once=10)
        steps = 0
        while again.step():
            steps += 1
        assert steps <= 2, "it did not begin at the beginning"
        assert node.find(ALL) == names
        assert state_of(node.directory).records == 25
        again.close()


def test_a_store_with_another_history_makes_it_anew(tmp_path: Path) -> None:
    """A copy goes on differently; then its index is put beside the first one."""
    with bench(tmp_path / "first") as first:
        fill(first, 3)
        first.index()
        shutil.copytree(tmp_path / "first", tmp_path / "second")
        copied = open_writer(tmp_path / "second", SETTINGS)
        second = Bench(tmp_path / "second", copied, Registrar(copied, SEALER), first.scope)
        second.put(f"{PREFIX}/second", url("https://second"))
        second.index()
        first.put(f"{PREFIX}/first", url("https://first"))
        shutil.copy(tmp_path / "second" / FILE_NAME, tmp_path / "first" / FILE_NAME)
        first.index()  # same number, another entry
        assert first.find(term("URL", "https://*st")) == [f"{PREFIX}/first"]
        first.put(f"{PREFIX}/third", url("https://third"))
        shutil.copy(tmp_path / "second" / FILE_NAME, tmp_path / "first" / FILE_NAME)
        first.index()  # behind, and not linked
        assert first.find(term("URL", "https://*")) == first.scan(term("URL", "*"))
        assert found(second.directory, term("URL", "https://second")) == [f"{PREFIX}/second"]
        copied.close()


def test_a_feed_cut_behind_it_makes_it_anew() -> None:
    with bench() as node:
        names = fill(node, 3)
        node.index()
        names += fill(node, 5, 10)
        node.store.truncate_changes(node.store.head().seq)
        node.index()
        assert node.find(ALL) == names


def test_a_question_that_takes_too_long_is_given_up() -> None:
    with bench() as node:
        fill(node, 300)
        node.index()
        view = View(node.directory)
        asked = Asked((term("URL", "*x*y*"), term("URL", "*n*")), 100)
        with pytest.raises(TookTooLong):
            view.find(asked, -1.0)
        assert view.find(asked, 30.0).hits == [], "the next one has its own time"
        view.close()


def test_the_files_are_for_their_owner_alone() -> None:
    with bench() as node:
        fill(node, 2)
        indexer = node.indexer()
        finish(indexer)
        modes = {
            name.name: name.stat().st_mode & 0o777 for name in node.directory.glob(FILE_NAME + "*")
        }
        assert set(modes.values()) == {0o600}, modes
        assert size_bytes(node.directory / FILE_NAME) > 10_000
        indexer.close()
