"""The node's keys on disk: made once, readable by their owner only, never shown.

* node key: 64 random bytes in base64; everything non-public is sealed with keys derived from it (registry/sealing.py)
* server key: RSA-2048 in PEM (PKCS #8); its public half stands in HS_SITE
* admin secret: base64url text that an administrator types; stored as HS_SECKEY
"""

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

NODE_KEY_BYTES = 64
SECRET_BYTES = 24
"""192 bits: cannot be guessed, and 32 characters can still be typed."""
RSA_BITS = 2048
RSA_EXPONENT = 65_537
MAX_KEY_FILE_BYTES = 65_536
OWNER_ONLY = 0o600


class KeyTrouble(Exception):
    """A key file that cannot be used; ``str()`` names the file, the trouble and the way out."""


def read_node_key(path: Path) -> bytes:
    """64 bytes. Raises ``KeyTrouble``."""
    text = read_private(path)
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != NODE_KEY_BYTES:
        raise KeyTrouble(f"{path}: not a node key (base64 of {NODE_KEY_BYTES} bytes)")
    return key


def read_server_key(path: Path) -> rsa.RSAPrivateKey:
    """Raises ``KeyTrouble``."""
    data = read_private(path)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise KeyTrouble(f"{path}: not a private key in PEM without password: {error}") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyTrouble(f"{path}: not an RSA key")
    return key


def make_node_key(path: Path) -> None:
    """Write a new one; the file must not exist. Raises ``OSError``."""
    write_private(path, base64.b64encode(os.urandom(NODE_KEY_BYTES)) + b"\n")


def make_server_key(path: Path) -> rsa.RSAPrivateKey:
    """Write a new one; the file must not exist. Raises ``OSError``."""
    key = rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=RSA_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(path, pem)
    return key


def make_secret(path: Path) -> bytes:
    """Write a new secret and return it without the line end; the file must not exist. Raises ``OSError``."""
    secret = secrets.token_urlsafe(SECRET_BYTES).encode()
    write_private(path, secret + b"\n")
    return secret


def ensure_keys(node_key: Path, server_key: Path) -> list[Path]:
    """Make what is missing (first start on the embedded default); returns what was made. Raises ``OSError``."""
    made = []
    for path, make in ((node_key, make_node_key), (server_key, make_server_key)):
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            make(path)
            made.append(path)
    return made


def explain_mode(path: Path) -> str:
    """What is wrong with a key file's owner or mode, "" when only its owner can read it."""
    facts = path.stat()
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o077:
        return f"{path}: mode {mode:04o} lets others read it; run `chmod 600 {path}`"
    if facts.st_uid not in {os.geteuid(), 0}:
        return f"{path}: belongs to user {facts.st_uid}, the node runs as user {os.geteuid()}"
    return ""


def read_secret(path: Path) -> bytes:
    """The secret in a file, without line ends around it. Raises ``KeyTrouble``; what is in the file is never shown."""
    secret = read_private(path, "name the file that holds the secret").strip()
    if not secret:
        raise KeyTrouble(f"{path}: the file is empty, so there is no secret in it")
    return secret


def read_private(path: Path, if_absent: str = "`biaojie init` makes it") -> bytes:
    """A file that only its owner can read. Raises ``KeyTrouble``; ``if_absent``: what to do then."""
    try:
        trouble = explain_mode(path)
        if trouble:
            raise KeyTrouble(trouble)
        with path.open("rb") as file:
            return file.read(MAX_KEY_FILE_BYTES)
    except FileNotFoundError:
        raise KeyTrouble(f"{path}: no such file; {if_absent}") from None
    except OSError as error:
        raise KeyTrouble(f"{path}: {error.strerror}") from None


def write_private(path: Path, data: bytes) -> None:
    """Make a file that only its owner can read: whole and durable, or none. It must not exist. Raises ``OSError``."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    hidden.unlink(missing_ok=True)
    try:
        descriptor = os.open(
            hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(hidden, path)  # unlike a rename, it replaces nothing
    finally:
        hidden.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new names and renames in it durable. Raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
