"""The climb: from the signatures over a record, certificate by certificate, to a key that is trusted already.

``verify_record`` is a generator that decides and asks nobody: it yields the ``Need`` of a certificate's values, is
sent what was ``Found``, and returns its ``Verdict``. For each HS_SIGNATURE (Handle.Net manual, "Trust"):

1. its issuer is a trusted key: that key has to have made it, done. Else the issuer's certificate is needed: the value
   that ``chain`` names, or in the issuer's record the HS_CERT at the issuer's own index, or the latest of that key;
2. the certified key has to have made the signature, which has to be in time and within the certificate's permissions;
3. then the certificate itself goes to step 1, and what it passed on has to be within its own issuer's permissions.

Each certificate is chosen before it is checked, never tried: work grows with the links of one chain, and with nothing
that a stranger could put into a record. Dates and scope are judged of what was signed, so forged text is called forged.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from protocols.errors import ProtocolError, Unsupported
from protocols.identifier import Identifier
from protocols.trust.algorithms import ALGORITHMS, verify
from protocols.trust.certified_keys import Unavailable, load_certified_key
from protocols.trust.claims import Claims, Permission, folded, read_claims
from protocols.trust.digests import (
    CERTIFICATE_TYPE,
    SIGNATURE_TYPE,
    digests_of,
    is_of_type,
    is_self_signed,
)
from protocols.trust.jws import Jws, decode_jws
from protocols.trust.scope import signs, uncovered
from protocols.trust.verdict import Chain, Fault, Finding, State, Verdict
from protocols.values.key_objects import VerifyingKey
from protocols.values.value import Reference, Value

MAX_SIGNATURES = 8
"""HS_SIGNATURE values of one record that are looked at: one for each of a few signers, or two while one takes over."""
FORMAT_LINKS = 50
"""Longer chains are refused by the format."""
MAX_READ = 32
"""Signatures of a record, and certificates of an issuer, that are read at all to find the right ones among them."""
_ORDER = {fault: place for place, fault in enumerate(Fault)}


class Anchor(NamedTuple):
    """A key that is trusted without a certificate."""

    place: Reference
    """Whose it is; index 0 = any key of that handle."""
    key: VerifyingKey

    def is_of(self, issuer: Reference) -> bool:
        """Whether this is the issuer's key."""
        is_index = self.place.index in (0, issuer.index)
        return is_index and folded(self.place.handle) == folded(issuer.handle)


class Limits(NamedTuple):
    """What one verification may cost: a chain is somebody else's text."""

    links: int = 4
    """Certificates of one chain."""
    checks: int = 4
    """Signatures that are checked, of all chains of the record."""


NODE_LIMITS = Limits()
"""For answers on the way; whoever asks by hand may allow more, at most ``FORMAT_LINKS``."""


class Need(NamedTuple):
    """Values of another record, wanted next: those at ``index`` and those of ``type``."""

    handle: str
    index: int  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    type: str = CERTIFICATE_TYPE


class NotFound(NamedTuple):
    """Why there are no values."""

    reason: str
    is_unreachable: bool = True
    """Nobody answered, as against: the record is not there."""


Found = Sequence[Value] | NotFound
Climb = Generator[Need, Found, Verdict]


class _Signed(NamedTuple):
    jws: Jws
    claims: Claims


