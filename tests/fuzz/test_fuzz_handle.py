"""A short run of the Handle fuzzer in every test run, a long one at night; and proof that it can find something."""

import os

import pytest

from tests.fuzz import fuzz_handle

COUNT = int(os.environ.get("FUZZ_COUNT", "3000"))
SEED = os.environ.get("FUZZ_SEED", "1")


def test_damaged_messages_are_accepted_unchanged_or_refused_as_protocol_errors() -> None:
    results = fuzz_handle.run(COUNT, SEED)
    print(f"{COUNT} inputs, seed {SEED}: {dict(results)}")
    assert sum(results.values()) == COUNT * len(fuzz_handle.TARGETS)
    assert results.keys() >= {"accepted", "Malformed", "TooLarge", "Unsupported"}


@pytest.mark.nightly
@pytest.mark.timeout(0)
def test_a_million_damaged_messages_of_the_night() -> None:
    fuzz_handle.run(int(os.environ.get("FUZZ_COUNT", "1000000")), os.environ.get("FUZZ_SEED", "9"))


def test_the_fuzzer_finds_a_decoder_that_trusts_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(data: bytes) -> None:
        bytearray(int.from_bytes(data[16:20]) % 10_000_000)

    def crashing(data: bytes) -> None:
        data[int.from_bytes(data[46:48])]

    for bad in (trusting, crashing):
        monkeypatch.setattr(fuzz_handle, "TARGETS", (bad,))
        with pytest.raises(fuzz_handle.Broken):
            fuzz_handle.run(2000, "1")
