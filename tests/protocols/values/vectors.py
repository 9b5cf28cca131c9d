"""The published vectors by name."""

import json
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parents[2] / "vectors" / "handle_vectors.json"


@cache
def _vectors():
    return {vector["name"]: vector for vector in json.loads(_FILE.read_text())}


def vector_bytes(name: str) -> bytes:
    return bytes.fromhex(_vectors()[name]["hex"])


def vector_meaning(name: str) -> dict:
    return _vectors()[name]["decoded"]