class _Wrong(Exception):
    """Ends a climb."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault, self.reason = fault, reason


def verify_record(
    identifier: Identifier,
    values: Sequence[Value],
    anchors: Sequence[Anchor],
    now_s: int,
    limits: Limits = NODE_LIMITS,
) -> Climb:
    """Judge a record by the signatures in it. ``values``: all that may be read of it."""
    budget = _Budget(limits, anchors, now_s)
    chains, good, claimed = [], list[Mapping[int, bytes]](), set[int]()
    signatures = [value for value in values if is_of_type(value, SIGNATURE_TYPE)][:MAX_READ]
    for value in sorted(signatures, key=_age, reverse=True)[:MAX_SIGNATURES]:
        climb = _Climb(identifier, budget)
        digests = yield from climb.run(value)
        claimed |= digests.keys()
        chain = climb.chain(value.index)
        chains.append(chain)
        if chain.is_good:
            good.append(digests)
    return Verdict(tuple(chains), _states(values, good, claimed), budget.checks)


def conclude(climb: Climb, fetch: Callable[[Need], Found]) -> Verdict:
    """Run a climb to its end; each record is fetched once."""
    known: dict[Need, Found] = {}
    try:
        need = next(climb)
        while True:
            if need not in known:
                known[need] = fetch(need)
            need = climb.send(known[need])
    except StopIteration as end:
        verdict: Verdict = end.value
        return verdict


def _states(
    values: Sequence[Value], good: Sequence[Mapping[int, bytes]], claimed: set[int]
) -> dict[int, State]:
    held = set[int]().union(*good)
    needing = [value for value in values if not is_self_signed(value) or value.index in held]
    states: dict[int, State] = {}
    for index, digest in digests_of(needing).items():
        told = [digests[index] for digests in good if index in digests]
        if digest in told:
            states[index] = State.VERIFIED
        elif told:
            states[index] = State.DIGEST_MISMATCH
        else:
            states[index] = State.UNPROVED if index in claimed else State.UNSIGNED
    present = {value.index for value in values}
    for digests in good:
        states |= {index: State.MISSING for index in digests if index not in present}
    return dict(sorted(states.items()))


class _Budget:
    """What all chains of one record share."""

    def __init__(self, limits: Limits, anchors: Sequence[Anchor], now_s: int) -> None:
        self.links = min(limits.links, FORMAT_LINKS)
        self.most_checks, self.checks = limits.checks, 0
        self.anchors, self.now_s = anchors, now_s
        self._right: set[tuple[bytes, bytes, bytes]] = set()
        self._chosen: dict[tuple[str, int, Reference], _Signed | None] = {}

    def anchor(self, issuer: Reference) -> Anchor | None:
        return next((anchor for anchor in self.anchors if anchor.is_of(issuer)), None)

    def choose(self, found: Sequence[Value], need: Need, issuer: Reference) -> _Signed | None:
        """The certificate of the issuer's key; looked for once."""
        place = (need.handle, need.index, issuer)
        if place not in self._chosen:
            self._chosen[place] = _choose(found, issuer, need.index)
        return self._chosen[place]

    def check(
        self, signed: _Signed, key: Callable[[], VerifyingKey], issuer: str, by: bytes
    ) -> None:
        """Raises ``_Wrong`` unless the key made the signature; what was right before costs nothing.

        ``by``: what stands for the key, the certificate's text or the name of a trusted one.
        """
        proof = (signed.jws.signed, signed.jws.signature, by)
        if proof in self._right:
            return
        name = signed.jws.algorithm
        if name not in ALGORITHMS:
            known = ", ".join(ALGORITHMS)
            reason = f"{name}: not one of {known}"
            raise _Wrong(Fault.ALGORITHM_NOT_ALLOWED, reason)
        if self.checks >= self.most_checks:
            reason = f"more than {self.most_checks} signatures would have to be checked"
            raise _Wrong(Fault.TOO_COSTLY, reason)
        try:
            is_right = verify(name, key(), signed.jws.signed, signed.jws.signature)
        except Unsupported as error:
            raise _Wrong(Fault.ALGORITHM_NOT_ALLOWED, f"{issuer}: {error}") from None
        self.checks += 1
        if not is_right:
            raise _Wrong(Fault.FORGED_SIGNATURE, f"not made with the key of {issuer}")
        self._right.add(proof)


