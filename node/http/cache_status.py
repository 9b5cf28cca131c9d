"""Cache-Status: how an answer of another node was come by (RFC 9211), for people and for caches on the way.

``biaojie; hit; ttl=27`` from memory, ``biaojie; hit; ttl=-1; detail=stale`` past its TTL, ``biaojie; fwd=uri-miss``
when another node was asked. This node's own records carry none: it is their origin.
"""

from protocols.message import Answer
from protocols.trail import Verdict

_NAME = "Cache-Status"
_WORDS: dict[Verdict, str] = {
    Verdict.ABSENT: "biaojie; hit; detail=absent",
    Verdict.STALE: "biaojie; hit; ttl=-1; detail=stale",
    Verdict.FAILURE: "biaojie; hit; detail=failure",
    Verdict.REFUSED: "biaojie; detail=refused",
    Verdict.JOINED: "biaojie; fwd=uri-miss; collapsed",
    Verdict.ASKED: "biaojie; fwd=uri-miss",
}


def cache_status(
    answer: Answer, ttl_s: int, *, is_authoritative: bool
) -> tuple[tuple[str, str], ...]:
    """The header, or none. ``is_authoritative``: the client did not allow an answer from memory."""
    verdict = answer.verdict
    if verdict is Verdict.LOCAL:
        return ()
    if verdict is Verdict.FRESH:
        return ((_NAME, f"biaojie; hit; ttl={ttl_s}"),)
    words = _WORDS[verdict]
    if is_authoritative:
        words = words.replace("uri-miss", "request")
    return ((_NAME, words),)
