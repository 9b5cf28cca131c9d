"""Servers that always give the same answer: the uvloop and C echoes over UDP, nginx and aiohttp over HTTP.

Their answers have as many bytes as ours, head included: what the head takes is found by asking once.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from bench.peers.process import (
    PeerFailed,
    Running,
    ask_datagram,
    ask_stream,
    await_answer,
    need_program,
    read_port,
    started,
    version_of,
)
from node.free_ports import free_port

_TYPICAL_HEAD_BYTES = 160
_TRIES = 3
"""The second fits; a third when the length of the length changed."""

NGINX_CONF = """\
daemon off;
master_process off;
worker_processes 1;
pid {place}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  client_header_timeout 3600;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 200 "{body}"; }}
  }}
}}
"""


def nginx_version() -> str | None:
    """None when it is not installed."""
    return version_of("nginx", "-v")


@contextmanager
def uvloop_echo(place: Path, answer_bytes: int) -> Iterator[Running]:
    """A ``DatagramProtocol`` on uvloop that sends as many bytes as our answer has."""
    command = (sys.executable, "-m", "bench.peers.udp_echo", answer_bytes)
    with _printing_its_port(command, place) as running:
        yield running


@contextmanager
def c_echo(program: Path, way: str, place: Path, answer_bytes: int) -> Iterator[Running]:
    """``echo.c``; ``way``: ``one`` or ``many`` datagrams in a system call."""
    with _printing_its_port((program, answer_bytes, way), place) as running:
        if len(ask_datagram(running.port, bytes(64))) != answer_bytes:
            raise PeerFailed("the echo's answer has the wrong size")
        yield running


@contextmanager
def aiohttp_fixed(
    place: Path, question: bytes, whole: Callable[[bytes], int], answer_bytes: int
) -> Iterator[Running]:
    """One route of a plain aiohttp application."""

    @contextmanager
    def serving(body_bytes: int) -> Iterator[Running]:
        command = (sys.executable, "-m", "bench.peers.aiohttp_fixed", body_bytes)
        with _printing_its_port(command, place / str(body_bytes)) as running:
            yield running

    with _fitting(serving, question, whole, answer_bytes) as running:
        yield running


@contextmanager
def nginx(
    place: Path, question: bytes, whole: Callable[[bytes], int], answer_bytes: int
) -> Iterator[Running]:
    """nginx as a single process, which is its one worker."""

    @contextmanager
    def serving(body_bytes: int) -> Iterator[Running]:
        folder = place / str(body_bytes)
        folder.mkdir(parents=True)
        port, conf, log = free_port(), folder / "nginx.conf", folder / "log"
        conf.write_text(NGINX_CONF.format(place=folder, port=port, body="x" * body_bytes))
        command = (need_program("nginx"), "-p", folder, "-e", log, "-c", conf)
        with started(command, log) as process:
            await_answer(process, log, lambda: ask_stream(port, question, whole))
            yield Running(process.pid, port)

    with _fitting(serving, question, whole, answer_bytes) as running:
        yield running


@contextmanager
def _fitting(
    serving: Callable[[int], AbstractContextManager[Running]],
    question: bytes,
    whole: Callable[[bytes], int],
    answer_bytes: int,
) -> Iterator[Running]:
    """Start it with bodies of different sizes until the whole answer has the wanted one. Raises ``PeerFailed``."""
    body_bytes = max(1, answer_bytes - _TYPICAL_HEAD_BYTES)
    for _ in range(_TRIES):
        with ExitStack() as stack:
            running = stack.enter_context(serving(body_bytes))
            got = len(ask_stream(running.port, question, whole))
            if got == answer_bytes:
                yield running
                return
            body_bytes = max(1, body_bytes + answer_bytes - got)
    raise PeerFailed(f"no answer of {answer_bytes} bytes could be had")


@contextmanager
def _printing_its_port(command: tuple[object, ...], place: Path) -> Iterator[Running]:
    place.mkdir(parents=True)
    log = place / "log"
    with started(command, log) as process:
        yield Running(process.pid, read_port(process, log))
