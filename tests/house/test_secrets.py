"""What must not be in the tree: paths of one machine, hosts of package registries, keys, compiled or huge files."""

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, tracked_files

MAX_FILE_BYTES = 2 * 1_048_576
"""The largest thing shipped is the sample; a store or a wheel added by mistake is larger."""

FORBIDDEN = {
    "a path of one machine": re.compile(rb"(?<![\w.])/(?:work|root|home/\w+)/[\w.]"),
    "the host of a package registry": re.compile(
        rb"pypi\.org|pythonhosted\.org|docker\.io|ghcr\.io|quay\.io|registry\.npmjs|crates\.io|"
        rb"proxy\.golang\.org|deb\.debian\.org|index-url|trusted-host"
    ),
    "a private key": re.compile(rb"-----BEGIN (?:RSA |EC |)PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"),
}
EXEMPT = {
    Path("tests/house/test_secrets.py"),  # names what it forbids
    Path("requirements/lock.sh"),  # switches these lines off by name
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds_it(what: str):
    guilty = {
        str(path): found.group().decode(errors="replace")
        for path in tracked_files()
        if path not in EXEMPT and (found := FORBIDDEN[what].search((ROOT / path).read_bytes()))
    }
    assert guilty == {}


def test_no_file_is_huge():
    large = [path for path in tracked_files() if (ROOT / path).stat().st_size > MAX_FILE_BYTES]
    assert large == []


def test_nothing_compiled_or_stored_is_tracked():
    made = {".pyc", ".so", ".whl", ".mdb", ".key", ".pem", ".sock", ".log"}
    assert [path for path in tracked_files() if path.suffix in made] == []
