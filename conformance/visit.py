"""Visit: what one check is handed: connections to the node, names and records of its own; all gone afterwards."""

import contextlib
import secrets
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric import rsa

from conformance.clock import monotonic_s
from conformance.http_client import HttpClient
from conformance.native_client import Client, TcpClient, UdpClient
from conformance.outcome import Unable
from conformance.registering import Registering
from conformance.target import Account, Target
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.value import SECRET_PERMISSIONS, Value

ADMIN_INDEX = 100
KEY_INDEX = 300
"""Where HS_ADMIN and keys stand by custom (Handle.Net Technical Manual 9)."""
NAME_LEAD = "conformance-"
"""Begins the suffix of everything that is made, so that leftovers of a killed run are known as such."""

SECRET = b"a secret of the conformance suite"

_RSA_KEYS: list[rsa.RSAPrivateKey] = []


class Visit:
    """A context: leaving it closes connections and removes what was made."""

    def __init__(self, target: Target, registering: Registering, deadline_s: float = 30.0) -> None:
        self.target = target
        self._until_s = monotonic_s() + deadline_s
        self._registering = registering
        self._clients: list[Client | HttpClient] = []
        self._made: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients:
            client.close()
        for name in reversed(self._made):
            with contextlib.suppress(Unable):
                self._registering.delete(name)

    @property
    def prefix(self) -> str:
        """The test prefix."""
        assert self.target.prefix is not None, "the check did not say that it needs a prefix"
        return self.target.prefix

    @property
    def administrator(self) -> Account:
        """Of the test prefix."""
        who = self.target.administrator
        assert who is not None, "the check did not say that it needs an administrator"
        return who

    @property
    def left_s(self) -> float:
        """Of the check's deadline, at most the patience for one answer. Raises ``Unable`` when nothing is left."""
        left_s = self._until_s - monotonic_s()
        if left_s <= 0:
            raise Unable("the check's deadline passed")
        return min(left_s, self.target.answer_s)

    def tcp(self, *, may_reconnect: bool = True) -> TcpClient:
        """A new connection; ``may_reconnect``: the node may hang up after each answer. Raises ``Unable``."""
        port = self.target.native_port or 0
        client = TcpClient(self.target.host, port, self.left_s, may_reconnect=may_reconnect)
        self._clients.append(client)
        return client

    def kept_connection(self) -> TcpClient:
        """A new connection that the node must not end."""
        return self.tcp(may_reconnect=False)

    def udp(self, *, from_stranger: bool = False) -> UdpClient:
        """A new local port, from an address nobody has used where that is possible. Raises ``Unable``."""
        port = self.target.native_port or 0
        client = UdpClient(self.target.host, port, self.left_s, from_stranger=from_stranger)
        self._clients.append(client)
        return client

    def http(self) -> HttpClient:
        """A client with a connection of its own."""
        client = HttpClient(self.target.http_url or "", self.left_s, self.target.ca_file)
        self._clients.append(client)
        return client

    def free_name(self, more: str = "") -> bytes:
        """A name below the test prefix that nobody has used."""
        return f"{self.prefix}/{self.free_label()}{more}".encode()

    def new_name(self, more: str = "") -> bytes:
        """A free name that the check will register; removed at the end."""
        name = self.free_name(more)
        self._made.append(name)
        return name

    def free_label(self) -> str:
        """A label that nobody has used, for a prefix."""
        return NAME_LEAD + secrets.token_hex(6)

    def new_prefix(self) -> str:
        """A prefix below the test prefix; its record is removed at the end."""
        prefix = f"{self.prefix}.{self.free_label()}"
        self._made += [f"0.NA/{prefix}".encode(), f"{prefix}/1".encode()]
        return prefix

    def will_remove(self, name: bytes) -> None:
        """A name the node made up, e.g. a minted one."""
        self._made.append(name)

    def make(self, *values: Value, more: str = "") -> bytes:
        """Register ``values`` and an HS_ADMIN for the administrator under a new name. Raises ``Unable``."""
        name = self.new_name(more)
        self._registering.create(name, (*values, self.admin_value()))
        return name

    def make_bare(self, values: Sequence[Value], more: str = "") -> bytes:
        """Register exactly ``values``."""
        name = self.new_name(more)
        self.make_named(name, values)
        return name

    def make_named(self, name: bytes, values: Sequence[Value]) -> None:
        """Register exactly ``values`` under a name that ``new_name`` gave."""
        self._registering.create(name, values)

    def admin_value(
        self,
        who: Account | None = None,
        permissions: int = ALL_PERMISSIONS,
        index: int = ADMIN_INDEX,
    ) -> Value:
        """An HS_ADMIN value for ``who``, else the administrator."""
        account = who or self.administrator
        data = encode_admin(Admin(account.handle.decode(), account.index, permissions))
        return Value(index, "HS_ADMIN", data)

    def somebody(self) -> Account:
        """Somebody with an HS_SECKEY, who administers nothing but what a check gives him. One for the whole run."""
        return self._registering.account("secret", lambda: self._secret_account(self._lasting()))

    def somebody_with_key(self) -> Account:
        """Somebody with an RSA key as HS_PUBKEY; one for the whole run."""
        return self._registering.account("key", lambda: self._key_account(self._lasting()))

    def make_secret_account(self, secret: bytes = SECRET) -> Account:
        """Somebody new with an HS_SECKEY: for wrong proofs, since nodes remember in whose name they came."""
        return self._secret_account(self.new_name("-victim"), secret)

    def make_key_account(self) -> Account:
        """Somebody new with an RSA key."""
        return self._key_account(self.new_name("-victim"))

    def _lasting(self) -> bytes:
        return self.free_name("-account")

    def _secret_account(self, name: bytes, secret: bytes = SECRET) -> Account:
        value = Value(KEY_INDEX, "HS_SECKEY", secret, permissions=SECRET_PERMISSIONS)
        self.make_named(name, (value, self.admin_value()))
        return Account(name, KEY_INDEX, secret=secret)

    def _key_account(self, name: bytes) -> Account:
        key = _rsa_key()
        data = encode_public_key(key_from_object(key.public_key()))
        self.make_named(name, (Value(KEY_INDEX, "HS_PUBKEY", data), self.admin_value()))
        return Account(name, KEY_INDEX, key=key)


def _rsa_key() -> rsa.RSAPrivateKey:
    """One for the whole run: making one takes as long as twenty checks."""
    if not _RSA_KEYS:
        _RSA_KEYS.append(rsa.generate_private_key(65_537, 2048))
    return _RSA_KEYS[0]
