import pytest

from protocols.identifier import parse_identifier
from resolver.delegation import Delegated, Local, NotHere, locate
from tests.registry.desk import DELEGATE, DELETE, HOST, PUT, Desk, command, site, site_value, url

HERE = ("192.0.2.7",)
THERE = ("192.0.2.8", "2001:db8::8")


@pytest.fixture(scope="module")
def records():
    desk = Desk()  # hosts 88.118
    desk.commit(
        command(HOST, "88.118.7.1", url()),
        command(PUT, "0.NA/88.118.9", url()),
        command(PUT, "0.NA/20.500", url()),
        command(HOST, "88.118.6", url()),
        command(DELETE, "88.118.6"),
        command(PUT, "0.NA/88.118.5", site_value(*HERE)),
        command(PUT, "0.NA/88.118.5.3", site_value(*THERE, index=4), site_value(*HERE, index=2)),
        command(HOST, "88.118.5.4", site_value(*HERE)),
        command(PUT, "0.NA/88.118.5.5", url()),
        command(PUT, "0.NA/20.600", site_value(*THERE, kind="hs_site.6")),
        command(PUT, "0.NA/20.700", site_value(*THERE)),
        command(DELETE, "0.NA/20.700"),
        # hosted, filled, then given away, and once more taken back
        command(HOST, "88.118.4"),
        command(PUT, "88.118.4/x", url()),
        command(DELEGATE, "88.118.4", site_value(*THERE)),
        command(DELEGATE, "88.118.3", site_value(*HERE)),
        command(HOST, "88.118.3"),
        command(DELEGATE, "88.118.2", site_value(*HERE)),
        command(DELETE, "88.118.2"),
        command(HOST, "88.118.8"),
        command(PUT, "0.NA/88.118.8.1", url()),
        command(DELEGATE, "88.118.8", site_value(*HERE)),
    )
    return desk.holdings


TO_HERE = Delegated(b"88.118.5", (site(*HERE),))

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
    "0.NA/88.118.9": Local(b"88.118.9"),
    "0.na/88.118.10": Local(b"88.118"),
    "88.118.7.1.5": Local(b"88.118.7.1"),
    "0.NA/20.500": Local(b"20.500"),
    "0.NA/20.501": NotHere(b"20.501", None),
    "0.NA/88": NotHere(b"88", None),
    "0.NA/0.NA": NotHere(b"0.NA", None),
    "0.TYPE/URL": NotHere(b"0.TYPE", None),
    # below a delegated prefix its servers answer, the nearest one's
    "88.118.5/x": TO_HERE,
    "88.118.5.2/x": TO_HERE,
    "88.118.5.2.1/x": TO_HERE,
    "88.118.55/x": NotHere(b"88.118.55", b"88.118"),
    "88.118.5.3/x": Delegated(b"88.118.5.3", (site(*HERE), site(*THERE))),
    "88.118.5.4/x": Local(b"88.118.5.4"),
    "88.118.5.4.1/x": NotHere(b"88.118.5.4.1", b"88.118.5.4"),
    "88.118.5.5/x": TO_HERE,
    # its own record is kept here, those of the prefixes derived from it are kept there
    "88.118.5": Local(b"88.118.5"),
    "0.NA/88.118.5": Local(b"88.118.5"),
    "88.118.5.2": TO_HERE,
    "0.na/88.118.5.2.1": TO_HERE,
    "88.118.5.5": Local(b"88.118.5.5"),
    # given away while records are kept here: they are out of sight
    "88.118.4/x": Delegated(b"88.118.4", (site(*THERE),)),
    "88.118.4": Local(b"88.118.4"),
    "88.118.4.1": Delegated(b"88.118.4", (site(*THERE),)),
    "88.118.3/x": Local(b"88.118.3"),
    "88.118.3.1": Local(b"88.118.3"),
    "88.118.2/x": NotHere(b"88.118.2", b"88.118"),
    "88.118.2": Local(b"88.118"),
    "88.118.8.1": Local(b"88.118.8.1"),
    "88.118.8.1/x": Delegated(b"88.118.8", (site(*HERE),)),
    # a node below another one than ours, entered by hand
    "20.600/x": Delegated(b"20.600", (site(*THERE),)),
    "20.600.1/x": Delegated(b"20.600", (site(*THERE),)),
    "20.700/x": NotHere(b"20.700", None),
    "20.700": NotHere(b"20.700", None),
}


@pytest.mark.parametrize(("text", "expected"), CASES.items(), ids=CASES)
def test_the_longest_prefix_known_here_decides_who_answers(records, text, expected):
    assert locate(parse_identifier(text), records) == expected


def test_prefixes_are_told_apart_without_case():
    desk = Desk()
    desk.commit(command(HOST, "88.tst", url()), command(PUT, "0.NA/88.far", site_value(*HERE)))
    for text in ("88.TST/x", "88.tst/x"):
        assert locate(parse_identifier(text), desk.holdings) == Local(b"88.TST")
    for text in ("88.FAR/x", "88.far/x", "88.Far.1/x"):
        assert locate(parse_identifier(text), desk.holdings) == Delegated(b"88.FAR", (site(*HERE),))


def test_a_long_chain_of_labels_costs_two_look_ups_for_each_that_a_prefix_can_have():
    class Counting:
        count = 0
        seen = 0

        def hosts(self, prefix):
            self.count += 1
            return False

        def delegation(self, prefix):
            self.count += 1
            self.seen = max(self.seen, len(prefix))

        def lookup(self, identifier):
            return None

    for text in (".".join("1" * 1000) + "/x", ".".join("1" * 1000), "1" * 2000 + "/x"):
        records = Counting()
        place = locate(parse_identifier(text), records)
        assert place == NotHere(text.partition("/")[0].encode(), None)
        assert records.count <= 1 + 2 * 128
        assert records.seen <= 255


@pytest.mark.parametrize("labels", [1, 2, 40])
def test_the_longest_prefix_there_can_be_is_found_from_far_below(labels):
    desk = Desk()
    longest = "8" * (255 - 2 * labels) + ".1" * labels
    desk.submit(command(DELEGATE, longest, site_value(*HERE)))
    for below in ("", ".1", ".1.1.1", "." + "7" * 1500):
        asked = parse_identifier(f"{longest}{below}/x")
        assert locate(asked, desk.holdings) == Delegated(longest.encode(), (site(*HERE),))
    assert isinstance(locate(parse_identifier(f"{longest}1/x"), desk.holdings), NotHere)
