"""The Java client of Handle.Net as it comes from Maven Central, against running nodes.

``make nightly`` runs it: it wants a JDK, Maven and the network, which no other test does.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from node.demo.node_process import NodeProcess

PREFIX = "88.118"
PROGRAM = Path(__file__).parent / "handle_net"

pytestmark = [pytest.mark.nightly, pytest.mark.process]


@pytest.fixture(scope="module")
def java_class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The client, what it needs, and our program, compiled."""
    made = tmp_path_factory.mktemp("handle_net")
    shutil.copy(PROGRAM / "pom.xml", made)
    fetch = ["mvn", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={made / 'lib'}"]
    subprocess.run(fetch, cwd=made, check=True, timeout=300)
    libraries = ":".join(map(str, sorted((made / "lib").glob("*.jar"))))
    compile_ = ["javac", "-encoding", "UTF-8", "-cp", libraries, "-d", str(made / "classes")]
    subprocess.run([*compile_, str(PROGRAM / "HandleNetClient.java")], check=True, timeout=120)
    return f"{made / 'classes'}:{libraries}"


@pytest.mark.parametrize("workers", [1, 2], ids=["one worker", "two workers"])
def test_the_java_client_notices_nothing(java_class_path: str, tmp_path: Path, workers: int):
    node = NodeProcess(tmp_path / "node", PREFIX, {"node.workers": workers})
    node.start()
    try:
        secret = (tmp_path / "node" / "keys" / "admin.secret").read_text().strip()
        command = ["java", "-Dfile.encoding=UTF-8", "-cp", java_class_path, "HandleNetClient"]
        done = subprocess.run(
            [*command, str(node.native.port), PREFIX, secret],
            capture_output=True, text=True, timeout=200, check=False,
            env={**os.environ, "HOME": str(tmp_path)},
        )  # fmt: skip
    finally:
        node.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "broken  " not in done.stdout
    assert done.stdout.count("kept    ") >= 50
