import pytest

from protocols.identifier import parse_identifier
from resolver.delegation import Local, NotHere, locate
from tests.registry.desk import DELETE, HOST, PUT, Desk, command, url


@pytest.fixture(scope="module")
def records():
    desk = Desk()  # hosts 88.118
    desk.commit(
        command(HOST, "88.118.7.1", url()),
        command(PUT, "0.NA/88.118.9", url()),
        command(PUT, "0.NA/20.500", url()),
        command(HOST, "88.118.6", url()),
        command(DELETE, "88.118.6"),
    )
    return desk.holdings


CASES = {
    "88.118/x": Local(b"88.118"),
    "88.118.7.1/x": Local(b"88.118.7.1"),
    "88.118.7/x": NotHere(b"88.118.7", b"88.118"),
    "88.118.7.1.5/x": NotHere(b"88.118.7.1.5", b"88.118.7.1"),
    "88.118.9/x": NotHere(b"88.118.9", b"88.118"),
    "88.118.6/x": NotHere(b"88.118.6", b"88.118"),
    "88.1/x": NotHere(b"88.1", None),
    "88.1188/x": NotHere(b"88.1188", None),
    "88/x": NotHere(b"88", None),
    "20.500/x": NotHere(b"20.500", None),
    "0.NA/88.118": Local(b"88.118"),
    "88.118": Local(b"88.118"),
    "0.NA/88.118.9": Local(b"88.118"),
    "0.na/88.118.10": Local(b"88.118"),
    "88.118.7.1.5": Local(b"88.118.7.1"),
    "0.NA/20.500": Local(b"20.500"),
    "0.NA/20.501": NotHere(b"20.501", None),
    "0.NA/88": NotHere(b"88", None),
    "0.NA/0.NA": NotHere(b"0.NA", None),
    "0.TYPE/URL": NotHere(b"0.TYPE", None),
}


@pytest.mark.parametrize(("text", "expected"), CASES.items(), ids=CASES)
def test_the_longest_hosted_prefix_decides_who_answers(records, text, expected):
    assert locate(parse_identifier(text), records) == expected


def test_prefixes_are_told_apart_without_case():
    desk = Desk()
    desk.submit(command(HOST, "88.tst", url()))
    for text in ("88.TST/x", "88.tst/x"):
        assert locate(parse_identifier(text), desk.holdings) == Local(b"88.TST")


def test_a_long_chain_of_labels_costs_one_look_up_each():
    class Counting:
        count = 0

        def hosts(self, prefix):
            self.count += 1
            return False

    records = Counting()
    locate(parse_identifier(".".join("1" * 1000) + "/x"), records)
    assert records.count <= 1001
