"""The systemd units and the container file keep the promises that SECURITY.md makes."""

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import ROOT

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service")) + sorted(
    (ROOT / "deploy/systemd").glob("*.timer")
)
CONTAINERFILE = (ROOT / "deploy/Containerfile").read_text()

HARDENED = {
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "RestrictNamespaces": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "User": "biaojie",
}


class Unit(configparser.RawConfigParser):
    """A unit file: keys keep their case, and a key may come several times (values joined by a newline)."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, interpolation=None, dict_type=Repeating)
        self.optionxform = str
        self.read_string(path.read_text())


class Repeating(dict):
    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self:
            value = [*self[key], *value]
        super().__setitem__(key, value)


def test_the_units_are_the_node_and_its_backup():
    assert {path.name for path in UNITS} == {
        "biaojie.service", "biaojie-backup.service", "biaojie-backup.timer",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["biaojie.service", "biaojie-backup.service"])
@pytest.mark.parametrize("key", HARDENED)
def test_a_service_is_hardened(name: str, key: str):
    unit = Unit(ROOT / "deploy/systemd" / name)
    assert unit["Service"][key] == HARDENED[key]


def test_the_node_checks_its_settings_before_every_start_and_reload():
    service = Unit(ROOT / "deploy/systemd/biaojie.service")["Service"]
    assert "biaojie check-config --config" in service["ExecStartPre"]
    assert "biaojie serve --config" in service["ExecStart"]
    check, signal = service["ExecReload"].split("\n")
    assert "check-config" in check
    assert signal.endswith("kill -HUP $MAINPID")
    files = {re.search(r"--config (\S+)", service[key])[1] for key in ("ExecStartPre", "ExecStart")}
    assert len(files) == 1


def test_the_node_is_stopped_gently_and_restarted_after_a_crash():
    service = Unit(ROOT / "deploy/systemd/biaojie.service")["Service"]
    assert service["KillMode"] == "mixed"
    assert service["Restart"] == "on-failure"
    assert service["StateDirectory"] == "biaojie"
    assert int(service["LimitNOFILE"]) >= 16_384


def test_the_node_gets_longer_to_stop_than_it_takes_to_drain():
    from node.config_sections import NodeSection

    service = Unit(ROOT / "deploy/systemd/biaojie.service")["Service"]
    assert int(service["TimeoutStopSec"]) >= NodeSection().drain_s + 10


def test_the_node_may_use_internet_and_unix_sockets_only():
    service = Unit(ROOT / "deploy/systemd/biaojie.service")["Service"]
    assert set(service["RestrictAddressFamilies"].split()) == {"AF_INET", "AF_INET6", "AF_UNIX"}
    assert service["SystemCallFilter"].split("\n") == ["@system-service", "~@privileged @resources"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_unit(path: Path, tmp_path: Path):
    """Where systemd is installed; elsewhere the parser above has already read the file."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        assert Unit(path).sections()
        return
    # The command is not installed on the machine that runs the tests: point at one that is.
    for unit in UNITS:
        text = unit.read_text().replace("/opt/biaojie/bin/biaojie", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    run = subprocess.run(
        [tool, "verify", "--man=no", str(tmp_path / path.name)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    complaints = [line for line in run.stderr.splitlines() if "biaojie" in line]
    assert complaints == []


def test_the_image_runs_without_root_and_with_a_read_only_file_system():
    final = CONTAINERFILE.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert re.search(r"^VOLUME /var/lib/biaojie$", final, re.MULTILINE)
    assert "PYTHONDONTWRITEBYTECODE=1" in final
    assert "STOPSIGNAL SIGTERM" in final


def test_the_image_installs_only_what_is_locked():
    assert CONTAINERFILE.count("--require-hashes") == 2
    assert "--no-deps --no-index /wheel/" in CONTAINERFILE


def test_the_image_understands_the_keys_of_the_national_sdk():
    """The locked packages of a node and of the extra `sm` go into the environment that is copied into the image."""
    (installed,) = re.findall(
        r"/opt/biaojie/bin/pip install --require-hashes (.+?) \\\n", CONTAINERFILE
    )
    assert installed.split() == ["-r", "requirements/run.txt", "-r", "requirements/sm.txt"]


def test_the_image_copies_only_what_exists():
    for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.MULTILINE):
        *froms, _to = line.split()
        for name in froms:
            assert (ROOT / name).exists(), name


def test_the_image_is_built_of_all_that_the_wheel_holds():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    held = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    copied = " ".join(re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.MULTILINE)).split()
    assert set(held) <= set(copied)


def test_the_image_is_healthy_when_the_operations_port_says_ready():
    from node.config_sections import OperationsSection

    operations = OperationsSection()
    assert f"http://{operations.address}:{operations.port}/ready" in CONTAINERFILE
