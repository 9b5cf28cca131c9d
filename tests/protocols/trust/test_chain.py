"""The climb from a signed record to a trusted root, and everything that can be wrong on the way, each by its name."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.identifier import parse_identifier
from protocols.trust.algorithms import public_key_of
from protocols.trust.chain import Anchor, Limits, Need, NotFound, verify_record
from protocols.trust.claims import Perm, Permission
from protocols.trust.issuing import Span, certify_key
from protocols.trust.verdict import Fault, State
from protocols.values.value import Value, parse_reference
from tests.protocols.trust.family import (
    ANCHORS,
    DERIVED,
    EVERYTHING,
    FACTORY,
    KEYS,
    NOW_S,
    RECORD,
    REGISTRAR,
    ROOT,
    UNDER,
    VALUES,
    YEAR,
    anything,
    certificate,
    fault,
    judge,
    signature,
    signer,
    world,
)

STRANGER = KEYS["stranger"]
GONE = Span(NOW_S - 90_000, 500)
COMING = Span(NOW_S + 5000, 500)


def test_a_record_signed_below_a_trusted_root_is_verified():
    asked = []
    verdict = judge(world(), asked=asked)
    assert verdict.word == "verified"
    assert verdict.is_verified
    assert verdict.states == dict.fromkeys((1, 2, 100), State.VERIFIED)
    assert verdict.chains[0].links == (FACTORY, REGISTRAR, ROOT)
    assert verdict.checks == 3
    assert asked == ["0.NA/88.118.7", "0.NA/88.118"]  # the root's key is known already


def test_a_root_that_signs_itself_needs_nobody():
    records = {RECORD: [*VALUES, signature(ROOT)]}
    assert judge(records).is_verified


def test_an_anchor_without_index_is_any_key_of_its_handle():
    anchors = [Anchor(parse_reference("0:88.111.1/0.0"), public_key_of(KEYS[ROOT]))]
    assert judge(world(), anchors=anchors).is_verified


# ------------------------------------------------------------------------------------- what is wrong, by its name

CASES = {
    "forged-signature": {RECORD: lambda: [*VALUES, signature(by=STRANGER)]},
    "forged-signature of the certificate": {
        "0.NA/88.118.7": lambda: [certificate(REGISTRAR, FACTORY, UNDER, by=STRANGER)]
    },
    "forged-signature in the name of the root": {
        "0.NA/88.118": lambda: [certificate(ROOT, REGISTRAR, DERIVED, by=STRANGER)]
    },
    "expired": {RECORD: lambda: [*VALUES, signature(span=GONE)]},
    "expired certificate": {
        "0.NA/88.118.7": lambda: [certificate(REGISTRAR, FACTORY, UNDER, span=GONE)]
    },
    "expired certificate of the registrar": {
        "0.NA/88.118": lambda: [certificate(ROOT, REGISTRAR, DERIVED, span=GONE)]
    },
    "not-yet-valid": {RECORD: lambda: [*VALUES, signature(span=COMING)]},
    "not-yet-valid certificate": {
        "0.NA/88.118": lambda: [certificate(ROOT, REGISTRAR, DERIVED, span=COMING)]
    },
    "out-of-scope": {
        "0.NA/88.118.7": lambda: [
            certificate(REGISTRAR, FACTORY, Permission("88.118.7/SN-2", Perm.THIS_HANDLE))
        ]
    },
    "out-of-scope without any permission": {
        "0.NA/88.118.7": lambda: [certificate(REGISTRAR, FACTORY)]
    },
    "out-of-scope of the parent": {
        "0.NA/88.118": lambda: [
            certificate(ROOT, REGISTRAR, Permission("88.119", Perm.DERIVED_PREFIXES))
        ]
    },
    "out-of-scope by more than the parent has": {
        "0.NA/88.118.7": lambda: [certificate(REGISTRAR, FACTORY, UNDER, EVERYTHING)]
    },
    "unknown-issuer": {"0.NA/88.118.7": lambda: None},
    "unknown-issuer without a certificate": {"0.NA/88.118.7": list},
    "unknown-issuer with a certificate of another key": {
        "0.NA/88.118.7": lambda: [
            certificate(REGISTRAR, "301:0.NA/88.118.7", UNDER, key=KEYS[FACTORY])
        ]
    },
    "unreachable": {"0.NA/88.118": lambda: NotFound("no answer")},
    "untrusted-root": {"0.NA/88.118": lambda: [certificate(REGISTRAR, REGISTRAR, EVERYTHING)]},
    "loop": {"0.NA/88.118": lambda: [certificate(FACTORY, REGISTRAR, EVERYTHING)]},
    "wrong-subject": {RECORD: lambda: [*VALUES, signature(record="88.118.7/SN-2")]},
    "malformed": {RECORD: lambda: [*VALUES, Value(400, "HS_SIGNATURE", b"not.a.jws")]},
    "malformed without digests": {RECORD: lambda: [*VALUES, anything(digests=None)]},
    "algorithm-not-allowed none": {RECORD: lambda: [*VALUES, anything(header={"alg": "none"})]},
    "algorithm-not-allowed secret": {RECORD: lambda: [*VALUES, anything(header={"alg": "HS256"})]},
    "algorithm-not-allowed of another key": {
        RECORD: lambda: [*VALUES, anything(header={"alg": "RS256"})]
    },
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_named(case):
    records = world()
    for handle, make in CASES[case].items():
        made = make()
        if made is None:
            del records[handle]
        else:
            records[handle] = made
    verdict = judge(records)
    assert not verdict.is_verified
    assert fault(verdict) == case.split(" ")[0]
    assert verdict.word == case.split(" ")[0]
    assert set(verdict.states.values()) <= {State.UNPROVED, State.UNSIGNED}


def test_every_fault_has_a_test():
    named = {case.split(" ")[0] for case in CASES} | {
        "too-long",
        "too-costly",
        "algorithm-unavailable",
    }
    assert named == {one.value for one in Fault}


def test_a_second_before_and_after_the_dates_the_answer_differs():
    span = Span(NOW_S, 100)
    records = world() | {RECORD: [*VALUES, signature(span=span)]}
    begins_s = NOW_S - 600
    seen = {
        s: fault(judge(records, now_s=s)) for s in (begins_s - 1, begins_s, NOW_S + 99, NOW_S + 100)
    }
    assert seen == {
        begins_s - 1: "not-yet-valid",
        begins_s: "verified",
        NOW_S + 99: "verified",
        NOW_S + 100: "expired",
    }


def test_another_key_under_the_roots_name_is_forged_whatever_certificate_it_shows():
    records = world()
    records["88.111.1/0.0"] = [certificate(ROOT, ROOT, EVERYTHING, key=STRANGER, by=STRANGER)]
    records["0.NA/88.118"] = [certificate(ROOT, REGISTRAR, DERIVED, by=STRANGER)]
    assert fault(judge(records)) == "forged-signature"


def test_without_anchors_the_chain_ends_at_an_untrusted_root():
    assert fault(judge(world(), anchors=())) == "untrusted-root"


def test_all_that_is_wrong_is_told_with_its_link_and_the_worst_first():
    records = world()
    records[RECORD] = [*VALUES, signature(span=GONE)]
    records["0.NA/88.118"] = [certificate(ROOT, REGISTRAR, DERIVED, by=STRANGER)]
    (chain,) = judge(records).chains
    assert [(one.fault, one.link) for one in chain.findings] == [
        (Fault.FORGED_SIGNATURE, 2),
        (Fault.EXPIRED, 0),
    ]


# ------------------------------------------------------------------------------------------------------ values


def test_a_changed_value_is_a_mismatch_and_named():
    records = world()
    records[RECORD][1] = records[RECORD][1]._replace(data=b"turbine")
    verdict = judge(records)
    assert verdict.states == {
        1: State.VERIFIED,
        2: State.DIGEST_MISMATCH,
        100: State.VERIFIED,
    }
    assert verdict.word == "digest-mismatch"


@pytest.mark.parametrize("change", [{"ttl": 61}, {"permissions": 15}, {"type": "TITLE"}])
def test_type_ttl_and_permissions_are_signed_too(change):
    records = world()
    records[RECORD][1] = records[RECORD][1]._replace(**change)
    assert judge(records).states[2] is State.DIGEST_MISMATCH


def test_writing_a_value_again_unchanged_keeps_it_verified():
    records = world()
    records[RECORD][1] = records[RECORD][1]._replace(timestamp=NOW_S)
    assert judge(records).is_verified


def test_a_value_added_afterwards_is_unsigned_and_the_record_partly_verified():
    records = world()
    records[RECORD].append(Value(3, "URL", b"https://elsewhere.example"))
    verdict = judge(records)
    assert verdict.states[3] is State.UNSIGNED
    assert (verdict.word, verdict.is_verified) == ("partly-verified", False)


def test_a_value_taken_away_is_missing():
    records = world()
    del records[RECORD][1]
    verdict = judge(records)
    assert verdict.states[2] is State.MISSING
    assert (verdict.word, verdict.is_verified) == ("missing-value", False)


def test_a_record_without_signature_is_unsigned():
    verdict = judge({RECORD: list(VALUES)})
    assert (verdict.word, verdict.checks) == ("unsigned", 0)
    assert set(verdict.states.values()) == {State.UNSIGNED}


def test_two_signers_may_sign_a_part_each():
    records = world()
    by_root = signature(ROOT, VALUES[1:], index=401)
    records[RECORD] = [*VALUES, signature(values=VALUES[:1]), by_root]
    assert judge(records).is_verified


def test_one_good_signature_is_enough_beside_a_bad_one():
    records = world()
    records[RECORD].append(signature(by=STRANGER, index=401))
    verdict = judge(records, limits=Limits(checks=8))
    assert verdict.is_verified
    assert sorted(chain.is_good for chain in verdict.chains) == [False, True]


# ---------------------------------------------------------------------------------------------------- the climb


def test_the_latest_certificate_of_a_key_counts():
    records = world()
    old = certificate(REGISTRAR, FACTORY, UNDER, span=GONE, index=399)
    records["0.NA/88.118.7"].append(old)
    assert judge(records).is_verified
    newest = certificate(REGISTRAR, FACTORY, span=Span(NOW_S - 10, 1000), index=398)
    records["0.NA/88.118.7"].append(newest)
    assert fault(judge(records)) == "out-of-scope"


def test_a_certificate_at_the_issuers_own_index_is_the_one_that_is_meant():
    records = world()
    at_index = certificate(REGISTRAR, FACTORY, UNDER, span=Span(NOW_S - 9000, 90_000), index=300)
    newer = certificate(REGISTRAR, FACTORY, span=Span(NOW_S - 10, 1000), index=400)
    records["0.NA/88.118.7"] = [newer, at_index]
    assert judge(records).is_verified


def test_the_chain_names_where_certificates_are():
    records = world()
    records["88.118.7/CERTIFICATES"] = records.pop("0.NA/88.118.7")
    records[RECORD] = [*VALUES, anything(chain=["400:88.118.7/CERTIFICATES"])]
    asked = []
    assert judge(records, asked=asked).is_verified
    assert asked == ["88.118.7/CERTIFICATES", "0.NA/88.118"]


def test_a_certificate_names_where_the_one_above_it_is():
    records = world()
    records["88.118/CERTIFICATES"] = records.pop("0.NA/88.118")
    made_by = signer(REGISTRAR)._replace(chain=(parse_reference("400:88.118/CERTIFICATES"),))
    public = public_key_of(KEYS[FACTORY])
    data = certify_key(made_by, parse_reference(FACTORY), public, [UNDER], YEAR)
    records["0.NA/88.118.7"] = [Value(400, "HS_CERT", data)]
    assert judge(records).is_verified


def test_a_subject_is_a_handle_with_or_without_index_in_any_case():
    for subject in (RECORD, f"0:{RECORD}", f"400:{RECORD}", RECORD.lower()):
        assert judge(world() | {RECORD: [*VALUES, anything(sub=subject)]}).is_verified


def _tower(height):
    """``height`` certificates between the record and the root."""
    names = [f"300:88.118.7/K{number}" for number in range(height)]
    records = {RECORD: [*VALUES, signature(names[0], by=KEYS[FACTORY])]}
    for below, above in pairwise([*names, ROOT]):
        by = KEYS[ROOT] if above == ROOT else KEYS[FACTORY]
        made = certificate(above, below, EVERYTHING, key=KEYS[FACTORY], by=by)
        records[parse_reference(below).handle] = [made]
    return records


@pytest.mark.parametrize(("height", "links", "word"), [(3, 3, "verified"), (4, 3, "too-long"), (50, 50, "verified"),
                                                       (51, 99, "too-long")])  # fmt: skip
def test_a_chain_may_have_so_many_links_and_never_more_than_fifty(height, links, word):
    verdict = judge(_tower(height), limits=Limits(links=links, checks=99))
    assert fault(verdict) == word


def test_no_more_signatures_are_checked_than_allowed():
    verdict = judge(_tower(9), limits=Limits(links=50, checks=4))
    assert (fault(verdict), verdict.checks) == ("too-costly", 4)


def test_many_signatures_in_one_record_share_one_budget():
    many = [signature(index=index) for index in range(400, 440)]
    asked = []
    verdict = judge(world() | {RECORD: [*VALUES, *many]}, asked=asked)
    assert verdict.checks <= 4
    assert len(verdict.chains) <= 8
    assert len(asked) <= 2  # each record once


def test_a_second_signature_by_the_same_key_costs_one_check_more():
    records = world()
    records[RECORD] = [
        *VALUES,
        signature(values=VALUES[:1]),
        signature(values=VALUES[1:], index=401),
    ]
    verdict = judge(records)
    assert (verdict.word, verdict.checks) == ("verified", 4)


def test_a_certificate_that_was_right_for_one_signature_does_not_excuse_a_forged_one():
    records = world()
    forged = signature(values=VALUES[1:], index=401, by=STRANGER)
    records[RECORD] = [*VALUES, signature(values=VALUES[:1]), forged]
    verdict = judge(records)
    assert [chain.is_good for chain in verdict.chains].count(True) == 1
    assert verdict.states[1] is State.VERIFIED
    assert verdict.states[2] is State.UNPROVED


def test_many_certificates_of_one_key_cost_one_check():
    many = [
        certificate(
            REGISTRAR, FACTORY, UNDER, by=STRANGER, span=Span(NOW_S - 9 - index, 900), index=index
        )
        for index in range(401, 440)
    ]
    verdict = judge(world() | {"0.NA/88.118.7": many})
    assert (fault(verdict), verdict.checks) == ("forged-signature", 2)


PLACES = [(RECORD, 3), ("0.NA/88.118.7", 0), ("0.NA/88.118", 0)]
"""The signed texts between the record and the root."""


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PLACES), st.integers(0, 5000), st.integers(1, 255))
def test_one_damaged_byte_anywhere_in_the_chain_and_nothing_is_verified(place, at, flip):
    records = world()
    handle, number = place
    data = bytearray(records[handle][number].data)
    data[at % len(data)] ^= flip
    records[handle][number] = records[handle][number]._replace(data=bytes(data))
    verdict = judge(records)
    assert not verdict.is_verified
    assert State.VERIFIED not in verdict.states.values()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2), st.integers(0, 200), st.integers(1, 255))
def test_one_damaged_byte_of_a_value_is_a_mismatch_at_its_index(number, at, flip):
    records = world()
    value = records[RECORD][number]
    data = bytearray(value.data)
    data[at % len(data)] ^= flip
    records[RECORD][number] = value._replace(data=bytes(data))
    verdict = judge(records)
    wrong = {index for index, state in verdict.states.items() if state is State.DIGEST_MISMATCH}
    assert wrong == {value.index}


def test_the_climb_asks_for_certificates_by_handle_index_and_type():
    climb = verify_record(parse_identifier(RECORD), world()[RECORD], ANCHORS, NOW_S)
    assert next(climb) == Need("0.NA/88.118.7", 300, "HS_CERT")


def test_an_unreadable_certificate_is_no_certificate():
    records = world()
    records["0.NA/88.118.7"] = [Value(400, "HS_CERT", b"\xff\xfe"), *records["0.NA/88.118.7"]]
    assert judge(records).is_verified
