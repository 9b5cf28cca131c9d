"""Pinned servers are believed by their key: signed answers on the native ports, the certificate's key over HTTPS."""

from pathlib import Path

import pytest

from node.upstream.proof import parse_pin
from protocols.errors import Malformed
from protocols.handle.codes import CERT, RRDG
from protocols.message import Outcome
from protocols.values.site import HTTP, HTTPS, TCP, UDP
from resolver.asking import Reply, Role, Trouble
from tests.faulty_peer.behaviour import Behaviour, Canned
from tests.faulty_peer.credentials import blob_of, certificate, key_named, pin_text, server_context
from tests.faulty_peer.peer import FaultyPeer
from tests.node.upstream.asker import RECORDS, SHORT_S, VALUES, Asker

NATIVE = pytest.mark.parametrize("protocol", [UDP, TCP], ids=["udp", "tcp"])


def signing(name: str = "first", *site_keys: str, **more: object) -> Behaviour:
    """Signs with one key, tells others (by default the same)."""
    blobs = tuple(blob_of(key_named(key)) for key in site_keys or (name,))
    return Behaviour(signs_with=key_named(name), site_keys=blobs, **more)


def pins(*names: str) -> tuple[str, ...]:
    return tuple(pin_text(key_named(name)) for name in names)


@NATIVE
async def test_an_answer_signed_with_the_pinned_key_is_believed(protocol: int):
    with FaultyPeer(RECORDS, signing()) as peer:
        async with Asker(pins=pins("first")) as asker:
            said = await asker.ask_all(peer.target(protocol, Role.UPSTREAM), 10)
    assert all(isinstance(reply, Reply) and reply.is_signed for reply in said)
    assert {reply.values for reply in said} == {VALUES}
    asked = [one for one in peer.asked if one.identifier]
    assert all(one.flags & (CERT | RRDG) == CERT | RRDG for one in asked)
    assert len(peer.asked) - len(asked) == 1  # its site, once


@NATIVE
async def test_the_key_in_the_target_is_used_without_asking_for_the_site(protocol: int):
    target_key = blob_of(key_named("first"))
    with FaultyPeer(RECORDS, signing()) as peer:
        async with Asker(pins=pins("first")) as asker:
            reply = await asker.ask(peer.target(protocol, Role.UPSTREAM, target_key))
    assert reply.is_signed
    assert len(peer.asked) == 1


@NATIVE
@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(),  # no signature
        Behaviour(site_keys=(b"",)),
        signing("stranger"),  # another key, and says so
        signing("stranger", "first"),  # another key, and names the pinned one
        signing("first", "stranger"),  # the pinned key, but nobody vouches for it
        signing("first", signs_with_digest=False),  # signed, but for which question?
    ],
    ids=["unsigned", "keyless", "stranger", "pretender", "unknown", "undigested"],
)
async def test_anything_else_is_not_believed(protocol: int, behaviour: Behaviour):
    with FaultyPeer(RECORDS, behaviour) as peer:
        async with Asker(pins=pins("first")) as asker:
            said = await asker.ask_all(peer.target(protocol, Role.UPSTREAM), 4)
            assert said == [Trouble.UNTRUSTED] * 4
            assert await asker.ask(peer.target(protocol, Role.UPSTREAM), b"88.118/absent") is (
                Trouble.UNTRUSTED
            )


@NATIVE
async def test_two_pins_overlap_while_a_server_changes_its_key(protocol: int):
    with FaultyPeer(RECORDS, signing("old", "old")) as peer:
        async with Asker(pins=pins("old", "new")) as asker:
            target = peer.target(protocol, Role.UPSTREAM)
            assert (await asker.ask(target)).is_signed
            peer.behaviour = signing("new", "new")
            (known,) = asker.client._keys._known.values()
            known.look_again_s = 0.0  # ten seconds have passed
            said = await asker.ask_all(target, 5)
            assert all(isinstance(reply, Reply) and reply.is_signed for reply in said)
            peer.behaviour = signing(
                "old", "new"
            )  # another machine behind the name is not so far yet
            assert (await asker.ask(target)).is_signed


async def test_the_old_key_is_not_believed_once_its_pin_is_gone():
    with FaultyPeer(RECORDS, signing("old", "old", "new")) as peer:
        async with Asker(pins=pins("new")) as asker:
            assert await asker.ask(peer.target(TCP, Role.UPSTREAM)) is Trouble.UNTRUSTED
            peer.behaviour = signing("new", "old", "new")
            assert (await asker.ask(peer.target(TCP, Role.UPSTREAM))).is_signed


async def test_a_server_whose_keys_do_not_fit_is_not_asked_for_them_again_and_again():
    with FaultyPeer(RECORDS, signing("stranger")) as peer:
        async with Asker(pins=pins("first")) as asker:
            for _ in range(10):
                assert await asker.ask(peer.target(TCP, Role.UPSTREAM)) is Trouble.UNTRUSTED
        assert len([one for one in peer.asked if not one.identifier]) == 1


async def test_an_answer_whose_key_cannot_be_had_in_time_is_untrusted_not_a_timeout():
    """The answer comes over UDP; over TCP, where the key is asked for, nobody says anything."""
    with FaultyPeer(RECORDS, signing(is_tcp_silent=True)) as peer:
        async with Asker(pins=pins("first")) as asker:
            number = asker.send(peer.target(UDP, Role.UPSTREAM), patience_s=SHORT_S)
            assert await asker.end_of(number) is Trouble.UNTRUSTED
        assert asker.seconds[number] >= SHORT_S - 0.02


