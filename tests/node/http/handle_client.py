"""A client of ``Authorization: Handle``, written from the manual: what it sends is built here, byte for byte."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.node.http.conftest import Node, Response

CNONCE = bytes(range(16))
SALT = b"0123456789abcdef"
Login = tuple[int, str, str]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def handle(**fields: str) -> str:
    """The header's value."""
    return "Handle " + ", ".join(f'{name}="{value}"' for name, value in fields.items())


def challenged(response: Response) -> dict[str, str]:
    """The fields of the challenge in a 401."""
    line = response.headers["www-authenticate"].partition("Handle ")[2]
    return dict(re.findall(r'(\w+)="([^"]*)"', line))


def sandwich(name: str) -> Callable[[bytes, bytes], bytes]:
    return lambda key, data: hashlib.new(name, key + data + key).digest()


def mac(name: str) -> Callable[[bytes, bytes], bytes]:
    return lambda key, data: hmac.digest(key, data, name)


MACS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "SHA1": sandwich("sha1"),
    "SHA-1": sandwich("sha1"),
    "SHA-256": sandwich("sha256"),
    "HMAC-SHA1": mac("sha1"),
    "HMAC-SHA256": mac("sha256"),
    "HmacSHA256": mac("sha256"),
}


def by_secret(login: Login, session: dict[str, str], alg: str, cnonce: bytes = CNONCE) -> str:
    """A proof by HS_SECKEY."""
    index, name, secret = login
    content = base64.b64decode(session["nonce"]) + cnonce
    return handle(
        **_who(index, name, session, "HS_SECKEY", cnonce),
        alg=alg,
        signature=b64(MACS[alg](secret.encode(), content)),
    )


def by_derived(
    login: Login,
    session: dict[str, str],
    alg: str = "PBKDF2-HMAC-SHA1",
    iterations: int = 10_000,
    bits: int = 160,
    *,
    is_packed: bool = False,
) -> str:
    """A proof by HS_SECKEY, stretched; ``is_packed``: salt and numbers in the signature, as over TCP."""
    index, name, secret = login
    content = base64.b64decode(session["nonce"]) + CNONCE
    # A bomb need not be computed here to be sent.
    cost, size = min(iterations, 20_000), min(bits, 512) // 8
    key = hashlib.pbkdf2_hmac("sha1", secret.encode(), SALT, cost, size)
    made = hmac.digest(key, content, "sha1")
    who = _who(index, name, session, "HS_SECKEY", CNONCE)
    if is_packed:
        parts = (
            len(SALT).to_bytes(4) + SALT,
            iterations.to_bytes(4),
            bits.to_bytes(4),
            len(made).to_bytes(4) + made,
        )
        return handle(**who, alg=alg, signature=b64(b"".join(parts)))
    return handle(
        **who, alg=alg, signature=b64(made), salt=b64(SALT), iterations=str(iterations), length=str(bits)
    )  # fmt: skip


def by_key(
    index: int,
    name: str,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    session: dict[str, str],
    alg: str = "SHA256",
    content: bytes | None = None,
) -> str:
    """A proof by HS_PUBKEY."""
    content = base64.b64decode(session["nonce"]) + CNONCE if content is None else content
    hash_ = {"SHA256": hashes.SHA256, "SHA-256": hashes.SHA256, "SHA1": hashes.SHA1}.get(alg)
    if isinstance(key, rsa.RSAPrivateKey):
        assert hash_ is not None
        signature = key.sign(content, padding.PKCS1v15(), hash_())
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(content, ec.ECDSA(hashes.SHA256()))
    else:
        signature = key.sign(content)
    who = _who(index, name, session, "HS_PUBKEY", CNONCE)
    return handle(**who, alg=alg, signature=b64(signature))


def _who(
    index: int, name: str, session: dict[str, str], type_: str, cnonce: bytes
) -> dict[str, str]:
    return {
        "version": "0",
        "sessionId": session["sessionId"],
        "id": quote(f"{index}:{name}", safe=""),
        "type": type_,
        "cnonce": b64(cnonce),
    }


async def begin(node: Node) -> dict[str, str]:
    """A new session."""
    response = await node.ask("POST", "/api/sessions")
    assert response.status == 201, response
    return response.json
