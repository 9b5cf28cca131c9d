"""HTTP and HTTPS: ``GET /api/handles/…`` of the Handle JSON API (Handle.Net manual).

No redirects, no cookies, no compression, a bounded body. An HTTPS server is believed by its pinned key (configured
servers), by the key its site names, or by a certificate authority, the first of these that is known.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import quote

import aiohttp
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate
from yarl import URL

from node.logs import get_log
from node.upstream.addresses import trouble_of
from node.upstream.job import Job, Said, UpstreamSettings
from node.upstream.proof import key_pin, parse_pin, pin_of, read_keys
from node.upstream.web_answers import read_answer
from protocols.rest.json_reader import MAX_JSON_BYTES
from protocols.rest.loop import write_loop
from protocols.values.site import HTTPS
from resolver.asking import Reply, Role, Target, Trouble

log = get_log("upstream")

HANDLES = "/api/handles/"
PLAIN_CHARS = "-._~!$&'()*+,;=:@/"
"""Stand for themselves in a path (RFC 3986 §3.3)."""
INLINE_BYTES = 8_192
"""Longer documents are read in a thread, one at a time: the worst of them, full of sites, takes more than a second."""
MOST_SITE_KEYS = 256
"""Servers whose own keys are remembered as pins; the oldest is dropped and read again when it is asked again."""


class SpkiPins(aiohttp.Fingerprint):
    """Believes a server whose certificate has a pinned key, whoever signed it and for whatever name."""

    def __init__(self, pins: Iterable[bytes]) -> None:
        self._pins = frozenset(pins)
        super().__init__(next(iter(self._pins), bytes(32)))

    def check(self, transport: asyncio.Transport) -> None:
        """aiohttp: after the handshake, before anything is sent. Raises ``ServerFingerprintMismatch``."""
        certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        try:
            key = load_der_x509_certificate(certificate).public_key()
            got = pin_of(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        except ValueError:  # a certificate or key that cannot be read
            got = b""
        if got not in self._pins:
            # aiohttp would say goodbye first and wait for an answer; it still looks at the transport after this.
            asyncio.get_running_loop().call_soon(transport.abort)
            host, port, *_ = transport.get_extra_info("peername")
            raise aiohttp.ServerFingerprintMismatch(self.fingerprint, got, host, port)


class WebCarrier:
    """All HTTP questions under way: one task each, connections kept by aiohttp."""

    def __init__(self, settings: UpstreamSettings, may_buffer: Callable[[int], bool]) -> None:
        """``may_buffer``: books bytes of unfinished answers, see ``connection.Owner``."""
        self._settings = settings
        self._may_buffer = may_buffer
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._pins = SpkiPins(map(parse_pin, settings.pins)) if settings.pins else None
        self._site_pins: dict[bytes, SpkiPins] = {}
        self._authorities: ssl.SSLContext | None = None
        self._reader: ThreadPoolExecutor | None = None

    def ask(self, job: Job) -> None:
        """See ``Carrier``."""
        job.is_asked = True
        task = asyncio.get_running_loop().create_task(self._ask(job))
        self._tasks[job] = task
        task.add_done_callback(lambda _: self._tasks.pop(job, None))

    def drop(self, job: Job) -> None:
        """See ``Carrier``."""
        task = self._tasks.get(job)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """See ``Carrier``."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, job: Job) -> None:
        said: Said
        try:
            said = await self._exchange(job)
        except (aiohttp.ServerFingerprintMismatch, aiohttp.ClientConnectorCertificateError):
            said = Trouble.UNTRUSTED
        except aiohttp.ClientConnectorSSLError:
            said = Trouble.GARBAGE
        except aiohttp.ClientConnectorError as error:
            said = trouble_of(error.os_error)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError):
            said = Trouble.CLOSED
        except (aiohttp.ClientError, ValueError):  # not HTTP, or not an address
            said = Trouble.GARBAGE
        except OSError as error:
            said = trouble_of(error)
        except Exception:  # a bug in between must not leave the question to its deadline
            log.exception("an HTTP question met a bug", extra={"server": job.target.name})
            said = Trouble.GARBAGE
        job.settle(job, said)

    async def _exchange(self, job: Job) -> Said:
        request = self._session_now().get(
            question_url(job),
            headers=self._headers(job),
            allow_redirects=False,
            ssl=self._trust(job.target),
            trace_request_ctx=job,
        )
        async with request as response:
            body = bytearray()
            try:
                async for chunk in response.content.iter_any():
                    body += chunk
                    if not self._may_buffer(len(chunk)):
                        return Trouble.CROWDED
                    if len(body) > MAX_JSON_BYTES:
                        return Trouble.GARBAGE
                said = await self._read(response.status, bytes(body))
            finally:
                self._may_buffer(-len(body))
        if isinstance(said, Reply) and self._is_pinned(job.target):
            return said._replace(is_signed=True)
        return said

    async def _read(self, status: int, body: bytes) -> Reply | Trouble:
        if len(body) <= INLINE_BYTES:
            return read_answer(status, body)
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, "upstream-json")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, read_answer, status, body)

    def _headers(self, job: Job) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if job.question.authoritative:
            headers["Cache-Control"] = "no-cache"
        loop = write_loop(job.question.via, job.question.hop_count)
        if loop and self._settings.say_via:
            headers["CDN-Loop"] = loop
        return headers

    def _session_now(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._settings
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_queued_start.append(_queued)
            tracing.on_connection_queued_end.append(_unqueued)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=settings.most_connections,
                    limit_per_host=settings.connections,
                    keepalive_timeout=settings.idle_s,
                ),
                headers={"User-Agent": "biaojie", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trace_configs=[tracing],
            )
        return self._session

    def _trust(self, target: Target) -> ssl.SSLContext | SpkiPins | bool:
        if target.protocol != HTTPS:
            return True
        return self._pins_of(target) or self._context()

    def _is_pinned(self, target: Target) -> bool:
        return target.protocol == HTTPS and self._pins_of(target) is not None

    def _pins_of(self, target: Target) -> SpkiPins | None:
        if target.role is Role.UPSTREAM and self._pins is not None:
            return self._pins
        if not target.public_key:
            return None
        pins = self._site_pins.get(target.public_key)
        if pins is None:
            keys = read_keys([target.public_key])
            if not keys:
                return None
            if len(self._site_pins) >= MOST_SITE_KEYS:
                del self._site_pins[next(iter(self._site_pins))]
            pins = self._site_pins[target.public_key] = SpkiPins(map(key_pin, keys))
        return pins

    def _context(self) -> ssl.SSLContext:
        if self._authorities is None:
            self._authorities = ssl.create_default_context(cafile=self._settings.ca_file or None)
        return self._authorities


def question_url(job: Job) -> URL:
    """Where the record is asked for; the trail only with the others' leave to say it."""
    question, target = job.question, job.target
    scheme = "https" if target.protocol == HTTPS else "http"
    host = f"[{target.address}]" if ":" in target.address else target.address
    wishes = ["auth=true"] * question.authoritative + ["trace=true"] * question.wants_trail
    path = HANDLES + quote(question.spelling, safe=PLAIN_CHARS)
    query = "?" + "&".join(wishes) if wishes else ""
    return URL(f"{scheme}://{host}:{target.port}{path}{query}", encoded=True)


async def _queued(_session: object, context: SimpleNamespace, _parameters: object) -> None:
    """No connection is free: our own bound, until one is."""
    context.trace_request_ctx.is_asked = False


async def _unqueued(_session: object, context: SimpleNamespace, _parameters: object) -> None:
    context.trace_request_ctx.is_asked = True
