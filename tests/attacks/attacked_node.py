"""The node under attack: a real one on loopback, filled with what attackers look for, watched from outside."""

import base64
import contextlib
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from node.child import name_of
from node.demo.node_process import NodeProcess
from node.init_node import NO_SETTINGS
from tests.attacks.wire import ask_http, request

PREFIX = "88.118"
CANARY = "canary-7f3e1d-never-shown"
"""An HS_SECKEY that is stored with a record; nobody who is not logged in may ever see it."""
GOOD, MIDDLE, BIG, HUGE = (f"{PREFIX}/{name}" for name in ("good", "middle", "big", "huge"))
"""Answers of about 150, 400 (more than three times the question), 900 and 200,000 bytes."""
HIDDEN = f"{PREFIX}/hidden"


class AttackedNode(NodeProcess):
    """A node with settings of its own and records to attack."""

    def __init__(
        self, directory: Path, sections: Mapping[str, object] = NO_SETTINGS, **settings: object
    ) -> None:
        """``sections``: what shall differ, ``section.key`` -> value; ``settings``: keys of [limits] and behind it."""
        super().__init__(directory, PREFIX, sections)
        text = self.made.settings.read_text()
        head, title, tail = text.partition("[limits]")  # and what comes behind: memory, access
        for key, value in settings.items():
            tail, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {json.dumps(value)}", tail)
            assert found == 1, f"{key} is {found} times in the settings"
        text = head + title + tail
        self.made.settings.write_text(text)

    @property
    def native_port(self) -> int:
        return self.native.port

    @property
    def http_port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def secret(self) -> str:
        """The administrator's."""
        return self.made.secret.read_text().strip()

    @property
    def authorization(self) -> str:
        return basic(self.made.administrator, self.secret)

    def put(self, handle: str, *values: dict, **headers: str) -> tuple[int, dict]:
        """Register over HTTP as the administrator: status and document."""
        headers = {"Authorization": self.authorization, "Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        target = "/api/handles/" + quote(handle, safe="/")
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = ask_http(
            self.http_port, request("PUT", target, json.dumps(values).encode(), **headers)
        )
        return reply.status, reply.document

    def fill(self) -> None:
        """What the attacks ask for."""
        for handle, values in RECORDS.items():
            status, said = self.put(handle, *values)
            assert status == 201, said

    # watched from outside

    @property
    def worker_pid(self) -> int:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        workers = [int(pid) for pid in children if name_of(pid) == "worker-0"]
        assert len(workers) == 1, workers
        return workers[0]

    @property
    def rss_bytes(self) -> int:
        """Resident memory of the worker."""
        status = Path(f"/proc/{self.worker_pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]

    @property
    def descriptor_count(self) -> int:
        return len(list(Path(f"/proc/{self.worker_pid}/fd").iterdir()))

    def metrics(self) -> str:
        with urllib.request.urlopen(self.operations_url + "/metrics", timeout=10) as answer:
            return answer.read().decode()

    def settles_at(self, descriptors: int, within_s: float = 5.0) -> bool:
        """Whether the worker comes down to so many descriptors; two more are the honest client's business."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            if self.descriptor_count <= descriptors + 2:
                return True
            time.sleep(0.02)
        return False


def basic(administrator: str, secret: str) -> str:
    pair = f"{quote(administrator, safe='')}:{secret}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def value(index: int, type_: str, data: object, **more: object) -> dict:
    return {"index": index, "type": type_, "data": data, **more}


@contextlib.contextmanager
def attacked(
    directory: Path,
    sections: Mapping[str, object] = NO_SETTINGS,
    fill: Callable[[AttackedNode], None] = AttackedNode.fill,
    **settings: object,
) -> Iterator[AttackedNode]:
    """A filled node, stopped afterwards; the worker that was there at the start must be there at the end."""
    node = AttackedNode(directory / "node", sections, **settings)
    node.start()
    try:
        fill(node)
        worker = node.worker_pid
        yield node
        assert node.worker_pid == worker, "the worker died under attack"
        assert "Traceback" not in node.log.read_text(errors="replace")
    finally:
        node.stop()


RECORDS: dict[str, list[dict]] = {
    GOOD: [value(1, "URL", "https://example.com/good"), value(2, "NAME", "good")],
    MIDDLE: [value(1, "DESC", "m" * 300)],
    BIG: [value(1, "DESC", "b" * 800), value(2, "URL", "https://example.com/big")],
    HUGE: [value(index, "DESC", "h" * 50_000) for index in (1, 2, 3, 4)],
    HIDDEN: [
        value(1, "URL", "https://example.com/hidden"),
        value(300, "HS_SECKEY", CANARY, permissions="1100"),
    ],
}
