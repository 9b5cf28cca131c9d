"""Settings as the resolver and the upstream client want them."""

from dataclasses import replace
from pathlib import Path

from node.config_sections import Config
from node.forwarding import make_node_id, make_setup, targets, unproved_until_s, upstream_settings
from protocols.rest.dates import parse_date
from protocols.values.site import HTTP, HTTPS, TCP, UDP
from resolver.asking import Role

PIN = "sha256:" + "ab" * 32


def config(**upstream: object) -> Config:
    default = Config()
    return replace(default, upstream=replace(default.upstream, **upstream))


def test_servers_become_targets_in_their_order() -> None:
    servers = (
        "udp://192.0.2.1:2641",
        "https://top.example:443",
        "tcp://[2001:db8::1]:26",
        "http://h:80",
    )
    made = targets(config(servers=servers))
    assert [(t.protocol, t.address, t.port) for t in made] == [
        (UDP, "192.0.2.1", 2641),
        (HTTPS, "top.example", 443),
        (TCP, "2001:db8::1", 26),
        (HTTP, "h", 80),
    ]
    assert {target.role for target in made} == {Role.UPSTREAM}
    assert [target.name for target in made][2] == "tcp://[2001:db8::1]:26"


def test_all_workers_of_a_store_have_one_id_and_other_stores_another() -> None:
    assert make_node_id(b"a" * 16) == make_node_id(b"a" * 16)
    assert len({make_node_id(bytes([n]) * 16) for n in range(100)}) == 100
    assert len(make_node_id(b"a" * 16)) == 16


def test_where_sockets_are_bound_is_never_asked_beside_what_the_settings_tell() -> None:
    setup = make_setup(config(), bytes(16), [("192.0.2.9", 4000)], (), ())
    assert ("192.0.2.9", 4000) in setup.own_places
    assert {("127.0.0.1", 2641), ("127.0.0.1", 8000), ("::1", 2641)} <= setup.own_places


def test_limits_and_budgets_are_those_of_the_settings() -> None:
    default = Config()
    own = replace(
        default,
        limits=replace(default.limits, misses_per_prefix_s=7, misses_per_source_s=3, stale_s=60),
        memory=replace(default.memory, foreign_cache_mib=2, encoded_answers_mib=1),
        upstream=replace(default.upstream, prefer="udp", mode="recurse", ipv6="no"),
    )
    setup = make_setup(own, bytes(16), (), ("a",), ("b",))
    limits = setup.limits
    assert (limits.misses_per_prefix_s, limits.misses_per_source_s, limits.stale_s) == (7, 3, 60)
    assert (setup.cache_bytes, setup.answers_bytes) == (2 * 1_048_576, 1_048_576)
    assert (setup.prefer[0], setup.is_recursive_upstream, setup.has_ipv6) == (UDP, True, False)
    assert (setup.may_recurse, setup.is_free) == (("a",), ("b",))


def test_pins_count_again_when_the_time_without_proof_is_over() -> None:
    until = "2026-08-01T12:00:00Z"
    trusting = config(pinned_keys=(PIN,), trust_unproved_until=until, ca_file=Path("/ca.pem"))
    until_s = parse_date(until)
    assert unproved_until_s(trusting) == until_s
    assert upstream_settings(trusting, until_s - 1).pins == ()
    assert upstream_settings(trusting, until_s).pins == (PIN,)
    assert upstream_settings(trusting, 0.0).ca_file == "/ca.pem"
    assert upstream_settings(config(pinned_keys=(PIN,)), 0.0).pins == (PIN,)
    assert unproved_until_s(config(trust_unproved_until=until)) == 0.0, "nothing to trust without"
