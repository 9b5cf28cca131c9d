"""The demo's steps, in order: what is asked, how, and what must come back for the line to be as it should.

Each step is a function of a ``Stage`` that returns the line it saw; ``STEPS`` is the whole play.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from node.asking.native import Resolution, ask, resolve_question
from node.asking.web import WebAnswer, handle_target
from node.clock import read_clocks
from node.demo.node_process import NodeProcess
from node.demo.sample import sample_file
from protocols.handle.codes import ResponseCode
from protocols.handle.envelope import ENVELOPE_BYTES

PREFIX = "88.118"
KNOWN = f"{PREFIX}/0000000000017"
"""A good row of the sample."""
BAD_ROW = f"{PREFIX}/00000000001111111111"
"""A row whose barcode is no barcode: it must not have been registered."""
OWN = f"{PREFIX}/DEMO-PUMP-1"


class Line(NamedTuple):
    """One line of the table."""

    asked: str
    protocol: str
    answer: str
    seconds: float
    is_right: bool


class Stage:
    """What the steps share."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node

    def resolve(self, identifier: str, transport: str) -> tuple[Resolution, float]:
        """Ask over UDP or TCP alone."""
        question = resolve_question(identifier.encode(), (), (), read_clocks().wall_s)
        result = ask(self.node.native, question, (transport,))
        return result, result.hops[-1].seconds

    def put(self, identifier: str, values: list[dict[str, Any]]) -> tuple[WebAnswer, float]:
        """Register over HTTP, as the node's administrator."""
        started_s = time.monotonic()
        answer = self.node.web.ask("PUT", handle_target(identifier), {"values": values})
        return answer, time.monotonic() - started_s


def import_sample(stage: Stage) -> Line:
    """The sample file into the running node, by the same command an engineer would use."""
    command = [
        sys.executable, "-m", "node.cli", "import", str(sample_file()), "--prefix", PREFIX,
        "--suffix", "{barcode}", "--value", "URL={image_url}", "--value", "NAME={product_name}",
        "--check", "gtin", "--config", str(stage.node.made.settings), "--json",
    ]  # fmt: skip
    started_s = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # our own command
    report = json.loads(ended.stdout) if ended.returncode == 0 else {}
    rejected = ", ".join(f"{count} {reason}" for reason, count in report.get("reasons", {}).items())
    answer = (
        f"{report['registered']:,} registered, {report['rejected']} rejected ({rejected})"
        if report else ended.stderr.strip()
    )  # fmt: skip
    is_right = bool(report) and report["registered"] >= 1000 and report["rejected"] > 0
    asked = f"import {Path(command[4]).name}, checking barcodes"
    return Line(asked, "command", answer, time.monotonic() - started_s, is_right)


def register(stage: Stage) -> Line:
    """A new identifier."""
    answer, seconds = stage.put(
        OWN, [_value(1, "URL", "https://example.org/pump/1"), _value(2, "NAME", "Pump 泵")]
    )
    return Line(f"register {OWN}", "HTTP PUT", _said(answer), seconds, answer.status == 201)


def update(stage: Stage) -> Line:
    """Another URL for it."""
    answer, seconds = stage.put(
        OWN, [_value(1, "URL", "https://example.org/pump/1-b"), _value(2, "NAME", "Pump 泵")]
    )
    return Line(f"update {OWN}", "HTTP PUT", _said(answer), seconds, answer.status == 200)


def resolve_udp(stage: Stage) -> Line:
    """A row of the sample over UDP."""
    return _native(stage, KNOWN, "udp", lambda shown: "https://" in shown)


def resolve_tcp(stage: Stage) -> Line:
    """The updated identifier over TCP, spelled in another case."""
    return _native(stage, OWN.lower(), "tcp", lambda shown: "pump/1-b" in shown)


