"""Secrets that other nodes keep: they are asked over TCP (op 201), and a yes counts only when it is signed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

import pytest

from node.proving.far_secrets import FarSecrets, Surroundings, make_request
from node.upstream.messages import verify_message
from node.upstream.verification import MOST_UNDER_WAY
from protocols.handle.authentication import VerifyAnswer, VerifyRequest
from protocols.handle.codec import Message, decode, encode, encode_payload
from protocols.handle.codes import CERT, RRDG, OpCode, ResponseCode
from protocols.handle.failures import ErrorAnswer
from protocols.handle.proof import challenge_content, decode_secret_proof, secret_is_right
from protocols.handle.replies import reply
from protocols.handle.signing import make_signature
from protocols.identifier import parse_identifier
from protocols.message import Answer, Outcome, Principal, Query
from protocols.values.site import TCP, UDP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from resolver.asking import Role, Target
from resolver.delegation import Delegated, NotHere
from resolver.source import Peer
from tests.faulty_peer.credentials import blob_of, key_named
from tests.node.proving.accounts import CONTENT, SECRET, claim, make, peer, secret_proof
from tests.node.upstream.asker import Asker, wall_s

FAR = "88.999/people/王五"
UPSTREAM = Target(TCP, "127.0.0.1", 1, Role.UPSTREAM)
"""On this machine, so that it may lead there."""
FAILED = Outcome.AUTHENTICATION_FAILED


class Habit(Enum):
    HONEST = "says what is so, signed"
    UNSIGNED = "says yes, unsigned"
    STRANGER = "says yes, signed with another key"
    NO_DIGEST = "says yes, signed, without the digest of its request"
    REPLAYED = "says the yes that another request got"
    NO = "says no"
    ERROR = "says it cannot"
    ERROR_YES = "says yes under a code that is none"
    SILENT = "says nothing"
    CLOSES = "closes"


class Judge:
    """A node that keeps one secret."""

    def __init__(self, habit: Habit = Habit.HONEST) -> None:
        self.habit = habit
        self.asked: list[Message] = []
        self.port = 0
        self._first = b""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Judge"]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    def site(self, protocol: int = TCP, key: str = "judge") -> Site:
        key_data = blob_of(key_named(key)) if key else b""
        return Site((Server(1, "127.0.0.1", (Interface(protocol, self.port),), key_data),))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(20)
                body = await reader.readexactly(int.from_bytes(head[16:20]))
                request = decode(head + body)
                self.asked.append(request)
                if self.habit is Habit.SILENT:
                    continue
                if self.habit is Habit.CLOSES:
                    break
                writer.write(self._answer(request))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, request: Message) -> bytes:
        body, code = VerifyAnswer(1), int(ResponseCode.SUCCESS)
        asked = request.body
        assert isinstance(asked, VerifyRequest)
        if self.habit in (Habit.HONEST, Habit.REPLAYED):
            content = challenge_content(asked.nonce, asked.digest_value)
            is_right = secret_is_right(decode_secret_proof(asked.signed_response), SECRET, content)
            is_known = asked.user_handle == FAR.encode() and asked.user_index == 300
            body = VerifyAnswer(int(is_right and is_known))
        if self.habit is Habit.NO:
            body = VerifyAnswer(0)
        if self.habit is Habit.ERROR:
            body, code = ErrorAnswer(b"no"), int(ResponseCode.NOT_RESPONSIBLE)
        if self.habit is Habit.ERROR_YES:
            code = int(ResponseCode.VALUES_NOT_FOUND)
            body = ErrorAnswer(b"\1")
        if self.habit is Habit.NO_DIGEST:
            flags = request.header.op_flags & ~RRDG
            request = request._replace(header=request.header._replace(op_flags=flags))
        made = reply(request, code, body, serial=1, expiration_s=int(wall_s()) + 3600)
        key = key_named("stranger" if self.habit is Habit.STRANGER else "judge")
        if self.habit is not Habit.UNSIGNED:
            signature = make_signature(key, made.envelope, 0, encode_payload(made))
            made = made._replace(credential=signature)
        if self.habit is Habit.REPLAYED:
            self._first = self._first or encode(made)
            id_ = request.envelope.request_id.to_bytes(4)
            return self._first[:8] + id_ + self._first[12:]
        return encode(made)


@asynccontextmanager
async def asking(
    answers: dict[str, Answer], own_places: frozenset[tuple[str, int]] = frozenset()
) -> AsyncIterator[FarSecrets]:
    """``answers``: what a resolution of a record comes to."""

    async def resolve(query: Query, peer: Peer) -> Answer:
        return answers.get(query.identifier.text, Answer(Outcome.NOT_FOUND))

    async with Asker() as asker:
        yield FarSecrets(Surroundings(resolve, asker.client.verify, own_places, UPSTREAM))


def told(*sites: Site) -> dict[str, Answer]:
    values = tuple(Value(n, "HS_SITE", encode_site(site)) for n, site in enumerate(sites, 1))
    return {"0.NA/88.999": Answer(Outcome.SUCCESS, values)}


# the whole way


@pytest.mark.parametrize("code", [0x02, 0x03, 0x12, 0x13, 0x22])
async def test_a_proof_by_a_secret_kept_elsewhere_names_the_principal_when_its_node_says_so(
    code: int,
) -> None:
    async with Judge().serve() as judge, asking(told(judge.site())) as far:
        authenticator = make(far_secrets=far)
        right, wrong = secret_proof(code), secret_proof(code, b"guess")
        assert await authenticator.prove(claim(300, right, FAR), peer()) == Principal(FAR, 300)
        assert await authenticator.prove(claim(300, wrong, FAR), peer()) is FAILED
        assert await authenticator.prove(claim(301, right, FAR), peer()) is FAILED
    assert [one.header.op_code for one in judge.asked] == [OpCode.VERIFY_CHALLENGE] * 3
    assert all(one.header.op_flags & (CERT | RRDG) == CERT | RRDG for one in judge.asked)


async def test_a_password_is_never_told_to_the_node_that_keeps_it_but_proved() -> None:
    async with Judge().serve() as judge, asking(told(judge.site())) as far:
        authenticator = make(far_secrets=far)
        assert await authenticator.authenticate(FAR, 300, SECRET, peer()) == Principal(FAR, 300)
        assert await authenticator.authenticate(FAR, 300, SECRET, peer()) == Principal(FAR, 300)
        for wrong in (b"guess", b"", b"x" * 2000):
            assert await authenticator.authenticate(FAR, 300, wrong, peer()) is FAILED
    proofs = [decode_secret_proof(one.body.signed_response) for one in judge.asked]
    assert [proof.derivation.iterations for proof in proofs] == [10_000] * 3
    assert len({one.body.nonce for one in judge.asked}) == 3
    assert not any(SECRET in one.received for one in judge.asked)


async def test_a_delegated_prefix_needs_no_look_up() -> None:
    async with Judge().serve() as judge, asking({}) as far:
        place = Delegated(b"88.999", (judge.site(),))
        identifier = parse_identifier(FAR)
        assert await far.is_right(identifier, 300, CONTENT, secret_proof(0x22), place, peer())


async def test_a_service_handle_on_the_way_is_followed_once() -> None:
    async with Judge().serve() as judge:
        site = Value(1, "HS_SITE", encode_site(judge.site()))
        service = Value(1, "HS_SERV", b"0.SERV/88.999")
        answers = {
            "0.NA/88.999": Answer(Outcome.SUCCESS, (service,)),
            "0.SERV/88.999": Answer(Outcome.SUCCESS, (site,)),
        }
        async with asking(answers) as far:
            said = await make(far_secrets=far).prove(claim(300, secret_proof(0x22), FAR), peer())
            assert said == Principal(FAR, 300)
        answers["0.SERV/88.999"] = Answer(Outcome.SUCCESS, (service,))  # points at itself
        async with asking(answers) as far:
            said = await make(far_secrets=far).prove(claim(300, secret_proof(0x22), FAR), peer())
            assert said is Outcome.UNREACHABLE


# whom not to believe


@pytest.mark.parametrize(
    "habit",
    [
        Habit.UNSIGNED,
        Habit.STRANGER,
        Habit.NO_DIGEST,
        Habit.ERROR,
        Habit.ERROR_YES,
        Habit.CLOSES,
    ],
)
async def test_what_is_not_a_signed_verdict_is_none(habit: Habit) -> None:
    async with Judge(habit).serve() as judge, asking(told(judge.site())) as far:
        authenticator = make(far_secrets=far)
        said = await authenticator.prove(claim(300, secret_proof(0x22), FAR), peer())
    assert said is Outcome.UNREACHABLE
    assert authenticator.failed_count == 0
    assert judge.asked


async def test_the_yes_for_one_proof_is_none_for_another() -> None:
    async with Judge(Habit.REPLAYED).serve() as judge, asking(told(judge.site())) as far:
        authenticator = make(far_secrets=far)
        right, guess = secret_proof(0x13), secret_proof(0x13, b"guess")
        assert await authenticator.prove(claim(300, right, FAR), peer()) == Principal(FAR, 300)
        said = await authenticator.prove(claim(300, guess, FAR), peer())
        assert said is Outcome.UNREACHABLE


async def test_a_server_without_a_key_in_its_site_is_not_believed() -> None:
    async with Judge().serve() as judge, asking(told(judge.site(key=""))) as far:
        said = await make(far_secrets=far).prove(claim(300, secret_proof(0x22), FAR), peer())
    assert said is Outcome.UNREACHABLE


async def test_a_signed_no_is_a_no() -> None:
    async with Judge(Habit.NO).serve() as judge, asking(told(judge.site())) as far:
        authenticator = make(far_secrets=far)
        assert await authenticator.prove(claim(300, secret_proof(0x22), FAR), peer()) is FAILED
        assert authenticator.failed_count == 1


# bounds


async def test_a_silent_node_is_given_up_in_time_and_another_one_asked() -> None:
    made = claim(300, secret_proof(0x22), FAR)
    async with (
        Judge(Habit.SILENT).serve() as silent,
        Judge().serve() as judge,
        asking(told(silent.site(), judge.site())) as far,
    ):
        # With all of ``PATIENCE_S`` spent on the silent one, it would be UNREACHABLE, on a machine of any speed.
        assert await make(far_secrets=far).prove(made, peer()) == Principal(FAR, 300)
        assert len(silent.asked) == len(judge.asked) == 1


async def test_this_node_is_never_asked_by_itself_and_nobody_over_udp() -> None:
    async with Judge().serve() as judge:
        own = frozenset({("127.0.0.1", judge.port)})
        for answers, places in ((told(judge.site()), own), (told(judge.site(UDP)), frozenset())):
            async with asking(answers, places) as far:
                made = claim(300, secret_proof(0x22), FAR)
                assert await make(far_secrets=far).prove(made, peer()) is Outcome.UNREACHABLE
        assert judge.asked == []


async def test_a_look_up_without_an_answer_ends_in_time() -> None:
    async def resolve(query: Query, peer: Peer) -> Answer:
        return Answer(Outcome.BUSY)

    async def ask(target: Target, request: VerifyRequest, patience_s: float) -> bool | None:
        raise AssertionError("nobody is known who could be asked")

    far = FarSecrets(Surroundings(resolve, ask, frozenset(), None))
    place = NotHere(b"88.999", None)
    said = await far.is_right(
        parse_identifier(FAR), 300, CONTENT, secret_proof(0x13), place, peer()
    )
    assert said is Outcome.BUSY


async def test_too_many_at_once_are_told_to_come_back() -> None:
    async with Judge(Habit.SILENT).serve() as judge, Asker() as asker:
        target = Target(TCP, "127.0.0.1", judge.port)
        request = make_request(parse_identifier(FAR), 300, CONTENT, secret_proof(0x13))
        asks = [asker.client.verify(target, request, 1.0) for _ in range(MOST_UNDER_WAY + 3)]
        done, pending = await asyncio.wait(
            [asyncio.create_task(one) for one in asks], return_when=asyncio.FIRST_COMPLETED
        )
        assert (len(done), len(pending)) == (3, MOST_UNDER_WAY)  # at once: nobody's second is over
        assert await asyncio.gather(*pending) == [None] * MOST_UNDER_WAY


# the question


@pytest.mark.parametrize("size", [0, 5, 16, 36, 48, 80, 81, 200, 320])
def test_whoever_is_asked_joins_the_content_again(size: int) -> None:
    content = bytes(range(256)) * 2
    request = make_request(parse_identifier(FAR), 300, content[:size], secret_proof(0x13))
    back = decode(verify_message(request, 7, 1_700_000_000.0)).body
    assert challenge_content(back.nonce, back.digest_value) == content[:size]


def test_a_content_that_does_not_fit_is_no_question() -> None:
    assert make_request(parse_identifier(FAR), 300, bytes(321), secret_proof(0x13)) is None
