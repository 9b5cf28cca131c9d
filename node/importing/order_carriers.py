"""Order carriers: the registrar at work, and a trial that says what it would answer and changes nothing."""

from collections import deque

from node.importing.order_parcels import Batch, pack_batch, with_ids
from node.registrar_client import RegistrarClient
from protocols.identifier import PREFIX_AUTHORITY
from protocols.message import OPERATOR, Command, Operation, Principal, Receipt
from registry.deciding import Submission, decide_one
from registry.holdings import Holdings
from registry.loading import Load
from registry.overlay import Overlay
from registry.requests import Requests, recognise
from registry.sealing import Sealer
from registry.stores.store import Note, Reader

TRIED_TOGETHER = 50_000
"""Orders of a trial that see the effect of each other, some 1 KB each; behind them only homed prefixes are kept."""
_MOVES = frozenset({Operation.HOST, Operation.UNHOST, Operation.DELEGATE})


class RegistrarCarrier:
    """Sends to the registrar of the node, running or started for the purpose."""

    def __init__(
        self,
        client: RegistrarClient,
        reader: Reader,
        sealer: Sealer,
        note: bytes,
        run_id: str,
        source: str,
    ) -> None:
        self._client, self._reader, self._sealer = client, reader, sealer
        self._note, self._run_id, self._source = note, run_id, source
        self._sizes: deque[int] = deque()

    def start(self, batch: Batch) -> None:
        """As ``Carrier`` says. Raises ``RegistrarGone``."""
        parcel = pack_batch(batch, self._run_id, self._source)
        self._client.start_chunk(parcel)
        self._sizes.append(parcel.row_count)

    def finish(self) -> list[Receipt]:
        """As ``Carrier`` says. Raises ``RegistrarGone``, ``RegistrarRefused``."""
        return list(self._client.finish_chunk().receipts(self._sizes.popleft()))

    def recall(self, batch: Batch) -> list[Receipt | None]:
        """As ``Carrier`` says: read from the store, which remembers successes only."""
        self._reader.refresh()
        requests = Requests(self._reader, 0)  # these ids last as long as the feed does
        found = []
        for command in with_ids(batch, self._run_id):
            request = recognise(Submission(batch.principal, command, self._source), self._sealer)
            found.append(None if request is None else requests.recall(request))
        self._reader.release()
        return found

    def add(self, command: Command, principal: Principal) -> Receipt:
        """As ``Carrier`` says."""
        (receipt,) = self._client.submit([Submission(principal, command, self._source)])
        return receipt

    def save(self, note: bytes) -> None:
        """As ``Carrier`` says: a load without rows."""
        notes = (Note(self._note, note),)
        self._client.start_load(Load(OPERATOR, self._source, PREFIX_AUTHORITY, [], (), notes))
        self._client.finish_load()


class TrialCarrier:
    """Decides like the registrar, and keeps what would have been made in memory for a while."""

    def __init__(
        self, reader: Reader, sealer: Sealer, admins: frozenset[str], now_ms: int, source: str
    ) -> None:
        self._reader, self._sealer, self._admins = reader, sealer, admins
        self._now_ms, self._source = now_ms, source
        self._moves: list[Submission] = []
        self._answers: deque[list[Receipt]] = deque()
        self._renew()

    def start(self, batch: Batch) -> None:
        """As ``Carrier`` says."""
        self._reader.refresh()
        if self._count >= TRIED_TOGETHER:
            self._renew()
        due = [order.command for order in batch.due if order.command is not None]
        self._answers.append([self.add(command, batch.principal) for command in due])
        self._reader.release()

    def finish(self) -> list[Receipt]:
        """As ``Carrier`` says."""
        return self._answers.popleft()

    def recall(self, batch: Batch) -> list[Receipt | None]:
        """Nothing was ever sent."""
        return [None] * len(batch.due)

    def add(self, command: Command, principal: Principal) -> Receipt:
        """As ``Carrier`` says."""
        self._count += 1
        submission = Submission(principal, command, self._source)
        if command.operation in _MOVES:
            self._moves.append(submission)
        return decide_one(submission, self._overlay, self._holdings, self._sealer)

    def save(self, note: bytes) -> None:
        """A trial leaves nothing."""

    def _renew(self) -> None:
        self._count = 0
        self._overlay = Overlay(self._reader, self._now_ms)
        self._holdings = Holdings(self._overlay, self._sealer, self._admins)
        for submission in self._moves:
            decide_one(submission, self._overlay, self._holdings, self._sealer)
