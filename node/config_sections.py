"""Config: everything an operator can set, one frozen dataclass per section of the one TOML file.

Each field states its unit, default and reason in place; ``deploy/node.toml`` is the same list for operators and a test
holds the two together. ``Annotated`` bounds are the only validation of single values (``node/config.py`` reads
them); what depends on several values or on the machine is in ``node/config_check.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated

from node.config_kinds import (
    AddressList,
    AdminList,
    Bounds,
    Choice,
    DateText,
    HeaderName,
    NetworkList,
    OrAuto,
    PinList,
    PrefixText,
    RootList,
    SchemeList,
    ServerList,
    TypeList,
)
from node.cpus import MOST_WORKERS, auto_workers

MIB = 1_048_576
LOOPBACK = ("127.0.0.1", "::1")
PRIVATE_NETWORKS = (
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10",
)  # fmt: skip
Port = Annotated[int, Bounds(0, 65_535)]


@dataclass(frozen=True, slots=True)
class NodeSection:
    """Who this node is and where its files are."""

    prefix: Annotated[str, PrefixText()] = ""
    """The node's own prefix, e.g. "88.118"; its record holds the HS_SITE we answer. "" = none yet."""
    data_dir: Path = Path("data")
    """The store, its lock and the control socket. Relative paths count from the file's own directory."""
    key_file: Path = Path("keys/node.key")
    """64 random bytes that seal non-public values; lives outside the store so that a stolen backup stays sealed."""
    server_key_file: Path = Path("keys/server.pem")
    """RSA private key whose public half stands in HS_SITE; proves signed answers."""
    admins: Annotated[tuple[str, ...], AdminList()] = ()
    """Handles with full rights, "index:handle", e.g. "300:0.NA/88.118". Others get rights from HS_ADMIN values."""
    workers: Annotated[int, OrAuto(auto_workers), Bounds(1, MOST_WORKERS)] = 1
    """Serving processes; one fills one CPU. "auto" = the CPUs this node may use, from four on one fewer (registrar)."""
    drain_s: Annotated[float, Bounds(0.1, 300)] = 10.0
    """How long requests in flight may finish at stop or reload before the process is killed."""
    reload_watch_s: Annotated[float, Bounds(0, 300)] = 2.0
    """At a reload the first new worker is watched for so long before the others follow."""


@dataclass(frozen=True, slots=True)
class ListenSection:
    """Where the native Handle protocol is served (RFC 3652)."""

    addresses: Annotated[tuple[str, ...], AddressList()] = LOOPBACK
    """IPv4 and IPv6 addresses to listen on; "0.0.0.0" and "::" are all. Loopback until someone decides otherwise."""
    port: Port = 2641
    """UDP and TCP port. 2641 is the one registered for Handle; 0 = any free one (printed at start)."""
    udp: bool = True
    """Serve UDP."""
    tcp: bool = True
    """Serve TCP. Clients fall back to it for answers above 512 bytes, so switch it off only behind something else."""


@dataclass(frozen=True, slots=True)
class HttpSection:
    """The Handle JSON API, redirects and the native HTTP API."""

    enabled: bool = True
    """Serve HTTP at all."""
    addresses: Annotated[tuple[str, ...], AddressList()] = LOOPBACK
    """Addresses to listen on."""
    port: Port = 8000
    """TCP port; 8000 is what Handle clients expect. 0 = any free one."""
    tls_cert_file: Path | None = None
    """PEM certificate chain. Without it passwords are accepted from loopback only."""
    tls_key_file: Path | None = None
    """PEM private key of the certificate. Both files are read again when they change; a broken pair changes nothing."""
    client_certificates: bool = False
    """Ask HTTPS clients for a certificate, which they may log in with; those that show none are served as before."""
    jsonp: bool = False
    """Answer `callback=` with JSONP, for old web pages; newer ones need CORS alone, which is always on."""
    redirect_schemes: Annotated[tuple[str, ...], SchemeList()] = ("http", "https")
    """Schemes of registered URLs that `/{handle}` may send somebody to, e.g. also "ftp"; never any that runs code."""
    country_header: Annotated[str, HeaderName()] = ""
    """Header in which a trusted proxy names its client's country, for 10320/loc. "" = the country is not known."""