class _Climb:
    """One HS_SIGNATURE and the certificates above it."""

    def __init__(self, identifier: Identifier, budget: _Budget) -> None:
        self._identifier, self._budget = identifier, budget
        self._link = 0
        self._links: list[str] = []
        self._seen: set[tuple[bytes, int]] = set()
        self._findings: list[Finding] = []

    def run(self, value: Value) -> Generator[Need, Found, Mapping[int, bytes]]:
        """The digests that the signature has, good or not."""
        digests: Mapping[int, bytes] = {}
        try:
            signed = _read(value, f"HS_SIGNATURE at index {value.index}")
            digests = signed.claims.digests or {}
            self._refuse_others(signed.claims, value.index)
            yield from self._up(signed)
        except _Wrong as wrong:
            self._find(wrong.fault, wrong.reason)
        return digests

    def chain(self, index: int) -> Chain:
        """What there is to tell."""
        findings = sorted(self._findings, key=lambda one: _ORDER[one.fault])
        return Chain(index, tuple(self._links), tuple(findings))

    def _up(self, signed: _Signed) -> Generator[Need, Found, None]:
        what: tuple[Permission, ...] | None = (
            None  # passed on by the certificate below; None = the record itself
        )
        hints = list(signed.claims.chain)
        while True:
            issuer = str(signed.claims.issuer)
            self._links.append(issuer)
            anchor = self._budget.anchor(signed.claims.issuer)
            if anchor is not None:
                self._budget.check(signed, partial(_same, anchor.key), issuer, issuer.encode())
                self._judge_dates(signed.claims)
                return
            self._refuse_circles(signed.claims)
            hint = hints.pop(0) if hints else None
            certificate = yield from self._certificate(signed.claims.issuer, hint)
            key = partial(_key_of, certificate, issuer)
            self._budget.check(signed, key, issuer, certificate.jws.signed)
            self._judge_dates(signed.claims)
            self._judge_scope(certificate.claims, what, issuer)
            what = certificate.claims.permissions
            signed = certificate
            hints = hints or list(certificate.claims.chain)
            self._link += 1

    def _refuse_others(self, claims: Claims, index: int) -> None:
        if claims.digests is None:
            raise _Wrong(Fault.MALFORMED, f"HS_SIGNATURE at index {index}: no digests")
        if folded(claims.subject.handle) != self._identifier.folded():
            raise _Wrong(Fault.WRONG_SUBJECT, f"it signs {claims.subject.handle}")

    def _refuse_circles(self, claims: Claims) -> None:
        issuer = str(claims.issuer)
        if self._link and _place(claims.issuer) == _place(claims.subject):
            reason = f"{issuer} certifies itself, and is not among the trusted roots"
            raise _Wrong(Fault.UNTRUSTED_ROOT, reason)
        if _place(claims.issuer) in self._seen:
            raise _Wrong(Fault.LOOP, f"{issuer} is certified by itself, by way of others")
        self._seen.add(_place(claims.issuer))
        if self._link >= self._budget.links:
            reason = f"no trusted root within {self._budget.links} certificates"
            raise _Wrong(Fault.TOO_LONG, reason)

    def _certificate(
        self, issuer: Reference, hint: Reference | None
    ) -> Generator[Need, Found, _Signed]:
        handle, index = hint or issuer
        need = Need(handle, index)
        found = yield need
        if isinstance(found, NotFound):
            fault = Fault.UNREACHABLE if found.is_unreachable else Fault.UNKNOWN_ISSUER
            raise _Wrong(fault, f"{handle}: {found.reason}")
        chosen = self._budget.choose(found, need, issuer)
        if chosen is None:
            reason = f"{handle} has no certificate of {issuer}"
            raise _Wrong(Fault.UNKNOWN_ISSUER, reason)
        return chosen

    def _judge_dates(self, claims: Claims) -> None:
        now_s, what = self._budget.now_s, "signature" if not self._link else "certificate"
        name = f"the {what} of {str(claims.subject) if self._link else claims.subject.handle}"
        begins_s = claims.not_before_s
        if begins_s is not None and now_s < begins_s:
            self._find(Fault.NOT_YET_VALID, f"{name} begins in {_span(begins_s - now_s)}")
        if claims.expires_s is not None and now_s >= claims.expires_s:
            self._find(Fault.EXPIRED, f"{name} ended {_span(now_s - claims.expires_s)} ago")

    def _judge_scope(
        self, certificate: Claims, what: tuple[Permission, ...] | None, issuer: str
    ) -> None:
        if what is None:
            if not signs(certificate.permissions, self._identifier):
                reason = f"{issuer} may not sign {self._identifier.text}"
                self._find(Fault.OUT_OF_SCOPE, f"{reason}, only: {_names(certificate)}")
            return
        excess = uncovered(certificate.permissions, what)
        if excess is not None:
            reason = f"{issuer} may not pass on {excess}"
            self._find(Fault.OUT_OF_SCOPE, f"{reason}, only: {_names(certificate)}")

    def _find(self, fault: Fault, reason: str) -> None:
        self._findings.append(Finding(fault, reason, self._link))


def _read(value: Value, name: str) -> _Signed:
    """Raises ``_Wrong``."""
    try:
        jws = decode_jws(value.data)
        return _Signed(jws, read_claims(jws.payload))
    except ProtocolError as error:
        raise _Wrong(Fault.MALFORMED, f"{name}: {error}") from None


def _choose(values: Sequence[Value], issuer: Reference, index: int) -> _Signed | None:
    """The certificate of the key: the one at ``index``, else the latest; those that cannot be read are none."""
    found: list[tuple[bool, int, _Signed]] = []
    candidates = [value for value in values if is_of_type(value, CERTIFICATE_TYPE)]
    for value in candidates[:MAX_READ]:
        try:
            signed = _read(value, "")
        except _Wrong:
            continue
        if _place(signed.claims.subject) == _place(issuer) and signed.claims.public_key is not None:
            found.append((value.index == index, _issued_s(signed.claims), signed))
    return max(found, key=lambda one: one[:2])[2] if found else None


def _same(key: VerifyingKey) -> VerifyingKey:
    return key


def _key_of(certificate: _Signed, name: str) -> VerifyingKey:
    """Raises ``_Wrong``."""
    assert certificate.claims.public_key is not None, "such a certificate is not chosen"
    try:
        return load_certified_key(certificate.claims.public_key)
    except Unavailable as error:
        raise _Wrong(Fault.ALGORITHM_UNAVAILABLE, str(error)) from None
    except ProtocolError as error:
        raise _Wrong(Fault.MALFORMED, f"the certificate of {name}: {error}") from None


def _age(value: Value) -> tuple[int, int]:
    """The latest first, by its own words; what cannot be read comes last."""
    try:
        return _issued_s(_read(value, "").claims), -value.index
    except _Wrong:
        return -1, -value.index


def _issued_s(claims: Claims) -> int:
    return claims.issued_s or claims.not_before_s or 0


def _place(key: Reference) -> tuple[bytes, int]:
    return folded(key.handle), key.index


def _names(claims: Claims) -> str:
    shown = [str(permission) for permission in claims.permissions[:4]]
    return ", ".join(shown) or "nothing"


def _span(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
