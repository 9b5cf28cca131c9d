"""Namespace: whether the prefix of an identifier says that it is not in use any more (HS_NAMESPACE on ``0.NA/…``).

Only prefix records in this node's own store are looked at: for a redirect nobody else is asked about a prefix.
"""

from node.http.api import Api
from protocols.errors import ProtocolError
from protocols.identifier import PREFIX_AUTHORITY, Identifier
from protocols.record import DELETED, public_offset
from protocols.values.namespace import NAMESPACE_TYPE, Namespace, decode_namespace
from protocols.values.value_list import decode_values

_MARK = NAMESPACE_TYPE.encode()


def inactive_namespace(api: Api, identifier: Identifier) -> Namespace | None:
    """The namespace above the identifier when it is out of use; None when it is in use or says nothing readable."""
    if identifier.is_prefix_record:
        return None
    stored = api.service.reader.stored(PREFIX_AUTHORITY + b"/" + identifier.prefix)
    if stored is None or stored[1] & DELETED:
        return None
    public = bytes(stored[public_offset(stored) :])
    if _MARK not in public.upper():  # nearly always, and then nothing is decoded
        return None
    try:
        found = [value for value in decode_values(public) if value.type.upper() == NAMESPACE_TYPE]
        namespaces = [decode_namespace(value.data) for value in found]
    except ProtocolError:
        return None  # what cannot be read switches nothing off
    return next((one for one in namespaces if not one.is_active), None)
