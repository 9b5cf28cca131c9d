"""Files of requests for the load generators, which take them at random: one for each key, or drawn from very many.

Layout, repeated: u32 size of the request, u32 size of what its answer must contain, both texts; little endian.
"""

import random
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.compare.headers import HEADER_SETS
from node.asking.native import resolve_question
from node.asking.web import handle_target

PREFIX = "88.118"
ORIGIN = "bench"
"""The zone of the DNS peers; ``sn-000007.bench`` there is ``88.118/SN-000007`` here."""
_SIZES = struct.Struct("<II")
_SEED = 118


class Request(NamedTuple):
    """One request, and what must stand in its answer."""

    data: bytes
    must: bytes = b""


def identifier(number: int) -> str:
    """The n-th of the identifiers under test; all are equally long, so that all answers are."""
    return f"{PREFIX}/SN-{number:08d}"


def host_name(number: int) -> str:
    """The same in the DNS peers' zone."""
    return f"sn-{number:08d}.{ORIGIN}"


def drawn(count: int, of: int) -> list[int]:
    """``count`` numbers below ``of``, uniformly at random, the same in every run."""
    source = random.Random(_SEED)
    return [source.randrange(of) for _ in range(count)]


def write_requests(path: Path, requests: Iterable[Request]) -> Path:
    """Write the file; returns its path."""
    with path.open("wb") as file:
        for data, must in requests:
            file.write(_SIZES.pack(len(data), len(must)) + data + must)
    return path


def read_requests(path: Path) -> list[Request]:
    """The inverse."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size, must_size = _SIZES.unpack_from(data, at)
        middle = at + _SIZES.size + size
        found.append(Request(data[at + _SIZES.size : middle], data[middle : middle + must_size]))
        at = middle + must_size
    return found


def handle_requests(
    numbers: Iterable[int], wall_s: float, *, is_echo: bool = False
) -> Iterator[Request]:
    """Plain public questions of the Handle protocol; ``is_echo``: the answer need not name the identifier."""
    first = identifier(0).encode()
    pattern = resolve_question(first, (), (), wall_s)
    for number in numbers:
        name = identifier(number).encode()
        yield Request(pattern.replace(first, name), b"" if is_echo else name)


def dns_requests(numbers: Iterable[int]) -> Iterator[Request]:
    """TXT questions without EDNS (RFC 1035 §4)."""
    head = bytes(4) + bytes((0, 1)) + bytes(6)
    for number in numbers:
        labels = [label.encode() for label in host_name(number).split(".")]
        name = b"".join(bytes((len(label),)) + label for label in labels)
        yield Request(head + name + bytes((0, 0, 16, 0, 1)), labels[0])


def http_requests(numbers: Iterable[int], *, is_fixed: bool = False) -> Iterator[Request]:
    """GETs with the header sets of real clients in turn; ``is_fixed``: the answer is the same for all."""
    for place, number in enumerate(numbers):
        name = identifier(number)
        headers = HEADER_SETS[place % len(HEADER_SETS)]
        head = f"GET {handle_target(name)} HTTP/1.1\r\n{headers}\r\n"
        yield Request(head.encode(), b"" if is_fixed else f'"{name}"'.encode())


def redis_requests(numbers: Iterable[int]) -> Iterator[Request]:
    """GETs of the Redis protocol; values begin with their key."""
    for number in numbers:
        name = identifier(number).encode()
        yield Request(b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(name), name), name)


def rows(count: int) -> Iterator[str]:
    """The lines of the CSV file that registers the identifiers; for ``SUFFIX`` and ``VALUES``."""
    yield "number,url,name\n"
    for number in range(count):
        digits = f"{number:08d}"
        yield f"{digits},https://static.example.org/products/{digits}.html,Pump {digits}\n"


SUFFIX = "SN-{number}"
VALUES = ("URL={url}", "NAME={name}")
