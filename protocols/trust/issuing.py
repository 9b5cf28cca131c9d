"""Making HS_SIGNATURE and HS_CERT values: the claims, and the signed text around them."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from protocols.trust.algorithms import SigningKey, algorithm_of, public_key_of, sign
from protocols.trust.certified_keys import certified_key
from protocols.trust.claims import Claims, Permission, claims_document
from protocols.trust.digests import digests_of, is_self_signed
from protocols.trust.jws import encode_jws, signing_input
from protocols.values.key_objects import VerifyingKey
from protocols.values.value import Reference, Value

HEAD_START_S = 600
"""A new signature is good from ten minutes ago: the reader's clock may be slow."""


class Signer(NamedTuple):
    """Who signs."""

    name: Reference
    """``iss``: where the public key stands."""
    key: SigningKey
    random_bits: Callable[[int], int]
    """A number of n random bits, for SM2."""
    chain: tuple[Reference, ...] = ()
    """Where the certificates are, the signer's own first; () = at his handle."""


class Span(NamedTuple):
    """For how long."""

    now_s: int
    lasts_s: int


def sign_record(
    signer: Signer, subject: Reference, values: Iterable[Value], span: Span, *, plain: bool = False
) -> bytes:
    """Data of an HS_SIGNATURE over the values; those that carry signatures themselves are left out.

    ``plain``: the subject is the handle alone, as Handle.Net's own tools write it.
    """
    signed = [value for value in values if not is_self_signed(value)]
    claims = _claims(signer, subject, span)._replace(digests=digests_of(signed))
    return _sign(signer, claims, plain=plain)


def certify_key(
    signer: Signer,
    subject: Reference,
    key: VerifyingKey,
    permissions: Iterable[Permission],
    span: Span,
) -> bytes:
    """Data of an HS_CERT: the key stands at ``subject``, and may sign what the permissions say."""
    claims = _claims(signer, subject, span)
    certified = claims._replace(permissions=tuple(permissions), public_key=certified_key(key))
    return _sign(signer, certified, plain=False)


def _claims(signer: Signer, subject: Reference, span: Span) -> Claims:
    now_s = span.now_s
    return Claims(
        signer.name,
        subject,
        now_s,
        max(0, now_s - HEAD_START_S),
        now_s + span.lasts_s,
        signer.chain,
    )


def _sign(signer: Signer, claims: Claims, *, plain: bool) -> bytes:
    name = algorithm_of(public_key_of(signer.key))
    signed = signing_input(name, claims_document(claims, plain_subject=plain))
    return encode_jws(signed, sign(signer.key, signed, signer.random_bits))
