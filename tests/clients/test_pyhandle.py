"""PYHANDLE as it comes from the package index, through its public API, against a running node."""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pyhandle.client.resthandleclient import RESTHandleClient
from pyhandle.clientcredentials import PIDClientCredentials
from pyhandle.handleclient import PyHandleClient
from pyhandle.handleexceptions import (
    HandleAlreadyExistsException,
    HandleAuthenticationError,
    HandleNotFoundException,
    ReverseLookupException,
)

from tests.node.processes import PREFIX, RunningNode, make_node

pytestmark = [
    pytest.mark.process,
    # PYHANDLE leaves its files and sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

USER = f"300:0.NA/{PREFIX}"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    directory = tmp_path_factory.mktemp("pyhandle")
    settings = make_node(directory / "node")
    with RunningNode(settings, directory / "log") as running:
        yield running.await_ready()


@pytest.fixture(scope="module")
def address(node: RunningNode) -> str:
    return f"http://127.0.0.1:{node.config.http.port}"


@pytest.fixture(scope="module")
def secret(node: RunningNode) -> str:
    return (node.settings.parent / "keys" / "admin.secret").read_text().strip()


@pytest.fixture(scope="module")
def client(address: str, secret: str) -> Any:
    return RESTHandleClient.instantiate_with_username_and_password(
        address, USER, secret, handleowner=USER, allowed_search_keys=[]
    )


@pytest.fixture
def handle(request: pytest.FixtureRequest, client: Any) -> str:
    """A record of this test's own."""
    name = f"{PREFIX}/{request.node.name}"
    client.register_handle(
        name, f"https://a.cn/{request.node.name}", CHECKSUM="c0ffee", NOTE="first"
    )
    return name


def hrls(
    address: str, secret: str, target: str, user: str = USER
) -> tuple[int, dict[str, str], Any]:
    """A plain request, for what PYHANDLE has no method for."""
    login = base64.b64encode(f"{quote(user)}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"} if secret else {}
    try:
        asked = urllib.request.Request(address + target, headers=headers)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.loads(error.read())


# creating and reading


def test_a_record_is_created_and_read_back(client: Any, handle: str) -> None:
    record = client.retrieve_handle_record(handle)
    assert record["URL"] == f"https://a.cn/{handle.partition('/')[2]}"
    assert (record["CHECKSUM"], record["NOTE"]) == ("c0ffee", "first")
    assert "'index': 300" in record["HS_ADMIN"], record["HS_ADMIN"]
    document = client.retrieve_handle_record_json(handle, auth=True)
    assert document["handle"] == handle
    assert all(value["timestamp"] and value["ttl"] == 86400 for value in document["values"])
    assert client.get_value_from_handle(handle, "CHECKSUM") == "c0ffee"
    assert client.get_value_from_handle(handle, "NEVER") is None


def test_reading_needs_no_login_and_what_is_not_there_is_told_so(address: str, handle: str) -> None:
    reader = RESTHandleClient.instantiate_for_read_access(address)
    assert reader.get_value_from_handle(handle, "NOTE") == "first"
    assert reader.retrieve_handle_record_json(f"{PREFIX}/never") is None
    with pytest.raises(HandleNotFoundException):
        reader.get_value_from_handle(f"{PREFIX}/never", "URL")


def test_indexes_choose_what_is_read(client: Any, handle: str) -> None:
    whole = client.retrieve_handle_record_json(handle)["values"]
    number = next(value["index"] for value in whole if value["type"] == "NOTE")
    (chosen,) = client.retrieve_handle_record_json(handle, indices=[number])["values"]
    assert chosen["data"] == {"format": "string", "value": "first"}


def test_what_exists_is_not_overwritten_unless_that_is_asked(client: Any, handle: str) -> None:
    with pytest.raises(HandleAlreadyExistsException):
        client.register_handle(handle, "https://b.cn/")
    assert client.get_value_from_handle(handle, "NOTE") == "first"
    assert client.register_handle(handle, "https://b.cn/", overwrite=True) == handle
    assert client.get_value_from_handle(handle, "URL") == "https://b.cn/"
    assert client.get_value_from_handle(handle, "NOTE") is None, "the whole record was replaced"


def test_random_names_key_value_pairs_and_entries(client: Any) -> None:
    made = client.generate_and_register_handle(PREFIX, "https://a.cn/random", CHECKSUM="x")
    assert made.startswith(f"{PREFIX}/")
    assert client.get_value_from_handle(made, "CHECKSUM") == "x"
    pairs = f"{PREFIX}/pairs"
    assert client.register_handle_kv(pairs, URL="https://a.cn/pairs", 备注="标识") == pairs
    assert client.get_value_from_handle(pairs, "备注") == "标识"
    entries = [
        {"index": 5, "type": "URL", "data": "https://a.cn/entries"},
        {"index": 7, "type": "TEST", "data": {"format": "string", "value": "seven"}},
    ]
    assert client.register_handle_json(f"{PREFIX}/entries", entries) == f"{PREFIX}/entries"
    document = client.retrieve_handle_record_json(f"{PREFIX}/entries")
    found = {value["index"]: value["data"]["value"] for value in document["values"]}
    assert (found[5], found[7]) == ("https://a.cn/entries", "seven")


# changing and deleting


def test_values_are_changed_and_added(client: Any, handle: str) -> None:
    assert client.modify_handle_value(handle, NOTE="second", EXTRA="new", ttl=120) == handle
    record = client.retrieve_handle_record(handle)
    assert (record["NOTE"], record["EXTRA"], record["CHECKSUM"]) == ("second", "new", "c0ffee")
    document = client.retrieve_handle_record_json(handle)
    ttls = {value["type"]: value["ttl"] for value in document["values"]}
    assert (ttls["EXTRA"], ttls["CHECKSUM"]) == (120, 86400)


def test_values_are_deleted(client: Any, handle: str) -> None:
    assert client.delete_handle_value(handle, ["NOTE", "CHECKSUM"]) == handle
    assert set(client.retrieve_handle_record(handle)) == {"URL", "HS_ADMIN"}
    assert client.delete_handle_value(handle, "NOTE") is None


def test_a_record_is_deleted_and_may_come_again(client: Any, handle: str) -> None:
    assert client.delete_handle(handle) == handle
    assert client.retrieve_handle_record_json(handle) is None
    with pytest.raises(HandleNotFoundException):
        client.delete_handle(handle)
    with pytest.raises(HandleNotFoundException):
        client.modify_handle_value(handle, NOTE="x")
    assert client.register_handle(handle, "https://again.cn/") == handle


# who may


def test_a_wrong_password_is_refused_when_something_is_written(
    client: Any, address: str, handle: str
) -> None:
    stranger = RESTHandleClient.instantiate_with_username_and_password(
        address, USER, "wrong", handleowner=USER
    )
    assert stranger.get_value_from_handle(handle, "NOTE") == "first", "reading is for everybody"
    with pytest.raises(HandleAuthenticationError):
        stranger.register_handle(f"{PREFIX}/stranger", "https://a.cn/")
    with pytest.raises(HandleAuthenticationError):
        stranger.modify_handle_value(handle, NOTE="x")
    with pytest.raises(HandleAuthenticationError):
        stranger.delete_handle(handle)
    assert client.get_value_from_handle(handle, "NOTE") == "first"


def test_a_user_that_does_not_exist_is_noticed_at_once(address: str) -> None:
    with pytest.raises(HandleNotFoundException):
        RESTHandleClient.instantiate_with_username_and_password(
            address, f"300:{PREFIX}/nobody-at-all", "x"
        )


def test_credentials_come_from_a_file(address: str, secret: str, tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    content = {"client": "rest", "handle_server_url": address, "username": USER, "password": secret}
    file.write_text(json.dumps({**content, "prefix": PREFIX, "handleowner": USER}))
    credentials = PIDClientCredentials.load_from_JSON(str(file))
    client = PyHandleClient("rest").instantiate_with_credentials(credentials)
    name = client.register_handle(f"{PREFIX}/by-file", "https://a.cn/by-file")
    assert client.get_value_from_handle(name, "URL") == "https://a.cn/by-file"


# searching


def test_what_was_just_written_is_found_and_what_was_just_deleted_is_not(
    client: Any, handle: str
) -> None:
    name = handle.partition("/")[2]
    assert client.search_handle(URL=f"https://a.cn/{name}") == [handle]
    assert client.search_handle(f"*{name[5:20]}*", CHECKSUM="c0*") == [handle]
    assert client.search_handle(f"*{name}", CHECKSUM="other") == []
    client.modify_handle_value(handle, URL="https://elsewhere.cn/100%_[x]")
    assert client.search_handle(URL=f"*{name}*") == []
    assert client.search_handle(URL="*elsewhere*") == [handle]
    client.delete_handle(handle)
    assert client.search_handle(URL="*elsewhere*") == []


def test_searching_is_narrowed_to_a_prefix(client: Any, handle: str) -> None:
    assert handle in client.search_handle(URL="*a.cn*", prefix=PREFIX)
    assert client.search_handle(URL="*a.cn*", prefix="88.9999") == []


def test_searching_with_a_client_for_reading_and_searching(
    address: str, secret: str, handle: str
) -> None:
    searcher = RESTHandleClient.instantiate_for_read_and_search(address, USER, secret)
    assert searcher.search_handle(URL=f"*{handle.partition('/')[2]}") == [handle]
    with pytest.raises(ReverseLookupException, match="Only searches for keys"):
        searcher.search_handle(NOTE="first")


def test_searching_with_a_wrong_password_or_address_says_so(address: str, secret: str) -> None:
    stranger = RESTHandleClient.instantiate_for_read_and_search(address, USER, "wrong")
    with pytest.raises(ReverseLookupException, match="Authentication failed"):
        stranger.search_handle(URL="*")
    for extension in ("/bogus/hrls/handles", "/api/handles"):
        lost = RESTHandleClient.instantiate_for_read_and_search(
            address, USER, secret, reverselookup_url_extension=extension
        )
        with pytest.raises(ReverseLookupException):
            lost.search_handle(URL="*")


def test_secrets_cannot_be_searched_for(client: Any, address: str, secret: str) -> None:
    with pytest.raises(ReverseLookupException):
        client.search_handle(HS_SECKEY="*")
    status, _, said = hrls(address, secret, "/hrls/handles?URL=*&hs_seckey=*")
    assert status == 400
    assert "not allowed" in said["message"]


def test_whole_records_and_pages_come_by_plain_http(
    client: Any, address: str, secret: str, handle: str
) -> None:
    name = handle.partition("/")[2]
    status, _, records = hrls(address, secret, f"/hrls/handles?URL=*{name}&retrieverecords=true")
    assert status == 200
    assert {"type": "NOTE", "value": "first"} in records[handle]
    status, headers, found = hrls(address, secret, f"/hrls/handles/{PREFIX}?URL=*&limit=1&page=1")
    assert (status, len(found)) == (200, 1)
    assert int(headers["Biaojie-Search-Seq"]) > 0
    assert "Biaojie-Search-Behind" not in headers
    assert hrls(address, "", "/hrls/handles?URL=*")[0] == 401


def test_fifty_records_are_found_page_by_page(client: Any, address: str, secret: str) -> None:
    names = [f"{PREFIX}/page-{number:02}" for number in range(50)]
    for name in names:
        client.register_handle(name, f"https://pages.cn/{name}")
    found: list[str] = []
    for page in range(6):
        target = f"/hrls/handles?URL=https://pages.cn/*&limit=9&page={page}"
        found += hrls(address, secret, target)[2]
    assert found == names


def test_the_search_process_is_replaced_and_its_index_made_anew(
    client: Any, node: RunningNode, handle: str
) -> None:
    index = node.config.node.data_dir / "search.sqlite"
    index.unlink()
    deadline_s = time.monotonic() + 20
    while True:
        try:
            assert client.search_handle(URL=f"*{handle.partition('/')[2]}") == [handle]
        except ReverseLookupException:  # it is being made
            assert time.monotonic() < deadline_s
        else:
            break
    assert index.exists()
