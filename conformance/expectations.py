"""What many checks expect of an answer; all raise ``Failed`` otherwise."""

from collections.abc import Sequence

from conformance.native_messages import Exchange
from conformance.outcome import Failed, NotOffered, expect
from protocols.handle.authentication import Challenge
from protocols.handle.codes import ResponseCode
from protocols.handle.failures import ErrorAnswer
from protocols.handle.resolution import ResolveAnswer
from protocols.values.value import Value

KNOWN_CODES = frozenset(code.value for code in ResponseCode) - {0}

NOTHING_THERE = (
    ResponseCode.HANDLE_NOT_FOUND,
    ResponseCode.INVALID_HANDLE,
    ResponseCode.NOT_RESPONSIBLE,
    ResponseCode.SERVICE_REFERRAL,
    ResponseCode.PREFIX_REFERRAL,
)
"""How the heartbeat, a handle that nobody has, may be answered: the node is well and has understood."""


def code_name(code: int) -> str:
    """``RC 100 (handle not found)``."""
    if code not in KNOWN_CODES:
        return f"RC {code}"
    return f"RC {code} ({ResponseCode(code).name.lower().replace('_', ' ')})"


def expect_code(exchange: Exchange, *codes: int) -> Exchange:
    """One of the response codes; hands the exchange on."""
    if exchange.code not in codes:
        raise Failed(" or ".join(map(code_name, codes)), describe(exchange))
    return exchange


def offered(exchange: Exchange) -> Exchange:
    """Raises ``NotOffered`` for RC 5, operation not supported."""
    if exchange.code == ResponseCode.NOT_SUPPORTED:
        raise NotOffered(describe(exchange))
    return exchange


def describe(exchange: Exchange) -> str:
    """The response code and, of an error, its text."""
    body = exchange.answer.body
    text = f": {body.text}" if isinstance(body, ErrorAnswer) and body.text else ""
    return code_name(exchange.code) + text


def values_of(exchange: Exchange) -> tuple[Value, ...]:
    """Of a successful resolve."""
    expect_code(exchange, ResponseCode.SUCCESS)
    body = exchange.answer.body
    assert isinstance(body, ResolveAnswer), body
    return body.values


def expect_indexes(exchange: Exchange, indexes: Sequence[int]) -> None:
    """A successful resolve with exactly these values, in this order."""
    came = [value.index for value in values_of(exchange)]
    expect(came == list(indexes), f"values {list(indexes)}", came)


def expect_challenge(exchange: Exchange) -> Challenge:
    """RC 402 with a nonce."""
    expect_code(exchange, ResponseCode.AUTHENTICATION_NEEDED)
    body = exchange.answer.body
    if not isinstance(body, Challenge):
        raise Failed("a challenge with a nonce", describe(exchange))
    return body
