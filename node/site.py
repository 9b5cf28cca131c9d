"""What get-site-info answers: the HS_SITE value in the record of the node's own prefix, and its serial number."""

from protocols.errors import ProtocolError
from protocols.handle.header import UNKNOWN_SERIAL
from protocols.identifier import prefix_record_of
from protocols.values.site import decode_site
from protocols.values.value_list import decode_values
from registry.stores.store import Reader

SITE_TYPE = "HS_SITE"


class SiteInfo:
    """``look`` is called twice a second, so a changed site is told at once; every answer carries ``serial``."""

    def __init__(self, reader: Reader, prefix: str) -> None:
        self._reader = reader
        self._identifier = prefix_record_of(prefix) if prefix else None
        self._version = 0
        self.data = b""
        """HS_SITE data as stored; empty when this node publishes none."""
        self.serial = UNKNOWN_SERIAL
        self.look()

    def look(self) -> None:
        """Read the prefix record again if it has changed."""
        record = self._reader.lookup(self._identifier) if self._identifier else None
        version = record.version if record else 0
        if version == self._version:
            return
        self._version, self.data, self.serial = version, b"", UNKNOWN_SERIAL
        for value in decode_values(record.public) if record else ():
            if value.type.upper() == SITE_TYPE:
                try:
                    self.serial = decode_site(value.data).serial
                except ProtocolError:
                    continue  # not readable as a site: the next value may be
                self.data = value.data
                return
