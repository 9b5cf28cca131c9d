"""Hypothesis strategies: every message of the protocol, in every version from 2.1 to 2.11 and 3.0."""

from hypothesis import strategies as st

from protocols.handle.administration import (
    CreateAnswer,
    Done,
    HandleRequest,
    RemoveRequest,
    ValuesRequest,
)
from protocols.handle.authentication import (
    Challenge,
    ChallengeAnswer,
    LoginRequest,
    VerifyAnswer,
    VerifyRequest,
)
from protocols.handle.codec import Message
from protocols.handle.codes import RRDG, OpCode, ResponseCode
from protocols.handle.credential import Credential
from protocols.handle.digest import SIZES, Digest
from protocols.handle.envelope import TRUNCATED, Envelope
from protocols.handle.failures import ErrorAnswer
from protocols.handle.header import Header
from protocols.handle.listing import NamesAnswer
from protocols.handle.resolution import Referral, ResolveAnswer, ResolveRequest
from protocols.handle.sessions import KeyExchangeRequest, SessionSetupAnswer, SessionSetupRequest
from protocols.handle.site_info import SiteAnswer
from protocols.handle.transactions import (
    Private,
    TransactionNumber,
    TransactionsAnswer,
    TransactionsRequest,
)
from protocols.values.value import Reference, Value

VERSIONS = [*((2, minor) for minor in range(1, 12)), (3, 0)]

u8, u16, u32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
u64 = st.integers(0, (1 << 64) - 1)
texts = st.text(max_size=12)
handles = st.one_of(st.binary(max_size=24), st.just(b"88.118.7/SN-1"))
small = st.binary(max_size=40)
surplus = st.one_of(st.just(b""), st.just(b"\0\0"), st.binary(max_size=9))
indexes = st.lists(u32, max_size=5).map(tuple)
references = st.builds(Reference, texts, u32)
values = st.lists(
    st.builds(
        Value, u32, texts, small, u32, u8, u8, u32, st.lists(references, max_size=2).map(tuple)
    ),
    max_size=4,
).map(tuple)
digests = st.sampled_from(sorted(SIZES)).flatmap(
    lambda type_: st.builds(Digest, st.just(type_), st.binary(min_size=SIZES[type_], max_size=SIZES[type_]))
)  # fmt: skip
credentials = st.builds(
    Credential, texts, st.binary(max_size=16), small, u32, handles, u8, u8, u16, surplus, surplus
)

handle_requests = st.builds(HandleRequest, handles, surplus)
values_requests = st.builds(ValuesRequest, handles, values, surplus)
done = st.builds(Done, surplus)
names = st.builds(NamesAnswer, st.lists(handles, max_size=5).map(tuple), surplus)
setup_requests = st.one_of(
    st.builds(SessionSetupRequest, st.sampled_from((1, 4)), u32, handles, u32, small, surplus),
    st.builds(SessionSetupRequest, st.just(2), u32, handles, u32, st.none(), surplus),
    st.builds(SessionSetupRequest, st.just(3), u32, handles, u32, references, surplus),
)
share = (u8, u32, u32)
transactions_requests = st.one_of(
    st.builds(TransactionsRequest, st.just(0), st.just(b""), u64, u64, *share, surplus),
    st.builds(TransactionsRequest, st.integers(1, 255), small, st.just(0), st.just(0), *share, surplus),
)  # fmt: skip
old_transactions_requests = st.builds(
    TransactionsRequest, st.none(), st.just(b""), u64, u64, *share, surplus
)

REQUESTS: dict[int, st.SearchStrategy] = {
    OpCode.RESOLVE: st.builds(ResolveRequest, handles, indexes, st.lists(texts, max_size=4).map(tuple), surplus),
    OpCode.GET_SITE_INFO: handle_requests,
    OpCode.CREATE: values_requests,
    OpCode.DELETE: handle_requests,
    OpCode.ADD_VALUE: values_requests,
    OpCode.REMOVE_VALUE: st.builds(RemoveRequest, handles, indexes, surplus),
    OpCode.MODIFY_VALUE: values_requests,
    OpCode.LIST_HANDLES: handle_requests,
    OpCode.LIST_DERIVED_PREFIXES: handle_requests,
    OpCode.CHALLENGE_ANSWER: st.builds(ChallengeAnswer, texts, handles, u32, small, surplus),
    OpCode.VERIFY_CHALLENGE: st.builds(
        VerifyRequest, handles, u32, small, st.one_of(digests, st.binary(max_size=64)), small, surplus
    ),
    OpCode.HOME_PREFIX: handle_requests,
    OpCode.UNHOME_PREFIX: handle_requests,
    OpCode.LIST_HOMED_PREFIXES: handle_requests,
    OpCode.SESSION_SETUP: setup_requests,
    OpCode.SESSION_TERMINATE: handle_requests,
    OpCode.SESSION_EXCHANGE_KEY: st.builds(KeyExchangeRequest, small, surplus),
    OpCode.NEXT_TRANSACTION: handle_requests,
    OpCode.RETRIEVE_TRANSACTIONS: transactions_requests,
    OpCode.DUMP_HANDLES: st.builds(Private, small),
    OpCode.BACKUP_SERVER: handle_requests,
    OpCode.SDK_LOGIN: st.builds(LoginRequest, handles, u32, surplus),
}  # fmt: skip

