"""What the service manager is told: systemd's notification protocol, a datagram to the socket it names."""

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """``notify("READY=1")``; does nothing when nobody listens."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name:
        return
    address = "\0" + name[1:] if name.startswith("@") else name
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto("\n".join(lines).encode(), address)
