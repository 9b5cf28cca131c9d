"""``python -m bench``: our server CPU per answer beside a named peer's, alternating in short slices.

Starts a node of its own with many identifiers and the peers, pins servers to one core and the load to another, and
prints medians, ratios and how busy the load generator was. Everything is on loopback and ends by itself.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.cores import pin_load, pin_server, worker_of
from bench.load_http import HttpLoad
from bench.load_udp import SOURCE_PORTS, UdpLoad
from bench.slices import Peer, Slice, alternate, least_ratio, median_cpu_us, ratios
from node.asking.native import ask, resolve_question
from node.asking.web import handle_target
from node.clock import read_clocks
from node.demo.node_process import NodeProcess

PREFIX = "88.118"
CONNECTIONS = 32


def main() -> int:
    options = _options()
    pin_load()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="biaojie-bench-")))
        node = NodeProcess(directory / "node", PREFIX)
        _fill(node, directory, options.keys)
        node.start()
        stack.callback(node.stop)
        for name in options.what:
            peers = stack.enter_context(BENCHES[name](node, options.keys))
            results = alternate(peers, options.rounds, options.seconds)
            _report(name, results, as_json=options.json)
    return 0


@contextlib.contextmanager
def _udp(node: NodeProcess, keys: int) -> Iterator[list[Peer]]:
    """Native UDP hits against a bare uvloop echo of as many bytes."""
    questions = [_question(number) for number in range(keys)]
    answer_bytes = ask(node.native, questions[0], ("udp",)).hops[-1].answer_bytes
    echo, port = _start_peer("bench.peers.udp_echo", answer_bytes)
    ours = UdpLoad((node.native.host, node.native.port), questions, SOURCE_PORTS)
    theirs = UdpLoad(("127.0.0.1", port), questions, SOURCE_PORTS)
    try:
        yield [
            Peer("biaojie", (worker_of(node),), ours),
            Peer(f"uvloop UDP echo, {answer_bytes} bytes", (echo.pid,), theirs),
        ]
        if ours.lost or theirs.lost:
            print(f"lost: ours {ours.lost}, echo {theirs.lost}")
    finally:
        ours.close()
        theirs.close()
        echo.terminate()
        echo.wait()


@contextlib.contextmanager
def _http(node: NodeProcess, keys: int) -> Iterator[list[Peer]]:
    """HTTP GET hits against aiohttp answering fixed bytes of the same size."""
    body_bytes = node.web._replace(login=None).ask("GET", handle_target(_identifier(0))).size_bytes
    fixed, port = _start_peer("bench.peers.aiohttp_fixed", body_bytes)
    requests = [_request(number) for number in range(keys)]
    host, _, own_port = node.url.removeprefix("http://").partition(":")
    ours = HttpLoad((host, int(own_port)), requests, CONNECTIONS)
    theirs = HttpLoad(("127.0.0.1", port), requests, CONNECTIONS)
    try:
        yield [
            Peer("biaojie", (worker_of(node),), ours),
            Peer(f"aiohttp fixed answer, {body_bytes} bytes", (fixed.pid,), theirs),
        ]
    finally:
        ours.close()
        theirs.close()
        fixed.terminate()
        fixed.wait()


BENCHES = {"udp": _udp, "http": _http}


def _report(name: str, results: dict[str, list[Slice]], *, as_json: bool) -> None:
    (_, ours), *others = results.items()
    for peer, slices in others:
        ratio, low, high = ratios(ours, slices)
        facts = {
            "bench": name,
            "peer": peer,
            "slices": len(ours),
            "ratio": round(ratio, 3),
            "ratio_low": round(low, 3),
            "ratio_high": round(high, 3),
            "ratio_of_least": round(least_ratio(ours, slices), 3),
            "our_us": round(median_cpu_us(ours), 3),
            "peer_us": round(median_cpu_us(slices), 3),
            "client_share": round(max(one.client_share for one in (*ours, *slices)), 2),
        }
        if as_json:
            print(json.dumps(facts))
            continue
        print(
            f"{name}: {facts['ratio']} of {peer} (server CPU per answer, median of {facts['slices']} slices, "
            f"{facts['ratio_low']} to {facts['ratio_high']}; {facts['ratio_of_least']} by the least slice of each; "
            f"the load used {facts['client_share']:.0%} of a core)"
        )


def _fill(node: NodeProcess, directory: Path, keys: int) -> None:
    rows = directory / "rows.csv"
    lines = (
        f"{n:06d},https://static.example.org/products/{n:06d}.html,Pump {n}" for n in range(keys)
    )
    rows.write_text("number,url,name\n" + "\n".join(lines) + "\n")
    command = [
        sys.executable, "-m", "node.cli", "import", str(rows), "--prefix", PREFIX, "--suffix", "SN-{number}",
        "--value", "URL={url}", "--value", "NAME={name}", "--config", str(node.made.settings), "--json",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def _identifier(number: int) -> str:
    return f"{PREFIX}/SN-{number:06d}"


def _question(number: int) -> bytes:
    return resolve_question(_identifier(number).encode(), (), (), read_clocks().wall_s)


def _request(number: int) -> bytes:
    target = handle_target(_identifier(number))
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n".encode()


def _start_peer(module: str, size_bytes: int) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(size_bytes)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    pin_server(process.pid)
    return process, port


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="*", default=list(BENCHES), help="udp, http (all)")
    parser.add_argument("--rounds", type=int, default=9, help="slices per peer (9)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a slice (1)")
    parser.add_argument(
        "--keys", type=int, default=100_000, help="identifiers asked in turn (100,000)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    unknown = set(options.what) - set(BENCHES)
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
