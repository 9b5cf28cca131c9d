"""Makes a new node's directory: settings, keys, an empty store with the node's own prefix, and its first administrator.

Everything is made in a hidden directory beside the wanted one, or in it when it is there already, and renamed into
place at the end, so that a failure leaves nothing half-made.

The prefix record ``0.NA/PREFIX`` gets, as Handle administrators expect (Handle.Net manual):

===== ========= ==============================================================
index type      what
===== ========= ==============================================================
1     HS_SITE   where the node is reached, with its public key
100   HS_ADMIN  all rights to the group at index 200
200   HS_VLIST  the group: the key at index 300
300   HS_SECKEY a random secret, also written to keys/admin.secret
===== ========= ==============================================================
"""

import ipaddress
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from node.clock import read_clocks
from node.config import Config, ConfigError, load_config
from node.config_check import check_config
from node.config_sections import LOOPBACK
from node.keys import make_node_key, make_secret, make_server_key, read_node_key
from node.settings_template import filled_template
from node.store import open_store
from protocols.identifier import prefix_record_of
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.keys import RsaKey, encode_public_key
from protocols.values.site import (
    HTTP,
    HTTPS,
    TCP,
    UDP,
    Attribute,
    Interface,
    Server,
    Site,
    encode_site,
)  # fmt: skip
from protocols.values.value import SECRET_PERMISSIONS, Reference, Value
from protocols.values.vlist import encode_vlist
from registry.registrar import Registrar, Submission
from registry.sealing import Sealer
from registry.stores.lmdb import LmdbStore

SITE_INDEX, ADMIN_INDEX, GROUP_INDEX, SECRET_INDEX = 1, 100, 200, 300
SETTINGS_NAME, SECRET_NAME = "node.toml", "keys/admin.secret"
NO_SETTINGS: Mapping[str, object] = {}
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # only when a reachable address was asked for


class InitFailed(Exception):
    """Nothing was made; ``str()`` says why and what to do."""


class Made(NamedTuple):
    """What there is now, for the command to tell."""

    directory: Path
    prefix: str
    settings: Path
    secret: Path
    administrator: str
    """``300:0.NA/PREFIX``."""
    site: Site


def init_node(  # noqa: PLR0913  # what an operator may choose
    directory: Path,
    prefix: str,
    addresses: Sequence[str] = (),
    *,
    native_port: int = 2641,
    http_port: int = 8000,
    operations_port: int = 8001,
    case_sensitive: bool = False,
    settings: Mapping[str, object] = NO_SETTINGS,
) -> Made:
    """Make ``directory`` (absent or empty). ``addresses``: where clients reach the node; none = this machine only.

    ``settings``: what else shall differ from the defaults, ``section.key`` -> value. Raises ``InitFailed``.
    """
    directory = directory.absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InitFailed(f"{directory} is not empty; choose another directory or empty it")
    values = {**_chosen(prefix, addresses, (native_port, http_port, operations_port)), **settings}
    is_new = not directory.exists()
    place = directory.parent if is_new else directory
    try:
        place.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=place))
    except OSError as error:
        raise InitFailed(f"{place}: {error.strerror}") from None
    try:
        site = _build(building, values, case_sensitive=case_sensitive)
        if is_new:
            building.rename(directory)  # fails when somebody has filled it meanwhile
        else:
            _move_in(building, directory)
    except ConfigError as error:
        raise InitFailed(str(error)) from None
    except OSError as error:
        raise InitFailed(f"{directory}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Made(
        directory, prefix, directory / SETTINGS_NAME, directory / SECRET_NAME,
        f"{SECRET_INDEX}:0.NA/{prefix}", site,
    )  # fmt: skip


