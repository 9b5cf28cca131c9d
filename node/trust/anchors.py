"""Trusted roots: ``[trust]`` in the settings, or in a file of that form alone, as ``Anchor`` values.

::

    [trust]
    roots = ["301:88.111.1/0.0=keys/root.pem.pub"] # whose key, and the file with its public half

Paths count from the file that names them.
"""

from collections.abc import Sequence
from pathlib import Path

from node.config import Config
from node.keys import KeyTrouble
from node.trust.key_files import read_public
from protocols.errors import ProtocolError
from protocols.trust.chain import Anchor, Limits
from protocols.values.value import parse_reference


def read_anchors(config: Config) -> tuple[Anchor, ...]:
    """The roots of these settings. Raises ``KeyTrouble``."""
    folder = config.path.parent if config.path else Path()
    return tuple(_read_anchor(text, folder) for text in config.trust.roots)


def limits_of(config: Config, links: int | None = None) -> Limits:
    """What one verification may cost; ``links``: asked for by hand, with the checks that so many links need."""
    settings = config.trust
    if links is None:
        return Limits(settings.max_links, settings.max_checks)
    return Limits(links, max(settings.max_checks, links + 1))


def root_names(anchors: Sequence[Anchor]) -> str:
    """For people."""
    return ", ".join(str(one.place) for one in anchors)


def _read_anchor(text: str, folder: Path) -> Anchor:
    name, _, file = text.partition("=")
    try:
        place = parse_reference(name.strip())
    except ProtocolError as error:
        raise KeyTrouble(f"trust.roots: {error}") from None
    return Anchor(place, read_public(folder / file.strip()))
