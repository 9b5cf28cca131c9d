"""Text data: URL, EMAIL, DESC, HS_SERV, HS_ALIAS and every type a factory invents are UTF-8 (RFC 3651 §3.2)."""

from protocols.errors import Malformed


def decode_text(data: bytes) -> str:
    """Raises ``Malformed`` at the first byte that is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Malformed("text: not UTF-8", error.start) from None


def encode_text(text: str) -> bytes:
    """Raises ``Malformed`` for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Malformed(f"text: character {error.start} is not encodable as UTF-8") from None
