"""A cursor over bytes that cannot be tricked: every read is bounded, every surplus is explicit.

All integers are big-endian (RFC 3651 §3, RFC 3652 §2). ``counted`` means a 4-byte length followed by that many bytes.
A Reader never allocates by a number it was told: a count is checked against the bytes that are really there
before it is used to slice or loop.
"""

import struct

from protocols.errors import Malformed, TooLarge

MAX_COUNTED_BYTES = 1_048_576  # what the reference decoders accept for one field; ours are bounded by the message too

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


class Reader:
    """Reads fields from ``data[start:end]`` one after another; raises ``Malformed`` at the offset of the trouble."""

    __slots__ = ("data", "end", "offset")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.offset = start
        self.end = len(data) if end is None else end

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self.end - self.offset

    def read_u8(self, field: str) -> int:
        """One byte; ``field`` names it in the error."""
        return self.data[self._take(1, field)]

    def read_u16(self, field: str) -> int:
        """Two big-endian bytes, unsigned."""
        value: int = _U16.unpack_from(self.data, self._take(2, field))[0]
        return value

    def read_u32(self, field: str) -> int:
        """Four big-endian bytes, unsigned."""
        value: int = _U32.unpack_from(self.data, self._take(4, field))[0]
        return value

    def read_u64(self, field: str) -> int:
        """Eight big-endian bytes, unsigned."""
        value: int = _U64.unpack_from(self.data, self._take(8, field))[0]
        return value

    def read_bytes(self, size: int, field: str) -> bytes:
        """Exactly ``size`` bytes; ``size`` must not be negative."""
        start = self._take(size, field)
        return bytes(self.data[start : start + size])

    def read_counted(self, field: str, limit: int = MAX_COUNTED_BYTES) -> bytes:
        """A 4-byte length and that many bytes; ``TooLarge`` above ``limit`` bytes."""
        at = self.offset
        size = self.read_u32(field)
        if size > self.end - self.offset:
            raise Malformed(f"{field}: length {size} runs past the end", at)
        if size > limit:
            raise TooLarge(f"{field}: {size} bytes, at most {limit} allowed", at)
        return self.read_bytes(size, field)

    def read_text(self, field: str, limit: int = MAX_COUNTED_BYTES) -> str:
        """Counted UTF-8."""
        at = self.offset
        try:
            return self.read_counted(field, limit).decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"{field}: not UTF-8", at + 4 + error.start) from None

    def read_count(self, field: str, least_item_bytes: int, limit: int) -> int:
        """A 4-byte item count, refused when the remaining bytes cannot hold that many items."""
        at = self.offset
        count = self.read_u32(field)
        if count * least_item_bytes > self.end - self.offset:
            raise Malformed(f"{field}: {count} items cannot fit in {self.remaining} bytes", at)
        if count > limit:
            raise TooLarge(f"{field}: {count} items, at most {limit} allowed", at)
        return count

    def read_rest(self) -> bytes:
        """Everything that is left: the surplus a decoder has to tolerate or keep."""
        return self.read_bytes(self.remaining, "surplus")

    def _take(self, size: int, field: str) -> int:
        start = self.offset
        if size > self.end - start:
            raise Malformed(f"{field}: {size} bytes needed, {self.end - start} left", start)
        self.offset = start + size
        return start


class Writer:
    """Collects the fields of one message; ``finish()`` gives the bytes. Values out of range raise ``OverflowError``."""

    __slots__ = ("buffer",)

    def __init__(self) -> None:
        self.buffer = bytearray()

    def __len__(self) -> int:
        return len(self.buffer)

    def write_u8(self, value: int) -> None:
        """One byte."""
        self.buffer += value.to_bytes(1)

    def write_u16(self, value: int) -> None:
        """Two big-endian bytes."""
        self.buffer += value.to_bytes(2)

    def write_u32(self, value: int) -> None:
        """Four big-endian bytes."""
        self.buffer += value.to_bytes(4)

    def write_u64(self, value: int) -> None:
        """Eight big-endian bytes."""
        self.buffer += value.to_bytes(8)

    def write_bytes(self, value: bytes) -> None:
        """The bytes alone, without a length."""
        self.buffer += value

    def write_counted(self, value: bytes) -> None:
        """A 4-byte length and the bytes."""
        self.buffer += len(value).to_bytes(4) + value

    def write_text(self, value: str) -> None:
        """Counted UTF-8."""
        self.write_counted(value.encode())

    def finish(self) -> bytes:
        """Everything written so far."""
        return bytes(self.buffer)
