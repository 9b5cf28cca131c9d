"""The keys a node signs its answers with: one, or two while one takes over from the other.

The files say how far a change of keys has come, so that it survives a crash between any two steps:

=================  ================================================================================
``server.pem``     the key of every site serial, or only of those before N while the next file is there
``server.N.pem``   the key that HS_SITE names from serial N on
``server.next``    a key made but named nowhere yet: pinned by others first, never signed with here
=================  ================================================================================

A client says which serial of the site it knows (RFC 3652 §2.1.2), so it is answered with the key that it has.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa

from node.config import Config
from node.keys import KeyTrouble, read_server_key
from protocols.handle.header import UNKNOWN_SERIAL

SERIALS = 0xFFFF
"""Serials are 16 bits and 0xFFFF means "unknown", so they count 0 … 0xFFFE and begin again."""
_HALF = SERIALS // 2


class Successor(NamedTuple):
    """The key that takes over."""

    serial: int
    """HS_SITE names it from this serial on."""
    path: Path


class ServerKeys:
    """What to sign with. ``look`` twice a second, so that a change of keys needs no restart."""

    def __init__(
        self,
        key: rsa.RSAPrivateKey,
        successor: rsa.RSAPrivateKey | None = None,
        serial: int = UNKNOWN_SERIAL,
        *,
        path: Path | None = None,
    ) -> None:
        """``successor`` signs for sites from ``serial`` on; ``path``: of ``key``, to look again."""
        self._key, self._successor, self._serial = key, successor, serial
        self._path = path
        self._published = UNKNOWN_SERIAL
        self._seen = _state(path) if path else {}

    @classmethod
    def load(cls, config: Config, site_serial: int = UNKNOWN_SERIAL) -> "ServerKeys":
        """The keys of these settings. ``site_serial``: of HS_SITE as this node tells it now. Raises ``KeyTrouble``."""
        path = config.node.server_key_file
        seen = _state(path)
        keys = cls(*_read(path), path=path)
        keys._published = site_serial
        keys._seen = seen  # of before the reading: what changed since is looked at again
        return keys

    def signing_key(self, client_serial: int = UNKNOWN_SERIAL) -> rsa.RSAPrivateKey:
        """The key that a client verifies with who knows the site of this serial; unknown = as published now."""
        if client_serial == UNKNOWN_SERIAL:
            client_serial = self._published
        elif not is_reached(self._serial, client_serial) and is_ahead(
            client_serial, self._published
        ):
            with suppress(KeyTrouble):  # ``look`` tells of it
                self._reload()  # it has seen a newer site than we: the files may be newer as well
        if self._successor is None or not is_reached(self._serial, client_serial):
            return self._key
        return self._successor

    def look(self, site_serial: int = UNKNOWN_SERIAL) -> None:
        """Notice changed files. ``site_serial``: of HS_SITE as this node tells it now. Raises ``KeyTrouble``."""
        self._published = site_serial
        self._reload()

    def _reload(self) -> None:
        if self._path is None:
            return
        seen = _state(self._path)
        if seen == self._seen:
            return
        self._key, self._successor, self._serial = _read(self._path)
        self._seen = seen


def next_serial(serial: int) -> int:
    """The serial after this one; after 0xFFFE comes 0, because 0xFFFF means "unknown"."""
    return (serial + 1) % SERIALS


def is_reached(serial: int, by: int) -> bool:
    """Whether a site of serial ``by`` is ``serial`` or a later one: at most half the way round ahead of it."""
    return UNKNOWN_SERIAL not in (serial, by) and (by - serial) % SERIALS <= _HALF


def is_ahead(serial: int, of: int) -> bool:
    """Whether ``serial`` comes after ``of``, or ``of`` is unknown."""
    return of == UNKNOWN_SERIAL or (serial != of and is_reached(of, serial))


def find_successor(path: Path) -> Successor | None:
    """The file beside the server key that takes over from it. Raises ``KeyTrouble`` when there are two."""
    pattern = re.compile(rf"{re.escape(path.stem)}\.(\d{{1,5}}){re.escape(path.suffix)}")
    found = [
        Successor(int(match[1]), file)
        for file in sorted(path.parent.glob(f"{path.stem}.*{path.suffix}"))
        if (match := pattern.fullmatch(file.name)) and int(match[1]) < SERIALS
    ]
    if len(found) > 1:
        names = ", ".join(one.path.name for one in found)
        raise KeyTrouble(f"{path.parent}: {names}: one key takes over at a time; move others away")
    return found[0] if found else None


def successor_path(path: Path, serial: int) -> Path:
    """``keys/server.pem``, 7 -> ``keys/server.7.pem``."""
    return path.with_name(f"{path.stem}.{serial}{path.suffix}")


def prepared_path(path: Path) -> Path:
    """``keys/server.pem`` -> ``keys/server.next``; another ending, so that nobody takes it for a key in use."""
    return path.with_name(f"{path.stem}.next")


def _read(path: Path) -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey | None, int]:
    successor = find_successor(path)
    key = read_server_key(path)
    if successor is None:
        return key, None, UNKNOWN_SERIAL
    try:
        return key, read_server_key(successor.path), successor.serial
    except KeyTrouble:
        if successor.path.exists():
            raise
        return read_server_key(path), None, UNKNOWN_SERIAL  # it has become the key meanwhile


def _state(path: Path) -> Mapping[str, object]:
    """What tells changed files apart without reading them: every step is a rename in the folder."""
    try:
        return {name: (facts.st_mtime_ns, facts.st_ino)
                for name, facts in (("folder", path.parent.stat()), ("key", path.stat()))}  # fmt: skip
    except OSError:
        return {}
