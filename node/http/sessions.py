"""Sessions over HTTP: a nonce to sign, and who has signed it, under an id that the client sends along. Told the time.

A nonce is for one proof. What has been proved counts for whoever sends the id from the same address, ``IDLE_S`` after
the last request and ``LASTS_S`` after the first at most. Every 401 makes a session, so there is room for many and each
address has its share: what nobody has proved anything in goes first.

The id says which worker has the session (``node/slots.py``); every worker can have any session asked (``Errand``).
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, NamedTuple

from node.config_check import MAX_HTTP_SESSIONS_BYTES
from node.slots import new_id, slot_of
from resolver.buckets import source_network

IDLE_S: Final = 3600.0
LASTS_S: Final = 8 * 3600.0
MOST: Final = 4096
"""Of one worker."""
SESSION_BYTES: Final = 900
"""Of one session, with a handle of usual length."""
MOST_PER_SOURCE: Final = 64
"""Of one address (IPv6: /64): programs behind one gateway, not a flood of 401s."""
ID_BITS: Final = 128
NONCE_BYTES: Final = 16

assert MOST * SESSION_BYTES <= MAX_HTTP_SESSIONS_BYTES

LOOK, TAKE, ADMIT, CLOSE = "look", "take", "admit", "close"
"""What can be asked of a session: how it is; its nonce, for one proof; to remember who was proved; to end."""


class State(NamedTuple):
    """A session, as far as any worker needs to know it."""

    id: str
    nonce: bytes
    """The next one to sign."""
    handle: str = ""
    index: int = 0  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    proof: bytes = b""
    """Digest of the proof by which somebody is logged in; b"" when nobody is, or by other means."""
    key_print: bytes = b""
    """Of the key that was used: another key there ends the session."""
    taken: bytes = b""
    """After TAKE: the nonce that the proof must be over."""

    @property
    def is_admitted(self) -> bool:
        """Whether somebody is logged in."""
        return bool(self.handle)


class Errand(NamedTuple):
    """Something asked of a session."""

    verb: str
    id: str
    address: str
    proof: bytes = b""
    """TAKE, ADMIT: digest of the proof, so that the same one sent again is over the same nonce."""
    handle: str = ""
    index: int = 0  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    key_print: bytes = b""


@dataclass(slots=True, eq=False)
class _Session:
    id: str
    address: str
    source: str
    began_s: float
    used_s: float
    nonce: bytes
    handle: str = ""
    index: int = 0
    proof: bytes = b""
    key_print: bytes = b""
    spent: tuple[bytes, bytes] = (b"", b"")
    """The last proof that took a nonce, and which one."""


class Sessions:
    """Those of one worker."""

    def __init__(self, slot: int = 0) -> None:
        self._slot = slot
        self._pending: OrderedDict[str, _Session] = OrderedDict()
        self._admitted: OrderedDict[str, _Session] = OrderedDict()
        """Both by their last use."""
        self._of_source: dict[str, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._pending) + len(self._admitted)

    def open(self, address: str, now_s: float) -> State | None:
        """A new one; None when there is no room."""
        source = source_network(address)
        theirs = self._of_source.get(source, OrderedDict())
        if len(theirs) >= MOST_PER_SOURCE:
            self._end(next((id_ for id_ in theirs if id_ in self._pending), next(iter(theirs))))
        if len(self) >= MOST:
            self._end_old(now_s)
        if len(self) >= MOST:
            if not self._pending:
                return None
            self._end(next(iter(self._pending)))
        made = _Session(self._new_id(), address, source, now_s, now_s, _new_nonce())
        self._pending[made.id] = made
        self._of_source.setdefault(source, OrderedDict())[made.id] = None
        return _state(made)

    def do(self, errand: Errand, now_s: float) -> State | None:
        """What became of the session; None when there is none by this id, for this address, any more."""
        session = self._pending.get(errand.id) or self._admitted.get(errand.id)
        if session is None or session.address != errand.address:
            return None
        if now_s - session.used_s >= IDLE_S or now_s - session.began_s >= LASTS_S:
            self._end(session.id)
            return None
        session.used_s = now_s
        (self._admitted if session.handle else self._pending).move_to_end(session.id)
        self._of_source[session.source].move_to_end(session.id)
        taken = b""
        if errand.verb == TAKE:
            taken = self._take(session, errand.proof)
        elif errand.verb == ADMIT:
            session.handle, session.index = errand.handle, errand.index
            session.proof, session.key_print = errand.proof, errand.key_print
            self._admitted[session.id] = self._pending.pop(session.id, session)
        elif errand.verb == CLOSE:
            self._end(session.id)
        return _state(session, taken)

    def _take(self, session: _Session, proof: bytes) -> bytes:
        """The nonce for this proof: once, though the same proof may come twice."""
        if session.spent[0] != proof:
            session.spent = (proof, session.nonce)
            session.nonce = _new_nonce()
        return session.spent[1]

    def _end_old(self, now_s: float) -> None:
        for sessions in (self._pending, self._admitted):
            while sessions:
                oldest = next(iter(sessions.values()))
                if now_s - oldest.used_s < IDLE_S:
                    break
                self._end(oldest.id)

    def _end(self, id_: str) -> None:
        session = self._pending.pop(id_, None) or self._admitted.pop(id_)
        theirs = self._of_source[session.source]
        del theirs[id_]
        if not theirs:
            del self._of_source[session.source]

    def _new_id(self) -> str:
        return f"{new_id(self._slot, ID_BITS):0{ID_BITS // 4}x}"


def owner_of(id_: str) -> int | None:
    """The slot of the worker that made the id; None when no worker can have."""
    if len(id_) != ID_BITS // 4:
        return None
    try:
        return slot_of(int(id_, 16), ID_BITS)
    except ValueError:
        return None


def _new_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


def _state(session: _Session, taken: bytes = b"") -> State:
    return State(
        session.id, session.nonce, session.handle, session.index,
        session.proof, session.key_print, taken,
    )  # fmt: skip
