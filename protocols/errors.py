"""What can be wrong with bytes or text that came from outside: whose fault, what, and where.

Every decoder in ``protocols`` raises one of these and nothing else::

    ProtocolError
    ├── Malformed      the peer broke the format: answer "protocol error"
    ├── TooLarge       well-formed as far as read, but over a published limit
    └── Unsupported    well-formed, but a version, operation or algorithm this node does not speak

An error carries facts; whoever answers the peer decides the words (RFC 3652 §2.2.2.2 response codes, HTTP status).
"""


class ProtocolError(ValueError):
    """Bytes or text from outside that cannot be accepted.

    ``reason`` is a short English clause that names the field, ``offset`` the byte position in the decoded
    buffer where the trouble begins, or -1 when position has no meaning (JSON, text). ``field`` is the path in a
    JSON document, e.g. ``values[2].data.value``, or "".
    """

    def __init__(self, reason: str, offset: int = -1, field: str = "") -> None:
        super().__init__(reason, offset, field)
        self.reason = reason
        self.offset = offset
        self.field = field

    def __str__(self) -> str:
        return self.reason if self.offset < 0 else f"{self.reason} (at byte {self.offset})"


class Malformed(ProtocolError):
    """The bytes break the format: a length runs past the end, a field has an impossible value."""


class TooLarge(ProtocolError):
    """A declared or real size is above the node's published limit (a named constant beside the check)."""


class Unsupported(ProtocolError):
    """A version, operation, algorithm or key type that exists but is not spoken here."""
