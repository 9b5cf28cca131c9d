"""Any bytes -> a message that encodes to the same bytes, or protocols.errors.*; never anything else, nor much memory.

Run: ``FUZZ_COUNT=1000000 FUZZ_SEED=7 python -m tests.fuzz.fuzz_handle``. Prints how many inputs it tried and what
became of them; stops at the first that breaks the invariant and prints it as hex with the seed.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable
from random import Random

from protocols.errors import ProtocolError
from protocols.handle import fast, proof
from protocols.handle.codec import decode, decode_head, encode
from protocols.handle.encryption import decrypt
from protocols.handle.envelope import accept, decode_envelope
from protocols.handle.fragments import Reassembly, split
from protocols.handle.stream import MessageStream
from tests.fuzz.memory import allowance, peak_of, tracing
from tests.fuzz.mutations import mutate, with_right_length
from tests.vectors.handle_vectors import ENCRYPTED, FRAGMENTS, MESSAGES, bytes_of, hex_of

SEEDS = [bytes_of(name) for name in (*MESSAGES, *FRAGMENTS, ENCRYPTED)]
KEY = hex_of(ENCRYPTED, "sessionKey")
MEMORY_SAMPLE = 16
"""Every how many inputs memory is measured; tracing slows everything down."""


class Broken(AssertionError):
    """The invariant does not hold for this input."""


def message(data: bytes) -> None:
    if encode(decode(data)) != data:
        raise Broken("decode and encode gave other bytes")


def head(data: bytes) -> None:
    decode_head(data)


def verdict(data: bytes) -> None:
    accept(data)  # raises nothing at all


def question(data: bytes) -> None:
    plain = fast.plain_question(data)
    if plain is not None and decode(data).body.handle != plain[0]:
        raise Broken("fast path and codec differ")


def stream(data: bytes) -> None:
    """Whole and in two halves, a stream says the same, and never keeps more than it got."""
    whole, halves = MessageStream(), MessageStream()
    got = whole.receive(data)
    middle = len(data) // 2
    if halves.receive(data[:middle]) + halves.receive(data[middle:]) != got:
        raise Broken("the cut changed the messages")
    if sum(map(len, got)) + whole.buffered_bytes > len(data):
        raise Broken("more out than in")


def packets(data: bytes) -> None:
    reassembly = Reassembly(decode_envelope(data).request_id)
    whole = reassembly.receive(data)
    if whole is not None and len(whole) > 512:
        again = Reassembly(reassembly.request_id)
        if [again.receive(piece) for piece in reversed(split(whole))][-1] != whole:
            raise Broken("split and put together gave other bytes")


def decrypted(data: bytes) -> None:
    decode(decrypt(data, KEY))


def proofs(data: bytes) -> None:
    for decoder, encoder in (
        (proof.decode_secret_proof, proof.encode_secret_proof),
        (proof.decode_signature_proof, proof.encode_signature_proof),
    ):
        try:
            decoded = decoder(data[64:])
        except ProtocolError:
            continue
        if encoder(decoded) != data[64:]:
            raise Broken("a proof changed")


TARGETS: tuple[Callable[[bytes], None], ...] = (
    message, head, verdict, question, stream, packets, decrypted, proofs,
)  # fmt: skip


def attempt(target: Callable[[bytes], None], data: bytes) -> str:
    """``accepted`` or the name of the error; anything but ProtocolError goes through."""
    try:
        target(data)
    except ProtocolError as error:
        return type(error).__name__
    return "accepted"


def inputs(count: int, seed: str):
    """Damaged vectors, half of them with a fitting length, and some pure noise."""
    random = Random(seed)
    for number in range(count):
        if number % 50 == 0:
            yield random.randbytes(random.randint(0, 600))
            continue
        data = mutate(random.choice(SEEDS), random)
        yield with_right_length(data) if random.random() < 0.5 else data


def run(count: int, seed: str) -> Counter[str]:
    """Tries ``count`` inputs on every target; raises ``Broken`` with the input."""
    results: Counter[str] = Counter()
    for number, data in enumerate(inputs(count, seed)):
        for target in TARGETS:
            try:
                if number % MEMORY_SAMPLE:
                    results[attempt(target, data)] += 1
                else:
                    results[attempt_measured(target, data)] += 1
            except Exception as error:
                raise Broken(
                    f"{target.__name__}, seed {seed}: {error!r} for {data.hex()}"
                ) from error
    return results


def attempt_measured(target: Callable[[bytes], None], data: bytes) -> str:
    with tracing():
        peak = peak_of(lambda: attempt(target, data))
    if peak > allowance(len(data)):
        raise Broken(f"{peak} bytes allocated for {len(data)} received")
    return attempt(target, data)


def main() -> int:
    count, seed = int(os.environ.get("FUZZ_COUNT", "20000")), os.environ.get("FUZZ_SEED", "1")
    results = run(count, seed)
    print(f"{count} inputs on {len(TARGETS)} targets, seed {seed}: {dict(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
