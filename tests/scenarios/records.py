"""The node's own records in a scenario: a real registrar over a real store in memory, and its feed."""

from collections.abc import Sequence

from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome, Receipt
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.value import Value
from registry.holdings import Holdings
from registry.registrar import Registrar, Submission
from registry.sealing import Sealer
from registry.stores.memory import MemoryStore

OPERATIONS = {
    "put": Operation.PUT,
    "delete": Operation.DELETE,
    "host": Operation.HOST,
    "delegate": Operation.DELEGATE,
}


class Records:
    """What this node holds. Every change tells which records followers must forget."""

    def __init__(self) -> None:
        self._store = MemoryStore(b"log of scenarios")
        self._sealer = Sealer(bytes(range(64)))
        self._registrar = Registrar(self._store, self._sealer)
        self.holdings = Holdings(self._store, self._sealer)

    def change(
        self, what: str, of: str, values: Sequence[Value], wall_s: float
    ) -> tuple[Receipt, list[bytes]]:
        """Commit one command of the operator; the receipt, and the folded keys that the feed names since."""
        if what == "host" and not values:
            values = [Value(100, "HS_ADMIN", encode_admin(Admin(of, 300, ALL_PERMISSIONS)))]
        before = self._store.head().seq
        command = Command(OPERATIONS[what], parse_identifier(of), tuple(values))
        (receipt,) = self._registrar.commit(
            [Submission(OPERATOR, command, "scenario")], int(wall_s * 1000)
        )
        if receipt.outcome is not Outcome.SUCCESS:
            return receipt, []
        return receipt, [change.key for change in self._store.changes(before, 100)]
