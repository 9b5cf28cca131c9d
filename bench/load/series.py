"""What a run's harvest means: a ``Series`` of the result document, and whether the client was the limit. Pure."""

import math
from typing import NamedTuple

from bench.load.fleet import Harvest, Tally
from bench.load.latencies import Latencies
from bench.load.plan import Setup
from bench.report.result import Client, Moment, SearchStep, Series

MOST_CPU_SHARE = 0.9
"""Of one core: a process that uses more has no time left to be on time."""
LEAST_LAG_MS = 1.0
"""Lateness below this is the scheduler's, on any machine that does something else too."""
MOST_LAG_SHARE = 0.5
"""Of the latency's p99: above, most of that latency is the client's own."""

MOST_LATE_SHARE = 0.05
"""Of the right answers: what comes after the end of a schedule is in the rate, but nobody keeps it up."""


class Named(NamedTuple):
    """What a series is called and how its keys were chosen."""

    name: str
    keys: str


class Limits(NamedTuple):
    """The client's part in a run."""

    is_limited: bool
    remarks: list[str]


def client_limits(harvest: Harvest) -> Limits:
    """Whether the figures say more about the load generator than about the server, and why."""
    remarks = [
        f"client-limited: process {member.number} used {member.cpu_share:.0%} of its core"
        for member in harvest.members
        if member.cpu_share > MOST_CPU_SHARE
    ]
    lags, p99_ms = _lags(harvest), harvest.total.latencies.percentile_ms(99)
    lag_ms = lags.percentile_ms(99) if lags.count else 0.0
    if lag_ms > max(LEAST_LAG_MS, MOST_LAG_SHARE * p99_ms):
        remarks.append(
            f"client-limited: 1 % of the sends left more than {lag_ms:.2f} ms behind the schedule"
        )
    return Limits(bool(remarks), remarks)


def series_of(harvest: Harvest, setups: list[Setup], named: Named) -> Series:
    """The series of one run."""
    run, total, first = harvest.run, harvest.total, setups[0]
    limits = client_limits(harvest)
    writes = first.writes
    rows = writes.batch_rows if writes else 0
    remarks = limits.remarks + _fallen_behind(harvest) + _remarks(total, first, rows)
    return Series(
        name=named.name,
        loop="closed" if run.rate_per_s is None else "open",
        transport=first.target.transport,
        keys=named.keys,
        seconds=run.seconds,
        offered_per_s=None if run.rate_per_s is None else run.rate_per_s * (rows or 1),
        achieved_per_s=round(total.answers / run.seconds, 3),
        sent=total.sent,
        answers=total.answers,
        errors=dict(sorted(total.errors.items())),
        misses=total.misses,
        latency_ms=total.latencies.summary_ms(),
        curve=total.latencies.curve(),
        histogram=total.latencies.encode() if total.latencies.count else "",
        timeline=_timeline(harvest),
        clients=[_client(harvest, place) for place in range(len(harvest.members))],
        client_limited=limits.is_limited,
        remarks=remarks,
        connections=sum(setup.connections for setup in setups),
    )


def step_of(harvest: Harvest, goal_loss: float, goal_p99_ms: float) -> SearchStep:
    """One step of a search for the maximum."""
    total, rate = harvest.total, harvest.run.rate_per_s
    assert rate is not None, "a search offers rates"
    asked = total.answers + total.failed
    loss = total.failed / asked if asked else 1.0
    p99_ms = total.latencies.percentile_ms(99) if total.latencies.count else None
    passed = p99_ms is not None and loss <= goal_loss and p99_ms <= goal_p99_ms
    limited = client_limits(harvest).is_limited
    achieved = total.answers / harvest.run.seconds
    return SearchStep(rate, round(achieved, 3), p99_ms, round(loss, 6), passed, limited)


def together(harvests: list[Harvest]) -> Harvest:
    """Runs of the same kind as if they were one; their intervals follow each other."""
    assert harvests
    first = harvests[0]
    total, moments, place = Tally(), {}, 0
    members = [member._replace(sent=0, cpu_share=0.0, lags=Latencies()) for member in first.members]
    for harvest in harvests:
        total.merge(harvest.total)
        count = _intervals(harvest)
        for number, moment in harvest.moments.items():
            if number < count:
                moments[place + number] = moment
        place += count
        for number, member in enumerate(harvest.members):
            so_far = members[number]
            so_far.lags.add(member.lags)
            share = so_far.cpu_share + member.cpu_share / len(harvests)
            members[number] = so_far._replace(sent=so_far.sent + member.sent, cpu_share=share)
    seconds = sum(harvest.run.seconds for harvest in harvests)
    run = first.run.lasting(seconds)
    return Harvest(run, total, moments, members, harvests[-1].issued, harvests[-1].left)


def _lags(harvest: Harvest) -> Latencies:
    lags = Latencies()
    for member in harvest.members:
        lags.add(member.lags)
    return lags


def _client(harvest: Harvest, place: int) -> Client:
    member = harvest.members[place]
    lag_ms = member.lags.percentile_ms(99) if member.lags.count else None
    return Client(member.number, round(member.cpu_share, 4), lag_ms, member.sent)


def _intervals(harvest: Harvest) -> int:
    return math.ceil(harvest.run.seconds / harvest.run.interval_s - 1e-9)


def _timeline(harvest: Harvest) -> list[Moment]:
    """Every interval of the measured time, those without an answer too; what came after the end is not in it."""
    found = []
    for number in range(_intervals(harvest)):
        at_s = number * harvest.run.interval_s
        seconds = min(harvest.run.interval_s, harvest.run.seconds - at_s)
        tally = harvest.moments.get(number, Tally())
        p99_ms = tally.latencies.percentile_ms(99) if tally.latencies.count else None
        found.append(Moment(round(at_s, 3), round(seconds, 3), tally.answers, tally.failed, p99_ms))
    return found


def _fallen_behind(harvest: Harvest) -> list[str]:
    """Answers of a schedule count whenever they come; so many after its end are no steady rate."""
    run, answers = harvest.run, harvest.total.answers
    if run.rate_per_s is None:
        return []
    count = _intervals(harvest)
    in_time = sum(each.answers for number, each in harvest.moments.items() if number < count)
    if answers - in_time <= MOST_LATE_SHARE * answers:
        return []
    late = f"{1 - in_time / answers:.0%} of the right answers came after the end of the schedule"
    kept = f"within it {in_time / run.seconds:,.0f} a second"
    return [f"{late}, {kept}: the server falls behind, or --duration is too short"]


def _remarks(total: Tally, setup: Setup, rows: int) -> list[str]:
    """What the kinds of errors usually mean."""
    found = []
    if rows:
        found.append(f"rates count rows; a latency is that of a whole batch of {rows:,}")
    if "RC 2" in total.errors and setup.target.transport == "udp":
        found.append("RC 2: these answers do not fit a datagram; clients go on over TCP: try --tcp")
    if "RC 100" in total.errors or "HTTP 404" in total.errors:
        found.append("RC 100, HTTP 404: keys that are not there; misses on purpose are --misses")
    if "HTTP 200" in total.errors and setup.target.transport == "redirect":
        found.append("HTTP 200: a page instead of a redirect: identifiers without a URL value")
    if {"RC 3", "HTTP 429", "HTTP 503"} & set(total.errors):
        found.append("RC 3, HTTP 429 and 503: refused as too much, by a rate limit or by overload")
    if "refused" in total.errors or "connect" in total.errors:
        found.append("refused, connect: nobody listens there, or the server takes no more")
    return found
