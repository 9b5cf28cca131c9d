"""What servers say arrives as it was said, whatever carries it; and what they are asked says what it should."""

import pytest

from protocols.handle.codes import AUTH, CERT, PUBL, RECU, RRDG
from protocols.handle.via import read_via
from protocols.message import Outcome
from protocols.rest.loop import read_loop
from protocols.trail import Leg, Trail, Verdict
from protocols.values.site import HTTP, TCP, UDP
from protocols.values.value import ADMIN_READ, Value
from resolver.asking import Reply, Target, Trouble
from tests.faulty_peer.behaviour import Behaviour, Canned, Mode
from tests.faulty_peer.peer import FaultyPeer
from tests.node.upstream.asker import NAME, RECORDS, SHORT_S, VALUES, Asker, wall_s

CARRIERS = pytest.mark.parametrize("protocol", [UDP, TCP, HTTP], ids=["udp", "tcp", "http"])
NATIVE = pytest.mark.parametrize("protocol", [UDP, TCP], ids=["udp", "tcp"])
TRAIL = Trail(
    "88.118", Verdict.ASKED, (Leg("tcp://192.0.2.7:2641", "88.118.7/SN-1", 0.25, "success"),)
)


@CARRIERS
async def test_a_record_arrives_with_every_value(protocol: int):
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(protocol))
    assert isinstance(reply, Reply)
    assert (reply.outcome, reply.spelling, reply.values) == (Outcome.SUCCESS, NAME, VALUES)
    assert not reply.is_signed
    assert (reply.expires_s > 1_700_000_000) == (protocol != HTTP)


@CARRIERS
async def test_the_spelling_that_was_asked_comes_back(protocol: int):
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(protocol), b"88.118.7/sn-1")
            odd = await asker.ask(peer.target(protocol), "88.118.7/a b%2F?#零".encode())
    assert reply.spelling == b"88.118.7/sn-1"
    assert reply.values == VALUES
    assert odd.outcome is Outcome.NOT_FOUND
    assert peer.asked[-1].identifier == "88.118.7/a b%2F?#零".encode()


@CARRIERS
@pytest.mark.parametrize(
    ("code", "outcome"),
    [(3, Outcome.BUSY), (5, Outcome.NOT_SUPPORTED), (100, Outcome.NOT_FOUND), (200, Outcome.VALUES_NOT_FOUND),
     (301, Outcome.NOT_RESPONSIBLE), (4711, Outcome.ERROR)],
)  # fmt: skip
async def test_a_refusal_arrives_with_its_words(protocol: int, code: int, outcome: Outcome):
    words = "why not\nFAKE LOG LINE"
    with FaultyPeer(default=Canned(code, text=words)) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(protocol))
    assert (reply.outcome, reply.values) == (outcome, ())
    assert reply.reason == "why not FAKE LOG LINE"


@NATIVE
async def test_a_referral_arrives_with_its_values_or_its_handle(protocol: int):
    site = Value(3, "HS_SITE", b"site data", timestamp=1)
    with FaultyPeer(
        {
            b"88.200/a": Canned(302, values=(site,)),
            b"88.200/b": Canned(303, referral=b"0.NA/88.200"),
        }
    ) as peer:
        async with Asker() as asker:
            by_values = await asker.ask(peer.target(protocol), b"88.200/a")
            by_handle = await asker.ask(peer.target(protocol), b"88.200/b")
    assert (by_values.outcome, by_values.values) == (Outcome.REFERRAL, (site,))
    assert (by_handle.outcome, by_handle.referral) == (Outcome.REFERRAL, b"0.NA/88.200")


@CARRIERS
async def test_values_that_are_not_public_are_not_passed_on(protocol: int):
    secret = Value(300, "HS_SECKEY", b"secret", permissions=ADMIN_READ, timestamp=1)
    with FaultyPeer(default=Canned(values=(secret, *VALUES[::-1]))) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(protocol))
    assert reply.values == VALUES  # sorted by index, besides


@CARRIERS
async def test_the_trail_of_a_node_like_this_one_arrives(protocol: int):
    with FaultyPeer(default=Canned(values=VALUES[:1], trail=TRAIL)) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(protocol), wants_trail=True)
    assert reply.trail == TRAIL


@NATIVE
async def test_a_plain_question_asks_for_the_public_record_and_nothing_else(protocol: int):
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            await asker.ask(peer.target(protocol))
    (asked,) = peer.asked
    assert asked.flags & (PUBL | RECU | AUTH | CERT | RRDG) == PUBL
    assert (asked.hop_count, asked.surplus) == (0, b"")


