"""Requests remembered by their id, so that a command sent twice happens once.

A mark holds where in the feed the first receipt can be read again, and in its last byte what the feed entry does not
say. It is kept as long as that entry is; that of a request whose id lasts some seconds only has its time in it::

    15 bytes fingerprint of the command                        · u8 flags
    11 bytes fingerprint · u32 seconds since 1970 · of receipt · u8 flags with ``_TIMED``

Refusals are not remembered: they changed nothing, and asking again may end otherwise.
"""

from typing import NamedTuple

import msgpack

from protocols.message import Command, Outcome, Principal, Receipt
from registry.deciding import Submission
from registry.errors import Gone
from registry.overlay import Overlay
from registry.sealing import FINGERPRINT_BYTES, Sealer
from registry.stores.store import Reader, RequestMark

_CREATED, _UNCHANGED, _TIMED = 1, 2, 4
_TIME = slice(11, 15)

_REUSED = Receipt(
    Outcome.KEY_REUSED,
    reason="this request id came before with another content; use a new one for a new command",
    field="request_id",
)


class Request(NamedTuple):
    """A submission with a request id, as marks know it."""

    key: bytes
    content: bytes
    """One byte shorter than a mark's; the last one is for the flags."""
    lasts_s: int
    """Seconds for which the id counts; 0 = as long as its mark is kept."""


def recognise(submission: Submission, sealer: Sealer) -> Request | None:
    """None when there is no request id, or a number no rule will let pass."""
    principal, command, _ = submission
    if not command.request_id:
        return None
    try:
        content = sealer.fingerprint(_pack_command(command))
    except OverflowError:
        return None
    key = sealer.fingerprint(_pack_name(principal, command.request_id))
    return Request(key, content[: FINGERPRINT_BYTES - 1], command.request_lasts_s)


class Requests:
    """What is remembered: the store's marks, and those of the batch at hand."""

    __slots__ = ("_now_s", "_receipts", "_store", "marks")

    def __init__(self, store: Reader, now_s: int) -> None:
        self._store = store
        self._now_s = now_s
        self._receipts: dict[bytes, tuple[bytes, Receipt]] = {}
        self.marks: list[RequestMark] = []

    def recall(self, request: Request) -> Receipt | None:
        """The first receipt again, or the refusal of a reused id; None when the id is new."""
        if request.key in self._receipts:
            content, receipt = self._receipts[request.key]
            return receipt if content == request.content else _REUSED
        mark = self._store.request(request.key)
        if mark is None or self._is_over(mark, request.lasts_s):
            return None
        if mark.content[:-1] != self._content(request, _made_s(mark)):
            return _REUSED
        try:
            (change,) = self._store.changes(mark.seq - 1, 1)
        except Gone:
            return None
        flags = mark.content[-1]
        return Receipt(
            Outcome.SUCCESS,
            change.version,
            0 if flags & _UNCHANGED else mark.seq,
            bool(flags & _CREATED),
            bool(flags & _UNCHANGED),
        )

    def remember(
        self, request: Request, submission: Submission, receipt: Receipt, overlay: Overlay
    ) -> None:
        """Mark a success: by its change, or by the one that had already made the record what was wanted."""
        if receipt.outcome is not Outcome.SUCCESS:
            return
        self._receipts[request.key] = (request.content, receipt)
        seq = receipt.seq
        if receipt.is_unchanged:
            record = overlay.lookup_any(submission.command.identifier)
            if record is None:
                raise AssertionError("only a record that exists can be unchanged")
            seq = record.seq
        if seq >= overlay.oldest_available:
            flags = (receipt.was_created and _CREATED) | (receipt.is_unchanged and _UNCHANGED)
            made_s = self._now_s if request.lasts_s else None
            if made_s is not None:
                flags |= _TIMED
            content = self._content(request, made_s) + bytes([flags])
            self.marks.append(RequestMark(request.key, content, seq))

    def _is_over(self, mark: RequestMark, lasts_s: int) -> bool:
        made_s = _made_s(mark)
        return bool(lasts_s) and made_s is not None and self._now_s - made_s > lasts_s

    @staticmethod
    def _content(request: Request, made_s: int | None) -> bytes:
        """What a mark of the request has in front of its flags."""
        if made_s is None:
            return request.content
        return request.content[: _TIME.start] + made_s.to_bytes(4)


def _made_s(mark: RequestMark) -> int | None:
    """When the receipt was given, if the mark says so."""
    return int.from_bytes(mark.content[_TIME]) if mark.content[-1] & _TIMED else None


def _pack_name(principal: Principal, request_id: str) -> bytes:
    packed: bytes = msgpack.packb((principal.name, request_id), unicode_errors="surrogatepass")
    return packed


def _pack_command(command: Command) -> bytes:
    fields = (
        command.operation.value,
        command.identifier.spelling,
        command.values,
        command.indexes,
        command.overwrite,
        command.expect_version,
        command.case_sensitive,
    )
    packed: bytes = msgpack.packb(fields, unicode_errors="surrogatepass")
    return packed