@dataclass(frozen=True, slots=True)
class OperationsSection:
    """Metrics, health, readiness and version for operators; never for the public."""

    enabled: bool = True
    """Serve the operations port."""
    address: Annotated[str, AddressList()] = "127.0.0.1"
    """One address; keep it on loopback or a management network, it has no login."""
    port: Port = 8001
    """One port, which answers for all workers and the registrar. 0 = any free one."""


@dataclass(frozen=True, slots=True)
class SiteSection:
    """What HS_SITE tells the world about reaching this node. Applied by ``biaojie init``; checked at every start."""

    addresses: Annotated[tuple[str, ...], AddressList()] = ()
    """Addresses clients can reach. () = publish no site."""
    native_port: Port = 0
    """Published UDP and TCP port when a gateway maps it; 0 = listen.port."""
    http_port: Port = 0
    """Published HTTP port when a gateway maps it; 0 = http.port."""


@dataclass(frozen=True, slots=True)
class UpstreamSection:
    """Whom this node asks for what it neither holds nor has delegated: top-level or recursive nodes."""

    servers: Annotated[tuple[str, ...], ServerList()] = ()
    """Interfaces, e.g. "tcp://192.0.2.1:2641"; udp, tcp, http and https. All know the same. () = nobody is asked."""
    mode: Annotated[str, Choice("iterate", "recurse")] = "iterate"
    """"iterate": ask them for prefixes, then the servers of the prefix. "recurse": let them find the answer."""
    pinned_keys: Annotated[tuple[str, ...], PinList()] = ()
    """"sha256:" and the digest of a server's public key (SPKI, DER). With any, unsigned answers are refused."""
    trust_unproved_until: Annotated[str, DateText()] = ""
    """Until then answers are believed though no pinned key signed them, e.g. when a key was lost; 24 h at most."""
    ca_file: Path | None = None
    """PEM certificates that https servers are checked against, instead of the system's."""
    prefer: Annotated[str, Choice("tcp", "udp")] = "tcp"
    """What is tried first where a server speaks both. TCP answers cannot be forged from afar."""
    connections: Annotated[int, Bounds(1, 256)] = 32
    """TCP connections kept to one server."""
    say_via: bool = True
    """Name this node in questions it forwards, so that loops are seen at once; others take it for an empty token."""
    ipv6: Annotated[str, Choice("auto", "yes", "no")] = "auto"
    """Ask servers by IPv6: "auto" = when this machine has a way there."""


