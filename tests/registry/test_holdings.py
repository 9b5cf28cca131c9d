import pytest

from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Outcome
from protocols.values.admin import AUTHORIZED_READ
from protocols.values.site import ADMIN_ONLY, TCP, UDP, Interface, Site, encode_site
from protocols.values.value import SECRET_PERMISSIONS, Value
from protocols.values.value_list import encode_values
from registry.delegation import MAX_KEPT_BYTES, MAX_SITE_LISTS, SiteLists
from tests.registry.desk import (
    ADMIN,
    DELEGATE,
    DELETE,
    HOST,
    NOBODY,
    PUT,
    STRANGER,
    Desk,
    admin,
    command,
    secret,
    site,
    site_value,
    url,
)

FAR, FARTHER = "192.0.2.8", "192.0.2.9"


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


def test_a_prefix_is_hosted_or_delegated_or_neither_from_one_command_on():
    desk, prefix = Desk(), b"88.118.7"

    def state():
        return desk.holdings.hosts(prefix), desk.holdings.delegation(prefix)

    steps = [
        (command(HOST, "88.118.7", site_value("192.0.2.1")), (True, None)),
        (command(DELEGATE, "88.118.7", site_value(FAR)), (False, (site(FAR),))),
        (command(PUT, "0.NA/88.118.7", site_value(FARTHER)), (False, (site(FARTHER),))),
        (command(HOST, "88.118.7", site_value("192.0.2.1")), (True, None)),
        (command(DELEGATE, "88.118.7", site_value(FAR)), (False, (site(FAR),))),
        (command(DELETE, "88.118.7"), (False, None)),
        (command(PUT, "0.NA/88.118.7", site_value(FAR)), (False, (site(FAR),))),
    ]
    for one, expected in steps:
        assert desk.submit(one).reason == ""
        assert state() == expected


def test_a_record_with_a_site_delegates_a_prefix_that_was_never_kept_here():
    desk = Desk()
    assert desk.holdings.delegation(b"88.118.7") is None
    desk.put("0.NA/88.118.7", url())
    assert desk.holdings.delegation(b"88.118.7") is None
    desk.put("0.NA/88.118.7", site_value(FAR))
    assert desk.holdings.delegation(b"88.118.7") == (site(FAR),)
    desk.submit(command(DELETE, "0.NA/88.118.7"))
    assert desk.holdings.delegation(b"88.118.7") is None


def test_only_sites_that_anybody_may_read_and_ask_delegate():
    def made_of(*interfaces):
        (server,) = site(FAR).servers
        return encode_site(site()._replace(servers=(server._replace(interfaces=interfaces),)))

    desk = Desk()
    of_admin = Interface(TCP, 2641, ADMIN_ONLY)
    useless = (
        Value(1, "HS_SITE", made_of()),
        Value(2, "HS_SITE", made_of(of_admin)),
        Value(3, "HS_SITE.PREFIX", made_of(Interface(TCP, 2641))),
        site_value(FAR, index=4, permissions=SECRET_PERMISSIONS),
    )
    desk.put("0.NA/88.118.7", *useless)
    assert desk.holdings.delegation(b"88.118.7") is None
    both = Value(8, "HS_SITE.6", made_of(of_admin, Interface(UDP, 2641)))
    desk.put("0.NA/88.118.7", *useless, both, site_value(FARTHER, index=6))
    found = desk.holdings.delegation(b"88.118.7")
    assert [len(one.servers[0].interfaces) for one in found] == [2, 2]
    assert found[0] == site(FARTHER)


def test_sites_are_decoded_once_and_again_after_every_change():
    desk = Desk()
    holdings = desk.holdings
    for address in (FAR, FARTHER, FAR):
        desk.submit(command(DELEGATE, "88.118.7", site_value(address)))
        first = holdings.delegation(b"88.118.7")
        assert first == (site(address),)
        assert holdings.delegation(b"88.118.7") is first


def test_what_is_kept_decoded_is_bounded():
    lists = SiteLists()
    for index in range(1, MAX_SITE_LISTS + 10):
        lists.sites_of(encode_values([site_value(FAR, index=index)]))
        assert len(lists) <= MAX_SITE_LISTS
    for index in range(1, 50):
        large = encode_values([site_value(FAR), Value(2, "X", bytes(60_000 + index))])
        assert lists.sites_of(large) == (site(FAR),)
        assert len(large) <= lists.kept_bytes <= MAX_KEPT_BYTES


def test_a_list_full_of_sites_is_decoded_once_too():
    lists = SiteLists()
    crowd = Site(tuple(site(FAR).servers[0]._replace(id=number) for number in range(1000)))
    public = encode_values([Value(index, "HS_SITE", encode_site(crowd)) for index in range(1, 7)])
    first = lists.sites_of(public)
    assert len(first) == 6
    assert lists.sites_of(bytes(bytearray(public))) is first


def test_what_is_kept_below_a_delegated_prefix_is_nobodys_answer_and_grants_nothing():
    desk = Desk()
    desk.commit(
        command(HOST, "88.118.7"),
        command(PUT, "88.118.7/x", url(), secret(), admin(STRANGER.handle, 300)),
        command(PUT, "88.118/mine", url(), admin("88.118.7/x", 300)),
    )
    of_there, mine = parse_identifier("88.118.7/x"), parse_identifier("88.118/mine")

    def seen():
        holdings = desk.holdings
        return (
            holdings.lookup(of_there) is not None,
            holdings.values_of(of_there) is not None,
            holdings.may(STRANGER, of_there, AUTHORIZED_READ),
        )

    assert seen() == (True, True, Outcome.SUCCESS)
    desk.submit(command(DELEGATE, "88.118.7", site_value(FAR)))
    assert seen() == (False, False, Outcome.NOT_ADMINISTRATOR)
    assert desk.holdings.keeps_unseen(b"88.118.7")
    assert not desk.holdings.keeps_unseen(b"88.118")
    assert desk.holdings.lookup(mine) is not None
    desk.submit(command(HOST, "88.118.7"))
    assert seen() == (True, True, Outcome.SUCCESS)


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
