"""NSD and Knot: a zone with as many names as we hold identifiers, whose TXT records make answers as long as ours.

Neither limits the rate of answers nor writes a line for them; what Biaojie does there is in its own figures.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.cores import pin_server
from bench.peers.process import (
    PeerFailed,
    Running,
    ask_datagram,
    await_answer,
    need_program,
    started,
    version_of,
)
from node.free_ports import free_port

MAX_STRING_BYTES = 255
"""Of one character-string of a TXT record (RFC 1035 §3.3.14)."""
RECORD_HEAD_BYTES = 12
"""Name (a pointer), type, class, TTL and length of the one record in an answer."""

NSD_CONF = """\
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{place}"
  pidfile: "{place}/nsd.pid"
  xfrdir: "{place}"
  xfrdfile: "{place}/xfrd.state"
  zonelistfile: "{place}/zone.list"
  logfile: "{place}/nsd.log"
  database: ""
  server-count: 1
  minimal-responses: yes
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: {origin}
  zonefile: "{zone}"
"""
KNOT_CONF = """\
server:
    rundir: {place}
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {place}
log:
  - target: stderr
    any: warning
zone:
  - domain: {origin}
    file: {zone}
    zonefile-sync: -1
    journal-content: none
"""


class Zone(NamedTuple):
    """What the DNS peers hold."""

    origin: str
    path: Path
    question: bytes
    """For one of its names."""
    answer_bytes: int
    """Of every answer."""


def nsd_version() -> str | None:
    """None when it is not installed."""
    return version_of("nsd", "-v")


def knot_version() -> str | None:
    """None when it is not installed."""
    return version_of("knotd", "--version")


def write_zone(path: Path, origin: str, names: Iterable[str], record_bytes: int) -> Path:
    """A zone below ``origin`` whose ``names`` each have a TXT record of ``record_bytes``."""
    payload = txt_strings(record_bytes)
    with path.open("w") as file:
        file.write(f"$ORIGIN {origin}.\n$TTL 86400\n@ SOA ns hostmaster 1 3600 600 86400 600\n")
        file.write("@ NS ns\nns A 127.0.0.1\n")
        file.writelines(f"{name} TXT {payload}\n" for name in names)
    return path


def txt_strings(size_bytes: int) -> str:
    """Record data of ``size_bytes`` as a zone file writes it: strings, each with one byte of length in front."""
    parts = []
    left = max(1, size_bytes)
    while left > 0:
        length = min(MAX_STRING_BYTES, left - 1)
        parts.append(f'"{"x" * length}"')
        left -= length + 1
    return " ".join(parts)


@contextmanager
def nsd(place: Path, zone: Zone) -> Iterator[Running]:
    """NSD with one server process."""
    with _serving("nsd", ("-d", "-c"), NSD_CONF, place, zone) as running:
        yield running


@contextmanager
def knot(place: Path, zone: Zone) -> Iterator[Running]:
    """Knot DNS with one UDP worker."""
    with _serving("knotd", ("-c",), KNOT_CONF, place, zone) as running:
        yield running


@contextmanager
def _serving(
    program: str, words: tuple[str, ...], settings: str, place: Path, zone: Zone
) -> Iterator[Running]:
    place.mkdir(parents=True)
    port, conf, log = free_port(), place / "conf", place / "log"
    conf.write_text(settings.format(place=place, port=port, origin=zone.origin, zone=zone.path))
    command = (need_program(program), *words, conf)
    with started(command, log) as process:
        answer = await_answer(process, log, lambda: ask_datagram(port, zone.question))
        if len(answer) != zone.answer_bytes or answer[3] & 15:
            said = f"{program} answers {len(answer)} bytes, code {answer[3] & 15}"
            raise PeerFailed(f"{said}, where {zone.answer_bytes} are wanted")
        pin_server(process.pid)  # Knot spreads its threads over the cores it sees
        yield Running(process.pid, port)
