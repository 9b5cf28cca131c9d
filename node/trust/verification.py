"""Verdicts as documents: what ``--json`` tells, and what people are shown."""

from collections.abc import Mapping
from typing import Any

from protocols.trust.verdict import Chain, Verdict

STEPS = {
    "unsigned": "whoever registered it signs it: biaojie sign {handle} --key FILE --as INDEX:HANDLE",
    "untrusted-root": "name the roots you trust with --trust FILE; see docs/trust.md",
    "unknown-issuer": "whoever issued that key certifies it: biaojie sign --cert INDEX:HANDLE …",
    "expired": "whoever signed it signs it again: biaojie sign",
    "out-of-scope": "its issuer has to certify the key for it: biaojie sign --cert … --may PERM=HANDLE",
    "too-long": "if you mean to follow it: --max-links N",
    "too-costly": "if you mean to follow it: --max-links N",
    "unreachable": "ask a server that resolves for others, or try again",
    "algorithm-unavailable": "pip install 'biaojie[sm]'",
    "partly-verified": "who added the other values, vouches for them: biaojie sign {handle} …",
    "missing-value": "whoever took the value away, signs again: biaojie sign {handle} …",
}
"""What to do about a verdict."""
DISTRUST = "do not rely on it; ask whoever registered it, by another way"


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """For programs."""
    return {
        "verdict": verdict.word,
        "verified": verdict.is_verified,
        "values": [
            {"index": index, "state": state.value} for index, state in verdict.states.items()
        ],
        "signatures": [_chain_document(chain) for chain in verdict.chains],
        "checks": verdict.checks,
    }


def reason_of(verdict: Verdict) -> str:
    """The verdict in a sentence."""
    bad = [i for i, state in verdict.states.items() if state.value == verdict.word]
    if bad and verdict.chains:
        return f"{verdict.word} at index {', '.join(map(str, bad))}"
    findings = [finding for chain in verdict.chains for finding in chain.findings]
    named = next((one for one in findings if one.fault.value == verdict.word), None)
    if named is not None:
        return f"{verdict.word}: {named.reason}"
    unsigned = [str(i) for i, state in verdict.states.items() if state.value != "verified"]
    return (
        f"{verdict.word}: nobody vouches for index {', '.join(unsigned)}"
        if unsigned
        else verdict.word
    )


def step_of(verdict: Verdict, handle: str) -> str:
    """What to do next."""
    return STEPS.get(verdict.word, DISTRUST).format(handle=handle)


def chain_lines(verdict: Verdict) -> list[str]:
    """For people: each signature with its issuers, and what is wrong with it."""
    lines = []
    for chain in verdict.chains:
        word = "good" if chain.is_good else "not good"
        lines.append(
            f"signature at index {chain.index}: {word}; {' ← '.join(chain.links) or 'nobody'}"
        )
        lines += [f"  {one.fault.value}: {one.reason}" for one in chain.findings]
    return lines


def _chain_document(chain: Chain) -> Mapping[str, Any]:
    return {
        "index": chain.index,
        "good": chain.is_good,
        "issuers": list(chain.links),
        "findings": [
            {"fault": one.fault.value, "reason": one.reason, "link": one.link}
            for one in chain.findings
        ],
    }
