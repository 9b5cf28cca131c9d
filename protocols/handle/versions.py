"""Versions of the Handle protocol: which are spoken, which one an answer has, and what changed when.

A table ``(from version, choice)``, newest first, states one difference; ``since`` picks the entry that holds.

====== ===========================================================================
from   change (Handle.Net manual, DO-IRP)
====== ===========================================================================
2.1    request digest has a type byte; SHA-1 (2.0 is not spoken)
2.4    AES-CBC with an IV in front; algorithm code in the session set-up answer
2.5    RC 303 is the prefix referral, RC 202 and RC 7 exist; counter in the credential
2.7    SHA-256 digests, HMAC-SHA256, PBKDF2 answers
2.8    suggested version inside the signed content
2.9    JSON replication state in "retrieve transactions"
2.11   what this node speaks
3.0    same layouts; error answers may list the offending indexes
====== ===========================================================================
"""

from collections.abc import Sequence
from typing import TypeVar

Version = tuple[int, int]
"""(major, minor); compares in order."""

OLDEST: Version = (2, 1)
OWN: Version = (2, 11)
DO_IRP_3: Version = (3, 0)
MAJORS = (2, 3)
"""Envelopes of another major are not this protocol."""

NEW_CODES: Version = (2, 5)
IV_IN_FRONT: Version = (2, 4)
JSON_STATE: Version = (2, 9)

T = TypeVar("T")


def since(table: Sequence[tuple[Version, T]], version: Version) -> T:
    """The entry that holds for ``version``; below the oldest entry, the oldest."""
    for first, choice in table:
        if version >= first:
            return choice
    return table[-1][1]


def answer_version(version: Version, suggested: Version) -> Version:
    """The version of the answer to a request: the lower of what the peer speaks and what we speak.

    Clients that do not know the server send 2.10 and suggest 2.11, and mean to be answered in 2.11. A suggestion
    of 0.0 is the reserved field of RFC 3652 §2.2.1; whatever else is below the oldest version counts as none too.
    A request of major 3 is answered in major 3.
    """
    if version[0] >= 3:
        return DO_IRP_3
    return max(OLDEST, min(suggested if suggested >= OLDEST else version, OWN))
