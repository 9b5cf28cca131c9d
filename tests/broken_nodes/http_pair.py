"""One HTTP connection through the node in between: requests in, answers out, in turn."""

import asyncio

from tests.broken_nodes.breakage import CLOSED, HUNG_UP, Answered, Asked, Breakage, Scene
from tests.broken_nodes.http_stream import Requests, read_answer, write_answer
from tests.broken_nodes.streams import CHUNK_BYTES, Streams, run_both


class _Turn:
    """One request that waits for its answer."""

    def __init__(self) -> None:
        self.asked: Asked | None = None
        """None while it is not whole, and for ever if it is odd."""
        self.own: Answered | None = None
        """Told without the sound node."""
        self.is_decided = asyncio.Event()


class HttpPair:
    """One client's connection and the one to the sound node."""

    def __init__(self, streams: Streams, breakage: Breakage, scene: Scene) -> None:
        self._streams = streams
        self._breakage = breakage
        self._scene = scene
        self._requests = Requests(scene)
        self._turns: asyncio.Queue[_Turn] = asyncio.Queue()
        self._turn: _Turn | None = None
        """Of the request that comes in."""

    async def run(self) -> None:
        """Until either side ends."""
        await run_both(self._carry_requests(), self._carry_answers())

    async def _carry_requests(self) -> None:
        """Without an ``http_ask`` bytes go on as they come, so that also the time they take is the client's."""
        is_held = self._breakage.http_ask is not None
        while data := await self._streams.reader.read(CHUNK_BYTES):
            if not is_held or self._requests.is_odd:
                self._streams.far_writer.write(data)
            self._begin_turn()
            for asked in self._requests.feed(data):
                self._decide(asked)
            if self._requests.pending:
                turn = self._begin_turn()
                if self._requests.is_odd and not turn.is_decided.is_set():
                    if is_held:
                        self._streams.far_writer.write(self._requests.pending)
                    turn.is_decided.set()
        self._streams.far_writer.write_eof()

    def _begin_turn(self) -> _Turn:
        if self._turn is None:
            self._turn = _Turn()
            self._turns.put_nowait(self._turn)
        return self._turn

    def _decide(self, asked: Asked) -> None:
        turn = self._begin_turn()
        self._turn = None
        turn.asked = asked
        if self._breakage.http_ask is not None:
            decided = self._breakage.http_ask(asked)
            if isinstance(decided, Answered):
                turn.own = decided
            else:
                self._streams.far_writer.write(decided.raw)
        turn.is_decided.set()

    async def _carry_answers(self) -> None:
        while True:
            turn = await self._turns.get()
            if self._breakage.http_ask is not None:
                await turn.is_decided.wait()
            answered = turn.own or await read_answer(
                self._streams.far_reader, is_head=self._asked_in(turn).method == "HEAD"
            )
            if not self._tell(self._asked_in(turn), answered or HUNG_UP):
                return
            await self._streams.writer.drain()
            if self._requests.is_odd and self._turns.empty():
                self._turns.put_nowait(turn)  # more answers may come to what nobody can tell apart

    def _asked_in(self, turn: _Turn) -> Asked:
        return turn.asked or Asked(self._requests.pending, self._scene)

    def _tell(self, asked: Asked, answered: Answered) -> bool:
        """False when the connection ends with it."""
        said = answered
        if self._breakage.http_answer is not None:
            said = self._breakage.http_answer(asked, answered)
        if said is CLOSED or (isinstance(said, Answered) and said.status == HUNG_UP.status):
            return False
        if isinstance(said, Answered):
            said = write_answer(said, is_head=asked.method == "HEAD")
        if isinstance(said, bytes):
            self._streams.writer.write(said)
        return answered is not HUNG_UP
