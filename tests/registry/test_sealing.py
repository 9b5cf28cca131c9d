import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.message import OPERATOR
from protocols.record import Record
from protocols.values.value import SECRET_PERMISSIONS, Reference, Value
from protocols.values.value_list import decode_values, encode_values
from registry.change import encode_change
from registry.registrar import Submission, decide
from registry.sealing import SealBroken, Sealer, content_digest, merge, stamped
from registry.stores.memory import MemoryStore
from tests.registry.desk import HOST, LOG_ID, MODIFY, NODE_KEY, Desk, command, name, secret, url

KEY = b"88.118/SN-1"
SECRET = secret(b"hunter2 is not a good one")

MARK = b"\xf0\x9f\x94\x91"
"""In every secret, so that it cannot stand in a stored form by chance."""
secrets = st.binary(min_size=2, max_size=200).map(lambda data: MARK + data)
values = st.builds(
    Value,
    index=st.integers(1, 2**31 - 1),
    type=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9),
    data=st.binary(max_size=30),
    ttl=st.integers(0, 2**32 - 1),
    ttl_type=st.integers(0, 1),
    permissions=st.integers(0, 15),
    timestamp=st.integers(0, 2**32 - 1),
    references=st.lists(
        st.builds(Reference, st.text(max_size=5), st.integers(0, 9)), max_size=3
    ).map(tuple),
)


def record(sealed, key=KEY, version=3):
    return Record(key, key, version, 9, 0, 86_400, encode_values([url()]), sealed)


def test_what_is_sealed_opens_again():
    sealer = Sealer(NODE_KEY)
    sealed = sealer.seal((SECRET, secret(b"two", 301)), KEY, 3)
    assert sealer.open(record(sealed)) == (SECRET, secret(b"two", 301))


def test_nothing_to_seal_is_nothing_stored():
    assert Sealer(NODE_KEY).seal((), KEY, 1) == b""
    assert Sealer(NODE_KEY).open(record(b"")) == ()


@pytest.mark.parametrize(
    ("node_key", "key", "version", "flip"),
    [
        (bytes(64), KEY, 3, 0),
        (NODE_KEY, b"88.118/SN-2", 3, 0),
        (NODE_KEY, KEY, 4, 0),
        (NODE_KEY, KEY, 3, 1),
    ],
    ids=["another node key", "another record", "another version", "one bit damaged"],
)
def test_a_sealed_part_opens_only_where_it_belongs(node_key, key, version, flip):
    sealed = Sealer(NODE_KEY).seal((SECRET,), KEY, 3)
    sealed = sealed[:-1] + bytes([sealed[-1] ^ flip])
    with pytest.raises(SealBroken, match=key.decode()):
        Sealer(node_key).open(record(sealed, key, version))


def test_sealing_is_deterministic_so_that_two_exports_are_equal():
    sealed = Sealer(NODE_KEY).seal((SECRET,), KEY, 3)
    assert Sealer(NODE_KEY).seal((SECRET,), KEY, 3) == sealed
    assert Sealer(NODE_KEY).seal((SECRET,), KEY, 4) != sealed


def test_a_short_node_key_is_refused():
    with pytest.raises(ValueError, match="31 bytes, at least 32"):
        Sealer(bytes(31))


def test_merging_puts_public_and_other_values_in_order_of_index():
    sealer = Sealer(NODE_KEY)
    low = Value(1, "HS_SECKEY", b"low", permissions=SECRET_PERMISSIONS)
    public = encode_values([url(index=2), url(index=400)])
    both = Record(KEY, KEY, 3, 9, 0, 0, public, sealer.seal((low, SECRET), KEY, 3))
    assert [value.index for value in merge(both, sealer)] == [1, 2, 300, 400]


@given(st.lists(values, max_size=5), st.integers(0, 2**32 - 1))
def test_stamping_replaces_the_timestamps_and_nothing_else(some, time_s):
    expected = encode_values([value._replace(timestamp=time_s) for value in some])
    assert stamped(encode_values(some), time_s) == expected
    assert stamped(stamped(encode_values(some), time_s), 0) == stamped(encode_values(some), 0)
    assert decode_values(expected) == decode_values(stamped(encode_values(some), time_s))


def test_the_digest_of_a_public_record_can_be_checked_by_anybody():
    public = encode_values([url(timestamp=7), name(timestamp=9)])
    undated = encode_values([url(), name()])
    digest = content_digest(public, (), Sealer(NODE_KEY), KEY)
    assert digest == hashlib.sha256(undated).digest()


def test_a_digest_changes_with_the_content_of_secrets_but_not_with_their_times():
    sealer, public = Sealer(NODE_KEY), encode_values([url()])
    digest = content_digest(public, (SECRET,), sealer, KEY)
    assert content_digest(public, (SECRET._replace(timestamp=5),), sealer, KEY) == digest
    assert content_digest(public, (secret(b"other"),), sealer, KEY) != digest
    assert content_digest(public, (), sealer, KEY) != digest


def test_a_digest_of_secrets_cannot_be_guessed_without_the_node_key_or_from_another_record():
    public = encode_values([url()])
    digest = content_digest(public, (SECRET,), Sealer(NODE_KEY), KEY)
    assert content_digest(public, (SECRET,), Sealer(bytes(64)), KEY) != digest
    assert content_digest(public, (SECRET,), Sealer(NODE_KEY), b"88.118/MINE") != digest


@given(secrets, secrets)
def test_no_stored_byte_sequence_contains_a_secret(first, second):
    desk = Desk()
    old, new = secret(first), secret(second)
    assert not desk.put("88.118/key", url(), old, request_id="one").reason
    assert not desk.submit(command(MODIFY, "88.118/key", new, request_id="two")).reason
    entries = [encode_change(change) for change in desk.store.changes(0)]
    everything = [desk.store.stored(b"88.118/key"), *entries]
    for stored in everything:
        assert MARK not in stored
    assert [v.data for v in desk.values("88.118/key") if not v.is_public] == [second]


@given(secrets)
def test_what_is_kept_of_a_secret_depends_on_the_node_key(data):
    batch = [
        Submission(OPERATOR, command(HOST, "88.118", url(), secret(data), request_id="r"), "test")
    ]
    kept = []
    for node_key in (NODE_KEY, bytes(64)):
        decision = decide(batch, MemoryStore(LOG_ID), Sealer(node_key), frozenset(), 1000)
        (write,), (mark,) = decision.writes, decision.marks
        kept.append({write.change.content, write.record.sealed, mark.content[:15], mark.key})
    assert not kept[0] & kept[1]
