"""What verification tells: what is wrong, by name, and which values are vouched for."""

from collections.abc import Set
from enum import Enum
from typing import NamedTuple


class Fault(Enum):
    """Everything that can be wrong, in the order in which one outweighs the other."""

    MALFORMED = "malformed"
    """A signature or certificate cannot be read."""
    ALGORITHM_NOT_ALLOWED = "algorithm-not-allowed"
    """``none``, a secret instead of a key, or an algorithm that is not that of the issuer's kind of key."""
    ALGORITHM_UNAVAILABLE = "algorithm-unavailable"
    """Known, but this installation lacks what it needs (SM2)."""
    FORGED_SIGNATURE = "forged-signature"
    """Not made with the key of the issuer."""
    WRONG_SUBJECT = "wrong-subject"
    """A signature of another record."""
    UNTRUSTED_ROOT = "untrusted-root"
    """The chain ends at a key that certifies itself and that nobody here trusts."""
    UNKNOWN_ISSUER = "unknown-issuer"
    """The issuer's record is absent, or has no certificate for its key."""
    UNREACHABLE = "unreachable"
    """The issuer's record could not be asked for."""
    LOOP = "loop"
    TOO_LONG = "too-long"
    TOO_COSTLY = "too-costly"
    """More signatures would have to be checked than one answer is worth."""
    OUT_OF_SCOPE = "out-of-scope"
    """A key signed or certified what its own certificate does not cover."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"


class Finding(NamedTuple):
    """One thing that is wrong with a chain."""

    fault: Fault
    reason: str
    """For people: who, what, and by how much."""
    link: int
    """0 = the signature over the record, 1 = the certificate of its issuer, and so on."""


class Chain(NamedTuple):
    """What became of one HS_SIGNATURE."""

    index: int  # type: ignore[assignment]  # of the value; tuple.index is not wanted here
    links: tuple[str, ...]
    """The issuers from the record upwards, ``index:handle``."""
    findings: tuple[Finding, ...]
    """What outweighs the others first; none = the signature is good."""

    @property
    def is_good(self) -> bool:
        """Made by a key that a trusted root vouches for, for this record, now."""
        return not self.findings


class State(Enum):
    """What is known about one value."""

    VERIFIED = "verified"
    """A good signature has its digest."""
    DIGEST_MISMATCH = "digest-mismatch"
    """A good signature has another digest for its index."""
    UNPROVED = "unproved"
    """Only signatures that are not good have its digest."""
    UNSIGNED = "unsigned"
    """No signature names its index."""
    MISSING = "missing-value"
    """A good signature names an index at which the record has no value."""


GOOD, PARTLY, NONE = "verified", "partly-verified", "unsigned"


class Verdict(NamedTuple):
    """About one record."""

    chains: tuple[Chain, ...]
    states: dict[int, State]
    """Of each value that needs a signature, by index, and of missing ones."""
    checks: int
    """Signatures that were checked."""

    @property
    def is_verified(self) -> bool:
        """Every value is vouched for, and none is missing."""
        return self.word == GOOD

    def about(self, indexes: Set[int]) -> "Verdict":
        """The same about some of the values only."""
        states = {index: state for index, state in self.states.items() if index in indexes}
        return self._replace(states=states)

    @property
    def word(self) -> str:
        """The whole in a word: ``verified``, ``partly-verified``, ``unsigned``, or what is wrong."""
        found, is_good = set(self.states.values()), any(chain.is_good for chain in self.chains)
        if found <= {State.VERIFIED} and is_good:
            return GOOD
        if State.DIGEST_MISMATCH in found:
            return State.DIGEST_MISMATCH.value
        if not is_good:
            findings = [finding for chain in self.chains for finding in chain.findings]
            return findings[0].fault.value if findings else NONE
        return State.MISSING.value if State.MISSING in found else PARTLY
