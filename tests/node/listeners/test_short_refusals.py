"""The short way to say no over UDP: what floods ask for costs little, and says what the long way would say."""

import asyncio
from dataclasses import replace

import pytest

from node.listeners.native import Asked
from node.listeners.udp import UdpListener
from protocols.handle.codec import decode
from protocols.handle.codes import AUTH, DNRF, PUBL, RECU, ResponseCode
from protocols.message import Operation
from protocols.values.value import Value
from resolver.limits import Limits
from resolver.source import Peer
from tests.node.foreign import DELEGATED, ForeignParts, make_foreign_parts
from tests.node.parts import PREFIX, ask, make_config, put

CLIENT = ("127.0.0.1", 5353)
STINGY = Limits(misses_per_prefix_s=3)


class Sink:
    """Takes what is sent later than at once."""

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        return len(data)


def listener_of(foreign: ForeignParts) -> UdpListener:
    parts = foreign.parts
    return UdpListener(
        Sink(), parts.service, parts.speaker, parts.site, parts.proven, parts.rate,  # type: ignore[arg-type]
        parts.config.limits,
    )  # fmt: skip


def believing() -> ForeignParts:
    config = make_config()
    config = replace(config, access=replace(config.access, proven_networks=("0.0.0.0/0",)))
    return make_foreign_parts(config, limits=STINGY)


def answers(
    listener: UdpListener, *requests: bytes, client: tuple[str, int] = CLIENT
) -> list[bytes]:
    return [answer for answer, _ in listener._answers([(request, client) for request in requests])]


def undated(answer: bytes) -> bytes:
    return answer[:36] + answer[40:]


def use_up(foreign: ForeignParts, prefix: str) -> None:
    """Ask until the prefix's budget is spent, what passes besides included."""
    listener = listener_of(foreign)
    for number in range(30):
        answers(listener, ask(f"{prefix}/lost-{number}"))
    assert len(foreign.network.sent) <= 4


async def test_what_is_absent_here_is_refused_the_short_way_in_the_words_of_the_long_one() -> None:
    foreign = believing()
    listener = listener_of(foreign)
    request = ask(f"{PREFIX}/absent")
    (short,) = answers(listener, request)
    slow = foreign.parts.speaker.answer(
        request, Peer(*CLIENT, "udp", is_loopback=True), foreign.parts.service.now(), 512
    )
    assert isinstance(slow, bytes)
    assert undated(short) == undated(slow)
    assert listener.absent == 1


@pytest.mark.parametrize("client", [CLIENT, ("203.0.113.9", 5353)], ids=["proven", "not-proven"])
async def test_what_does_not_fit_is_sent_to_tcp_without_being_read(client: tuple[str, int]) -> None:
    foreign = make_foreign_parts(recursion=("127.0.0.0/8", "203.0.113.0/24"))
    values = [Value(index, "URL", b"https://example.org/large") for index in range(1, 60)]
    put(foreign.parts.store, f"{PREFIX}/large", values, Operation.PUT)
    listener = listener_of(foreign)
    answers(listener, ask("99.1/large"))
    await foreign.network.asked()
    foreign.network.reply("99.1/large", *values)
    while foreign.driver.waiting_count:
        await asyncio.sleep(0)
    answers(listener, ask("99.1/large"))
    before = listener.too_large
    for name in (f"{PREFIX}/large", "99.1/large"):
        (short,) = answers(listener, ask(name), client=client)
        now, peer = foreign.parts.service.now(), Peer(*client, "udp", is_loopback=False)
        slow = foreign.parts.speaker.answer(ask(name), peer, now, 200)
        assert isinstance(slow, bytes)
        assert decode(short).header.response_code == ResponseCode.ERROR
        assert undated(short) == undated(slow)
    assert listener.too_large == before + 2


@pytest.mark.parametrize("prefix", ["99.1", DELEGATED])
async def test_over_its_budget_an_unknown_identifier_is_refused_before_anything_is_looked_up(
    prefix: str,
) -> None:
    foreign = believing()
    use_up(foreign, prefix)
    listener = listener_of(foreign)
    request = ask(f"{prefix}/one-more")
    (short,) = answers(listener, request)
    slow = foreign.parts.speaker.answer(
        request, Peer(*CLIENT, "udp", is_loopback=True), foreign.parts.service.now(), 512
    )
    assert isinstance(slow, Asked)  # "ask further", which then says busy: nothing was asked
    assert decode(short).header.response_code == ResponseCode.TOO_BUSY
    assert not decode(short).header.op_flags & AUTH
    assert listener.over_budget == 1
    foreign.parts.service.monotonic_s += 1.0
    assert answers(listener, request) == []  # there is budget again: it is being asked


async def test_what_is_known_or_under_way_is_never_refused_the_short_way() -> None:
    foreign = believing()
    listener = listener_of(foreign)
    answers(listener, ask("99.1/known"))
    await foreign.network.asked()
    foreign.network.reply("99.1/known")
    answers(listener, ask("99.1/under-way"))
    await foreign.network.asked(2)
    use_up(foreign, "99.1")
    (known,) = answers(listener, ask("99.1/known"))
    assert decode(known).header.response_code == ResponseCode.SUCCESS
    assert answers(listener, ask("99.1/under-way")) == []  # joined
    assert listener.over_budget == 0


@pytest.mark.parametrize("flags", [0, RECU | AUTH, DNRF])
async def test_questions_a_cache_may_not_answer_go_the_long_way(flags: int) -> None:
    foreign = believing()
    use_up(foreign, "99.1")
    listener = listener_of(foreign)
    answers(listener, ask("99.1/one-more", flags=PUBL | flags))
    assert listener.over_budget == 0


async def test_strangers_are_told_not_responsible_whatever_the_budget() -> None:
    foreign = believing()
    use_up(foreign, "99.1")
    listener = listener_of(foreign)
    (answer,) = answers(listener, ask("99.1/one-more"), client=("203.0.113.9", 5353))
    assert decode(answer).header.response_code == ResponseCode.NOT_RESPONSIBLE
    assert listener.over_budget == 0


async def test_a_prefix_whose_record_is_gone_is_not_ours_to_be_sure_about() -> None:
    foreign = believing()
    put(foreign.parts.store, "0.NA/77.1", [], Operation.HOST)
    put(foreign.parts.store, "0.NA/77.1", [], Operation.DELETE)
    listener = listener_of(foreign)
    assert answers(listener, ask("77.1/absent")) == []  # asked elsewhere
    assert listener.absent == 0


async def test_below_a_prefix_of_ours_that_was_not_allotted_no_budget_speaks() -> None:
    foreign = believing()
    use_up(foreign, "99.1")
    listener = listener_of(foreign)
    for name in (f"{PREFIX}.999/x", f"{PREFIX}.{'1.' * 200}1/x"):
        (answer,) = answers(listener, ask(name))
        assert decode(answer).header.response_code == ResponseCode.NOT_RESPONSIBLE
    assert listener.over_budget == 0
