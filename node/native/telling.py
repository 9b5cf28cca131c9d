"""Telling: what is said becomes a message with the fields that every answer copies or sets (RFC 3652 §2.2)."""

from node.metrics import NATIVE_ANSWERS
from node.native.exchange import Exchange, Said
from node.site import SiteInfo
from protocols.handle.codec import Message
from protocols.handle.codes import CONT, ResponseCode
from protocols.handle.header import DEFAULT_EXPIRATION_S
from protocols.handle.replies import reply
from resolver.source import Now

_NAMES = {int(code): code.name.lower().replace("_", "-") for code in ResponseCode}


def code_name(code: int) -> str:
    """As metrics name it."""
    return _NAMES.get(code, "other")


def expiration_s(now: Now) -> int:
    """Until when an answer may be used: it must lie in the future, or Java clients drop it."""
    return int(now.wall_s) + DEFAULT_EXPIRATION_S


class Teller:
    """``site``: whose serial number every answer carries."""

    def __init__(self, site: SiteInfo) -> None:
        self._site = site

    def message(
        self, exchange: Exchange, said: Said, now: Now, session_id: int | None = None
    ) -> Message:
        """The answer; ``session_id`` when it is not the request's."""
        NATIVE_ANSWERS.labels(exchange.peer.transport, code_name(said.code)).inc()
        made = reply(
            exchange.reply_to, said.code, said.body,
            serial=self._site.serial,
            expiration_s=expiration_s(now),
            session_id=session_id,
            is_authoritative=said.is_authoritative,
        )  # fmt: skip
        if not said.has_more:
            return made
        return made._replace(header=made.header._replace(op_flags=made.header.op_flags | CONT))
