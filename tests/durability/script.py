"""A fixed piece of work for one client: frames of commands and loads, each of them journalled."""

from node.registrar_client import RegistrarClient, RegistrarGone, RegistrarRefused
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.value_list import encode_values
from registry.loading import Load
from registry.registrar import Submission
from registry.stores.store import Note
from tests.durability.clients import PREFIX
from tests.durability.journal import Asked, Journal, values_of
from tests.durability.judge import LOAD_NOTE

DONE, REFUSED, READ_ONLY, GONE = "done", "refused", "read-only", "gone"
ROWS = 40


class Script:
    """One client's steps; they continue where they were, over any number of registrars."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.number = 0
        self.reasons: list[str] = []
        """What refusals said."""
        self.unchanged: list[str] = []
        """Identifiers whose command was refused with the promise that nothing was changed."""

    def steps(self, client: RegistrarClient, count: int) -> list[str]:
        """What became of each transaction; ends early with ``GONE``."""
        said: list[str] = []
        while len(said) < count and (not said or said[-1] != GONE):
            self.number += 1
            step = self._load if self.number % 3 == 0 else self._frame
            try:
                said.append(step(client))
            except RegistrarRefused as refused:
                self.reasons.append(str(refused))
                said.append(REFUSED)
            except RegistrarGone:
                said.append(GONE)
        return said

    def _frame(self, client: RegistrarClient) -> str:
        """New records, and the same one a second time."""
        group = f"frame-{self.number}"
        names = [f"{group}-{n}" for n in range(5)]
        asked = [self._ask(f"{PREFIX}/{name}", name, group) for name in names]
        submissions = [_submission(one) for one in asked]
        receipts = client.submit(submissions)
        if all(receipt.outcome is Outcome.READ_ONLY for receipt in receipts):
            self.reasons.append(receipts[0].reason)
            self.unchanged += [one.key for one in asked]
            return READ_ONLY
        assert all(receipt.outcome is Outcome.SUCCESS for receipt in receipts), receipts
        for one, receipt in zip(asked, receipts, strict=True):
            self.journal.tell(one, receipt.version, receipt.seq)
        again = client.submit(submissions)
        assert again == receipts, f"the same requests were told {again} after {receipts}"
        return DONE

    def _load(self, client: RegistrarClient) -> str:
        group = f"load#{self.number}"
        keys = [f"{PREFIX}/load-{self.number}-{n}" for n in range(ROWS)]
        asked = [self._ask(key, key.partition("/")[2], group) for key in keys]
        rows = [
            (one.token.encode(), encode_values(list(values_of(one.token, with_secret=False)))) for one in asked
        ]  # fmt: skip
        note = Note(LOAD_NOTE + b"load", str(self.number).encode())
        try:
            client.load(Load(OPERATOR, "load", PREFIX.encode(), rows, (1, 2), (note,)))
        except RegistrarRefused as refused:
            if "writes are stopped" in str(refused):
                self.unchanged += [one.key for one in asked]
            raise
        for one in asked:
            self.journal.tell(one)
        return DONE

    def _ask(self, key: str, token: str, group: str) -> Asked:
        return self.journal.ask(key, token, token, group)


def _submission(asked: Asked) -> Submission:
    command = Command(
        Operation.PUT, parse_identifier(asked.key), values_of(asked.token), request_id=asked.request_id
    )  # fmt: skip
    return Submission(OPERATOR, command, "durability")
