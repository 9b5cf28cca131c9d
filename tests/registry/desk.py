"""A registrar over a store in memory, and short ways to speak to it."""

from protocols.identifier import parse_identifier
from protocols.message import ANONYMOUS, OPERATOR, Command, Operation, Principal
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.site import TCP, UDP, Interface, Server, Site, encode_site
from protocols.values.value import SECRET_PERMISSIONS, Reference, Value
from protocols.values.vlist import encode_vlist
from registry.holdings import Holdings
from registry.registrar import Registrar, Submission
from registry.sealing import Sealer, merge
from registry.stores.memory import MemoryStore

LOG_ID = b"log of one test."
NODE_KEY = bytes(range(64))
PREFIX = "88.118"
ADMIN = Principal("0.NA/88.118", 300)
STRANGER = Principal("0.NA/88.999", 300)
NOBODY = ANONYMOUS

PUT, ADD, MODIFY = Operation.PUT, Operation.ADD, Operation.MODIFY
REMOVE, DELETE = Operation.REMOVE, Operation.DELETE
HOST, DELEGATE, UNHOST = Operation.HOST, Operation.DELEGATE, Operation.UNHOST
HIDE, SHOW = Operation.HIDE, Operation.SHOW


def url(data="https://example.com/1", index=1, **fields):
    return Value(index, "URL", data.encode(), **fields)


def name(data="Valve", index=2, **fields):
    return Value(index, "NAME", data.encode(), **fields)


def secret(data=b"correct horse", index=300):
    return Value(index, "HS_SECKEY", data, permissions=SECRET_PERMISSIONS)


def admin(handle=ADMIN.handle, at=ADMIN.index, permissions=ALL_PERMISSIONS, index=100, **fields):
    return Value(index, "HS_ADMIN", encode_admin(Admin(handle, at, permissions)), **fields)


def group(*members, index=200, **fields):
    """Members as ``(handle, index)``."""
    return Value(index, "HS_VLIST", encode_vlist([Reference(*m) for m in members]), **fields)


def site(*addresses, serial=1):
    """A site of servers that answer on UDP and TCP 2641."""
    both = (Interface(UDP, 2641), Interface(TCP, 2641))
    servers = tuple(Server(n, address, both) for n, address in enumerate(addresses, 1))
    return Site(servers, serial)


def site_value(*addresses, index=1, serial=1, kind="HS_SITE", **fields):
    return Value(index, kind, encode_site(site(*addresses, serial=serial)), **fields)


def command(operation, text, *values, **fields):
    return Command(operation, parse_identifier(text), values, **fields)


class Desk:
    """Hosts ``88.118``, administered by ``ADMIN``, in an empty store; ``now_s`` goes on by itself."""

    def __init__(self, store=None, *, server_admins=frozenset(), **host):
        self.store = store or MemoryStore(LOG_ID)
        self.sealer = Sealer(NODE_KEY)
        self.server_admins = server_admins
        self.registrar = Registrar(self.store, self.sealer, server_admins)
        self.now_s = 1_000_000
        if not self.store.head().seq:
            assert not self.submit(command(HOST, PREFIX, admin(), **host)).reason

    @property
    def holdings(self):
        return Holdings(self.store, self.sealer, self.server_admins)

    def commit(self, *commands, principal=OPERATOR):
        self.now_s += 10
        batch = [Submission(principal, one, "test") for one in commands]
        return self.registrar.commit(batch, self.now_s * 1000)

    def submit(self, one, principal=OPERATOR):
        (receipt,) = self.commit(one, principal=principal)
        return receipt

    def put(self, text, *values, principal=OPERATOR, **fields):
        return self.submit(command(PUT, text, *values, **fields), principal)

    def record(self, text):
        return self.store.lookup(parse_identifier(text))

    def values(self, text):
        return merge(self.record(text), self.sealer)

    def state(self):
        """Everything that is stored, for comparing two stores."""
        records = []
        for prefix in [b"0.NA", *(a.prefix for a in self.store.authorities())]:
            records += self.store.list_records(prefix, with_deleted=True)
        counts = {a.prefix: self.store.count(a.prefix) for a in self.store.authorities()}
        return records, counts, self.store.authorities(), self.store.changes(0, 10_000)
