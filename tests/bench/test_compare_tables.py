"""What a comparison says: rows for everybody, who is missing by name, aims met, missed or not measured."""

import pytest

from bench.compare.aims import aims_table
from bench.compare.contest import (
    AIMS,
    AIOHTTP,
    KNOT,
    KNOT_DNSPERF,
    NGINX,
    NSD,
    NSD_DNSPERF,
    OURS,
    PATHS,
    REDIS,
    UVLOOP,
    rows_of,
)
from bench.compare.field import LANE, PURE, REQUESTS, STARTS
from bench.growth.disk import DiskUse
from bench.growth.stage import Stage
from bench.growth.table import growth_aims, growth_plot, growth_table
from bench.report.result import CompareRow
from bench.slices import Contest, Slice

PURE_NAME, LANE_NAME = OURS[PURE], OURS[LANE]


def slices(cpu_us: float):
    return [Slice(1000, 0, 0, int(cpu_us * 1e6), 1, 10**9)] * 3


def rows(key: str, costs: dict[str, float], missing=(), failures=None):
    path = PATHS[key]
    versions = {one.name: None if one.name in missing else "1.0" for one in path.contestants()}
    contest = Contest({name: slices(cost) for name, cost in costs.items()}, failures or {})
    return rows_of(key, path, contest, versions)


def named(found: list[CompareRow], ours: str, peer: str) -> CompareRow:
    (row,) = (one for one in found if one.path.endswith(ours) and one.peer == peer)
    return row


UDP = {
    PURE_NAME: 4.0, LANE_NAME: 2.0, UVLOOP: 3.0,
    NSD: 2.5, NSD_DNSPERF: 3.0, KNOT: 1.8, KNOT_DNSPERF: 2.0,
}  # fmt: skip


def test_every_contestant_can_be_started_and_asked():
    for path in PATHS.values():
        for one in path.contestants():
            assert one.server in STARTS
            assert one.requests in REQUESTS


def test_every_aim_names_contestants_of_its_path():
    for aim in AIMS:
        names = {one.name for one in PATHS[aim.path].peers}
        assert set(aim.peers) <= names


def test_each_of_ours_is_held_against_every_peer():
    found = rows("udp", UDP)
    assert named(found, PURE_NAME, UVLOOP).ratio == 0.75
    assert named(found, LANE_NAME, UVLOOP).ratio == 1.5
    assert named(found, PURE_NAME, PURE_NAME).ratio == 1.0


def test_who_is_not_installed_is_named():
    found = rows("udp", {PURE_NAME: 4.0}, missing=[LANE_NAME, NSD, NSD_DNSPERF, KNOT, KNOT_DNSPERF])
    row = named(found, PURE_NAME, NSD)
    assert (row.version, row.note, row.median_cpu_us) == (None, "not installed", None)
    assert named(found, LANE_NAME, LANE_NAME).note == "not built"


def test_who_failed_says_why():
    row = named(rows("tcp", {PURE_NAME: 9.0}, failures={REDIS: "redis ended"}), PURE_NAME, REDIS)
    assert (row.version, row.note, row.ratio) == ("1.0", "redis ended", None)


def test_peers_are_shown_even_when_ours_did_not_run():
    found = rows(
        "tcp", {REDIS: 5.0}, failures={PURE_NAME: "it is silent", LANE_NAME: "it is silent"}
    )
    row = named(found, PURE_NAME, REDIS)
    assert (row.median_cpu_us, row.ratio) == (5.0, None)


def lines(table):
    return [(row[1], row[2], row[3], row[5]) for row in table.rows]


def test_of_several_peers_the_hardest_counts_for_an_aim():
    found = lines(aims_table(rows("udp", UDP)))
    assert (PURE_NAME, UVLOOP, 0.75, "met") in found
    assert (PURE_NAME, NSD, 0.625, "missed") in found
    assert (LANE_NAME, KNOT, 0.9, "missed") in found


def test_an_aim_for_the_better_of_ours_is_judged_once():
    found = lines(aims_table(rows("http", {PURE_NAME: 40.0, LANE_NAME: 10.0, NGINX: 10.0, AIOHTTP: 90.0})))  # fmt: skip
    assert (LANE_NAME, NGINX, 1.0, "met") in found
    assert (LANE_NAME, AIOHTTP, 9.0, "met") in found
    assert [line for line in found if line[1] == NGINX] == [(LANE_NAME, NGINX, 1.0, "met")]


def test_without_the_extension_pure_python_is_judged_in_its_place():
    costs = {PURE_NAME: 40.0, NGINX: 10.0, AIOHTTP: 90.0}
    found = lines(aims_table(rows("http", costs, missing=[LANE_NAME])))
    assert (PURE_NAME, NGINX, 0.25, "missed") in found


def test_what_was_not_measured_is_not_met():
    found = aims_table([])
    assert len(found.rows) == len(AIMS) + 2  # many keys beside one, and registrations
    assert {row[5] for row in found.rows} == {"not measured"}


STAGE = Stage(
    keys=10_000, rows_per_s=None, disk=DiskUse(2_000_000, 1_500_000, 4096, 0), content_bytes=1_000_000,
    start_s=0.5, rss_anon_bytes=40_000_000, hit_us=2.0, hottest_us=1.0, miss_us=3.0,
    hit_p99_ms=0.2, miss_p99_ms=0.3,
)  # fmt: skip


def test_growth_is_told_for_each_size():
    large = STAGE._replace(keys=10_000_000, rows_per_s=30_000.4, hit_us=4.0)
    table = growth_table([STAGE, large])
    first, second = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert (first["record B"], first["÷ content"], first["feed B"]) == (200.0, 2.0, 150.0)
    assert (first["rows/s"], second["rows/s"]) == (None, 30_000)
    line = next(
        one for one in growth_plot([STAGE, large]).lines if one.name == "CPU of a hit, any key"
    )
    assert line.points == [[10_000, 1.0], [10_000_000, 2.0]]


@pytest.mark.parametrize(
    ("change", "place", "word"),
    [
        ({"content_bytes": 1_500_000}, 0, "met"),
        ({"content_bytes": 1_400_000}, 0, "missed"),
        ({"start_s": 2.0}, 1, "met"),
        ({"start_s": 2.1}, 1, "missed"),
        ({"rss_anon_bytes": 151_000_000}, 2, "missed"),
        ({"hottest_us": 1.2}, 3, "met"),
        ({"hottest_us": 1.1}, 3, "missed"),
    ],
)
def test_growth_is_held_to_its_aims(change, place, word):
    assert growth_aims([STAGE._replace(**change)]).rows[place][3] == word
