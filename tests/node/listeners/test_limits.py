"""Slots, proved addresses and budgets."""

from node.listeners.limits import (
    MAX_REMEMBERED_VERDICTS,
    ByteBudget,
    NetworkSet,
    ProvenAddresses,
    Slots,
)


def test_networks_know_their_addresses_in_every_dress() -> None:
    networks = NetworkSet(["10.0.0.0/8", "fe80::/10"])
    assert "10.1.2.3" in networks
    assert "::ffff:10.1.2.3" in networks
    assert "fe80::1%eth0" in networks
    assert "11.0.0.1" not in networks
    assert "nonsense" not in networks


def test_remembered_verdicts_are_bounded() -> None:
    networks = NetworkSet(["10.0.0.0/8"])
    for n in range(MAX_REMEMBERED_VERDICTS + 5):
        assert f"192.0.{n >> 8}.{n & 255}" not in networks
    assert len(networks._verdicts) <= MAX_REMEMBERED_VERDICTS


def test_a_proof_lasts_its_time_and_the_oldest_is_forgotten_first() -> None:
    proven = ProvenAddresses([], proven_s=600.0, most=2)
    proven.prove("192.0.2.1", 100.0)
    assert proven.is_proven("192.0.2.1", 699.9)
    assert not proven.is_proven("192.0.2.1", 700.0)
    proven.prove("192.0.2.2", 100.0)
    proven.prove("192.0.2.1", 101.0)
    proven.prove("192.0.2.3", 102.0)
    assert not proven.is_proven("192.0.2.2", 103.0)
    assert proven.is_proven("192.0.2.1", 103.0)


def test_slots_are_counted_in_all_and_by_address() -> None:
    slots = Slots(3, 2, ["10.0.0.0/8"])
    assert slots.take("192.0.2.1") == slots.take("192.0.2.1") == ""
    assert slots.take("192.0.2.1") == "address-full"
    assert slots.take("10.0.0.1") == ""
    assert slots.take("192.0.2.9") == "slots-full"
    slots.give_back("192.0.2.1")
    assert slots.take("192.0.2.1") == ""


def test_unlimited_networks_are_bounded_by_the_slots_alone() -> None:
    slots = Slots(5, 1, ["10.0.0.0/8"])
    assert [slots.take("10.0.0.1") for _ in range(6)] == [""] * 5 + ["slots-full"]


def test_a_budget_says_when_it_is_exceeded() -> None:
    budget = ByteBudget(10)
    assert budget.change(10)
    assert not budget.change(1)
    assert budget.change(-1)
