"""Order source: a file that says itself what to do with which identifier, told from its first bytes, read once."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from node.importing.file_lines import codec_of_lines, decode_head, read_lines, read_samples
from node.importing.handle_json import HandleJson, is_handle_json
from node.importing.source import identify
from protocols.errors import ProtocolError
from protocols.rest.json_reader import parse_json
from protocols.rest.site_json import read_site
from protocols.values.site import SITE_TYPES, encode_site
from protocols.values.value import MAX_DATA_BYTES
from registry.importing.encoding import Encoding, choose_encoding
from registry.importing.generic_batch import GenericBatch, is_generic_batch
from registry.importing.generic_batch_values import ReadFile, refuse_files
from registry.importing.orders import FILE_REFUSED, Item
from registry.importing.rows import Fault

GENERIC_BATCH, HANDLE_JSON = "generic-batch", "handle-json"
ORDER_FORMATS = (GENERIC_BATCH, HANDLE_JSON)
_NAMES = {GENERIC_BATCH: "GenericBatch", HANDLE_JSON: "records as JSON"}
LINES_WANTED = 4_000
"""Lines read at a time: half a thousand records, some 200 KB."""


class OrderSource(NamedTuple):
    """An opened file of orders. Make it with ``open_orders``."""

    path: Path
    format: str
    encoding: Encoding
    read_file: ReadFile

    @property
    def text(self) -> str:
        """For people."""
        return _NAMES[self.format]

    @property
    def size_bytes(self) -> int:
        """Of the whole file."""
        return self.path.stat().st_size

    def note_name(self, ways: str) -> bytes:
        """The name of the resume note of this file read in this way; ``ways``: options that change what is done."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (*identify(self.path), self.format, self.encoding.name, ways):
            digest.update(str(part).encode() + b"\0")
        return b"import/" + digest.hexdigest().encode()

    def items(self) -> Iterator[tuple[Item, int]]:
        """Everything in the file, in order, with the bytes read so far."""
        if self.format == HANDLE_JSON:
            document = HandleJson(self.path, self.encoding)
            for item in document.items():
                yield item, document.bytes_read
            return
        batch = GenericBatch(codec_of_lines(self.encoding), self.read_file)
        for lines, bytes_read, is_last in read_lines(
            self.path, self.encoding, lambda: LINES_WANTED
        ):
            for item in batch.feed(lines, is_last=is_last):
                yield item, bytes_read


def tell_order_format(path: Path, encoding_name: str) -> str:
    """One of ``ORDER_FORMATS``, or "" when the file is none of them. Raises ``MappingError``, ``OSError``."""
    head, sample = read_samples(path)
    text = decode_head(head, choose_encoding(encoding_name, head, sample)).removeprefix("\ufeff")
    if is_generic_batch(text):
        return GENERIC_BATCH
    return HANDLE_JSON if is_handle_json(text) else ""


def open_orders(
    path: Path, format_: str, encoding_name: str, *, may_read_files: bool
) -> OrderSource:
    """Raises ``MappingError`` (an encoding that cannot be told) and ``OSError``."""
    head, sample = read_samples(path)
    encoding = choose_encoding(encoding_name, head, sample)
    read_file = _Folder(path.absolute().parent).read if may_read_files else refuse_files
    return OrderSource(path, format_, encoding, read_file)


class _Folder:
    """The files beside a batch file; nothing outside its folder is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def read(self, type_: str, name: str) -> bytes | Fault:
        """The data of a FILE value; a site as JSON becomes what it is on the wire."""
        try:
            path = (self._folder / name).resolve()
            if not name or not path.is_relative_to(self._folder):
                words = f"{name[:100]!r} is not in the folder of the batch file; put it there"
                return Fault(FILE_REFUSED, words)
            with path.open("rb") as file:
                data = file.read(MAX_DATA_BYTES + 1)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            return Fault(FILE_REFUSED, f"{name[:100]!r}: {why}")
        if len(data) > MAX_DATA_BYTES:
            return Fault(FILE_REFUSED, f"{name[:100]!r} has over {MAX_DATA_BYTES} bytes")
        if type_.upper() in SITE_TYPES and data.lstrip().startswith(b"{"):
            try:
                return encode_site(read_site(parse_json(data)))
            except ProtocolError as error:
                return Fault(FILE_REFUSED, f"{name[:100]!r}: {error}")
        return data
