"""People with keys of every kind, in a store; their claims; an authenticator over them."""

import random
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from node.proving.authenticator import Authenticator
from node.proving.claim import Claim
from protocols.handle import proof
from protocols.handle.macs import HMAC_SHA1, PBKDF2_HMAC_SHA1, mac
from protocols.message import Operation
from protocols.values import sm2
from protocols.values.jwk import EcKey, OkpKey, jwk_text
from protocols.values.key_objects import key_from_object
from protocols.values.keys import PemKey, encode_public_key
from protocols.values.secret import hash_secret
from protocols.values.value import SECRET_PERMISSIONS, Value
from registry.holdings import Holdings
from resolver.source import Peer
from tests.node.parts import PREFIX, SEALER, make_store, put

USER = f"{PREFIX}/people/李四"
SECRET = b"s3cret"
PASS_PHRASE = b"correct horse battery staple"
CONTENT = bytes(range(16)) + bytes(32)

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DSA = dsa.generate_private_key(1024)
P256 = ec.derive_private_key(0xB1A0, ec.SECP256R1())
P521 = ec.derive_private_key(0xB1A0, ec.SECP521R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SM2 = sm2.make_private_key(random.Random(5).getrandbits)


def pem(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _point(key: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    numbers, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
    return numbers.x.to_bytes(size), numbers.y.to_bytes(size)


RSA_DATA = encode_public_key(key_from_object(RSA.public_key()))
PUBLIC_KEYS: dict[int, bytes] = {
    310: RSA_DATA,
    311: pem(RSA.public_key()).encode(),
    312: jwk_text(key_from_object(RSA.public_key())).encode(),
    313: encode_public_key(key_from_object(DSA.public_key())),
    314: pem(P256.public_key()).encode(),
    315: encode_public_key(PemKey(pem(P256.public_key()), "EC_PUB_KEY")),
    316: jwk_text(EcKey("P-256", *_point(P256))).encode(),
    317: jwk_text(EcKey("P-521", *_point(P521))).encode(),
    318: jwk_text(OkpKey("Ed25519", ED.public_key().public_bytes_raw())).encode(),
    319: sm2.write_public_key(SM2.public).encode(),
    320: encode_public_key(PemKey(sm2.write_public_key(SM2.public), "SM2_PUB_KEY")),
}
SECRETS: dict[int, bytes] = {
    300: SECRET,
    301: hash_secret(PASS_PHRASE),
    302: RSA_DATA,  # somebody took the public key for a secret: it is his secret then, and no key
}
SIGN: dict[int, Callable[[bytes], bytes]] = {
    **dict.fromkeys((310, 311, 312), lambda content: proof.prove_key((2, 11), RSA, content)),
    313: lambda content: proof.encode_signature_proof(
        proof.SignatureProof(b"SHA-256", DSA.sign(content, hashes.SHA256()))
    ),
    **dict.fromkeys((314, 315, 316), lambda content: proof.prove_key((2, 11), P256, content)),
    317: lambda content: proof.prove_key((2, 11), P521, content),
    318: lambda content: proof.prove_key((2, 11), ED, content),
    **dict.fromkeys(
        (319, 320),
        lambda content: proof.prove_sm2(SM2, content, USER.encode(), random.Random(9).getrandbits),
    ),
}


def values() -> tuple[Value, ...]:
    public = [Value(index, "HS_PUBKEY", data) for index, data in PUBLIC_KEYS.items()]
    secret = [
        Value(index, "HS_SECKEY", data, permissions=SECRET_PERMISSIONS)
        for index, data in SECRETS.items()
    ]
    return (*secret, *public, Value(400, "DESC", b"nothing that proves anything"))


class Clock:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def peer(address: str = "192.0.2.1") -> Peer:
    return Peer(address, 1, "tcp", is_loopback=False)


def make_holdings() -> Holdings:
    store = make_store()
    put(store, USER, values(), Operation.PUT)
    return Holdings(store.reader(), SEALER)


def make(clock: Clock | None = None, **parts: object) -> Authenticator:
    clock = clock or Clock()
    return Authenticator(make_holdings(), lambda: clock.now_s, clock.sleep, **parts)


def secret_proof(
    code: int, secret: bytes = SECRET, content: bytes = CONTENT, iterations: int = 1000
) -> proof.SecretProof:
    if code != PBKDF2_HMAC_SHA1:
        return proof.SecretProof(code, mac(code, secret, content))
    derivation = proof.Derivation(b"0123456789abcdef", iterations)
    made = mac(HMAC_SHA1, proof.derive_key(secret, derivation), content)
    return proof.SecretProof(code, made, derivation)


def claim(index: int, made: bytes | proof.SecretProof, handle: str = USER) -> Claim:
    """``made``: a signed response of a key, or a proof by a secret."""
    shown = proof.decode_signature_proof(made) if isinstance(made, bytes) else made
    return Claim(handle, index, shown, CONTENT)
