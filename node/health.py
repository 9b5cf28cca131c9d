"""Health: whether this worker answers, and what is not as it should be. One check a line, each with its reason."""

from node.config_sections import Config
from node.disk import free_percent
from node.reports import Check
from node.writer import Writer

MAX_LOOP_LAG_S = 0.5
"""A loop that comes so late is overloaded or blocked; clients of UDP give up after half a second."""


class Health:
    """``is_serving`` and ``loop_lag_s`` are set by the worker."""

    def __init__(self, writer: Writer, config: Config) -> None:
        self._writer = writer
        self._config = config
        self.is_serving = False
        """All listeners are up and the worker is not draining."""
        self.loop_lag_s = 0.0

    def checks(self) -> list[Check]:
        """Everything that is looked at, in a fixed order."""
        free = free_percent(self._config.node.data_dir)
        least = self._config.store.min_free_percent
        return [
            Check("serving", self.is_serving, "" if self.is_serving else "starting or draining"),
            Check(
                "registrar",
                self._writer.is_connected,
                "" if self._writer.is_connected else "no registrar: reads go on, writes wait",
            ),
            Check(
                "disk",
                free >= least,
                f"{free:.1f} % free" + ("" if free >= least else f", writes stop below {least:g} %"),
            ),
            Check(
                "event-loop", self.loop_lag_s <= MAX_LOOP_LAG_S, f"{self.loop_lag_s * 1000:.1f} ms late"
            ),
        ]  # fmt: skip
