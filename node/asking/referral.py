"""Referrals (RC 302, 303): who is to be asked instead, as far as this program can read it."""

from protocols.errors import ProtocolError
from protocols.handle.resolution import Referral
from protocols.values.site import SITE_TYPES, Interface, Server, decode_site
from protocols.values.value import Value


def referred_servers(referral: Referral) -> list[tuple[Server, tuple[Interface, ...]]]:
    """The servers a referral names, with the interfaces that take questions; sites nobody can read are left out."""
    found = []
    for value in referral.values or ():
        for server in _servers(value):
            interfaces = tuple(one for one in server.interfaces if one.takes_queries)
            found.append((server, interfaces))
    return found


def _servers(value: Value) -> tuple[Server, ...]:
    if value.type.upper() not in SITE_TYPES:
        return ()
    try:
        return decode_site(value.data).servers
    except ProtocolError:
        return ()