ANSWERS: dict[int, st.SearchStrategy] = {
    OpCode.RESOLVE: st.builds(ResolveAnswer, handles, values, surplus),
    OpCode.GET_SITE_INFO: st.builds(SiteAnswer, small),
    OpCode.CREATE: st.one_of(st.just(CreateAnswer(None)), st.builds(CreateAnswer, handles, surplus)),
    OpCode.DELETE: done,
    OpCode.ADD_VALUE: done,
    OpCode.REMOVE_VALUE: done,
    OpCode.MODIFY_VALUE: done,
    OpCode.LIST_HANDLES: names,
    OpCode.LIST_DERIVED_PREFIXES: names,
    OpCode.CHALLENGE_ANSWER: done,
    OpCode.VERIFY_CHALLENGE: st.builds(VerifyAnswer, u8, surplus),
    OpCode.HOME_PREFIX: done,
    OpCode.UNHOME_PREFIX: done,
    OpCode.LIST_HOMED_PREFIXES: names,
    OpCode.SESSION_SETUP: st.builds(SessionSetupAnswer, u16, small, surplus),
    OpCode.SESSION_TERMINATE: done,
    OpCode.SESSION_EXCHANGE_KEY: done,
    OpCode.NEXT_TRANSACTION: st.builds(TransactionNumber, u64, surplus),
    OpCode.RETRIEVE_TRANSACTIONS: st.builds(TransactionsAnswer, u8, small),
    OpCode.DUMP_HANDLES: st.builds(Private, small),
    OpCode.BACKUP_SERVER: done,
    OpCode.SDK_LOGIN: done,
}  # fmt: skip

errors = st.one_of(st.just(ErrorAnswer(None)), st.builds(ErrorAnswer, small, st.none(), surplus))
errors_3 = st.one_of(
    st.just(ErrorAnswer(None)),
    st.builds(ErrorAnswer, small, st.none(), st.just(b"")),
    st.builds(ErrorAnswer, small, indexes, surplus),
)
referrals = st.one_of(
    st.builds(Referral, handles, st.none(), st.just(b"")),
    st.builds(Referral, handles, values, surplus),
)
challenges = st.builds(Challenge, small, surplus)
FAILURE_CODES = [code for code in ResponseCode if code > ResponseCode.SUCCESS] + [601, 9999]


def failure_bodies(code: int, version: tuple[int, int]) -> st.SearchStrategy:
    if code == 402:
        return challenges
    if code == 302 or (code == 303 and version >= (2, 5)):
        return referrals
    return errors_3 if version >= (3, 0) else errors


@st.composite
def messages_of(draw, op_code: int, response_code: int, version: tuple[int, int]) -> Message:
    """One message of this kind, as ``decode`` would give it but for lengths and received bytes."""
    flags = draw(u32)
    if response_code == ResponseCode.REQUEST:
        body = draw(
            old_transactions_requests
            if op_code == OpCode.RETRIEVE_TRANSACTIONS and version < (2, 9)
            else REQUESTS[op_code]
        )
    elif response_code == ResponseCode.SUCCESS:
        body = draw(ANSWERS[op_code])
    else:
        body = draw(failure_bodies(response_code, version))
    has_digest = response_code and (flags & RRDG or response_code == 402)
    has_credential = draw(st.booleans())
    envelope = Envelope(
        *version, draw(st.sampled_from((0, TRUNCATED))), draw(st.integers(0, 31)), *draw(
            st.tuples(u8, u32, u32, u32)
        ),
    )  # fmt: skip
    return Message(
        envelope,
        Header(op_code, response_code, flags, *draw(st.tuples(u16, u8, u8, u32))),
        body,
        draw(digests) if has_digest else None,
        draw(st.one_of(st.none(), credentials)) if has_credential else None,
        has_credential,
        draw(surplus) if has_credential else b"",
    )