def _chosen(
    prefix: str, addresses: Sequence[str], ports: tuple[int, int, int]
) -> dict[str, object]:
    """Settings that differ from the defaults."""
    if not prefix:
        raise InitFailed('a prefix is needed, e.g. "88.118"')
    published = [*addresses] or ["127.0.0.1"]
    try:
        is_local = all(ipaddress.ip_address(address).is_loopback for address in published)
    except ValueError as error:
        raise InitFailed(f"{error}; name IP addresses") from None
    listen = list(LOOPBACK if is_local else EVERYWHERE)
    return {
        "node.prefix": prefix,
        "node.admins": [f"{SECRET_INDEX}:0.NA/{prefix}"],
        "listen.addresses": listen,
        "listen.port": ports[0],
        "http.addresses": listen,
        "http.port": ports[1],
        "operations.port": ports[2],
        "site.addresses": published,
    }


def _build(building: Path, values: dict[str, object], *, case_sensitive: bool) -> Site:
    (building / "data").mkdir(mode=0o700)
    (building / "keys").mkdir(mode=0o700)
    settings = building / SETTINGS_NAME
    settings.write_text(filled_template(values), encoding="utf-8")
    config = load_config(settings)
    make_node_key(config.node.key_file)
    numbers = make_server_key(config.node.server_key_file).public_key().public_numbers()
    secret = make_secret(building / SECRET_NAME)
    check_config(config)
    site = make_site(config, encode_public_key(RsaKey(numbers.e, numbers.n)))
    with open_store(config) as store:
        _host(store, config, site, secret, case_sensitive=case_sensitive)
    (building / "data" / "writer.lock").unlink(missing_ok=True)
    descriptor = os.open(building, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return site


def _move_in(building: Path, directory: Path) -> None:
    """Into a directory that stays itself: it may be a mount point, and its parent is often another user's."""
    moved: list[str] = []
    try:
        for name in ("data", "keys", SETTINGS_NAME):
            (building / name).rename(directory / name)
            moved.append(name)
    except OSError:
        for name in moved:
            (directory / name).rename(building / name)
        raise


def make_site(config: Config, public_key: bytes, serial: int = 1) -> Site:
    """HS_SITE of these settings: one server for each published address, all of them this node."""
    native = config.site.native_port or config.listen.port
    http_port = config.site.http_port or config.http.port
    interfaces = [Interface(UDP, native)] if config.listen.udp else []
    interfaces += [Interface(TCP, native)] if config.listen.tcp else []
    if config.http.enabled:
        interfaces.append(Interface(HTTPS if config.http.tls_cert_file else HTTP, http_port))
    # One server: clients hash identifiers over the servers of a site, and each would have to know all records. Further
    # addresses of the same machine go into the attribute that resolvers know for them.
    first, *others = config.site.addresses
    server = Server(1, first, tuple(interfaces), public_key)
    return Site((server,), serial, attributes=tuple(Attribute("alt_addr", o) for o in others))


def _host(
    store: LmdbStore, config: Config, site: Site, secret: bytes, *, case_sensitive: bool
) -> None:
    own = f"0.NA/{config.node.prefix}"
    values = (
        Value(SITE_INDEX, "HS_SITE", encode_site(site)),
        Value(ADMIN_INDEX, "HS_ADMIN", encode_admin(Admin(own, GROUP_INDEX, ALL_PERMISSIONS))),
        Value(GROUP_INDEX, "HS_VLIST", encode_vlist([Reference(own, SECRET_INDEX)])),
        Value(SECRET_INDEX, "HS_SECKEY", secret, permissions=SECRET_PERMISSIONS),
    )
    command = Command(
        Operation.HOST, prefix_record_of(config.node.prefix), values, case_sensitive=case_sensitive
    )
    sealer = Sealer(read_node_key(config.node.key_file))
    now_ms = int(read_clocks().wall_s * 1000)
    (receipt,) = Registrar(store, sealer).commit([Submission(OPERATOR, command, "init")], now_ms)
    if receipt.outcome is not Outcome.SUCCESS:
        raise InitFailed(f"prefix {config.node.prefix}: {receipt.reason}")
