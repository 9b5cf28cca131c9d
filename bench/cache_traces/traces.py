"""Traces: who asks for what in which order, made from a seed, so that everybody gets the same.

A trace is a list of keys; sizes come from a table of what remembering a record really takes (``record_sizes``).
"""

import csv
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from protocols.values.value import Value
from protocols.values.value_list import encode_values
from resolver.cache import Held

SAMPLE = Path(__file__).parents[2] / "deploy" / "sample" / "products.csv"
SERIALS = 1_000_000
"""Serial numbers that a partner walks begin here, one-hit wonders at twice that."""
WONDERS_SHARE = 0.2
"""Requests for what is asked for once and never again."""

Make = Callable[[random.Random, int, int], list[int]]
"""(chance, keys, requests) -> trace."""


def record_sizes() -> list[int]:
    """Bytes that the foreign cache takes for each product of the sample: what one record costs, in real shares."""
    sizes = []
    with SAMPLE.open(newline="") as file:
        for row in csv.DictReader(file):
            values = [
                Value(1, "URL", row["image_url"].encode()),
                Value(2, "NAME", row["product_name"].encode()),
            ]
            if row["ingredients"]:
                values.append(Value(3, "TEXT", row["ingredients"].encode()))
            key = f"88.118/{row['barcode']}".encode()
            sizes.append(Held(key, key, encode_values(values), "").cost_bytes)
    return sizes


def sizes_of(keys: Sequence[int], chance: random.Random) -> dict[int, int]:
    """A size for each key, drawn from the sample's."""
    known = record_sizes()
    return {key: chance.choice(known) for key in sorted(set(keys))}


def zipf(chance: random.Random, keys: int, alpha: float) -> Iterator[int]:
    """Keys 0 … keys - 1, key n asked for with a weight of 1 / (n + 1) ** alpha, for ever."""
    weights = list(itertools.accumulate(1 / (n + 1) ** alpha for n in range(keys)))
    numbers = range(keys)
    while True:
        yield from chance.choices(numbers, cum_weights=weights, k=10_000)


def with_wonders(alpha: float) -> Make:
    """Zipf, and among it what nobody asks for twice."""

    def make(chance: random.Random, keys: int, requests: int) -> list[int]:
        popular, wonders = zipf(chance, keys, alpha), itertools.count(2 * SERIALS)
        return [
            next(wonders) if chance.random() < WONDERS_SHARE else next(popular)
            for _ in range(requests)
        ]

    return make


def scan_beside(chance: random.Random, keys: int, requests: int) -> list[int]:
    """Zipf 1.0; in the middle third every second request is a partner's, who walks all serial numbers."""
    popular, serials = zipf(chance, keys, 1.0), itertools.count(SERIALS)
    middle = range(requests // 3, 2 * requests // 3)
    return [next(serials) if at in middle and at % 2 else next(popular) for at in range(requests)]


def scan_alone(chance: random.Random, keys: int, requests: int) -> list[int]:
    """Zipf 1.0, and four times nothing but a partner who walks as many serial numbers as there are keys."""
    popular, tenth = zipf(chance, keys, 1.0), requests // 10
    walk = [SERIALS + n for n in range(min(keys, tenth))]
    parts = [[*itertools.islice(popular, requests // 4 - len(walk)), *walk] for _ in range(4)]
    return [*itertools.chain(*parts)]


def shifting(chance: random.Random, keys: int, requests: int) -> list[int]:
    """Zipf 1.0 in which twenty times a tenth of the ranks go to other keys: last month's product is not this one's."""
    popular, trace = zipf(chance, keys, 1.0), []
    key_of = list(range(keys))
    for _ in range(20):
        trace += [key_of[rank] for rank in itertools.islice(popular, requests // 20)]
        moved = chance.sample(range(keys), keys // 10)
        others = moved[1:] + moved[:1]
        for rank, key in zip(moved, [key_of[other] for other in others], strict=True):
            key_of[rank] = key
        hot = chance.sample(
            range(min(100, keys)), min(10, keys)
        )  # … and of the hundred hottest, too
        for rank in hot:
            other = chance.randrange(keys)
            key_of[rank], key_of[other] = key_of[other], key_of[rank]
    return trace


def loop(entries: int, requests: int) -> list[int]:
    """A tenth more keys than there is room for, over and over."""
    around = max(2, entries + max(1, entries // 10))
    return [at % around for at in range(requests)]


TRACES: dict[str, Make] = {
    "zipf 0.7 + once": with_wonders(0.7),
    "zipf 0.9 + once": with_wonders(0.9),
    "zipf 1.0 + once": with_wonders(1.0),
    "zipf 1.2 + once": with_wonders(1.2),
    "zipf 1.0, scan beside": scan_beside,
    "zipf 1.0, scans alone": scan_alone,
    "shifting zipf 1.0": shifting,
}
"""By name; the loop is made for each size of cache (``loop``)."""