@NATIVE
async def test_a_forwarded_question_says_how_far_it_came(protocol: int):
    via = ("0123456789abcdef", "ff")
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            await asker.ask(
                peer.target(protocol), may_recurse=True, authoritative=True, hop_count=2, via=via,
                wants_trail=True,
            )  # fmt: skip
    (asked,) = peer.asked
    assert asked.flags & (RECU | AUTH) == RECU | AUTH
    assert asked.hop_count == 2
    assert read_via(asked.surplus) == (via, True)


async def test_a_forwarded_question_says_so_over_http_too():
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            await asker.ask(peer.target(HTTP), hop_count=3, via=("ab", "cd"), authoritative=True)
    headers = dict(peer.asked[0].headers)
    assert read_loop(headers["cdn-loop"]) == (("ab", "cd"), 3)
    assert headers["cache-control"] == "no-cache"
    assert peer.asked[0].target.endswith("?auth=true")
    assert headers["accept"] == "application/json"
    assert "cookie" not in headers


@CARRIERS
async def test_nothing_is_said_about_the_way_when_the_operator_wants_it_so(protocol: int):
    with FaultyPeer(RECORDS) as peer:
        async with Asker(say_via=False) as asker:
            await asker.ask(peer.target(protocol), hop_count=2, via=("ab",))
    assert peer.asked[0].surplus == b""
    assert "cdn-loop" not in dict(peer.asked[0].headers)


@NATIVE
async def test_an_expired_answer_arrives_with_its_date(protocol: int):
    """Whether it is believed is for the resolver to say."""
    with FaultyPeer(RECORDS, Behaviour(Mode.EXPIRED)) as peer:
        async with Asker() as asker:
            reply = await asker.ask(peer.target(protocol))
    assert 0 < reply.expires_s < wall_s()


@CARRIERS
async def test_nobody_there_is_refused(protocol: int):
    with FaultyPeer() as peer:
        target = peer.target(protocol)
    async with Asker() as asker:
        assert await asker.ask(target) is Trouble.REFUSED


async def test_a_protocol_nobody_speaks_is_refused():
    async with Asker() as asker:
        assert await asker.ask(Target(9, "127.0.0.1", 2641)) is Trouble.REFUSED


@CARRIERS
async def test_a_host_name_is_looked_up(protocol: int):
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            target = peer.target(protocol)._replace(address="localhost")
            said = await asker.ask(target)
            nowhere = await asker.ask(target._replace(address="no-such-host.invalid"))
    assert (
        said is Trouble.REFUSED or said.values == VALUES
    )  # ::1 may come first, and nobody listens there
    assert nowhere is Trouble.REFUSED


@CARRIERS
async def test_a_silent_server_is_a_timeout_at_the_deadline(protocol: int):
    with FaultyPeer(RECORDS, Behaviour(Mode.SILENT)) as peer:
        async with Asker() as asker:
            number = asker.send(peer.target(protocol), patience_s=SHORT_S)
            assert await asker.end_of(number) is Trouble.TIMEOUT
    assert SHORT_S - 0.02 <= asker.seconds[number] < SHORT_S + 1


@CARRIERS
async def test_a_deadline_in_the_past_ends_at_once(protocol: int):
    with FaultyPeer(RECORDS, Behaviour(Mode.SILENT)) as peer:
        async with Asker() as asker:
            number = asker.send(peer.target(protocol), patience_s=-1.0)
            assert await asker.end_of(number) is Trouble.TIMEOUT
    assert asker.seconds[number] < 1


@CARRIERS
async def test_a_cancelled_question_is_silent(protocol: int):
    with FaultyPeer(RECORDS, Behaviour(delay_s=0.05)) as peer:
        async with Asker() as asker:
            number = asker.send(peer.target(protocol))
            other = asker.send(peer.target(protocol))
            asker.cancel(number)
            asker.cancel(number)
            assert (await asker.end_of(other)).values == VALUES
            assert number not in asker.ends


@CARRIERS
async def test_a_bug_in_who_asked_costs_only_that_question(protocol: int, caplog):
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            asker._futures[1] = None  # the callback of question 1 will fail
            first = asker.send(peer.target(protocol))
            asker._futures[first] = None
            assert (await asker.ask(peer.target(protocol))).values == VALUES
            assert (await asker.ask(peer.target(protocol))).values == VALUES
    assert "met a bug" in caplog.text


async def test_closing_tells_nothing_more():
    with FaultyPeer(RECORDS, Behaviour(Mode.SILENT)) as peer:
        asker = Asker()
        numbers = [asker.send(peer.target(protocol)) for protocol in (UDP, TCP, HTTP)]
        await asker.client.close()
        asker.cancelled.update(numbers)
        late = asker.send(peer.target(TCP))
        assert await asker.end_of(late) is Trouble.REFUSED
        await asker.__aexit__()
