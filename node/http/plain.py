"""Plain HTTP: ``GET`` and ``HEAD`` of records and redirects, answered from the bytes alone, ahead of aiohttp.

A request is cut behind its target. The target is looked up among rendered answers (``resolver/rendered.py``), and all
that is behind it among the heads seen before (``plain_heads.py``): a hit is two look-ups and no object. A miss goes
through the same functions as aiohttp's requests (``read_at_hand``, ``redirect_at_hand``, ``head_bytes``), so that both
give the same bytes. Whatever is not plain, or needs another node to be asked, is None here and aiohttp's. Nobody but an
anonymous public asker is answered here; another node's answer is shared only among those for whom others are asked.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

from aiohttp.streams import EMPTY_PAYLOAD

from node.http.api import Api
from node.http.dates import DateLine, http_date
from node.http.plain_heads import END_OF_TARGET, Head, Heads
from node.http.reading import AtHand, read_at_hand
from node.http.redirect import redirect_at_hand
from node.http.reply import HTML, Reply, head_bytes
from node.http.request import Request
from node.http.route import Route
from node.http.router import Router
from node.http.target import Target, decode_path
from registry.change import Change
from resolver.rendered import Count, Rendered, RenderedAnswers
from resolver.source import Now, Peer

MAX_ANSWERS_BYTES = 131_072
"""Answers to pipelined requests joined into one piece; the rest is aiohttp's, which waits for slow readers."""
_END_OF_HEAD = b"\r\n\r\n"
_GET, _HEAD = b"GET ", b"HEAD "
_METHODS = frozenset({_GET, _HEAD})
_TARGET = re.compile(rb"/[!$-;=@-Z_a-z~]{0,8191}+")
"""Visible ASCII without ``?`` (parameters), ``#`` and what no client sends unescaped (RFC 3986 §2); what is longer than
any identifier with all its bytes escaped is for aiohttp to refuse."""
_UNCHANGED = b"304"
_NEVER_HERE = frozenset({401, 403})
"""These depend on whether passwords may travel on the connection, which is not known here."""
_EXPIRES = b"\r\nExpires: "
_NOTHING: Mapping[bytes, Rendered] = MappingProxyType({})


class Asker:
    """``Connection`` of a request that is answered before anybody can write to it."""

    is_draining = False
    is_tls = is_bulk = False
    certificate = b""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.on_gone: Callable[[], None] | None = None

    def write(self, data: bytes) -> NoReturn:  # noqa: ARG002  # a connection's signature
        """Never called."""
        raise AssertionError("a plain answer is returned, not written")

    async def drain(self) -> None:
        """Nothing was written."""


