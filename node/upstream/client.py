"""The upstream client: every ``Send`` of the resolver goes out here and ends in one reply or one trouble.

It decides which carrier asks (UDP, TCP, HTTP), watches the deadline, has answers of pinned servers proved, and tells
the resolver. A near miss over UDP is told besides, at most once for a question, and ends nothing.
"""

import asyncio
from collections.abc import Callable

from node.logs import get_log
from node.upstream.job import Carrier, Job, Said, UpstreamSettings
from node.upstream.keys import KeyFinder
from node.upstream.messages import TELLS_NOTHING, question_message, reply_of
from node.upstream.proof import parse_pin
from node.upstream.tcp import TcpCarrier
from node.upstream.udp import UdpCarrier
from node.upstream.verification import Verifications
from node.upstream.web import WebCarrier
from protocols.handle.authentication import VerifyRequest
from protocols.handle.codec import Message
from protocols.values.site import HTTP, HTTPS, TCP, UDP
from resolver.asking import Reply, Role, Send, Target, Trouble
from resolver.source import Now

__all__ = ["UpstreamClient", "UpstreamSettings"]

log = get_log("upstream")

OnReply = Callable[[int, Reply], None]
OnTrouble = Callable[[int, Trouble], None]


class UpstreamClient:
    """Lives on one event loop. ``wall_s`` gives seconds since 1970.

    Raises ``Malformed`` when a pin is none.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        on_reply: OnReply,
        on_trouble: OnTrouble,
        wall_s: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._on_reply, self._on_trouble = on_reply, on_trouble
        self._jobs: dict[int, Job] = {}
        self.udp = UdpCarrier(self._near_miss, settings.max_message_bytes)
        self.tcp = TcpCarrier(settings)
        self.web = WebCarrier(settings, self.tcp.may_buffer)
        self._carriers: dict[int, Carrier] = {
            UDP: self.udp, TCP: self.tcp, HTTP: self.web, HTTPS: self.web,
        }  # fmt: skip
        pins = tuple(map(parse_pin, settings.pins))
        self._keys = KeyFinder(pins, self.tcp, wall_s) if pins else None
        self._verifications = Verifications(self.tcp, wall_s)
        self._is_closed = False

    @property
    def under_way(self) -> int:
        """Questions that have not ended."""
        return len(self._jobs)

    def send(self, send: Send, now: Now) -> None:
        """Ask. Never raises, never blocks, and calls nobody back before it returns."""
        loop = asyncio.get_running_loop()
        target, question = send.target, send.question
        patience_s = max(0.0, send.until_s - now.monotonic_s)
        job = Job(send.number, target, question, loop.time() + patience_s, self._settle)
        assert send.number not in self._jobs, f"number {send.number} is under way"
        self._jobs[send.number] = job
        job.timer = loop.call_later(patience_s, self._expire, job)
        carrier = self._carriers.get(target.protocol)
        if carrier is None or self._is_closed:
            loop.call_soon(self._settle, job, Trouble.REFUSED)
            return
        if self._keys is not None and target.role is Role.UPSTREAM and target.protocol == HTTP:
            loop.call_soon(self._settle, job, Trouble.UNTRUSTED)  # no key vouches for plain HTTP
            return
        if target.protocol in {UDP, TCP}:
            job.message = question_message(
                question, job.request_id, now.wall_s,
                wants_proof=self._wants_proof(job), says_via=self._settings.say_via,
            )  # fmt: skip
        carrier.ask(job)

    def cancel(self, number: int) -> None:
        """Nobody waits for it any more: nothing is told about it from now on."""
        job = self._jobs.get(number)
        if job is not None:
            self._end(job)
            self._drop(job)

    async def verify(
        self, target: Target, request: VerifyRequest, patience_s: float
    ) -> bool | None:
        """Whether a proof is right by a secret that ``target`` keeps; None when nothing came that counts."""
        return (
            None if self._is_closed else await self._verifications.ask(target, request, patience_s)
        )

    async def close(self) -> None:
        """Let go of every socket, task and timer; what is under way is not told any more."""
        self._is_closed = True
        for number in list(self._jobs):
            self.cancel(number)
        if self._keys is not None:
            self._keys.close()
        for carrier in (self.udp, self.web, self.tcp):
            await carrier.close()

    def _expire(self, job: Job) -> None:
        trouble = Trouble.TIMEOUT if job.is_asked else Trouble.CROWDED
        if job.is_held:
            trouble = Trouble.UNTRUSTED  # it answered in time, with a key nobody vouched for
        self._drop(job)
        self._settle(job, trouble)

    def _drop(self, job: Job) -> None:
        carrier = self._carriers.get(job.target.protocol)
        if carrier is not None:
            carrier.drop(job)

    def _settle(self, job: Job, said: Said) -> None:
        """A carrier is through with a job."""
        if job.is_settled:
            return
        if not isinstance(said, Message):
            self._tell(job, said)
        elif self._keys is not None and self._wants_proof(job):
            self._keys.judge(job, said, self._judged)
        else:
            self._tell(job, reply_of(said, is_signed=False))

    def _judged(self, job: Job, message: Message, is_proved: bool) -> None:
        if job.is_settled:
            return
        reply = reply_of(message, is_signed=is_proved)
        is_harmless = is_proved or reply.outcome in TELLS_NOTHING
        self._tell(job, reply if is_harmless else Trouble.UNTRUSTED)

    def _near_miss(self, job: Job) -> None:
        if not job.is_settled:
            self._call(job, Trouble.NEAR_MISS)

    def _tell(self, job: Job, said: Reply | Trouble) -> None:
        self._end(job)
        self._call(job, said)

    def _call(self, job: Job, said: Reply | Trouble) -> None:
        try:
            if isinstance(said, Reply):
                self._on_reply(job.number, said)
            else:
                self._on_trouble(job.number, said)
        except Exception:  # a bug in who asked must not cost a connection and the others on it
            log.exception("an answer from upstream met a bug", extra={"server": job.target.name})

    def _end(self, job: Job) -> None:
        job.is_settled = True
        if job.timer is not None:
            job.timer.cancel()
        self._jobs.pop(job.number, None)

    def _wants_proof(self, job: Job) -> bool:
        return (
            self._keys is not None
            and job.target.role is Role.UPSTREAM
            and job.target.protocol in {UDP, TCP}
        )
