"""What a scenario cannot show, because sockets decide it: ports, ids, sources and signatures, against a real peer.

The rules of the map (``promises.toml``) that need a wire are kept here; the client's own tests go further.
"""

import asyncio
import itertools
import socket
import struct
import time
from collections import Counter
from pathlib import Path

import pytest

from node.upstream.proof import parse_pin, pinned, read_keys
from protocols.message import Outcome
from protocols.values.site import HTTPS, TCP, UDP
from resolver.asking import Reply, Role, Trouble
from tests.faulty_peer.behaviour import Behaviour, Mode
from tests.faulty_peer.credentials import blob_of, certificate, key_named, pin_text, server_context
from tests.faulty_peer.peer import FaultyPeer
from tests.node.upstream.asker import NAME, RECORDS, SHORT_S, VALUES, Asker

QUESTIONS = 320
"""Of each of two clients: forty for each sixteenth of the range."""
SIXTEENTHS = 16
CHI_SQUARE_AT_1_PERCENT = 30.58
"""Of fifteen degrees of freedom: exceeded by one in a hundred of perfect dice."""
ROUNDS = 3
"""Perfect dice fail all of them once in a million runs."""


async def asked_over_udp():
    """What two clients, as two workers have them, asked a peer over UDP."""
    with FaultyPeer(RECORDS) as peer:
        for _ in range(2):
            async with Asker() as asker:
                for said in [await asker.ask(peer.target(UDP)) for _ in range(QUESTIONS)]:
                    assert isinstance(said, Reply)
        return list(peer.asked)


