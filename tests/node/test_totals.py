"""The metrics of all workers as those of one node: whatever ends, no total falls back."""

from node.reports import Check, Family, Report
from node.totals import MOST_FORMER, Totals

ANSWERS, OPEN = "biaojie_receipts", "biaojie_tcp_connections"


def report(
    slot: int, answers: float, life: str = "a", *, open_now: float = 1.0, is_last: bool = False
) -> Report:
    families = [
        Family(ANSWERS, "counter", "Some.", {(f"{ANSWERS}_total", ()): answers}),
        Family(OPEN, "gauge", "Open.", {(OPEN, ()): open_now}),
    ]
    fine = [Check("disk", is_fine=True, reason="")]
    return Report(slot, f"{slot}{life}", 100 + slot, is_last, True, fine, [], families)


def shown(totals: Totals, name: str) -> float:
    return sum(
        sample.value
        for metric in totals.collect()
        for sample in metric.samples
        if sample.name == name
    )


def answers(totals: Totals) -> float:
    return shown(totals, f"{ANSWERS}_total")


def test_what_a_killed_worker_had_counted_stays_and_its_gauges_go():
    totals = Totals()
    totals.take(report(0, 10))
    totals.take(report(1, 1))
    totals.lose(0)
    assert answers(totals) == 11
    assert shown(totals, OPEN) == 1
    totals.take(report(0, 2, "b"))
    assert answers(totals) == 13
    assert shown(totals, OPEN) == 2


def test_slots_that_are_given_up_leave_what_they_counted():
    totals = Totals()
    for slot in range(3):
        totals.take(report(slot, 5))
    totals.forget_slots(1)
    assert set(totals.current) == {0}
    assert answers(totals) == 15
    assert shown(totals, OPEN) == 1


def test_a_last_word_counts_once_and_replaces_what_was_known():
    totals = Totals()
    totals.take(report(0, 10))
    totals.take(report(0, 1, "b"))
    totals.take(report(0, 12, is_last=True))
    assert answers(totals) == 13
    totals.take(report(0, 12, is_last=True))
    assert answers(totals) == 13


def test_of_ever_so_many_that_were_killed_every_count_stays():
    totals = Totals()
    for number in range(3 * MOST_FORMER):
        totals.take(report(0, 1, str(number)))
    assert answers(totals) == 3 * MOST_FORMER