def resolve_http(stage: Stage) -> Line:
    """The same over HTTP."""
    started_s = time.monotonic()
    answer = stage.node.web._replace(login=None).ask("GET", handle_target(OWN))
    values = answer.document.get("values", [])
    shown = ", ".join(f"{v['type']} {v['data']['value']}" for v in values)
    is_right = answer.status == 200 and "pump/1-b" in shown
    return Line(OWN, "HTTP GET", shown or _said(answer), time.monotonic() - started_s, is_right)


def bad_row(stage: Stage) -> Line:
    """A row the import refused is not there, and the answer says so."""
    result, seconds = stage.resolve(BAD_ROW, "udp")
    is_right = result.response_code == ResponseCode.HANDLE_NOT_FOUND
    return Line(f"{BAD_ROW} (a refused row)", "UDP", _failure(result), seconds, is_right)


def bad_value(stage: Stage) -> Line:
    """A value that cannot be: the error says what, where and why, and nothing is changed."""
    answer, seconds = stage.put(OWN, [_value(0, "URL", "https://example.org/")])
    field = str(answer.document.get("field", ""))
    return Line("register index 0 (impossible)", "HTTP PUT", _said(answer), seconds,
                answer.status == 400 and "index" in field)  # fmt: skip


def stranger(stage: Stage) -> Line:
    """A write without a name is refused."""
    started_s = time.monotonic()
    values = {"values": [_value(1, "URL", "https://example.org/")]}
    answer = stage.node.web._replace(login=None).ask("PUT", handle_target(OWN), values)
    seconds = time.monotonic() - started_s
    return Line(f"update {OWN} as nobody", "HTTP PUT", _said(answer), seconds, answer.status == 401)


def bad_bytes(stage: Stage) -> Line:
    """A message whose identifier runs past its end."""
    question = bytearray(resolve_question(OWN.encode(), (), (), read_clocks().wall_s))
    at = ENVELOPE_BYTES + 24
    question[at : at + 4] = (10_000).to_bytes(4)
    result = ask(stage.node.native, bytes(question), ("tcp",))
    is_right = result.response_code == ResponseCode.PROTOCOL_ERROR
    return Line(
        "a message that lies about its length",
        "TCP",
        _failure(result),
        result.hops[-1].seconds,
        is_right,
    )


def kill_and_restart(stage: Stage) -> Line:
    """kill -9 to every process of the node, then a start on the same data."""
    count = stage.node.kill()
    seconds = stage.node.start()
    return Line(
        f"kill -9 of all {count} processes, start again", "command", "ready", seconds, is_right=True
    )


def resolve_again(stage: Stage) -> Line:
    """What was acknowledged is still there."""
    return _native(stage, OWN, "udp", lambda shown: "pump/1-b" in shown)


STEPS: tuple[Callable[[Stage], Line], ...] = (
    import_sample, register, update, resolve_udp, resolve_tcp, resolve_http,
    bad_row, bad_value, stranger, bad_bytes, kill_and_restart, resolve_again,
)  # fmt: skip


def _native(stage: Stage, identifier: str, transport: str, is_right: Callable[[str], bool]) -> Line:
    result, seconds = stage.resolve(identifier, transport)
    shown = ", ".join(f"{v.type} {v.data.decode(errors='replace')}" for v in result.values)
    return Line(identifier, transport.upper(), shown or _failure(result), seconds, is_right(shown))


def _failure(result: Resolution) -> str:
    return f"RC {result.response_code}: {result.message}" if result.answer else result.hops[-1].note


def _said(answer: WebAnswer) -> str:
    document = answer.document
    done = {200: "done, ", 201: "new, "}.get(answer.status, "")
    where = f" [{document['field']}]" if document.get("field") else ""
    said = f": {document['message']}{where}" if document.get("message") else ""
    return f"{done}HTTP {answer.status}, RC {document.get('responseCode')}{said}"


def _value(index: int, type_: str, text: str) -> dict[str, Any]:
    return {"index": index, "type": type_, "data": {"format": "string", "value": text}}
