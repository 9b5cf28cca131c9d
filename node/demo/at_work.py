"""The demo, first part: one node at work. Rows come in, are asked for, refused, and survive kill -9.

Each step is a function of a ``Stage`` that returns the line it saw.
"""

import time

from node.asking.native import ask, resolve_question
from node.asking.web import handle_target
from node.clock import read_clocks
from node.demo.hierarchy import PREFIX
from node.demo.sample import sample_file
from node.demo.stage import RECORDS, Line, Seen, Stage, failure, report_of, said, value
from protocols.handle.codes import ResponseCode
from protocols.handle.envelope import ENVELOPE_BYTES

KNOWN = f"{PREFIX}/0000000000017"
"""A good row of the sample."""
BAD_ROW = f"{PREFIX}/00000000001111111111"
"""A row whose barcode is no barcode: it must not have been registered."""
OWN = f"{PREFIX}/DEMO-PUMP-1"
NEWER = "https://example.org/pump/1-b"


def import_sample(stage: Stage) -> Line:
    """The sample file into the running node, by the same command an engineer would use."""
    started_s = time.monotonic()
    ended = stage.node.run(
        "import", str(sample_file()), "--prefix", PREFIX, "--suffix", "{barcode}",
        "--value", "URL={image_url}", "--value", "NAME={product_name}", "--check", "gtin",
    )  # fmt: skip
    report = report_of(ended.stdout) if ended.returncode == 0 else {}
    rejected = ", ".join(f"{count} {reason}" for reason, count in report.get("reasons", {}).items())
    answer = (
        f"{report['registered']:,} registered, {report['rejected']} rejected ({rejected})"
        if report else ended.stderr.strip()
    )  # fmt: skip
    is_right = bool(report) and report["registered"] >= 1000 and report["rejected"] > 0
    asked = f"import {sample_file().name}, checking barcodes"
    return Line(asked, "command", answer, time.monotonic() - started_s, is_right)


def register(stage: Stage) -> Line:
    """A new identifier."""
    values = [value(1, "URL", "https://example.org/pump/1"), value(2, "NAME", "Pump 泵")]
    answer, seconds = stage.put(OWN, values)
    return Line(f"register {OWN}", "HTTP PUT", said(answer), seconds, answer.status == 201)


def update(stage: Stage) -> Line:
    """Another URL for it."""
    answer, seconds = stage.put(OWN, [value(1, "URL", NEWER), value(2, "NAME", "Pump 泵")])
    return Line(f"update {OWN}", "HTTP PUT", said(answer), seconds, answer.status == 200)


def resolve_udp(stage: Stage) -> Line:
    """A row of the sample over UDP."""
    seen = stage.resolve(KNOWN, "udp")
    return seen.line(KNOWN, "UDP", is_right="https://" in seen.shown and _is_own(seen))


def resolve_tcp(stage: Stage) -> Line:
    """The updated identifier over TCP, spelled in another case."""
    seen = stage.resolve(OWN.lower(), "tcp")
    return seen.line(OWN.lower(), "TCP", is_right=NEWER in seen.shown and _is_own(seen))


def resolve_http(stage: Stage) -> Line:
    """The same over HTTP."""
    seen, answer = stage.resolve_web(OWN)
    is_right = answer.status == 200 and NEWER in seen.shown and _is_own(seen)
    return seen.line(OWN, "HTTP GET", is_right=is_right)


def bad_row(stage: Stage) -> Line:
    """A row the import refused is not there, and the answer says so."""
    seen = stage.resolve(BAD_ROW, "udp")
    is_right = seen.response_code == ResponseCode.HANDLE_NOT_FOUND and _is_own(seen)
    return seen.line(f"{BAD_ROW} (a refused row)", "UDP", is_right=is_right)


def bad_value(stage: Stage) -> Line:
    """A value that cannot be: the error says what, where and why, and nothing is changed."""
    answer, seconds = stage.put(OWN, [value(0, "URL", "https://example.org/")])
    field = str(answer.document.get("field", ""))
    return Line("register index 0 (impossible)", "HTTP PUT", said(answer), seconds,
                answer.status == 400 and "index" in field)  # fmt: skip


def stranger(stage: Stage) -> Line:
    """A write without a name is refused."""
    started_s = time.monotonic()
    values = {"values": [value(1, "URL", "https://example.org/")]}
    answer = stage.node.web._replace(login=None).ask("PUT", handle_target(OWN), values)
    seconds = time.monotonic() - started_s
    return Line(f"update {OWN} as nobody", "HTTP PUT", said(answer), seconds, answer.status == 401)


def bad_bytes(stage: Stage) -> Line:
    """A message whose identifier runs past its end."""
    question = bytearray(resolve_question(OWN.encode(), (), (), read_clocks().wall_s))
    at = ENVELOPE_BYTES + 24
    question[at : at + 4] = (10_000).to_bytes(4)
    result = ask(stage.node.native, bytes(question), ("tcp",))
    is_right = result.response_code == ResponseCode.PROTOCOL_ERROR
    asked = "a message that lies about its length"
    return Line(asked, "TCP", failure(result), result.hops[-1].seconds, is_right)


def kill_and_restart(stage: Stage) -> Line:
    """kill -9 to every process of the node, then a start on the same data."""
    count = stage.node.kill()
    seconds = stage.node.start()
    asked = f"kill -9 of all {count} processes, start again"
    return Line(asked, "command", "ready", seconds, is_right=True)


def resolve_again(stage: Stage) -> Line:
    """What was acknowledged is still there."""
    seen = stage.resolve(OWN, "udp")
    return seen.line(OWN, "UDP", is_right=NEWER in seen.shown and _is_own(seen))


def _is_own(seen: Seen) -> bool:
    return seen.way == (PREFIX,) and seen.source == RECORDS