@dataclass(frozen=True, slots=True)
class StoreSection:
    """The record store (LMDB) and its feed of changes."""

    map_size_gib: Annotated[int, Bounds(1, 65_536)] = 1024
    """Address space for the store in GiB; sparse, costs nothing until used. Lower it under an address-space limit."""
    max_readers: Annotated[int, Bounds(8, 4096)] = 126
    """Reader slots: one per worker and per running command. 126 is LMDB's own default."""
    min_free_percent: Annotated[float, Bounds(0, 50)] = 5.0
    """Below this share of free disk space writes stop and reads go on."""
    warm_percent: Annotated[float, Bounds(0, 90)] = 50.0
    """Share of the free memory that a starting node may fill with its store, read ahead of the questions. 0 = none."""
    keep_changes: Annotated[int, Bounds(0, 2**53)] = 0
    """Feed entries kept at least; older ones may be cut. 0 = keep all (audit, mirrors from the beginning)."""
    bulk_rows_per_s: Annotated[int, Bounds(0, 10_000_000)] = 0
    """Rows a second that imports and batches may register while the node serves, all together. 0 = as many as go in
    the gaps; a limit leaves more processor to readers."""


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """Bounds that protect the node and others from it. Changing them is rarely a good idea."""

    udp_answer_bytes: Annotated[int, Bounds(128, 512)] = 512
    """Largest UDP answer; Handle clients drop more than 512 (RFC 3652 §2.3)."""
    udp_amplification: Annotated[float, Bounds(1, 100)] = 3.0
    """Answer bytes per request byte to an unproved address; 3 is QUIC's rule (RFC 9000 §8)."""
    udp_answers_per_s: Annotated[float, Bounds(1, 1_000_000)] = 200.0
    """Answers a second to one source over UDP; over it silence and RC 2 alternate. proven_networks are exempt."""
    udp_burst: Annotated[float, Bounds(1, 1_000_000)] = 500.0
    """Answers at once to a source that was silent."""
    proven_s: Annotated[float, Bounds(0, 86_400)] = 600.0
    """For so long after a TCP connection from an address its UDP answers are bounded by udp_answer_bytes alone."""
    resolve_request_bytes: Annotated[int, Bounds(256, 262_144)] = 8192
    """Largest native resolve request; the longest identifier with many types fits twice."""
    message_bytes: Annotated[int, Bounds(1024, 262_144)] = 262_144
    """Largest native message of any kind, after the envelope; the reference decoders' own limit."""
    connections: Annotated[int, Bounds(1, 65_536)] = 1024
    """Connections per worker, for native TCP and for HTTP each."""
    connections_per_address: Annotated[int, Bounds(1, 65_536)] = 64
    """Connections per address and worker; access.unlimited_networks are exempt."""
    tcp_request_s: Annotated[float, Bounds(0.1, 300)] = 5.0
    """From the first byte of a native request to its last; ends slow senders."""
    http_request_s: Annotated[float, Bounds(0.1, 300)] = 10.0
    """From the first byte of an HTTP request to its last."""
    idle_s: Annotated[float, Bounds(1, 86_400)] = 600.0
    """How long a connection may rest between requests; shrinks as slots fill. National SDK pools keep theirs 600 s."""
    unread_answer_bytes: Annotated[int, Bounds(4096, 16 * MIB)] = 65_536
    """Answers a client has not taken: above it no more requests are read; who takes none for 10 s is dropped."""
    misses_per_prefix_s: Annotated[float, Bounds(1, 1_000_000)] = 100.0
    """Questions a second to be asked elsewhere for one foreign prefix; over it one in ten passes."""
    misses_per_source_s: Annotated[float, Bounds(1, 1_000_000)] = 20.0
    """The same for one client address (IPv6: /64); access.unlimited_networks are exempt."""
    stale_s: Annotated[float, Bounds(0, 604_800)] = 86_400.0
    """For so long past its TTL an answer is still given when who should know is silent (RFC 8767)."""


@dataclass(frozen=True, slots=True)
class MemorySection:
    """Byte budgets, summed and printed at start."""

    partial_requests_mib: Annotated[int, Bounds(1, 4096)] = 16
    """Unfinished native requests of all connections of one worker."""
    unread_answers_mib: Annotated[int, Bounds(1, 4096)] = 32
    """Answers of all native connections of one worker that clients have not taken yet."""
    write_queue_mib: Annotated[int, Bounds(1, 4096)] = 8
    """Commands waiting for the registrar in one worker; more is answered "busy" at once."""
    proven_addresses: Annotated[int, Bounds(16, 1_000_000)] = 16_384
    """Remembered proved addresses, some 200 bytes each; the oldest is forgotten first."""
    foreign_cache_mib: Annotated[int, Bounds(1, 65_536)] = 64
    """Records of other nodes, absences and prefixes; what is asked least goes first."""
    encoded_answers_mib: Annotated[int, Bounds(1, 65_536)] = 32
    """The same records as they go on the wire, for answers without decoding."""
    kept_keys: Annotated[int, Bounds(0, 100_000)] = 10_000
    """Records of other nodes, the hottest, that are kept over a restart in a file beside the store. 0 = none."""
    looked_up_mib: Annotated[int, Bounds(1, 65_536)] = 32
    """Own records as the compiled part has looked them up, spared from looking while nothing is written."""
    rendered_answers_mib: Annotated[int, Bounds(1, 65_536)] = 32
    """HTTP answers as they go out, to plain requests that come again; what is asked least goes first."""


