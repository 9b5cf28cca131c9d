"""Steering: what the kernel is told about new clients before a listening socket goes away.

A listening TCP socket that closes resets whoever waits in its queue. So nobody must be led there any more before it
closes: a classic BPF program on a socket says which SYN segments it takes (none), one on a SO_REUSEPORT set says to
which of its members new clients go (socket(7): SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF).
"""

import contextlib
import errno
import socket
import struct
from array import array

SO_ATTACH_FILTER = 26
SO_ATTACH_REUSEPORT_CBPF = 51
SO_DETACH_REUSEPORT_BPF = 68
"""Of asm-generic/socket.h; Python names only some of them."""

_LOAD_BYTE, _LOAD_WORD, _AND, _EQUALS, _MODULO, _SAY, _SAY_THAT = (
    0x30,
    0x20,
    0x54,
    0x15,
    0x94,
    0x06,
    0x16,
)
_RANDOM = 0xFFFFF000 + 56
"""SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h."""
_FLAGS_OFFSET, _SYN, _SYN_ACK = 13, 0x02, 0x12
"""Of the TCP header (RFC 9293 §3.1), with which a segment begins for a filter on its socket."""
_EVERYTHING = 0xFFFF_FFFF

_NO_SYN = (
    (_LOAD_BYTE, 0, 0, _FLAGS_OFFSET),
    (_AND, 0, 0, _SYN_ACK),
    (_EQUALS, 0, 1, _SYN),  # SYN without ACK begins a connection
    (_SAY, 0, 0, 0),
    (_SAY, 0, 0, _EVERYTHING),
)  # fmt: skip


def let_nobody_in(listening: socket.socket) -> None:
    """Handshakes that have begun end as usual, none begins: its client tries again a second later, and is refused."""
    _attach(listening, SO_ATTACH_FILTER, _NO_SYN)


def spread_over(member: socket.socket, count: int) -> None:
    """New clients of the set that ``member`` belongs to go to its first ``count`` sockets, by chance.

    Members count in the order in which they were made, as long as only the last ones were ever closed.
    """
    program = ((_LOAD_WORD, 0, 0, _RANDOM), (_MODULO, 0, 0, count), (_SAY_THAT, 0, 0, 0))
    try:
        _attach(member, SO_ATTACH_REUSEPORT_CBPF, program)
    except OSError as error:
        if error.errno != errno.EINVAL:  # one that never had another: everybody comes to it
            raise


def spread_over_all(member: socket.socket) -> None:
    """New clients go to every member again, by their address and port."""
    with contextlib.suppress(
        OSError
    ):  # Linux < 5.3: the program that counts them stays, and is right
        member.setsockopt(socket.SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)


def _attach(
    sock: socket.socket, option: int, program: tuple[tuple[int, int, int, int], ...]
) -> None:
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    memory = array("B", code)
    address, _ = memory.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@HP", len(program), address))
