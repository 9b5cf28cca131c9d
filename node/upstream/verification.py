"""Verification: a server is asked whether a proof is right by a secret that it keeps (op 201; RFC 3652 §3.5.3).

Over TCP, and only an answer counts that is signed with the key the server's site names and that names its request by
digest: whoever could forge a yes could log in as anybody.
"""

import asyncio
from collections.abc import Callable

from node.upstream.job import Carrier, Job, Said
from node.upstream.messages import signed_part, verify_message
from node.upstream.proof import is_proved, read_keys
from protocols.handle.authentication import VerifyAnswer, VerifyRequest
from protocols.handle.codec import Message
from protocols.handle.codes import OpCode, ResponseCode
from resolver.asking import Question, Target, Trouble

MOST_UNDER_WAY = 64
"""Of all servers together. More would be somebody trying passwords; they are told to come back."""
_NUMBER = -2
"""Nobody but this module waits for it."""


class Verifications:
    """Asks through the connections that questions use."""

    def __init__(self, tcp: Carrier, wall_s: Callable[[], float]) -> None:
        self._tcp = tcp
        self._wall_s = wall_s
        self._under_way = 0

    async def ask(self, target: Target, request: VerifyRequest, patience_s: float) -> bool | None:
        """The verdict; None when nothing came in time that counts. Never raises but when it is cancelled."""
        if self._under_way >= MOST_UNDER_WAY:
            return None
        self._under_way += 1
        try:
            return await self._ask(target, request, patience_s)
        finally:
            self._under_way -= 1

    async def _ask(self, target: Target, request: VerifyRequest, patience_s: float) -> bool | None:
        loop = asyncio.get_running_loop()
        came: asyncio.Future[Said] = loop.create_future()

        def settle(job: Job, said: Said) -> None:
            job.is_settled = True
            if not came.done():
                came.set_result(said)

        job = Job(_NUMBER, target, Question(b""), loop.time() + patience_s, settle)
        job.op_code = OpCode.VERIFY_CHALLENGE
        job.message = verify_message(request, job.request_id, self._wall_s())
        self._tcp.ask(job)
        try:
            async with asyncio.timeout(patience_s):
                said = await came
        except TimeoutError:
            said = Trouble.TIMEOUT
        finally:
            if not job.is_settled:
                self._tcp.drop(job)
        return _verdict(said, target, signed_part(job.message))


def _verdict(said: Said, target: Target, asked: bytes) -> bool | None:
    if not isinstance(said, Message) or not is_proved(said, read_keys([target.public_key]), asked):
        return None
    body = said.body
    if said.header.response_code != ResponseCode.SUCCESS or not isinstance(body, VerifyAnswer):
        return None
    return body.verdict == 1
