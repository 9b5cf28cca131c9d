import pytest

from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Outcome
from protocols.values.admin import AUTHORIZED_READ
from tests.registry.desk import (
    ADMIN,
    DELETE,
    HOST,
    NOBODY,
    PUT,
    STRANGER,
    Desk,
    admin,
    command,
    secret,
    url,
)


def test_a_prefix_is_hosted_from_its_hosting_to_the_deletion_of_its_record():
    desk = Desk()
    assert desk.holdings.hosts(b"88.118")
    assert not desk.holdings.hosts(b"88.119")
    desk.submit(command(DELETE, "88.118"))
    assert not desk.holdings.hosts(b"88.118")
    desk.submit(command(HOST, "88.118"))
    assert desk.holdings.hosts(b"88.118")


def test_a_record_about_a_prefix_does_not_make_it_hosted():
    desk = Desk()
    desk.submit(command(PUT, "0.NA/88.118.7", url()))
    assert desk.record("88.118.7")
    assert not desk.holdings.hosts(b"88.118.7")


@pytest.mark.parametrize(
    ("who", "outcome"),
    [
        (OPERATOR, Outcome.SUCCESS),
        (ADMIN, Outcome.SUCCESS),
        (STRANGER, Outcome.NOT_ADMINISTRATOR),
        (NOBODY, Outcome.AUTHENTICATION_NEEDED),
    ],
)
def test_reading_what_is_not_public_needs_authorised_read(who, outcome):
    desk = Desk()
    desk.put("88.118/x", url(), secret())
    assert desk.holdings.may_read(who, parse_identifier("88.118/x")) is outcome
    desk.put("0.NA/88.118", admin(permissions=0xFFF & ~AUTHORIZED_READ))
    if who is ADMIN:
        denied = desk.holdings.may_read(who, parse_identifier("88.118/x"))
        assert denied is Outcome.PERMISSION_DENIED


def test_only_the_sealed_part_is_opened_for_it():
    desk = Desk()
    desk.put("88.118/x", url(), secret())
    assert [v.index for v in desk.holdings.nonpublic(desk.record("88.118/x"))] == [300]
    assert [v.index for v in desk.holdings.values_of(parse_identifier("88.118/x"))] == [1, 300]
    assert desk.holdings.values_of(parse_identifier("88.118/none")) is None
