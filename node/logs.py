"""Logs for operators: one event per line on standard error, a constant message plus fields.

Write ``log.info("registrar restarted", extra={"backoff_s": 0.2})``. Fields are everything in ``extra``; secrets and
record contents never belong there. Nothing is logged on the hot path.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from node.config_sections import LogsSection

ROOT = "biaojie"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def get_log(name: str) -> logging.Logger:
    """The logger of one part, e.g. ``supervisor``."""
    return logging.getLogger(f"{ROOT}.{name}")


def start_logs(section: LogsSection, process: str) -> None:
    """Once per process; ``process`` names it on every line, e.g. ``worker-0``."""
    handler = logging.StreamHandler(sys.stderr)
    as_json = section.format == "json" or (section.format == "auto" and not sys.stderr.isatty())
    handler.setFormatter(JsonLines(process) if as_json else TextLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(_LEVELS[section.level])
    logging.captureWarnings(capture=True)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": _time_of(record),
            "level": record.levelname.lower(),
            "process": self._process,
            "part": record.name.removeprefix(f"{ROOT}."),
            "message": record.getMessage(),
            **_fields_of(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextLines(logging.Formatter):
    """``time LEVEL process part: message key=value …``; a trace follows on lines of its own."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        part = record.name.removeprefix(f"{ROOT}.")
        fields = "".join(
            f" {key}={json.dumps(value, default=str, ensure_ascii=False)}"
            for key, value in _fields_of(record).items()
        )
        line = (
            f"{_time_of(record)} {record.levelname:7} {self._process} {part}: "
            f"{record.getMessage()}{fields}"
        )
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _time_of(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
