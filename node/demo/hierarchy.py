"""The demo's three nodes, a small copy of the national hierarchy, all real and all on loopback.

========== ========== ======================== ==========================================
node       prefix     asks                     holds
========== ========== ======================== ==========================================
top-level  88         nobody                   88.200; has delegated 88.118
secondary  88.118     the top-level node       the sample; has delegated 88.118.7
enterprise 88.118.7   the secondary, which     its own devices
                      asks on (``recurse``)
========== ========== ======================== ==========================================
"""

from pathlib import Path

from node.demo.node_process import NodeProcess, stop_all

TOP_PREFIX, PREFIX, ENTERPRISE_PREFIX = "88", "88.118", "88.118.7"
ELSEWHERE_PREFIX = "88.200"
"""Held by the top-level node itself: foreign to the secondary."""
MOVING_PREFIX = "88.118.9"
"""Goes from the secondary to the enterprise and back."""


class Hierarchy:
    """``top``, ``secondary`` and ``enterprise``; made, but not started."""

    def __init__(self, directory: Path) -> None:
        self.top = NodeProcess(directory / "top-level", TOP_PREFIX)
        self.secondary = NodeProcess(
            directory / "secondary", PREFIX, {"upstream.servers": [_url(self.top)]}
        )
        self.enterprise = NodeProcess(
            directory / "enterprise", ENTERPRISE_PREFIX,
            {"upstream.servers": [_url(self.secondary)], "upstream.mode": "recurse"},
        )  # fmt: skip

    @property
    def nodes(self) -> tuple[NodeProcess, ...]:
        """All three, the top-level one first."""
        return self.top, self.secondary, self.enterprise

    def start(self) -> None:
        """All at once. Raises ``NotReady``."""
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.await_ready()

    def stop(self) -> None:
        """All at once, those that run."""
        stop_all(self.nodes)


def _url(node: NodeProcess) -> str:
    return f"tcp://{node.native.name}"
