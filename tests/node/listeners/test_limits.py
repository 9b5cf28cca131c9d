"""Slots, proved addresses and budgets."""

from node.listeners.limits import (
    ByteBudget,
    ProvenAddresses,
    Slots,
)


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
