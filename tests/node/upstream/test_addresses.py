"""Errors of the operating system as troubles: whose fault it is decides what the resolver does next."""

import errno
import socket

import pytest

from node.upstream.addresses import address_of, trouble_of
from protocols.values.site import UDP
from resolver.asking import Target, Trouble


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (errno.ECONNREFUSED, Trouble.REFUSED),
        (errno.EHOSTUNREACH, Trouble.REFUSED),
        (errno.ENETUNREACH, Trouble.REFUSED),
        (errno.EADDRNOTAVAIL, Trouble.REFUSED),
        (errno.ETIMEDOUT, Trouble.TIMEOUT),
        (errno.ECONNRESET, Trouble.CLOSED),
        (errno.EPIPE, Trouble.CLOSED),
        (errno.EMFILE, Trouble.CROWDED),
        (errno.ENOBUFS, Trouble.CROWDED),
    ],
)
def test_an_error_number_is_a_trouble(number: int, trouble: Trouble):
    assert trouble_of(OSError(number, "said so")) is trouble


def test_a_name_that_is_not_found_is_refused():
    assert trouble_of(socket.gaierror(socket.EAI_NONAME, "unknown")) is Trouble.REFUSED


@pytest.mark.parametrize(
    ("address", "family"),
    [("192.0.2.7", socket.AF_INET), ("2001:db8::7", socket.AF_INET6), ("localhost", None),
     ("a" * 300, None)],
)  # fmt: skip
def test_only_a_name_has_to_be_looked_up(address: str, family: object):
    found = address_of(Target(UDP, address, 2641), socket.SOCK_DGRAM)
    assert (found and found[0]) == family
