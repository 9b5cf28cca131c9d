"""GenericBatch files: the batch format of Handle.Net servers, as tools and people really write it::

    AUTHENTICATE SECKEY:300:0.NA/88.118      or PUBKEY:300:0.NA/88.118
    the secret                               the path of the key, perhaps |passphrase or one more line with it

    CREATE 88.118/1                          ADD, MODIFY: the same with values
    1 URL 86400 1110 UTF8 https://example.org/1
                                             a blank line ends a record
    DELETE 88.118/2
    REMOVE 3,4:88.118/1
    HOME 192.0.2.1:2641:TCP                  UNHOME; followed by prefixes, one a line,
    0.NA/88.118                              or: HOME 0.NA/88.118

Read leniently where nothing can be misunderstood: any line end, blanks and tabs, a byte order mark, lower-case words,
lines with ``#``, and a missing blank line before the next operation (a value line begins with a number, an operation
does not). What cannot be understood is one refused record, with its line and what to write instead.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.identifier import Identifier, parse_identifier
from protocols.message import Command, Operation
from protocols.values.value import NoReference, Reference, Value
from protocols.values.value_list import MAX_VALUES
from registry.importing.generic_batch_values import (
    BLANKS,
    GAP,
    Flaw,
    ReadFile,
    ValueLines,
    read_name,
    refuse_files,
)
from registry.importing.lines import Lines
from registry.importing.orders import (
    BAD_LOGIN,
    NO_IDENTIFIER,
    NO_VALUES,
    NOT_UNDERSTOOD,
    TWICE,
    Item,
    Login,
    Order,
    Remark,
)
from registry.importing.rows import NOT_ENCODED, TOO_LONG, Fault, decode_lines

MAX_RECORD_LINES = MAX_VALUES + 16
"""Lines of one record; a record cannot hold more values."""
_SERVER = re.compile(r"(\[[^\]]+\]|[^:/\s]+):\d{1,5}:\w+")
_WORDS = ("CREATE", "DELETE", "ADD", "REMOVE", "MODIFY", "HOME", "UNHOME", "AUTHENTICATE", "SESSIONSETUP")  # fmt: skip
_KNOWN = frozenset(_WORDS)


def is_generic_batch(text: str) -> bool:
    """Whether a file with this beginning is one: its first words say so."""
    for line in text.splitlines():
        words = line.split(None, 1)
        if words and not words[0].startswith("#"):
            return words[0] in _KNOWN and (len(words) > 1 or words[0] == "SESSIONSETUP")
    return False


class _Part(NamedTuple):
    """One record while it is read: its first line and those that belong to it."""

    line: int
    word: str
    rest: str
    lines: list[tuple[int, str]]

    @property
    def raw(self) -> list[str]:
        """All its lines."""
        return [f"{self.word} {self.rest}", *[text for _, text in self.lines]]


class GenericBatch:
    """Feed it lines in order; it gives back what has ended, and at the end the rest."""

    def __init__(self, codec: str, read_file: ReadFile = refuse_files) -> None:
        self._codec = codec
        self._values = ValueLines(read_file)
        self._open: _Part | None = None
        self._damage: Fault | None = None

    def feed(self, lines: Lines, *, is_last: bool) -> Iterator[Item]:
        """What these lines complete."""
        text = decode_lines(lines, self._codec)
        rows = text.text.split("\n")
        if text.text.endswith("\n") or not text.text:
            rows.pop()
        overlong = frozenset(lines.overlong)
        for number, row in enumerate(rows, text.first_line):
            if text.is_suspect:
                self._note_damage(number, row, is_too_long=number in overlong)
            yield from self._take(number, row.strip(BLANKS))
        if is_last:
            yield from self._finish()

    def _take(self, number: int, row: str) -> Iterator[Item]:
        if not row:
            yield from self._finish()
            return
        part = self._open
        if part is not None and part.word == "AUTHENTICATE" and not part.lines:
            part.lines.append((number, row))  # a secret, whatever it looks like
            return
        words = GAP.split(row, 1)
        word = words[0].upper()
        if row.startswith("#"):
            yield Remark(number, "lines that begin with # are passed over")
        elif word in _KNOWN:
            yield from self._finish()
            self._open = _Part(number, word, words[1] if len(words) > 1 else "", [])
        elif part is None:
            yield self._unknown(number, row)
        elif len(part.lines) < MAX_RECORD_LINES:
            part.lines.append((number, row))

    def _finish(self) -> Iterator[Item]:
        part, damage = self._open, self._damage
        self._open = self._damage = None
        if part is None:
            return
        if damage is not None:
            yield Order(part.line, part.raw, None, damage)
        else:
            yield from _READERS[part.word](part, self._values)

    def _unknown(self, number: int, row: str) -> Order:
        damage, self._damage = self._damage, None
        word = GAP.split(row, 1)[0][:30]
        words = f"{word!r} is no operation; one of {', '.join(_WORDS)} begins a record"
        if word.isdigit():
            words = "a value without a record: is there a blank line too many above it?"
        return Order(number, [row], None, damage or Fault(NOT_UNDERSTOOD, words))

    def _note_damage(self, number: int, row: str, *, is_too_long: bool) -> None:
        if is_too_long:
            self._damage = Fault(TOO_LONG, f"line {number} is too long")
        elif self._damage is None:
            try:
                row.encode()
            except UnicodeEncodeError as error:
                where = f"line {number}, character {error.start + 1}"
                self._damage = Fault(NOT_ENCODED, f"{where} is not {self._codec}; see --encoding")


def _with_values(part: _Part, lines: ValueLines) -> Iterator[Item]:
    identifier = _identifier(part, part.rest)
    if isinstance(identifier, Order):
        yield identifier
        return
    values: list[Value] = []
    seen: set[int] = set()
    for number, text in part.lines:
        value = lines.read(text)
        if isinstance(value, Flaw):
            yield _refused(part, value.at(number))
            return
        if value.index in seen:
            words = (
                f"line {number}: index {value.index} stands there twice; give each value its own"
            )
            yield _refused(part, Fault(TWICE, words, "index"))
            return
        seen.add(value.index)
        values.append(value)
    if not values:
        words = "there is no value below it; is there a blank line too many?"
        yield _refused(part, Fault(NO_VALUES, words))
        return
    operation = _OPERATIONS[part.word]
    command = Command(operation, identifier, tuple(values), overwrite=False)
    yield Order(part.line, part.raw, command)


def _delete(part: _Part, _values: ValueLines) -> Iterator[Item]:
    identifier = _identifier(part, part.rest)
    if isinstance(identifier, Order):
        yield identifier
    elif part.lines:
        number = part.lines[0][0]
        yield _refused(
            part, Fault(NOT_UNDERSTOOD, f"line {number}: DELETE is one line, nothing below it")
        )
    else:
        yield Order(part.line, part.raw, Command(Operation.DELETE, identifier))


def _remove(part: _Part, _values: ValueLines) -> Iterator[Item]:
    listed, _, handle = part.rest.partition(":")
    texts = [text.strip() for text in listed.split(",")]
    if not all(text.isascii() and text.isdigit() and len(text) <= 10 for text in texts):
        words = f"{listed[:40]!r} are no indexes; write for example REMOVE 3,4:88.118/1"
        yield _refused(part, Fault(NOT_UNDERSTOOD, words, "indexes"))
        return
    identifier = _identifier(part, handle.strip(BLANKS))
    if isinstance(identifier, Order):
        yield identifier
        return
    indexes = tuple(int(text) for text in texts)
    yield Order(part.line, part.raw, Command(Operation.REMOVE, identifier, indexes=indexes))


def _home(part: _Part, _values: ValueLines) -> Iterator[Item]:
    """At a server, several prefixes below; or one prefix and no server. Here it is this node that homes them."""
    named = part.lines if _SERVER.fullmatch(part.rest) else [(part.line, part.rest), *part.lines]
    if not named:
        yield _refused(part, Fault(NO_IDENTIFIER, "no prefix stands below it"))
    for number, text in named:
        one = _Part(number, part.word, text, [])
        identifier = _identifier(one, text)
        if isinstance(identifier, Order):
            yield identifier
        elif not identifier.is_prefix_record:
            words = f"{text[:60]!r} is not a prefix; write for example 0.NA/88.118"
            yield _refused(one, Fault(NO_IDENTIFIER, words))
        else:
            yield Order(number, one.raw, Command(_OPERATIONS[part.word], identifier))


def _authenticate(part: _Part, _values: ValueLines) -> Iterator[Item]:
    kind, _, rest = part.rest.partition(":")
    kind, name = kind.strip().upper(), _name_in(rest)
    if kind not in {"SECKEY", "PUBKEY"} or name is None or not part.lines:
        words = "write AUTHENTICATE SECKEY:300:0.NA/88.118 and the secret, or PUBKEY and the key's path, below it"
        shown = part._replace(lines=[])
        yield _refused(shown, Fault(BAD_LOGIN, words))
        return
    secret = part.lines[0][1]
    passphrase = part.lines[1][1] if len(part.lines) > 1 else ""
    if kind == "PUBKEY" and "|" in secret[1:]:
        secret, _, passphrase = (text.strip() for text in secret.partition("|"))
    yield Login(part.line, kind, name.index, name.handle, secret, passphrase)


def _name_in(text: str) -> Reference | None:
    try:
        name = read_name(text)
    except NoReference:
        return None
    return name if name.handle else None


def _session(part: _Part, _values: ValueLines) -> Iterator[Item]:
    yield Remark(part.line, "SESSIONSETUP is passed over: nothing is sent anywhere")


def _identifier(part: _Part, text: str) -> Identifier | Order:
    if not text:
        return _refused(part, Fault(NO_IDENTIFIER, f"behind {part.word} stands the identifier"))
    try:
        return parse_identifier(text)
    except ProtocolError as error:
        return _refused(part, Fault(NO_IDENTIFIER, str(error)))


def _refused(part: _Part, fault: Fault) -> Order:
    return Order(part.line, part.raw, None, fault)


_OPERATIONS = {
    "CREATE": Operation.PUT,
    "ADD": Operation.ADD,
    "MODIFY": Operation.MODIFY,
    "HOME": Operation.HOST,
    "UNHOME": Operation.UNHOST,
}
_READERS: dict[str, Callable[[_Part, ValueLines], Iterator[Item]]] = {
    "CREATE": _with_values,
    "ADD": _with_values,
    "MODIFY": _with_values,
    "DELETE": _delete,
    "REMOVE": _remove,
    "HOME": _home,
    "UNHOME": _home,
    "AUTHENTICATE": _authenticate,
    "SESSIONSETUP": _session,
}
