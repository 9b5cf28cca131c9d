"""Sessions over HTTP: one table's rules by the clock, the resources that show them, and their place in one worker."""

import pytest

from node.http.sessions import (
    ADMIT,
    CLOSE,
    IDLE_S,
    LASTS_S,
    LOOK,
    MOST,
    MOST_PER_SOURCE,
    TAKE,
    Errand,
    Sessions,
    State,
    owner_of,
)
from tests.node.http.conftest import ADMIN, READER, basic
from tests.node.http.handle_client import b64, begin, by_secret, challenged, handle

HERE, THERE = "192.0.2.1", "192.0.2.2"
THIS = "/api/sessions/this"


def opened(sessions: Sessions, address: str = HERE, now_s: float = 0.0) -> State:
    state = sessions.open(address, now_s)
    assert state is not None
    return state


def admit(sessions: Sessions, state: State, now_s: float = 0.0, address: str = HERE) -> None:
    errand = Errand(ADMIT, state.id, address, b"proof", "88.118/a", 300, b"print")
    assert sessions.do(errand, now_s) is not None


def look(sessions: Sessions, state: State, now_s: float, address: str = HERE) -> State | None:
    return sessions.do(Errand(LOOK, state.id, address), now_s)


def test_ids_name_their_worker_and_are_never_alike():
    ids = {opened(Sessions(slot), f"192.0.2.{n}").id for slot in (0, 5) for n in range(100)}
    assert len(ids) == 200
    assert {owner_of(id_) for id_ in ids} == {0, 5}
    assert [owner_of(text) for text in ("", "x" * 32, "00" * 16, "1234")] == [None] * 4


def test_a_session_is_for_one_address():
    sessions = Sessions()
    state = opened(sessions)
    assert look(sessions, state, 1.0) is not None
    for verb in (LOOK, TAKE, ADMIT, CLOSE):
        assert sessions.do(Errand(verb, state.id, THERE), 1.0) is None
    assert look(sessions, state, 1.0) is not None


def test_a_session_ends_when_it_rests_and_when_it_is_old():
    sessions = Sessions()
    state = opened(sessions)
    now_s = 0.0
    while now_s + IDLE_S / 2 < LASTS_S:
        now_s += IDLE_S / 2
        assert look(sessions, state, now_s) is not None
    assert look(sessions, state, LASTS_S) is None
    rested = opened(sessions, now_s=now_s)
    assert look(sessions, rested, now_s + IDLE_S) is None
    assert not len(sessions)


def test_a_nonce_is_taken_by_one_proof_and_given_to_that_one_again():
    sessions = Sessions()
    state = opened(sessions)
    first = sessions.do(Errand(TAKE, state.id, HERE, b"one"), 0.0)
    assert first is not None
    assert first.taken == state.nonce != first.nonce
    again = sessions.do(Errand(TAKE, state.id, HERE, b"one"), 0.0)
    assert again is not None
    assert again.taken == state.nonce
    other = sessions.do(Errand(TAKE, state.id, HERE, b"two"), 0.0)
    assert other is not None
    assert other.taken == first.nonce
    late = sessions.do(Errand(TAKE, state.id, HERE, b"one"), 0.0)
    assert late is not None
    assert late.taken == other.nonce != state.nonce


def test_one_address_cannot_take_the_room_of_others_and_loses_what_nobody_proved_anything_in_first():
    sessions = Sessions()
    foreign = opened(sessions, THERE)
    known = opened(sessions)
    admit(sessions, known)
    for n in range(3 * MOST_PER_SOURCE):
        opened(sessions, now_s=float(n))
    assert len(sessions) == MOST_PER_SOURCE + 1
    assert look(sessions, foreign, 1.0, THERE) is not None
    assert look(sessions, known, 1.0) is not None


def test_addresses_of_one_network_count_as_one():
    sessions = Sessions()
    for n in range(2 * MOST_PER_SOURCE):
        opened(sessions, f"2001:db8::{n:x}")
    assert len(sessions) == MOST_PER_SOURCE


def test_a_full_table_keeps_who_is_logged_in_and_refuses_when_all_are():
    sessions = Sessions()
    made = [opened(sessions, f"10.{n >> 8}.{n & 255}.1") for n in range(MOST)]
    for n, state in enumerate(made[1:], 1):
        admit(sessions, state, 0.0, f"10.{n >> 8}.{n & 255}.1")
    newest = opened(sessions, THERE)
    assert len(sessions) == MOST
    assert look(sessions, made[0], 1.0, "10.0.0.1") is None, "nobody was logged in there"
    admit(sessions, newest, 0.0, THERE)
    assert sessions.open(HERE, 1.0) is None
    assert sessions.open(HERE, IDLE_S + 1.0) is not None, "those that rest make room"


