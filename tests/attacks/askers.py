"""Who asks: nobody in particular, and three who can prove who they are, with more rights from one to the next."""

from collections.abc import Callable
from typing import NamedTuple

from tests.attacks.attacked_node import AttackedNode, basic


class Asker(NamedTuple):
    """Who asks; without a handle, nobody in particular."""

    name: str
    handle: str = ""
    secret: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": basic(f"300:{self.handle}", self.secret)} if self.handle else {}


ANYBODY = Asker("anybody")
STRANGER = Asker("a stranger", "88.118/stranger", "stranger-secret-11")
WRITER = Asker("an administrator who may not read", "88.118/writer", "writer-secret-22")
READER = Asker("an administrator who may read", "88.118/reader", "reader-secret-33")
ASKERS = (ANYBODY, STRANGER, WRITER, READER)

Ask = Callable[[AttackedNode, Asker, str], bytes]
"""All bytes said about an identifier, without what differs from one moment to the next."""