def chi_square(numbers, least, most):
    """Of sixteenths of the range ``least`` to ``most``, both included."""
    sixteenths = Counter((number - least) * SIXTEENTHS // (most - least + 1) for number in numbers)
    expected = len(numbers) / SIXTEENTHS
    return sum((sixteenths[n] - expected) ** 2 / expected for n in range(SIXTEENTHS))


async def test_ports_are_the_kernels_and_spread_over_its_whole_range():
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    least, most = map(int, text.split())
    found = []
    for _ in range(ROUNDS):
        ports = [asked.port for asked in await asked_over_udp()]
        assert all(least <= port <= most for port in ports)
        assert len(set(ports)) > 0.95 * len(ports), "a port is used again and again"
        found.append(chi_square(ports, least, most))
        if found[-1] < CHI_SQUARE_AT_1_PERCENT:
            return
    pytest.fail(f"ports are not evenly spread: {found}")


async def test_request_ids_are_spread_over_31_bits():
    found = []
    for _ in range(ROUNDS):
        ids = [asked.request_id for asked in await asked_over_udp()]
        assert all(0 <= id_ < 2**31 for id_ in ids)
        assert len(set(ids)) >= len(ids) - 1
        steps = Counter((b - a) % 2**31 for a, b in itertools.pairwise(ids))
        assert max(steps.values()) <= 2, "ids that follow from each other"
        found.append(chi_square(ids, 0, 2**31 - 1))
        if found[-1] < CHI_SQUARE_AT_1_PERCENT:
            return
    pytest.fail(f"ids are not evenly spread: {found}")


async def test_questions_at_once_have_sockets_of_their_own():
    with FaultyPeer(RECORDS) as peer:
        async with Asker() as asker:
            said = await asker.ask_all(peer.target(UDP), 50)
        assert all(isinstance(one, Reply) for one in said)
        assert len({asked.port for asked in peer.asked}) == 50


async def test_a_datagram_from_elsewhere_does_not_even_arrive():
    with FaultyPeer(RECORDS, Behaviour(Mode.SILENT)) as peer:
        async with Asker() as asker:
            number = asker.send(peer.target(UDP), patience_s=SHORT_S)
            while not peer.asked:
                await asyncio.sleep(0)
            asked = peer.asked[-1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                envelope = struct.pack(">BBHIIII", 2, 11, 0, 0, asked.request_id, 0, 24)
                for _ in range(50):
                    stranger.sendto(envelope + bytes(24), ("127.0.0.1", asked.port))
            assert await asker.end_of(number) is Trouble.TIMEOUT
            assert asker.client.udp.wrong_packets == 0
            assert not asker.near_misses


async def test_ten_thousand_forged_datagrams_are_passed_over_and_the_true_one_is_found():
    with FaultyPeer(RECORDS, Behaviour(forged_before=100)) as peer:
        async with Asker() as asker:
            for _ in range(100):
                reply = await asker.ask(peer.target(UDP))
                assert isinstance(reply, Reply)
                assert (reply.outcome, reply.spelling, reply.values) == (
                    Outcome.SUCCESS, NAME, VALUES,
                )  # fmt: skip
            assert asker.client.udp.wrong_packets >= 9_000
            assert set(asker.near_misses.values()) == {1}


@pytest.mark.parametrize("protocol", [UDP, TCP], ids=["udp", "tcp"])
async def test_an_answer_under_another_id_is_no_answer(protocol: int):
    with FaultyPeer(RECORDS, Behaviour(Mode.WRONG_ID)) as peer:
        async with Asker() as asker:
            said = await asker.ask(peer.target(protocol), patience_s=SHORT_S)
    assert isinstance(said, Trouble)


# ------------------------------------------------------------------------------------------ signatures

OLD, NEW, FOREIGN = key_named("old"), key_named("new"), key_named("foreign")


async def ask_pinned(pins, signs_with, told=()):
    """What a question to a pinned server ends in; ``told``: the keys its site names."""
    site_keys = tuple(blob_of(key) for key in told or pins)
    with FaultyPeer(RECORDS, Behaviour(signs_with=signs_with, site_keys=site_keys)) as peer:
        async with Asker(pins=tuple(map(pin_text, pins))) as asker:
            return await asker.ask(peer.target(TCP, Role.UPSTREAM))


async def test_an_answer_signed_with_the_pinned_key_is_believed_as_signed():
    said = await ask_pinned([OLD], OLD)
    assert isinstance(said, Reply)
    assert said.is_signed
    assert said.values == VALUES


@pytest.mark.parametrize(
    ("signs_with", "told"),
    [(None, [OLD]), (FOREIGN, [OLD]), (FOREIGN, [FOREIGN]), (FOREIGN, [OLD, FOREIGN])],
    ids=["unsigned", "wrong signature", "wrong key", "wrong key beside the right one"],
)
async def test_without_the_pinned_keys_signature_it_is_untrusted(signs_with, told):
    assert await ask_pinned([OLD], signs_with, told) is Trouble.UNTRUSTED


async def test_two_keys_overlap_while_one_replaces_the_other():
    for signs_with in (OLD, NEW):
        said = await ask_pinned([OLD, NEW], signs_with)
        assert isinstance(said, Reply)
        assert said.is_signed
    assert await ask_pinned([NEW], OLD, [OLD, NEW]) is Trouble.UNTRUSTED, "the old one is over"


@pytest.mark.parametrize("pins", [(OLD,), (FOREIGN,)], ids=["its own key", "another"])
async def test_a_pinned_https_server_is_believed_for_its_key_alone(tmp_path: Path, pins):
    tls = server_context(certificate(tmp_path, OLD))
    with FaultyPeer(RECORDS, tls=tls) as peer:
        async with Asker(pins=tuple(map(pin_text, pins))) as asker:
            said = await asker.ask(peer.target(HTTPS, Role.UPSTREAM))
    assert isinstance(said, Reply) == (pins == (OLD,))
    assert said is Trouble.UNTRUSTED or pins == (OLD,)


async def test_an_https_server_nobody_vouches_for_is_untrusted(tmp_path: Path):
    path = certificate(tmp_path, OLD)
    with FaultyPeer(RECORDS, tls=server_context(path)) as peer:
        async with Asker() as asker:
            assert await asker.ask(peer.target(HTTPS)) is Trouble.UNTRUSTED
        async with Asker(ca_file=path) as asker:
            assert isinstance(await asker.ask(peer.target(HTTPS)), Reply)


def test_only_pinned_keys_are_ever_tried():
    told = read_keys([blob_of(key) for key in (OLD, NEW, FOREIGN)])
    assert len(told) == 3
    assert len(pinned(told, {parse_pin(pin_text(NEW))})) == 1


async def test_a_bad_signature_costs_little_and_nothing_but_itself():
    behaviour = Behaviour(signs_with=FOREIGN, site_keys=(blob_of(OLD),))
    with FaultyPeer(RECORDS, behaviour) as peer:
        async with Asker(pins=(pin_text(OLD),)) as asker:
            target = peer.target(TCP, Role.UPSTREAM)
            await asker.ask(target)  # learns the keys
            began_s = time.process_time()
            said = [await asker.ask(target) for _ in range(50)]
            used_s = time.process_time() - began_s  # the signing peer's share included
    assert set(said) == {Trouble.UNTRUSTED}
    assert used_s / 50 < 0.020
