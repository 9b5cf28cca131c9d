import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.message import Outcome
from protocols.values.site import HTTP, HTTPS, TCP, UDP
from protocols.values.value import SECRET_PERMISSIONS, Value
from resolver.acceptance import flaw_of, is_in_bailiwick, public_values, rank_of
from resolver.asking import Reply, Target, Trouble
from resolver.cache import Rank
from tests.resolver.parts import WALL_S, ident, success, url

# ---- who is meant, and when


@pytest.mark.parametrize("spelling", ["88.200/a", "88.200/A"])
def test_a_reply_for_the_asked_identifier_is_fine_however_it_spells_it(spelling):
    assert flaw_of(success(spelling, url()), b"88.200/a", WALL_S) is None


@pytest.mark.parametrize(
    ("spelling", "asked"),
    [
        ("88.200/b", "88.200/a"),
        ("88.200/a ", "88.200/a"),
        ("88.200/É", "88.200/é"),
        ("", "88.200/a"),
    ],
)
def test_a_reply_for_another_identifier_or_none_is_not_believed(spelling, asked):
    reply = success(spelling, url())
    assert flaw_of(reply, asked.encode(), WALL_S) is Trouble.WRONG_IDENTIFIER


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.SUCCESS])
def test_errors_need_not_repeat_the_identifier_but_must_not_name_another(outcome):
    assert flaw_of(Reply(outcome), b"88.200/a", WALL_S) is None
    other = Reply(outcome, b"88.200/b")
    assert flaw_of(other, b"88.200/a", WALL_S) is Trouble.WRONG_IDENTIFIER


def test_a_reply_is_believed_until_its_expiration_and_not_after():
    reply = success("88.200/a", url(), expires_s=int(WALL_S))
    assert flaw_of(reply, b"88.200/a", WALL_S) is None
    assert flaw_of(reply, b"88.200/a", WALL_S + 1) is Trouble.EXPIRED


def test_a_reply_without_expiration_does_not_expire():
    assert flaw_of(success("88.200/a", url()), b"88.200/a", 9e12) is None


# ---- how much it is worth


def target(protocol):
    return Target(protocol, "192.0.2.1", 2641)


def test_what_is_harder_to_forge_ranks_higher():
    plain = success("88.200/a", url())
    ranks = [rank_of(plain, target(protocol)) for protocol in (UDP, TCP, HTTP, HTTPS)]
    assert ranks == [Rank.UDP, Rank.TCP, Rank.TCP, Rank.SIGNED]


@pytest.mark.parametrize("protocol", [UDP, TCP, HTTP, HTTPS])
def test_a_signed_answer_ranks_highest_over_any_protocol(protocol):
    assert rank_of(success("88.200/a", url(), is_signed=True), target(protocol)) is Rank.SIGNED


# ---- what of it is kept


values = st.builds(
    Value,
    st.integers(0, 6),
    st.sampled_from(["URL", "HS_SECKEY"]),
    st.binary(max_size=3),
    permissions=st.integers(0, 15),
)


@given(st.lists(values, max_size=12))
def test_only_public_values_are_kept_sorted_and_one_for_each_index(given_values):
    kept = public_values(given_values)
    indexes = [value.index for value in kept]
    assert indexes == sorted(set(indexes))
    assert all(value.is_public and value in given_values for value in kept)
    assert set(indexes) == {value.index for value in given_values if value.is_public}


def test_a_secret_does_not_come_in_under_a_public_values_index():
    secret = Value(1, "HS_SECKEY", b"secret", permissions=SECRET_PERMISSIONS)
    assert public_values([url(), secret]) == (url(),)


# ---- where it may send us


@pytest.mark.parametrize(
    ("handle", "zone", "is_fine"),
    [
        (b"0.NA/88.200.5", None, True),
        (b"0.na/88.200", None, True),
        (b"88.200.5", None, True),
        (b"0.NA/88.300", None, False),  # does not concern the identifier
        (b"0.NA/88.200.5.1", None, False),
        (b"88.300/service", None, True),  # from the top: anything
        (b"0.NA/88.200.5", b"88.200", True),
        (b"0.NA/88", b"88.200", False),  # upwards
        (b"88.200.5/service", b"88.200", True),
        (b"88.300/service", b"88.200", False),
        (b"88.2001/service", b"88.200", False),
        (b"", None, False),
        (b"\xff/a", None, False),
        (b"x" * 3000, None, False),
    ],
)
def test_a_referral_stays_below_its_sender_and_above_the_identifier(handle, zone, is_fine):
    assert is_in_bailiwick(handle, ident("88.200.5/a"), zone) is is_fine
