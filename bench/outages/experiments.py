"""The measurements: black hole, herd, brown-outs. Each starts its own node and upstream and returns figures."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator

from bench.outages.asker import LATE_S, Asker, Heard, ask_at_rate, zipf
from bench.outages.pair import Pair, running_pair
from bench.outages.report import figures, waits
from bench.outages.upstream import key_of
from node.asking.native import UDP_PATIENCE_S

FILL_RATE = 1500
ASKERS = 8

HERD_TTL_S = 15
"""Longer than the herd takes, so that its key does not expire again."""

BROWN_OUTS: dict[str, dict[str, object]] = {
    "half of everything lost": {"mode": "answer", "loss": 0.5},
    "a second late": {"mode": "answer", "delay_s": 1.0},
    "garbage": {"mode": "garbage"},
    "wrong request id": {"mode": "wrong-id"},
    "reset in the middle of a frame": {"mode": "reset-in-frame"},
    "flapping every 5 s": {"mode": "answer", "flap_s": 5.0},
    "accepts and never answers": {"mode": "silent"},
}
WELL: dict[str, object] = {"mode": "answer", "loss": 0.0, "delay_s": 0.0, "flap_s": 0.0}


async def black_hole(keys: int, seconds: float, rate: float, ttl_s: int) -> dict[str, object]:
    """Every key is learned; the upstream falls silent; all TTLs end; Zipf traffic goes on."""
    names = [key_of(n) for n in range(keys)]
    with running_pair(keys, ttl_s) as pair:
        askers = await _askers(pair)
        await ask_at_rate(askers, names, FILL_RATE)
        missing = set(names) - {one.key for asker in askers for one in asker.heard if one.is_right}
        await ask_at_rate(askers, sorted(missing), FILL_RATE)
        learned = {one.key for asker in askers for one in asker.heard if one.is_right}
        before = pair.upstream.behave(mode="silent")["questions"]
        await asyncio.sleep(ttl_s + 1.0)
        askers = await _askers(pair)
        started_s = time.monotonic()
        known = (key for key in zipf(names, seed=1) if key in learned)
        await ask_at_rate(askers, known, rate, seconds)
        after = pair.upstream.behave()["questions"]
        first = _first_answers(askers)
        return {
            "keys learned": len(learned),
            "seconds": seconds,
            **figures(askers),
            "keys asked": len(first),
            "first answer of a key": waits([one.wait_s for one in first]),
            "answers after more than 450 ms": _slow(askers, started_s),
            "upstream questions a second": round((after - before) / seconds, 2),
        }


async def herd(clients: int) -> dict[str, object]:
    """One key past its TTL; every client, each at an address of its own, asks at the same time."""
    with running_pair(1, HERD_TTL_S) as pair:
        key = key_of(0)
        first = await Asker.open(pair.port)
        first.ask(key)
        await asyncio.sleep(HERD_TTL_S + 0.5)
        before = pair.upstream.behave(delay_s=0.3)["most_for_one"]
        askers = [
            await Asker.open(pair.port, f"127.1.{n // 250}.{n % 250 + 1}") for n in range(clients)
        ]
        for asker in askers:
            asker.ask(key)
        retransmitted = 0
        for pause_s in (*UDP_PATIENCE_S, LATE_S):
            await asyncio.sleep(pause_s)
            for asker in askers:
                if not asker.heard and pause_s != LATE_S:
                    asker.ask(key)
                    retransmitted += 1
        after = pair.upstream.behave()["most_for_one"]
        served = sum(any(one.is_right for one in asker.heard) for asker in askers)
        return {
            "clients": clients,
            "served": served,
            "asked again after the kernel dropped a datagram": retransmitted,
            "questions upstream": after - before,
        }


async def brown_outs(keys: int, seconds: float, rate: float) -> dict[str, object]:
    """Cached traffic and foreign misses, first with a healthy upstream, then with each kind of trouble."""
    found: dict[str, object] = {}
    with running_pair(keys, ttl_s=86_400) as pair:
        names = [key_of(n) for n in range(keys)]
        half = keys // 2
        askers = await _askers(pair)
        await ask_at_rate(askers, names[:half], FILL_RATE)
        fresh = iter(names[half:])
        for name, change in {"well": WELL, **BROWN_OUTS, "well again": WELL}.items():
            before = pair.upstream.behave(**{**WELL, **change})["questions"]
            cached, missing = await _askers(pair), await _askers(pair)
            wanted = itertools.count()
            await asyncio.gather(
                ask_at_rate(cached, _uniform(names[:half]), rate, seconds),
                ask_at_rate(missing, _counted(fresh, wanted), rate / 50, seconds),
            )
            questions = pair.upstream.behave()["questions"] - before
            misses = next(wanted)
            found[name] = {
                "cached": figures(cached),
                "misses": figures(missing),
                "upstream questions per miss": round(questions / max(misses, 1), 2),
            }
    return found


def _slow(askers: list[Asker], started_s: float) -> dict[str, object]:
    """How many, and in which seconds of the measurement."""
    late = [one.at_s - started_s for asker in askers for one in asker.heard if one.wait_s > 0.45]
    return {"count": len(late), "in the seconds": sorted({int(at_s) for at_s in late})}


def _first_answers(askers: list[Asker]) -> list[Heard]:
    first: dict[str, Heard] = {}
    for one in sorted((one for asker in askers for one in asker.heard), key=lambda one: one.at_s):
        if one.is_right:
            first.setdefault(one.key, one)
    return list(first.values())


async def _askers(pair: Pair) -> list[Asker]:
    return [await Asker.open(pair.port) for _ in range(ASKERS)]


def _uniform(names: list[str]) -> Iterator[str]:
    chance = random.Random(7)
    while True:
        yield chance.choice(names)


def _counted(names: Iterator[str], counter: "itertools.count[int]") -> Iterator[str]:
    for name in names:
        next(counter)
        yield name
