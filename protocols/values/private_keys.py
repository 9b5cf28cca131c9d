"""Key files of Handle.Net: private keys as its tools write them (Handle.Net manual, "Key files").

A file says first whether it is encrypted::

    i4 1 · key                                                                              plain
    i4 4 · counted salt · i4 iterations · i4 key bits · counted IV · counted ciphertext     AES-CBC, PBKDF2-HMAC-SHA1

and a key is::

    counted type · i2 flags (0) · counted integers, two's complement

    RSA_PRIVCRT_KEY   n e d p q dp dq qi
    DSA_PRIV_KEY      x p q g

The older encryptions with DES (i4 0, 2 and 3) are not spoken: Handle.Net's ``hdl-keyutil`` writes such a key anew.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from protocols.cursor import Reader
from protocols.errors import Malformed, TooLarge, Unsupported
from protocols.values.keys import MAX_INTEGER_BYTES

PLAIN, PBKDF2_AES = 1, 4
MAX_FILE_BYTES = 65_536
MAX_ITERATIONS = 1_000_000
"""Handle.Net writes 10,000; a file that wants more than a second of work is no file of a friend."""
AES_KEY_BITS = (128, 192, 256)
AES_BLOCK_BYTES = 16
RSA_TYPE, DSA_TYPE = "RSA_PRIVCRT_KEY", "DSA_PRIV_KEY"
_MAX_TYPE_BYTES = 32
_MAX_FIELD_BYTES = 1024

FilePrivateKey = rsa.RSAPrivateKey | dsa.DSAPrivateKey


def is_encrypted(data: bytes) -> bool:
    """Whether the key file needs a passphrase."""
    return data[:4] != PLAIN.to_bytes(4)


def decode_key_file(data: bytes, passphrase: bytes | None = None) -> FilePrivateKey:
    """The key in a key file. Raises ``Malformed`` (a wrong passphrase, too), ``TooLarge``, ``Unsupported``."""
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge(f"key file: {len(data)} bytes, at most {MAX_FILE_BYTES} allowed")
    reader = Reader(data)
    encryption = reader.read_u32("key file encryption")
    if encryption == PLAIN:
        return decode_private_key(reader.read_rest())
    if encryption != PBKDF2_AES:
        raise Unsupported(f"key file: encryption {encryption}, only 1 (none) and 4 (AES) are known")
    if passphrase is None:
        raise Unsupported("key file: it is encrypted, and no passphrase was given")
    return decode_private_key(_decrypt(reader, passphrase))


def decode_private_key(data: bytes) -> FilePrivateKey:
    """A key without its encryption. Raises ``Malformed``, ``TooLarge``, ``Unsupported``."""
    reader = Reader(data)
    key_type = reader.read_text("key type", _MAX_TYPE_BYTES)
    if key_type not in (RSA_TYPE, DSA_TYPE):
        raise Unsupported(f"key file: key type {key_type!r} is not known")
    if reader.read_u16("key flags"):
        raise Unsupported("key file: flags, only 0 is known")
    numbers = [
        int.from_bytes(reader.read_counted("key field", MAX_INTEGER_BYTES))
        for _ in range(8 if key_type == RSA_TYPE else 4)
    ]
    try:
        return _rsa(*numbers) if key_type == RSA_TYPE else _dsa(*numbers)
    except ValueError as error:
        raise Malformed(f"key file: {error}") from None


def _rsa(*numbers: int) -> rsa.RSAPrivateKey:
    n, e, d, p, q, dp, dq, qi = numbers
    public = rsa.RSAPublicNumbers(e, n)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()


def _dsa(*numbers: int) -> dsa.DSAPrivateKey:
    x, p, q, g = numbers
    group = dsa.DSAParameterNumbers(p, q, g)
    public = dsa.DSAPublicNumbers(pow(g, x, p), group)
    return dsa.DSAPrivateNumbers(x, public).private_key()


def _decrypt(reader: Reader, passphrase: bytes) -> bytes:
    salt = reader.read_counted("key file salt", _MAX_FIELD_BYTES)
    iterations, bits = reader.read_u32("key file iterations"), reader.read_u32("key file key bits")
    iv = reader.read_counted("key file IV", _MAX_FIELD_BYTES)
    ciphertext = reader.read_counted("key file ciphertext", MAX_FILE_BYTES)
    if not 0 < iterations <= MAX_ITERATIONS:
        raise TooLarge(f"key file: {iterations} iterations, at most {MAX_ITERATIONS} allowed")
    if bits not in AES_KEY_BITS or len(iv) != AES_BLOCK_BYTES:
        raise Malformed("key file: neither key nor IV are of AES")
    key = hashlib.pbkdf2_hmac("sha1", passphrase, salt, iterations, bits // 8)
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(AES_BLOCK_BYTES * 8).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise Malformed("key file: it does not open with this passphrase") from None