class PlainHttp:
    """One per worker's HTTP listener. Call ``tick`` once per wake-up, before anything is answered."""

    def __init__(self, api: Api, router: Router, dates: DateLine, most_bytes: int) -> None:
        self._api, self._router, self._dates = api, router, dates
        self._service = api.service
        self._seen = Heads()
        self.heads = self._seen.mean_nothing
        """Everything behind the target of a request -> True when ``hit`` may answer a ``GET`` with it."""
        self.rendered = RenderedAnswers(most_bytes, self._read_spelling)
        self._entries: Mapping[bytes, Rendered] = self.rendered.entries
        """Empty while the follower has not heard of everything that the snapshot holds."""
        self._is_behind = False
        self._number = -1
        self._now = self._service.now()
        self._date = dates.line
        self._counts: dict[tuple[str, int, bool], Count] = {}
        """By route, class of status, and whether the answer is this node's own."""
        self.made = 0
        """Plain answers that were not at hand."""
        self._service.listen(self._drop_changed, lambda: bool(self.rendered.count))

    @property
    def hits(self) -> int:
        """Answers of this node's own."""
        return sum(count.answers for (_, _, is_local), count in self._counts.items() if is_local)

    @property
    def remembered(self) -> int:
        """Answers of other nodes, and about them."""
        return sum(
            count.answers for (_, _, is_local), count in self._counts.items() if not is_local
        )

    def tick(self, now: Now) -> None:
        """The clock of this wake-up, and the newest commit; what that makes untrue is forgotten."""
        service = self._service
        self._now = now
        self._dates.renew(now.wall_s)
        self._date = self._dates.line
        service.refresh()
        number = service.reader.snapshot_number
        if number != self._number or self._is_behind:
            self._number = number
            self._is_behind = service.is_behind
            self._entries = _NOTHING if self._is_behind else self.rendered.entries

    def hit(self, target: bytes) -> bytes | None:
        """This node's own answer to a ``GET`` of a target with a head that means nothing, if it was made before."""
        entry = self._entries.get(target)
        if entry is None or entry.source is not None or entry.branch.is_cut:
            return None
        entry.is_asked = True
        entry.count.answers += 1
        return entry.response if entry.date is self._date else self._renew(entry)

    def answer(self, data: bytes, peer: Peer) -> bytes | None:
        """The answers to ``data``, one or more whole requests. None = aiohttp must see it, all of it."""
        answers, taken = self.serve(data, peer, wants_all=True)
        return answers if taken else None

    def serve(self, data: bytes, peer: Peer, *, wants_all: bool = False) -> tuple[bytes, int]:
        """The answers to as many requests at the beginning of ``data`` as are plain, and how many bytes those took.

        With ``wants_all``, nothing at all when that is not the whole of it.
        """
        cut = data.find(END_OF_TARGET)
        if data[cut:] in self.heads and data.startswith(_GET):
            entry = self._entries.get(data[4:cut])
            if entry is not None and entry.source is None and not entry.branch.is_cut:
                entry.is_asked = True
                entry.count.answers += 1
                if entry.date is self._date:
                    return entry.response, len(data)
                return self._renew(entry), len(data)
        made: list[_Made] = []
        taken = size = 0
        while size < MAX_ANSWERS_BYTES:
            end = data.find(_END_OF_HEAD, taken) + 4
            if end < 4:
                break
            one = self._answer_one(data[taken:end], peer)
            if one is None:
                break
            made.append(one)
            size += len(one[0])
            taken = end
        if wants_all and taken < len(data):
            return b"", 0
        for _, count in made:
            count.answers += 1
        return b"".join([response for response, _ in made]), taken

    def _answer_one(self, data: bytes, peer: Peer) -> "_Made | None":
        """One whole request, and where its answer is to be counted; None = not plain, or others must be asked."""
        cut = data.find(END_OF_TARGET)
        method = data[: data.find(b" ") + 1]
        head = self._seen.read(data[cut:]) if cut > 0 and method in _METHODS else None
        if head is None:
            return None
        target = data[len(method) : cut]
        entry = self._find(target, head, peer)
        if entry is None:
            return self._make(method, target, head, peer)
        entry.is_asked = True
        response = entry.response if entry.date is self._date else self._renew(entry)
        return (response if method == _GET else response[: entry.head_bytes]), entry.count

    # what was made before

    def _find(self, target: bytes, head: Head, peer: Peer) -> Rendered | None:
        """The answer for this asker."""
        get = self._entries.get
        etags = head.etags
        entry = get(target) or get(_variant(target, head.language))
        if etags:
            unchanged = get(_variant(target, _UNCHANGED))
            if unchanged is not None and (unchanged.tag in etags or "*" in etags):
                entry = unchanged
            elif entry is not None and entry.tag and (entry.tag in etags or "*" in etags):
                return None
        if entry is None or entry.branch.is_cut:
            return None
        return entry if entry.source is None or self._may_share(entry, head, peer) else None

    def _may_share(self, entry: Rendered, head: Head, peer: Peer) -> bool:
        """Whether this asker gets another node's answer that was made for somebody else, and it is still in force."""
        if not head.takes_remembered or (head.is_forwarded and self._api.proxies):
            return False
        if peer.address not in self._service.recursion_networks:
            return False
        return self._service.remembered(entry.spelling, self._now.monotonic_s) is entry.source

    def _renew(self, entry: Rendered) -> bytes:
        expires = b""
        if entry.expires_at:
            expires = http_date(int(self._now.wall_s) + entry.ttl_s).encode()
        return entry.patch(self._date, expires)

    # what has to be made

    def _make(self, method: bytes, target: bytes, head: Head, peer: Peer) -> "_Made | None":
        route, suffix = self._router.find(target)
        if route not in (self._router.records, self._router.rest) or not _TARGET.fullmatch(target):
            return None
        request = Request(
            method[:-1].decode(), Target(target, b""), head.headers, Asker(peer), EMPTY_PAYLOAD, _no_stream
        )  # fmt: skip
        request.suffix = suffix
        read = read_at_hand if route is self._router.records else redirect_at_hand
        try:
            self._api.derive_peer(request)
            found = read(self._api, request, self._now)
            if not isinstance(found, AtHand) or found.reply.status in _NEVER_HERE:
                return None
            first = head_bytes(found.reply, self._date)
        except Exception:  # noqa: BLE001  # aiohttp's guard will meet it again, and tell and log it
            return None
        count = self._count(route, found)
        self.made += 1
        response = first + found.reply.body
        if found.lasts and method == _GET:
            self._keep(target, head, found, response, count)
        return (response if method == _GET else first), count

    def _count(self, route: Route, found: AtHand) -> Count:
        name, status = self._router.name_of(route), found.reply.status
        key = name, status // 100, found.is_local
        count = self._counts.get(key)
        if count is None:
            is_timed = route is not self._router.records
            count = self._router.tally.count_elsewhere(name, status, is_timed=is_timed)
            self._counts[key] = count
        return count

    def _keep(
        self, target: bytes, head: Head, found: AtHand, response: bytes, count: Count
    ) -> None:
        """Have the answer at hand for the next who asks, if somebody has asked for it before."""
        reply = found.reply
        key = target
        if reply.status == 304:
            key = _variant(target, _UNCHANGED)
        elif reply.content_type == HTML and reply.status == 200:
            key = _variant(target, head.language)
        if self._is_behind or not self.rendered.is_wanted(key):
            return
        entry = Rendered(key, self._read_spelling(key), response, count)
        if not found.is_local:
            if not head.takes_remembered:
                return
            entry.source = self._service.remembered(entry.spelling, self._now.monotonic_s)
            if entry.source is None:
                return
        entry.date = self._date
        entry.date_at = response.index(self._date)
        entry.head_bytes = response.index(_END_OF_HEAD) + 4
        entry.tag = dict(reply.headers).get("ETag")
        expires_at = response.find(_EXPIRES, 0, entry.head_bytes)
        if expires_at > 0:
            entry.expires_at = expires_at + len(_EXPIRES)
            entry.ttl_s = found.ttl_s
        self.rendered.put(entry)

    def _read_spelling(self, key: bytes) -> bytes:
        """The identifier that a key of the rendered answers asks for."""
        _, suffix = self._router.find(key.partition(END_OF_TARGET)[0])
        return decode_path(suffix)

    def _drop_changed(self, changes: Sequence[Change]) -> None:
        """The follower has passed these; none = anything may have changed."""
        if not changes:
            self.rendered.clear()
        for change in changes:
            self.rendered.drop(change.key)


_Made = tuple[bytes, Count]
"""An answer, and where it is to be counted."""


def _variant(target: bytes, which: bytes) -> bytes:
    """The key of an answer that depends on more than the target; no target contains what stands between."""
    return target + END_OF_TARGET + which


def _no_stream(reply: Reply) -> NoReturn:
    raise AssertionError(reply)  # neither handler streams
