"""Seeded damage: the ways bytes go wrong on the wire or in an attacker's hands."""

from collections.abc import Iterator
from random import Random

INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00100000)
SNIPPETS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xc3\x28", b"\xed\xa0\x80", b"/", b"\0" * 64)


def mutate(data: bytes, random: Random) -> bytes:
    """``data`` with one to four kinds of damage; may by chance be ``data`` itself."""
    damaged = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        random.choice(KINDS)(damaged, random)
    return bytes(damaged)


def mutations(data: bytes, count: int, seed: str) -> Iterator[bytes]:
    random = Random(seed)
    for _ in range(count):
        yield mutate(data, random)


def with_right_length(message: bytes) -> bytes:
    """The same with an envelope length that fits, so that the damage is found deeper inside."""
    if len(message) < 20:
        return message
    return message[:16] + (len(message) - 20).to_bytes(4) + message[20:]


def _flip_bit(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set_byte(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _set_number(data: bytearray, random: Random) -> None:
    if len(data) >= 4:
        at = random.randrange(len(data) - 3)
        number = random.choice((*INTERESTING, len(data), len(data) - at - 4, random.randrange(64)))
        data[at : at + 4] = number.to_bytes(4)


def _nudge_number(data: bytearray, random: Random) -> None:
    if len(data) >= 4:
        at = random.randrange(len(data) - 3)
        number = int.from_bytes(data[at : at + 4]) + random.choice((-8, -4, -1, 1, 4, 8))
        data[at : at + 4] = (number % (1 << 32)).to_bytes(4)


def _cut(data: bytearray, random: Random) -> None:
    if data:
        at = random.randrange(len(data))
        del data[at : at + random.randint(1, 16)]


def _truncate(data: bytearray, random: Random) -> None:
    del data[random.randint(0, len(data)) :]


def _insert(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.choice((*SNIPPETS, random.randbytes(random.randint(1, 16))))


def _repeat(data: bytearray, random: Random) -> None:
    if data:
        at = random.randrange(len(data))
        data[at:at] = data[at : at + random.randint(1, 64)]


KINDS = (
    _flip_bit,
    _set_byte,
    _set_number,
    _set_number,
    _nudge_number,
    _cut,
    _truncate,
    _insert,
    _repeat,
)
