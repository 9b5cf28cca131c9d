"""Keys of pinned servers: told by their site (get-site-info), believed because of the pin.

An answer whose key is not known is held while the server is asked for its site over TCP; then it is judged again.
That happens at the first question, and when a server goes over to its next key.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

from node.upstream.job import Carrier, Job, Said
from node.upstream.messages import signed_part, site_message
from node.upstream.proof import MAX_SITE_KEYS, is_proved, key_pin, keys_of_site, pinned, read_keys
from protocols.handle.codec import Message
from protocols.handle.codes import OpCode
from protocols.handle.signatures import VerifyingKey
from resolver.asking import Question, Target, Trouble

LOOK_S = 2.0
"""Patience with a server that is asked for its keys."""
LOOK_AGAIN_S = 10.0
"""A server whose keys do not fit is not asked for others more often than this."""
MOST_HELD = 64
"""Answers of one server that wait for its keys; they may have 256 KiB each."""

_SITE_NUMBER = -1
"""Nobody but this module waits for it."""

Then = Callable[[Job, Message, bool], None]
"""What to do with a judged answer: ``then(job, message, is_proved)``."""


class Held(NamedTuple):
    """An answer that waits for keys."""

    job: Job
    message: Message
    then: Then


class KnownKeys:
    """Of one place."""

    __slots__ = ("held", "keys", "look_again_s", "looking")

    def __init__(self) -> None:
        self.keys: tuple[VerifyingKey, ...] = ()
        self.look_again_s = 0.0
        self.looking: Job | None = None
        self.held: list[Held] = []


class KeyFinder:
    """Judges answers of pinned servers."""

    def __init__(self, pins: Iterable[bytes], tcp: Carrier, wall_s: Callable[[], float]) -> None:
        self._pins = frozenset(pins)
        self._tcp = tcp
        self._wall_s = wall_s
        self._known: dict[tuple[str, int], KnownKeys] = {}
        """As many as the operator has configured servers."""

    def judge(self, job: Job, message: Message, then: Then) -> None:
        """Call ``then``, now or once the server's keys are known."""
        known = self._known.get(job.target.place)
        if known is None:
            known = self._known[job.target.place] = KnownKeys()
            self._learn(known, read_keys([job.target.public_key]))
        if is_proved(message, known.keys, signed_part(job.message)):
            then(job, message, True)  # noqa: FBT003  # the callback's one flag
        elif message.credential is not None and self._may_hold(known):
            job.is_held = True
            known.held.append(Held(job, message, then))
            if known.looking is None:
                self._look(known, job.target)
        else:
            then(job, message, False)  # noqa: FBT003

    def close(self) -> None:
        """Forget what waits."""
        for known in self._known.values():
            known.held.clear()
            if known.looking is not None and known.looking.timer is not None:
                known.looking.timer.cancel()

    def _may_hold(self, known: KnownKeys) -> bool:
        if known.looking is not None:
            return len(known.held) < MOST_HELD
        return asyncio.get_running_loop().time() >= known.look_again_s

    def _look(self, known: KnownKeys, target: Target) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + LOOK_S
        known.look_again_s = loop.time() + LOOK_AGAIN_S

        def settle(job: Job, said: Said) -> None:
            if known.looking is job:
                self._looked(known, said)

        job = Job(_SITE_NUMBER, target.over_tcp(), Question(b""), until_s, settle)
        job.op_code = OpCode.GET_SITE_INFO
        job.message = site_message(job.request_id, self._wall_s())
        job.timer = loop.call_at(until_s, self._give_up, job)
        known.looking = job
        self._tcp.ask(job)

    def _give_up(self, job: Job) -> None:
        self._tcp.drop(job)
        job.settle(job, Trouble.TIMEOUT)

    def _looked(self, known: KnownKeys, said: Said) -> None:
        if known.looking is not None and known.looking.timer is not None:
            known.looking.timer.cancel()
        known.looking = None
        if isinstance(said, Message):
            self._learn(known, keys_of_site(said))
        held, known.held = known.held, []
        for job, message, then in held:
            if not job.is_settled:
                then(job, message, is_proved(message, known.keys, signed_part(job.message)))

    def _learn(self, known: KnownKeys, keys: Iterable[VerifyingKey]) -> None:
        """New keys beside the old ones, which are pinned too and may be another server's behind the same name."""
        by_pin = {key_pin(key): key for key in (*pinned(keys, self._pins), *known.keys)}
        known.keys = tuple(by_pin.values())[:MAX_SITE_KEYS]
