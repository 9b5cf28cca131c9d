"""``serve``: from settings to a running node. The command line calls ``serve`` and exits with what it returns."""

import sys
from pathlib import Path

from node.child import EXIT_CONFIG
from node.config import Config, ConfigError, load_config, show_config
from node.config_check import budgets, check_config, data_directory
from node.config_sections import MIB
from node.descriptors import raise_limit, worker_descriptors
from node.keys import ensure_keys
from node.logs import get_log, start_logs
from node.posts import StartFailed
from node.supervisor import Supervisor

log = get_log("supervisor")


def serve(path: Path | None) -> int:
    """Run the node until it is told to stop. Trouble is told on standard error, one sentence a line."""
    try:
        config = load_config(path)
        if config.path is None:
            _prepare_default(config)
        warnings = check_config(config)
    except (ConfigError, OSError) as trouble:
        _say(f"cannot start: {trouble}")
        return EXIT_CONFIG
    start_logs(config.logs, "supervisor")
    for warning in warnings:
        log.warning("settings", extra={"warning": warning})
    _log_choices(config)
    _have_descriptors(config)
    supervisor = Supervisor(config)
    try:
        supervisor.start()
    except StartFailed as failed:
        _say(f"cannot start: {failed}")
        return failed.exit_status
    return supervisor.run()


def _prepare_default(config: Config) -> None:
    """Without a settings file the node makes what it needs and says what it chose."""
    data_directory(config.node.data_dir)
    made = ensure_keys(config.node.key_file, config.node.server_key_file)
    _say("no --config: serving with the embedded default")
    _say(f"  data in {config.node.data_dir}")
    for path in made:
        _say(f"  made {path}")
    _say(
        f"  native UDP and TCP on port {config.listen.port}, HTTP on {config.http.port}, loopback only"
    )
    _say("  first identifier, in another terminal (once the log says serving):")
    _say("    biaojie prefix add 88.118")
    _say("    biaojie put 88.118/SN-1 --value URL=https://example.org/1")
    _say("    biaojie resolve 88.118/SN-1")
    _say("  a node to keep, with an administrator: biaojie init DIR --prefix 88.118")


def _log_choices(config: Config) -> None:
    usual = {key: value for key, value, _ in show_config(Config())}
    chosen = {key: value for key, value, _ in show_config(config) if value != usual[key]}
    log.info("settings", extra={"file": str(config.path or "embedded default"), "chosen": chosen})
    sizes = {budget.what: f"{budget.most_bytes / MIB:.0f} MiB" for budget in budgets(config)}
    total = sum(budget.most_bytes for budget in budgets(config))
    log.info("memory budgets of a worker", extra={"total": f"{total / MIB:.0f} MiB", **sizes})


def _have_descriptors(config: Config) -> None:
    """For the workers, which inherit the limit."""
    needed = worker_descriptors(config)
    allowed = raise_limit(needed)
    if allowed < needed:
        log.warning(
            "a busy worker may need more file descriptors than it is allowed (LimitNOFILE, ulimit -Hn)",
            extra={"allowed": allowed, "needed": needed},
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201  # before there is a log
