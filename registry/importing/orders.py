"""Orders: what files that name whole records ask for, one command each, with the place it stands at.

CSV rows become records by a mapping of the operator's; an order says itself which identifier it is about and what is
to be done with it. GenericBatch files and JSON dumps of Handle.Net servers are made of them.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from protocols.message import Command
from registry.importing.rows import Fault

NOT_UNDERSTOOD, NO_IDENTIFIER, NO_VALUES, BAD_VALUE = (
    "not understood",
    "no identifier",
    "no values",
    "bad value",
)
BAD_LOGIN, FILE_REFUSED, TWICE = "bad login", "file refused", "index twice"
"""Reasons of faults, few and fixed, so that they can be counted."""
SHOWN_CHARS = 20_000
"""As much of a refused order as goes to the reject file."""
_HIDDEN = r"\1(secret left out)"
_SECRET_LINE = re.compile(
    r"^(\s*\S+\s+HS_SECKEY\s+\S+\s+\S+\s+\S+\s).*$", re.IGNORECASE | re.MULTILINE
)
_SECRET_JSON = re.compile(
    r'("type"\s*:\s*"HS_SECKEY".*?"value"\s*:\s*")(?:[^"\\]|\\.)*', re.IGNORECASE | re.DOTALL
)
MAX_ORDER_BYTES = 4_194_304
"""Text of one order: the largest record (250,000 bytes) with every byte written as an escape, and room to spare."""


class Order(NamedTuple):
    """One thing to do; ``command`` is None when ``fault`` says why it cannot be understood."""

    line: int
    """On which it begins."""
    raw: Sequence[str]
    """Its lines as they stand in the file, secrets and all."""
    command: Command | None
    fault: Fault | None = None

    @property
    def text(self) -> str:
        """For whoever has to repair it; secrets are left out. Put together only when somebody asks."""
        text = "\n".join(self.raw)[:SHOWN_CHARS]
        return _SECRET_JSON.sub(_HIDDEN, _SECRET_LINE.sub(_HIDDEN, text))


class Login(NamedTuple):
    """Whose orders those that follow are, by the file's own word."""

    line: int
    kind: str
    """``SECKEY`` or ``PUBKEY``."""
    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    handle: str
    secret: str
    """The secret, or the path of the private key."""
    passphrase: str = ""
    """Of the private key."""

    @property
    def name(self) -> str:
        """``index:handle``."""
        return f"{self.index}:{self.handle}"


class Remark(NamedTuple):
    """Something in the file that is passed over, and why."""

    line: int
    words: str


class Broken(NamedTuple):
    """From here on the file cannot be read; nothing behind it was."""

    line: int
    words: str


Item = Order | Login | Remark | Broken
