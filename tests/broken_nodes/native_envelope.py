"""Broken envelopes (``conformance/checks/native_envelope.py``)."""

from tests.broken_nodes.breakage import Breakage, native
from tests.broken_nodes.edits import edit_envelope

BREAKAGES: dict[str, Breakage] = {
    "native.envelope.request-id-echoed": native(
        "numbers its answers itself", edit_envelope(request_id=7)
    ),
}
