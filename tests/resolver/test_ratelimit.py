import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.message import Outcome, Query
from resolver.policies.ratelimit import BURST, RATE_PER_S, RateLimit
from resolver.source import Now, Peer

QUERY = Query(parse_identifier("88.118/x"))
SOURCE, OTHER = "192.0.2.7", "192.0.2.8"


def passed(limit, address, count, now_s=0.0):
    return sum(limit.take(address, now_s) for _ in range(count))


def test_a_source_gets_its_burst_and_then_its_rate():
    limit = RateLimit()
    assert passed(limit, SOURCE, 600) == BURST == 500
    assert passed(limit, SOURCE, 600, now_s=1.0) == RATE_PER_S == 200
    assert passed(limit, SOURCE, 600, now_s=1.01) == 2


def test_a_silent_source_never_gets_more_than_the_burst():
    limit = RateLimit(rate_per_s=10, burst=20)
    passed(limit, SOURCE, 20)
    assert passed(limit, SOURCE, 100, now_s=1e6) == 20


def test_asking_while_refused_does_not_put_off_the_next_answer():
    limit = RateLimit(rate_per_s=1, burst=1)
    assert limit.take(SOURCE, 0.0)
    assert not any(limit.take(SOURCE, n / 100) for n in range(1, 99))
    assert limit.take(SOURCE, 1.001)


def test_sources_do_not_share_a_bucket():
    limit = RateLimit(burst=3)
    assert passed(limit, SOURCE, 5) == passed(limit, OTHER, 5) == 3


def test_an_ipv6_source_is_its_64_bit_network():
    limit = RateLimit(rate_per_s=1, burst=3)
    assert passed(limit, "2001:db8:1:2::1", 2) == 2
    assert passed(limit, "2001:0db8:0001:0002:ffff::9", 2) == 1
    assert passed(limit, "2001:db8:1:3::1", 2) == 2


def test_a_mapped_ipv4_address_is_that_ipv4_address():
    limit = RateLimit(rate_per_s=1, burst=3)
    assert passed(limit, f"::ffff:{SOURCE}", 2) == 2
    assert passed(limit, SOURCE, 2) == 1
    assert passed(limit, "::ffff:127.0.0.1", 10) == 10


def test_an_exempt_host_does_not_exempt_its_neighbours():
    limit = RateLimit(rate_per_s=1, burst=3, exempt=("2001:db8:1:2::1/128",))
    assert passed(limit, "2001:db8:1:2::1", 10) == 10
    assert passed(limit, "2001:db8:1:2::2", 10) == 3
    assert passed(limit, "2001:db8:1:2::1", 10) == 10


@given(st.lists(st.sampled_from([SOURCE, OTHER, "127.0.0.1", "::1", "2001:db8::1"]), max_size=30))
def test_asking_who_is_free_changes_nothing_for_anybody(asked):
    plain, asking = RateLimit(burst=3), RateLimit(burst=3)
    for address in asked:
        assert asking.is_free(address) == (address in ("127.0.0.1", "::1"))
        assert plain.take(address, 1.0) == asking.take(address, 1.0)


def test_an_address_with_a_zone_is_limited_like_any_other():
    limit = RateLimit(rate_per_s=1, burst=3)
    assert passed(limit, "fe80::1%eth0", 5) == 3


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_exempt_by_default(address):
    assert passed(RateLimit(burst=1), address, 1000) == 1000


def test_configured_networks_are_exempt_instead():
    limit = RateLimit(rate_per_s=1, burst=1, exempt=("10.0.0.0/8", "fd00::/8"))
    assert passed(limit, "10.1.2.3", 9) == passed(limit, "fd12::1", 9) == 9
    assert passed(limit, "11.1.2.3", 9) == passed(limit, "127.0.0.1", 9) == 1


def test_only_udp_is_limited_as_a_stage():
    limit = RateLimit(rate_per_s=1, burst=1)
    now = Now(0.0, 0.0)
    peers = [Peer(SOURCE, 1, transport, is_loopback=False) for transport in ("tcp", "http", "udp")]
    assert [limit.before(QUERY, peer, now) for peer in peers] == [None] * 3
    refusal = limit.before(QUERY, peers[2], now)
    assert refusal.outcome is Outcome.BUSY
    assert "too many questions" in refusal.reason
    assert limit.before(QUERY, peers[0], now) is None


def test_a_million_forged_sources_do_not_fill_the_memory():
    limit = RateLimit(max_sources=100)
    for n in range(5_000):
        limit.take(f"10.{n >> 8}.{n & 255}.1", 0.0)
        assert len(limit) <= 200


def test_a_source_that_keeps_asking_is_remembered_through_a_flood_of_others():
    limit = RateLimit(rate_per_s=0.001, burst=5, max_sources=100)
    answered = 0
    for n in range(2_000):
        limit.take(f"10.{n >> 8}.{n & 255}.1", 0.0)
        answered += limit.take(SOURCE, 0.0)
    assert answered == 5


@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.booleans()), max_size=300),
    st.floats(0.5, 50),
    st.integers(1, 20),
)
def test_no_source_ever_gets_more_than_burst_and_rate_allow(asks, rate, burst):
    limit = RateLimit(rate_per_s=rate, burst=burst)
    now_s, answered = 0.0, []
    for pause_s, is_first in asks:
        now_s += pause_s
        if limit.take(SOURCE if is_first else OTHER, now_s) and is_first:
            answered.append(now_s)
    for at, start_s in enumerate(answered):
        for count, end_s in enumerate(answered[at:], 1):
            assert count <= burst + rate * (end_s - start_s) + 1e-6