async def test_a_session_is_begun_shown_logged_in_to_and_ended(node):
    begun = await node.ask("POST", "/api/sessions/")
    assert begun.status == 201
    assert begun.headers["location"] == THIS
    assert begun.json.keys() == {"sessionId", "nonce"}
    alone = handle(sessionId=begun.json["sessionId"])
    assert (await node.ask("GET", THIS, Authorization=alone)).json == begun.json
    proof = by_secret(ADMIN, begun.json, "HMAC-SHA256")
    shown = await node.ask("PUT", THIS, Authorization=proof)
    assert shown.status == 200
    assert shown.json["authenticated"] is True
    assert shown.json["id"] == "300:0.NA/88.118"
    assert shown.json["nonce"] != begun.json["nonce"]
    assert (await node.ask("GET", THIS, Authorization=alone)).json == shown.json
    ended = await node.ask("DELETE", THIS, Authorization=alone)
    assert (ended.status, ended.body) == (204, b"")
    for method in ("GET", "PUT", "DELETE"):
        assert (await node.ask(method, THIS, Authorization=alone)).status == 403


async def test_who_logs_in_may_send_the_fields_in_the_body(node):
    session = await begin(node)
    proof = by_secret(ADMIN, session, "HMAC-SHA256")
    fields = dict(part.split("=", 1) for part in proof.removeprefix("Handle ").split(", "))
    body = {name: value.strip('"') for name, value in fields.items()}
    body["id"] = "300:0.NA/88.118"
    shown = await node.ask("POST", THIS, body)
    assert shown.status == 200
    assert shown.json["id"] == "300:0.NA/88.118"


async def test_a_password_that_comes_along_logs_in_at_once(node):
    begun = await node.ask("POST", "/api/sessions", Authorization=basic(READER))
    assert begun.status == 201
    assert begun.json["id"] == "301:0.NA/88.118"
    alone = handle(sessionId=begun.json["sessionId"])
    assert (await node.ask("GET", "/api/handles?prefix=88.118", Authorization=alone)).status == 200


async def test_a_failed_login_says_so_in_body_and_header(node):
    session = await begin(node)
    wrong = by_secret((300, "0.NA/88.118", "wrong"), session, "HMAC-SHA256")
    refused = await node.ask("PUT", THIS, Authorization=wrong)
    assert refused.status == 401
    assert "authenticated" not in refused.json
    assert refused.json["error"] == challenged(refused)["error"]
    assert refused.json["nonce"] == challenged(refused)["nonce"] != session["nonce"]


async def test_a_session_is_not_begun_with_the_id_of_another(node):
    session = await begin(node)
    again = handle(sessionId=session["sessionId"])
    assert (await node.ask("POST", "/api/sessions", Authorization=again)).status == 400


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"id":[1]}', b'{"id":"a","ID":"b"}', b"7"])
async def test_a_body_that_is_no_login_is_malformed(node, body):
    headers = {"Content_Type": "application/json"}
    assert (await node.ask("PUT", THIS, body, **headers)).status == 400


async def test_without_a_session_this_says_that_nobody_is_there(node):
    shown = await node.ask("GET", THIS)
    assert shown.status == 200
    assert shown.json == {"authenticated": False}


async def test_somebody_at_another_address_has_no_use_for_a_stolen_id(node):
    """The address is the proxy's client's, when a proxy is trusted; here it is the connection's."""
    session = await begin(node)
    proof = by_secret(ADMIN, session, "HMAC-SHA256")
    assert (await node.ask("PUT", THIS, Authorization=proof)).status == 200
    admit_ = node.listener.admit

    def from_elsewhere(front):
        front.peer = front.peer._replace(address="127.0.0.2")
        return admit_(front)

    node.listener.admit = from_elsewhere
    for stolen in (proof, handle(sessionId=session["sessionId"])):
        assert (await node.ask("GET", THIS, Authorization=stolen)).status == 403
        body = {"index": 1, "type": "URL", "data": "x"}
        target = "/api/handles/88.118/1"
        assert (await node.ask("PUT", target, body, Authorization=stolen)).status == 401


async def test_nothing_secret_is_logged(node, caplog):
    with caplog.at_level(0):
        session = await begin(node)
        wrong = by_secret((300, "0.NA/88.118", "guess-of-a-secret"), session, "HMAC-SHA256")
        await node.ask("PUT", THIS, Authorization=wrong)
        await node.ask("PUT", THIS, Authorization=by_secret(ADMIN, session, "HMAC-SHA256"))
    for secret in (ADMIN[2], session["sessionId"], session["nonce"], b64(b"guess")[:6]):
        assert secret not in caplog.text
