"""Answer to get-site-info, op 2 (RFC 3652 §3.1.1): an HS_SITE record, without a length in front."""

from typing import NamedTuple, Self

from protocols.cursor import Reader, Writer


class SiteAnswer(NamedTuple):
    """``site`` is the whole rest of the body; ``protocols.values.site`` reads it."""

    site: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """HS_SITE record to the end."""
        return cls(reader.read_rest())

    def write(self, writer: Writer) -> None:
        """The inverse of ``read``."""
        writer.write_bytes(self.site)
