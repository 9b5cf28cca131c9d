"""Fields: reads one JSON object of an export strictly; every complaint names line and field."""

import base64
import binascii

from registry.errors import DamagedExport


class Fields:
    """The object ``found`` on line ``line``; ``path`` leads to it when it lies inside another one."""

    __slots__ = ("found", "line", "path")

    def __init__(self, line: int, found: dict[str, object], path: str = "") -> None:
        self.line = line
        self.found = found
        self.path = path

    def wrong(self, name: str, reason: str) -> DamagedExport:
        """The error to raise about one field."""
        return DamagedExport(self.line, self.path + name, reason)

    def number(self, name: str, least: int, most: int, missing: int | None = None) -> int:
        """An integer within bounds; ``missing`` when it is not there, if that is allowed."""
        found = self.found.get(name, missing)
        if type(found) is not int:  # a JSON true is an int to isinstance
            raise self.wrong(name, "a whole number is needed")
        if not least <= found <= most:
            raise self.wrong(name, f"{found} is not within {least} and {most}")
        return found

    def flag(self, name: str, *, missing: bool | None = None) -> bool:
        """true or false."""
        found = self.found.get(name, missing)
        if not isinstance(found, bool):
            raise self.wrong(name, "true or false is needed")
        return found

    def text(self, name: str) -> str:
        """A string."""
        found = self.found.get(name)
        if not isinstance(found, str):
            raise self.wrong(name, "a string is needed")
        return found

    def hexadecimal(self, name: str, size_bytes: int) -> bytes:
        """Exactly ``size_bytes`` bytes."""
        try:
            found = bytes.fromhex(self.text(name))
        except ValueError:
            raise self.wrong(name, "hexadecimal digits are needed") from None
        if len(found) != size_bytes:
            raise self.wrong(name, f"{len(found)} bytes, {size_bytes} are needed")
        return found

    def base64(self, name: str, missing: bytes | None = None) -> bytes:
        """Bytes; ``missing`` when they are not there, if that is allowed."""
        if missing is not None and name not in self.found:
            return missing
        try:
            return base64.b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError):
            raise self.wrong(name, "base64 is needed") from None

    def objects(self, name: str) -> list["Fields"]:
        """An array of objects."""
        found = self.found.get(name)
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self.wrong(name, "an array of objects is needed")
        return [
            Fields(self.line, item, f"{self.path}{name}[{place}].")
            for place, item in enumerate(found)
        ]

    def inside(self, name: str) -> "Fields":
        """One object."""
        found = self.found.get(name)
        if not isinstance(found, dict):
            raise self.wrong(name, "an object is needed")
        return Fields(self.line, found, f"{self.path}{name}.")

    def pairs(self, name: str) -> list[tuple[str, int]]:
        """An array of [text, number]; empty when it is not there."""
        found = self.found.get(name, [])
        if not isinstance(found, list):
            raise self.wrong(name, "an array is needed")
        for item in found:
            match item:
                case [str(), int(number)] if 0 <= number < 2**32:
                    continue
                case _:
                    raise self.wrong(name, "pairs of handle and index are needed")
        return [(item[0], item[1]) for item in found]
