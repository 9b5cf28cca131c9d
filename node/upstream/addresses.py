"""Where a target is for the operating system, and what that says about a socket, as a ``Trouble``."""

import errno
import socket
from collections.abc import Sequence

from resolver.asking import Target, Trouble

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN})
"""This machine has no socket or memory left."""
_ENDED = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""IPv4, IPv6, and what stands for an address where Python was built without IPv6."""
Address = tuple[socket.AddressFamily, SocketAddress]
Found = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]]


def trouble_of(error: BaseException) -> Trouble:
    """Why a connection or a datagram failed."""
    if isinstance(error, TimeoutError):  # ETIMEDOUT too
        return Trouble.TIMEOUT
    if isinstance(error, _ENDED):
        return Trouble.CLOSED
    is_ours = getattr(error, "errno", None) in _OURS and not isinstance(error, socket.gaierror)
    return Trouble.CROWDED if is_ours else Trouble.REFUSED


def address_of(target: Target, kind: socket.SocketKind) -> Address | None:
    """Family and socket address of an IP address; None when it is a name and has to be looked up."""
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        found = socket.getaddrinfo(target.address, target.port, type=kind, flags=numeric)
    except (OSError, UnicodeError):
        return None
    return first_address(found)


def first_address(found: Found) -> Address | None:
    """The first IP address among what ``getaddrinfo`` found."""
    for family, _, _, _, address in found:
        if family in {socket.AF_INET, socket.AF_INET6}:
            return family, address
    return None
