"""Options that say which identifiers are asked for, and how often each."""

import functools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from bench.commands.load_options import Load, own_address
from bench.load.keys import BadKeys, PatternKeys, read_keys
from bench.load.plan import Reads
from node.asking.web import Login, WebServer
from node.commands.options import ca_file_option, check_ca_file, plain_errors, read_name
from node.output import EXIT_USAGE, CommandError
from node.store import open_view
from protocols.identifier import prefix_record_of

POOL = 262_144
"""Questions drawn and encoded beforehand by each process, some 60 MB; then its sequence begins again."""
MOST_SAMPLED = 1_000_000
PAGE = 10_000
"""Identifiers of one page of a listing."""


@dataclass(frozen=True, slots=True)
class KeyWishes:
    """The options as they were given."""

    keys: str | None
    keys_file: Path | None
    sample: str | None
    sample_size: int
    list_url: str | None
    user: str | None
    secret_file: Path | None
    ca_file: Path | None
    zipf: float | None
    misses: float
    headers: tuple[str, ...]

    @property
    def words(self) -> str:
        """For people: ``zipf 0.9 over 88.118/SN-{000000..999999}, 5 % misses``."""
        over = self.keys or (str(self.keys_file) if self.keys_file else f"sample of {self.sample}")
        how = "uniform" if self.zipf is None else f"zipf {self.zipf:g}"
        missing = (
            f", {self.misses:.1%} of the questions for keys that are not there"
            if self.misses
            else ""
        )
        return f"{how} over {over}{missing}"


_OPTIONS = (
    click.option("--keys", metavar="PATTERN",
                 help="One identifier, or many: '88.118/SN-{000000..999999}'."),
    click.option("--keys-file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="Identifiers, one a line."),
    click.option("--sample", metavar="PREFIX",
                 help="Identifiers the node itself lists below PREFIX: from the store of --config, else over HTTP."),
    click.option("--sample-size", type=click.IntRange(1, MOST_SAMPLED), default=100_000, show_default=True,
                 help="With --sample: how many, from the first on."),
    click.option("--list-url", metavar="URL",
                 help="With --sample of a native --server: its HTTP address."),
    click.option("--user", metavar="INDEX:HANDLE", help="With --sample over HTTP: who may list."),
    click.option("--secret-file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                 help="With --user: the file with the secret."),
    ca_file_option,
    click.option("--zipf", type=click.FloatRange(0.01, 5), metavar="EXPONENT",
                 help="Some identifiers are asked far more often than others (0.7 to 1.1 is usual); else all alike."),
    click.option("--misses", type=click.FloatRange(0, 1), default=0.0, show_default=True,
                 help="Share of questions for identifiers that are not there."),
    click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'",
                 help="HTTP: a request header on top. Repeat it."),
)  # fmt: skip


def key_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options; the command gets them as ``wishes``."""

    @functools.wraps(function)
    def with_keys(**given: Any) -> None:
        wishes = KeyWishes(**{each.name: given.pop(each.name) for each in fields(KeyWishes)})
        ways = [wishes.keys, wishes.keys_file, wishes.sample]
        if sum(way is not None for way in ways) != 1:
            raise CommandError(
                "say what to ask for: --keys, --keys-file or --sample",
                "for example --keys '88.118/SN-{000000..999999}'", EXIT_USAGE,
            )  # fmt: skip
        for header in wishes.headers:
            if not header.partition(":")[0].strip() or ":" not in header:
                raise CommandError(
                    f"--header {header}: not NAME: VALUE", "for example 'Accept-Language: zh'", EXIT_USAGE
                )  # fmt: skip
        function(wishes=wishes, **given)

    wrapped: Callable[..., None] = with_keys
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


@contextmanager
def open_keys(wishes: KeyWishes, load: Load, pool: int) -> Iterator[Reads]:
    """The keys, checked, for as long as they are asked for. Raises ``CommandError``."""
    with tempfile.TemporaryDirectory(prefix="biaojie-bench-") as directory:
        file = wishes.keys_file
        try:
            if wishes.sample is not None:
                file = Path(directory) / "keys"
                _write_sample(wishes, load, file)
            if file is not None:
                read_keys(file)
            else:
                PatternKeys(wishes.keys or "")
        except BadKeys as error:
            raise CommandError(str(error), "", EXIT_USAGE) from None
        yield Reads(
            "" if file else wishes.keys or "", str(file or ""), wishes.zipf, wishes.misses, pool,
            list(wishes.headers),
        )  # fmt: skip


def _write_sample(wishes: KeyWishes, load: Load, file: Path) -> None:
    assert wishes.sample is not None
    by_store = load.config_path is not None and wishes.user is None
    found = _listed_in_store(wishes, load) if by_store else _listed_over_http(wishes, load)
    with file.open("wb") as lines:
        for spelling in found:
            lines.write(spelling + b"\n")


def _listed_in_store(wishes: KeyWishes, load: Load) -> Iterator[bytes]:
    prefix = (wishes.sample or "").upper()
    reader = open_view(load.config)
    try:
        authority = reader.authority(prefix_record_of(prefix).responsible_prefix)
        if authority is None:
            own = load.config.node.prefix
            raise BadKeys(f"--sample {prefix}: this node does not host it; its own is {own}")
        after, left = b"", wishes.sample_size
        while left:
            records = reader.list_records(authority.prefix, after, min(PAGE, left))
            yield from (record.spelling for record in records)
            if len(records) < min(PAGE, left):
                return
            after, left = records[-1].key.partition(b"/")[2], left - len(records)
    finally:
        reader.close()


def _listed_over_http(wishes: KeyWishes, load: Load) -> Iterator[bytes]:
    if wishes.user is None or wishes.secret_file is None:
        next_step = (
            "for example --user 300:0.NA/88.118 --secret-file my-node/keys/admin.secret; "
            "a node on this machine needs only --config instead of --server"
        )
        raise CommandError(
            "--sample over HTTP needs --user and --secret-file", next_step, EXIT_USAGE
        )
    name = read_name(wishes.user, "--user")
    secret = wishes.secret_file.read_text(encoding="utf-8").strip()
    url = _list_url(wishes, load)
    check_ca_file(wishes.ca_file, url)
    server = WebServer(url, Login(name.index, name.handle, secret), wishes.ca_file)
    after, left = "", wishes.sample_size
    while left:
        wanted = min(PAGE, left)
        query = urlencode({"prefix": wishes.sample, "after": after, "pageSize": wanted})
        with plain_errors():
            document = server.ask("GET", f"/api/handles?{query}").document
        if "handles" not in document:
            raise CommandError(f"the node does not list: {document.get('message')}", "")
        handles = [str(each) for each in document["handles"]][:wanted]
        yield from (each.encode() for each in handles)
        if len(handles) < wanted:
            return
        after, left = handles[-1].partition("/")[2], left - len(handles)


def _list_url(wishes: KeyWishes, load: Load) -> str:
    if wishes.list_url:
        return wishes.list_url
    if load.server and load.server.startswith("http://"):
        return load.server
    if load.server:
        raise CommandError("--sample of a native server", "name its HTTP address with --list-url")
    return f"http://{own_address(load.config, 'http')}"
