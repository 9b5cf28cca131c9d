"""Imports of orders into a real store with a real registrar, in one process, with ways to die in the middle."""

import os
from collections import deque
from pathlib import Path

from node.importing.order_carriers import RegistrarCarrier, TrialCarrier
from node.importing.order_judge import Judge
from node.importing.order_logins import Logins
from node.importing.order_run import OrderPlan, OrderRun, feed_source
from node.importing.order_source import open_orders, tell_order_format
from node.importing.reject_file import RejectFile
from node.registrar_wire import pack_parcel, unpack_chunk
from protocols.identifier import parse_identifier
from registry.holdings import Holdings
from registry.importing.order_resume import OrderPoint, decode_order_point
from registry.importing.resume import ResumePoint
from registry.importing.tally import Tally
from registry.sealing import Sealer, merge
from tests.node.importing.bench_node import NOW_MS, Bench, Killed

SEALER = Sealer(bytes(64))


class InProcess:
    """``RegistrarClient`` without its socket. Commit and receipt of each call are two events; the importing process
    dies in place of event ``dies_at``."""

    def __init__(self, registrar, dies_at: int) -> None:
        self._registrar, self._left = registrar, dies_at
        self._chunks, self._loads = deque(), deque()
        self.events = 0

    def start_chunk(self, parcel):
        self._live()
        assert len(self._chunks) < 2
        payload = _through_a_frame(pack_parcel(parcel))
        self._chunks.append(self._registrar.carry(unpack_chunk(payload), NOW_MS))

    def finish_chunk(self):
        self._live()
        return self._chunks.popleft()

    def start_load(self, load):
        self._live()
        self._loads.append(self._registrar.load(load, NOW_MS))

    def finish_load(self):
        self._live()
        return self._loads.popleft()

    def submit(self, submissions):
        self._live()
        return self._registrar.commit(submissions, NOW_MS)

    def _live(self):
        self.events += 1
        if self._left == 0:
            raise Killed
        self._left -= 1


def _through_a_frame(payload):
    from node.registrar_wire import FrameBuffer, encode_frame

    (frame,) = FrameBuffer().receive(encode_frame(1, "chunk", payload))
    return frame.payload


class OrderBench(Bench):
    """One directory; call ``take`` as often as the command would be run."""

    def take(
        self,
        path: Path,
        *,
        format_: str = "",
        dies_at: int = -1,
        overwrite: bool = False,
        as_admin: bool = False,
        files: bool = False,
        dry: bool = False,
        rejects: Path | None = None,
        encoding: str = "auto",
        parcel: int = 512,
    ) -> OrderRun:
        format_ = format_ or tell_order_format(path, encoding)
        source = open_orders(path, format_, encoding, may_read_files=files)
        self.reader.refresh()
        note = source.note_name(f"{overwrite}{files}{as_admin}")
        stored = None if dry else self.reader.note(note)
        start = decode_order_point(stored) if stored else None
        if start is None:
            fresh = ResumePoint(0, self.reader.head().seq, str(rejects or ""), 0, Tally())
            start = OrderPoint(os.urandom(8).hex(), fresh)
        self.reader.release()
        feed = feed_source(path)
        self.client = InProcess(self.registrar, dies_at)
        if dry:
            carrier = TrialCarrier(self.reader, SEALER, frozenset(), NOW_MS, feed)
        else:
            carrier = RegistrarCarrier(self.client, self.reader, SEALER, note, start.run_id, feed)
        log_in = None
        if as_admin:
            log_in = Logins(self.reader, Holdings(self.reader, SEALER), path.parent).log_in
        file = RejectFile(rejects, start.point.reject_bytes)
        plan = OrderPlan(source, overwrite, log_in, parcel)
        run = OrderRun(plan, carrier, Judge(self.reader, SEALER, feed), file, start)
        run.is_done = False
        try:
            run.finish(lambda *_: None)
            run.is_done = True
            run.forget()
        except Killed:
            pass
        finally:
            file.close()
        return run

    def all_values(self, handle: str):
        self.reader.refresh()
        record = self.reader.lookup(parse_identifier(handle))
        self.reader.release()
        return None if record is None else merge(record, SEALER)

    def records(self, prefix: str = "88.118") -> dict[str, tuple]:
        """Everything below a prefix: spelling -> values without times."""
        self.reader.refresh()
        found, after = {}, b""
        while page := self.reader.list_records(prefix.encode(), after, 1000):
            for record in page:
                values = merge(record, SEALER)
                found[record.spelling.decode()] = tuple(v._replace(timestamp=0) for v in values)
            after = page[-1].key.partition(b"/")[2]
        self.reader.release()
        return found
