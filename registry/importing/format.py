"""Which format a source file is in and what separates its columns: declared, or told from its name and text."""

from typing import NamedTuple

from registry.importing.template import MappingError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
FORMATS = ("csv", "tsv", "ndjson")
_BY_EXTENSION = {
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "ndjson": "ndjson",
    "jsonl": "ndjson",
}
SNIFFED_LINES = 20
"""Lines looked at to find the separator of a file without a header."""


class Format(NamedTuple):
    """``csv`` (quoted, RFC 4180), ``tsv`` (tab, no quoting at all) or ``ndjson`` (one JSON object a line)."""

    name: str
    delimiter: str = ""
    """Empty for NDJSON."""

    @property
    def text(self) -> str:
        """For people: ``CSV, separated by semicolon``."""
        if not self.delimiter:
            return self.name.upper()
        return f"{self.name.upper()}, separated by {DELIMITERS[self.delimiter]}"


def choose_format(declared: str, file_name: str, text: str, columns: int) -> Format:
    """``text``: the file's beginning; ``columns``: how many were named with ``--columns``, 0 when it has a header.

    Raises ``MappingError`` for an empty file.
    """
    lines = [line for line in text.split("\n") if line.strip()][:SNIFFED_LINES]
    if not lines:
        raise MappingError("the file is empty")
    if "\r" in lines[0].rstrip("\r"):
        raise MappingError(
            "the lines end with CR alone, as on very old Macs", "convert them to LF first"
        )
    name = declared if declared in FORMATS else _BY_EXTENSION.get(_extension(file_name), "")
    if not name:
        name = _sniff(lines[0])
    match name:
        case "ndjson":
            return Format("ndjson")
        case "tsv":
            return Format("tsv", "\t")
        case _:
            return Format("csv", _delimiter(lines, columns))


def _extension(file_name: str) -> str:
    return file_name.lower().rpartition(".")[2]


def _sniff(line: str) -> str:
    if line.lstrip().startswith("{"):
        return "ndjson"
    # Tabs and no quote at all: what databases write. With quotes it is a spreadsheet's CSV that uses tabs.
    return "tsv" if "\t" in line and '"' not in line else "csv"


def _delimiter(lines: list[str], columns: int) -> str:
    """The candidate that gives the named number of columns most often, else the most frequent in the first line."""
    outside = [_outside_quotes(line) for line in lines]
    if columns:
        fits = {d: sum(line.count(d) == columns - 1 for line in outside) for d in DELIMITERS}
        best = max(fits, key=lambda d: fits[d])
        if fits[best] and columns > 1:
            return best
    return max(DELIMITERS, key=outside[0].count)


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])