@dataclass(frozen=True, slots=True)
class AccessSection:
    """Which networks get what."""

    proven_networks: Annotated[tuple[str, ...], NetworkList()] = PRIVATE_NETWORKS
    """Networks whose source addresses are believed: UDP answers bounded by size alone. Loopback and private ones."""
    recursion_networks: Annotated[tuple[str, ...], NetworkList()] = PRIVATE_NETWORKS
    """Networks for which this node asks [upstream], beside who logs in; others are told that it is not responsible."""
    unlimited_networks: Annotated[tuple[str, ...], NetworkList()] = ()
    """Proxies and load generators exempt from connections_per_address and misses_per_source_s."""
    trusted_proxies: Annotated[tuple[str, ...], NetworkList()] = ()
    """Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; from anybody else they are ignored."""


@dataclass(frozen=True, slots=True)
class SearchSection:
    """Reverse look-up, /hrls/handles: identifiers by their public values; docs/search.md tells what it costs."""

    enabled: bool = True
    """Keep an index beside the store and answer from it: a process at low priority, some 400 bytes for a record."""
    public: bool = False
    """Answer without login, too. Otherwise any administrator whom the node knows may search."""
    types: Annotated[tuple[str, ...], TypeList()] = ()
    """Value types that are searchable, e.g. ["URL", "CHECKSUM"]. () = all but HS_SECKEY."""
    text_bytes: Annotated[int, Bounds(64, 65_536)] = 2048
    """So much of each value is searched; of a longer one its beginning."""
    question_s: Annotated[float, Bounds(0.1, 60)] = 5.0
    """How long one question may take before it is given up as too broad."""


@dataclass(frozen=True, slots=True)
class TrustSection:
    """Which keys vouch for signed records (HS_SIGNATURE, HS_CERT); `biaojie resolve --verify` asks."""

    roots: Annotated[tuple[str, ...], RootList()] = ()
    """Trusted keys, "index:handle=file" with the public key in PEM; paths count from the file's own directory."""
    max_links: Annotated[int, Bounds(1, 50)] = 4
    """Certificates between a record and a root; the format allows 50."""
    max_checks: Annotated[int, Bounds(1, 64)] = 4
    """Signatures checked for one record, so that a long chain costs its reader no more than a few milliseconds."""


@dataclass(frozen=True, slots=True)
class LogsSection:
    """One event per line on standard error, for the service manager to keep."""

    format: Annotated[str, Choice("auto", "text", "json")] = "auto"
    """"text" for people, "json" for machines, "auto" = text on a terminal."""
    level: Annotated[str, Choice("debug", "info", "warning", "error")] = "info"
    """Least severity written."""


@dataclass(frozen=True, slots=True)
class Config:
    """All sections, and where each value came from."""

    node: NodeSection = NodeSection()
    listen: ListenSection = ListenSection()
    http: HttpSection = HttpSection()
    operations: OperationsSection = OperationsSection()
    site: SiteSection = SiteSection()
    upstream: UpstreamSection = UpstreamSection()
    store: StoreSection = StoreSection()
    limits: LimitsSection = LimitsSection()
    memory: MemorySection = MemorySection()
    access: AccessSection = AccessSection()
    search: SearchSection = SearchSection()
    trust: TrustSection = TrustSection()
    logs: LogsSection = LogsSection()
    path: Path | None = field(default=None)
    """The file it was read from; None = embedded default."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """``section.key`` -> "default" or "node.toml line 12"."""

    @property
    def socket_path(self) -> Path:
        """The registrar's control socket."""
        return self.node.data_dir / "registrar.sock"


SECTIONS: dict[str, type] = {
    section.name: section.type
    for section in fields(Config)
    if isinstance(section.type, type) and is_dataclass(section.type)
}
"""Section name -> its dataclass."""