@pytest.mark.parametrize(
    ("code", "outcome"), [(2, Outcome.ERROR), (3, Outcome.BUSY), (5, Outcome.NOT_SUPPORTED)]
)
async def test_what_says_nothing_about_an_identifier_needs_no_proof(code: int, outcome: Outcome):
    with FaultyPeer(default=Canned(code)) as peer:
        async with Asker(pins=pins("first")) as asker:
            reply = await asker.ask(peer.target(TCP, Role.UPSTREAM))
    assert (reply.outcome, reply.is_signed) == (outcome, False)


@NATIVE
@pytest.mark.parametrize("role", [Role.DELEGATED, Role.LEARNED])
async def test_only_configured_servers_have_to_prove_themselves(protocol: int, role: Role):
    with FaultyPeer(RECORDS) as peer:
        async with Asker(pins=pins("first")) as asker:
            reply = await asker.ask(peer.target(protocol, role))
    assert (reply.values, reply.is_signed) == (VALUES, False)
    assert not peer.asked[0].flags & CERT


# HTTPS


@pytest.fixture
def tls_peer(tmp_path: Path):
    path = certificate(tmp_path, key_named("first"))
    with FaultyPeer(RECORDS, tls=server_context(path)) as peer:
        yield peer, path


async def ask_https(peer: FaultyPeer, role: Role = Role.UPSTREAM, key: bytes = b"", **settings):
    async with Asker(**settings) as asker:
        return await asker.ask(peer.target(HTTPS, role, key))


async def test_a_certificate_with_a_pinned_key_is_believed(tls_peer):
    for pinned in (pins("first"), pins("stranger", "first")):
        reply = await ask_https(tls_peer[0], pins=pinned)
        assert (reply.values, reply.is_signed) == (VALUES, True)


async def test_a_certificate_with_another_key_is_refused_before_anything_is_asked(tls_peer):
    peer, path = tls_peer
    assert await ask_https(peer, pins=pins("stranger")) is Trouble.UNTRUSTED
    assert await ask_https(peer, pins=pins("stranger"), ca_file=str(path)) is Trouble.UNTRUSTED
    assert peer.counts["https"] == 0


async def test_without_pins_the_certificate_authority_decides(tls_peer, tmp_path: Path):
    peer, path = tls_peer
    reply = await ask_https(peer, ca_file=str(path))
    assert (reply.values, reply.is_signed) == (VALUES, False)
    assert await ask_https(peer) is Trouble.UNTRUSTED  # self-signed, and nobody knows it
    other = certificate(tmp_path, key_named("stranger"))
    assert await ask_https(peer, ca_file=str(other)) is Trouble.UNTRUSTED
    assert peer.counts["https"] == 1


async def test_a_certificate_for_another_address_is_refused(tmp_path: Path):
    path = certificate(tmp_path, key_named("first"), "192.0.2.1")
    with FaultyPeer(RECORDS, tls=server_context(path)) as peer:
        assert await ask_https(peer, ca_file=str(path)) is Trouble.UNTRUSTED
        assert peer.counts["https"] == 0


async def test_the_key_in_its_site_proves_a_server_that_is_not_configured(tls_peer):
    peer, _ = tls_peer
    right, wrong = blob_of(key_named("first")), blob_of(key_named("stranger"))
    assert (await ask_https(peer, Role.DELEGATED, right)).is_signed
    assert await ask_https(peer, Role.DELEGATED, wrong) is Trouble.UNTRUSTED
    # An operator's pins are for configured servers; they neither help nor hinder others.
    assert (await ask_https(peer, Role.LEARNED, right, pins=pins("stranger"))).is_signed
    assert await ask_https(peer, Role.LEARNED, wrong, pins=pins("first")) is Trouble.UNTRUSTED


async def test_a_server_that_speaks_no_tls_is_garbage():
    with FaultyPeer(RECORDS) as peer:
        async with Asker(pins=pins("first")) as asker:
            target = peer.target(HTTPS, Role.UPSTREAM)._replace(port=peer.port)
            said = await asker.ask(target)
    assert said in {Trouble.GARBAGE, Trouble.CLOSED}


def test_a_pin_is_sha256_and_64_digits():
    text = pin_text(key_named("first"))
    assert parse_pin(text) == parse_pin(text.upper()) == bytes.fromhex(text[7:])
    for wrong in (
        "",
        "sha256:",
        text[:-2],
        text + "00",
        text[7:],
        "sha1:" + text[7:],
        text[:-1] + "g",
    ):
        with pytest.raises(Malformed):
            parse_pin(wrong)


async def test_plain_http_is_no_way_around_a_pin():
    with FaultyPeer(RECORDS) as peer:
        async with Asker(pins=pins("first")) as asker:
            said = await asker.ask(peer.target(HTTP, Role.UPSTREAM))
            learned = await asker.ask(peer.target(HTTP, Role.LEARNED))
        assert said is Trouble.UNTRUSTED
        assert learned.values == VALUES  # pins are for configured servers
        assert peer.counts["http"] == 1
