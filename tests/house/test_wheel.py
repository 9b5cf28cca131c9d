"""What people install: four packages, the bench, settings, sample and command; and it works away from this tree."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT, tracked_files


@pytest.fixture(scope="module", params=["", "1"], ids=["as built here", "pure Python"])
def wheel(request, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT, check=True, capture_output=True, timeout=60,
        env=os.environ | {"BIAOJIE_PURE_PYTHON": request.param},
    )  # fmt: skip
    (built,) = out.glob("*.whl")
    return built


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_four_packages_the_bench_the_conformance_suite_and_nothing_else(
    wheel: Path,
):
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert tops == {*PACKAGES, "bench", "conformance", "biaojie-0.1.0.dist-info"}


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path):
    ours = {
        path.as_posix()
        for path in tracked_files()
        if path.parts[0] == "bench"
        or (path.parts[0] in PACKAGES and path.suffix not in {".c", ".h"})
    }
    assert len(ours) > 100
    assert ours <= names_in(wheel)


def test_the_wheel_brings_the_annotated_settings_and_the_sample(wheel: Path):
    names = names_in(wheel)
    assert "node/assets/node.toml" in names
    sample = {
        "node/assets/" + path.relative_to("deploy").as_posix()
        for path in tracked_files()
        if path.is_relative_to("deploy/sample")
    }
    assert sample, "deploy/sample is empty"
    assert sample <= names


def test_the_wheel_carries_the_licence(wheel: Path):
    assert "biaojie-0.1.0.dist-info/licenses/LICENSE" in names_in(wheel)


def test_the_command_works_from_the_wheel_alone(wheel: Path, tmp_path: Path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
        entry_points = archive.read("biaojie-0.1.0.dist-info/entry_points.txt").decode()
    assert "biaojie = node.cli:main" in entry_points
    call = (
        "import sys; sys.argv = ['biaojie', 'version']; import node.cli as c;"
        " assert 'unpacked' in c.__file__, c.__file__; c.main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", call],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env={"PYTHONPATH": str(tmp_path / "unpacked"), "PATH": ""},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "0.1.0" in run.stdout
