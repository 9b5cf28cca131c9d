"""HS_NAMESPACE data: what holds for all identifiers below a prefix; here its status (Handle.Net manual, namespaces).

::

    <namespace><status>inactive</status><statusmsg>moved to …</statusmsg> …</namespace>
"""

from typing import NamedTuple

from protocols.errors import Malformed
from protocols.values.plain_xml import read_xml

NAMESPACE_TYPE = "HS_NAMESPACE"
MAX_MESSAGE_CHARS = 2_000
"""A sentence for people; the rest is cut off."""


class Namespace(NamedTuple):
    """The status, and what its owner wants people to be told."""

    is_active: bool
    message: str


def decode_namespace(data: bytes) -> Namespace:
    """Raises ``Malformed`` or ``TooLarge``."""
    root = read_xml(data, "namespace")
    if root.name != "namespace":
        raise Malformed(f"namespace: the document is a {root.name[:40]!r}")
    status, message = root.child("status"), root.child("statusmsg")
    return Namespace(
        status is None or status.text.strip().lower() != "inactive",
        "" if message is None else message.text.strip()[:MAX_MESSAGE_CHARS],
    )
