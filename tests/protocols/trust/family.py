"""A root, a registrar, a factory and its record, for tests of chains: everything signed by the real algorithms."""

import random
from base64 import b64encode

import orjson
from cryptography.hazmat.primitives.asymmetric import ed25519

from protocols.identifier import parse_identifier
from protocols.trust.algorithms import public_key_of, sign
from protocols.trust.chain import NODE_LIMITS, Anchor, NotFound, conclude, verify_record
from protocols.trust.claims import Perm, Permission
from protocols.trust.digests import digests_of, is_self_signed
from protocols.trust.issuing import Signer, Span, certify_key, sign_record
from protocols.trust.jws import encode_base64url, encode_jws, signing_input
from protocols.values.value import Value, parse_reference

NOW_S = 1_780_000_000
YEAR = Span(NOW_S - 86_400, 365 * 86_400)
ROOT, REGISTRAR, FACTORY = "301:88.111.1/0.0", "301:0.NA/88.118", "300:0.NA/88.118.7"
RECORD = "88.118.7/SN-1"
CERT_INDEX, SIGNATURE_INDEX = 400, 400
DICE = random.Random(7)

KEYS = {
    name: ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    for number, name in enumerate((ROOT, REGISTRAR, FACTORY, "stranger"), 1)
}
VALUES = (
    Value(1, "URL", b"https://example.org/1"),
    Value(2, "NAME", b"pump", ttl=60),
    Value(100, "HS_ADMIN", bytes.fromhex("0fff00000006302e4e412f3100000064")),
)


def signer(name, key=None):
    return Signer(parse_reference(name), key or KEYS[name], DICE.getrandbits)


def certificate(issuer, subject, *permissions, span=YEAR, key=None, by=None, index=CERT_INDEX):
    """An HS_CERT for the key of ``subject``, made with the key of ``by``."""
    public = public_key_of(key or KEYS[subject])
    made_by = signer(issuer, by)
    return Value(
        index, "HS_CERT", certify_key(made_by, parse_reference(subject), public, permissions, span)
    )


def signature(issuer=FACTORY, values=VALUES, *, span=YEAR, by=None, record=RECORD, index=400):
    made_by = signer(issuer, by)
    return Value(
        index,
        "HS_SIGNATURE",
        sign_record(made_by, parse_reference(f"{index}:{record}"), values, span),
    )


def anything(index=400, type_="HS_SIGNATURE", header=None, by=None, **claims):
    """A signed text with these claims, whatever they are."""
    payload = {
        "iss": FACTORY,
        "sub": RECORD,
        "digests": {
            "alg": "SHA-256",
            "digests": [
                {"index": i, "digest": b64encode(d).decode()}
                for i, d in digests_of(v for v in VALUES if not is_self_signed(v)).items()
            ],
        },
    } | claims
    key = by or KEYS[FACTORY]
    signed = signing_input("EdDSA", payload)
    if header is not None:
        signed = encode_base64url(orjson.dumps(header)) + b"." + signed.split(b".")[1]
    return Value(index, type_, encode_jws(signed, sign(key, signed, DICE.getrandbits)))


UNDER = Permission("88.118.7", Perm.HANDLES_UNDER_THIS_PREFIX)
DERIVED = Permission("0.NA/88.118", Perm.DERIVED_PREFIXES)
EVERYTHING = Permission("", Perm.EVERYTHING)


def world():
    """handle -> values: root certifies registrar, registrar certifies factory, factory signs its record."""
    return {
        "88.111.1/0.0": [certificate(ROOT, ROOT, EVERYTHING)],
        "0.NA/88.118": [certificate(ROOT, REGISTRAR, DERIVED)],
        "0.NA/88.118.7": [certificate(REGISTRAR, FACTORY, UNDER)],
        RECORD: [*VALUES, signature()],
    }


ANCHORS = (Anchor(parse_reference(ROOT), public_key_of(KEYS[ROOT])),)


def judge(records, *, anchors=ANCHORS, now_s=NOW_S, limits=NODE_LIMITS, record=RECORD, asked=None):
    """The verdict, everything answered out of ``records``; ``asked`` collects who was asked."""

    def fetch(need):
        if asked is not None:
            asked.append(need.handle)
        if need.handle not in records:
            return NotFound("no such record", is_unreachable=False)
        found = records[need.handle]
        if isinstance(found, NotFound):
            return found
        return [v for v in found if v.index == need.index or v.type == need.type]

    climb = verify_record(parse_identifier(record), records[record], anchors, now_s, limits)
    return conclude(climb, fetch)


def fault(verdict):
    """What outweighs the rest, of the one signature."""
    (chain,) = verdict.chains
    return chain.findings[0].fault.value if chain.findings else "verified"
