"""Settings: what is read, what is refused and how it is said, and that code and annotated file tell the same."""

import contextlib
import re
import shutil
import ssl
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.clock import read_clocks
from node.config import (
    Config,
    ConfigError,
    _lines,
    dump_config,
    load_config,
    parse_config,
    plain_config,
    read_tables,
    show_config,
)
from node.config_check import budgets, check_config
from node.config_kinds import NoPlace, read_place
from node.config_sections import SECTIONS, NodeSection
from node.cpus import auto_workers
from node.init_node import init_node
from node.settings_template import filled_template, template_text
from protocols.rest.dates import format_date
from tests.node.http.certificates import issue

ROOT = Path(__file__).parent.parent.parent


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "node.toml"
    path.write_text(text)
    return load_config(path)


def test_the_annotated_file_names_every_key_with_the_default_of_the_code() -> None:
    written = tomllib.loads((ROOT / "deploy" / "node.toml").read_text(encoding="utf-8"))
    absolute = plain_config(Config(node=NodeSection()))
    assert {name: {*table} for name, table in written.items()} == {
        name: {*table} for name, table in absolute.items()
    }
    assert written == absolute


def test_the_annotated_file_says_something_about_every_key() -> None:
    previous = ""
    silent = []
    for line in template_text().splitlines():
        if " = " in line and not line.startswith("#") and not previous.startswith(("#", "[")):
            silent.append(line)
        if " = " not in line or line.startswith("#"):
            previous = line
    assert silent == []


def test_every_setting_is_documented_in_place() -> None:
    source = (ROOT / "node" / "config_sections.py").read_text()
    for name, section in SECTIONS.items():
        for key in section.__dataclass_fields__:
            _, _, after = source.partition(f"    {key}: ")
            assert after, f"{name}.{key}"
            assert '"""' in after.split("\n")[1], f"{name}.{key} has no docstring"


def test_relative_paths_count_from_the_files_directory(tmp_path: Path) -> None:
    config = load(tmp_path, '[node]\ndata_dir = "store"\n')
    assert config.node.data_dir == tmp_path / "store"
    assert config.node.key_file == tmp_path / "keys" / "node.key"


def test_every_value_knows_where_it_came_from(tmp_path: Path) -> None:
    config = load(tmp_path, "[listen]\n# a comment\nport = 4000\n")
    origins = {key: origin for key, _, origin in show_config(config)}
    assert origins["listen.port"] == "node.toml line 3"
    assert origins["http.port"] == "default"


def test_settings_handed_to_a_child_arrive_unchanged(tmp_path: Path) -> None:
    config = load(tmp_path, '[http]\nport = 1\ntls_cert_file = "c.pem"\n[logs]\nlevel = "debug"\n')
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[listn]\n", "did you mean listen?"),
        ("[node]\nprefx = 'a'\n", "line 2: no key prefx in [node]; did you mean prefix?"),
        (
            "[listen]\nport = 70000\n",
            "listen.port = 70000: must be from 0 to 65535; the nearest valid value is 65535",
        ),
        ("[listen]\nport = '80'\n", "must be a whole number; the nearest valid value is 80"),
        ("[listen]\nudp = 1\n", "must be true or false"),
        ("[listen]\naddresses = '0.0.0.0'\n", 'the nearest valid value is ["0.0.0.0"]'),
        ("[listen]\naddresses = ['localhost']\n", 'write for example "127.0.0.1"'),
        ("[access]\nproven_networks = ['10.1.2.3/8']\n", 'the nearest valid value is "10.0.0.0/8"'),
        ("[logs]\nlevel = 'warn'\n", 'the nearest valid value is "warning"'),
        *(
            (f"[node]\nadmins = ['{name}']\n", 'write for example "300:0.NA/88.118"')
            for name in ("admin", "300:88.118", "300:a b/c", "300:", "x:a/b", "٣:a/b")
        ),
        ("[node]\nadmins = ['2147483648:a/b']\n", "with an index up to 2147483647"),
        ("[trust]\nroots = ['x:88.111.1/0.0=root.pem.pub']\n", "is not index:handle=file"),
        ("[node]\nprefix = '88/118'\n", 'the nearest valid value is "88118"'),
        ("[upstream]\nservers = ['192.0.2.1']\n", 'write for example "tcp://192.0.2.1:2641"'),
        ("[upstream]\nservers = ['tcp://top.example']\n", '"tcp://top.example:2641"'),
        ("[upstream]\nservers = ['tcp://192.0.2.300:1']\n", "is not a server"),
        ("[upstream]\nservers = ['ftp://192.0.2.1:21']\n", "udp, tcp, http or https"),
        ("[upstream]\nservers = ['https://a@192.0.2.1:443/api']\n", "is not a server"),
        ("[upstream]\nservers = ['tcp://192.0.2.1:70000']\n", "a port from 1 to 65535"),
        (
            "[upstream]\nservers = ['tcp://192.0.2.1:0']\n",
            'write for example "tcp://192.0.2.1:2641"',
        ),
        ("[upstream]\nservers = ['tcp://[2001:db8::1]']\n", '"tcp://[2001:db8::1]:2641"'),
        ("[upstream]\nservers = ['tcp://::1:2641']\n", "IPv6 in brackets"),
        ("[upstream]\nservers = ['https://192.0.2.1:443/']\n", '"https://192.0.2.1:443"'),
        ("[upstream]\nservers = ['tcp://0.0.0.0:2641']\n", "nobody can be asked at 0.0.0.0"),
        ("[upstream]\nservers = ['tcp://[ff02::1]:2641']\n", "nobody can be asked at ff02::1"),
        ("[upstream]\nmode = 'recursive'\n", 'the nearest valid value is "recurse"'),
        ("[upstream]\npinned_keys = ['sha256:AB']\n", "is not the digest of a public key"),
        ("[upstream]\ntrust_unproved_until = 'soon'\n", "a date expected, e.g."),
        ("[upstream]\ntrust_unproved_until = '2026-01-01T00:00:00'\n", "time zone expected"),
        ("node = 1\n", "write [node]"),
        ("[node\n", "line 1"),
    ],
)
def test_a_wrong_setting_names_key_value_and_the_nearest_valid_one(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert said in str(caught.value)
    assert "node.toml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[upstream]\nservers = 5\n",
        "[upstream]\nservers = [5]\n",
        "[upstream]\nipv6 = true\n",
        "[access]\nproven_networks = ['10.0.0.0/33']\n",
    ],
)
def test_no_value_is_called_valid_that_would_be_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert "nearest valid" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("TCP://Top.Example:1", ("tcp", "top.example", 1)),
        ("https://[2001:DB8::1]:443", ("https", "2001:db8::1", 443)),
        ("udp://192.0.2.1:65535", ("udp", "192.0.2.1", 65_535)),
    ],
)
def test_a_server_is_read_as_it_is_kept_and_written_as_it_is_read(
    text: str, place: tuple[str, str, int]
) -> None:
    assert read_place(text) == place
    assert read_place(read_place(text).text) == place


@given(st.text() | st.from_regex(r"[a-z]{3,5}://[0-9a-f.:\[\]%]+:[0-9]+"))
def test_whatever_names_no_server_is_refused_with_an_example_that_names_one(text: str) -> None:
    named = place_or_example(text)
    assert read_place(named).text == named


def place_or_example(text: str) -> str:
    try:
        return read_place(text).text
    except NoPlace as error:
        return error.example


def test_all_troubles_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "[node]\nworkers = 0\nprefx = 1\n[http]\nport = -1\n")
    assert len(str(caught.value).splitlines()) == 3


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "absent.toml")


@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_never_breaks_the_reader(data: st.DataObject) -> None:
    lines = template_text().splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = data.draw(
            st.one_of(
                st.sampled_from(lines),
                st.text(max_size=20),
                st.just(lines[at].replace(" = ", " = -")),
                st.just(lines[at].replace('"', "")),
                st.just(lines[at] + " 1979-05-27"),
            )
        )
    text = "\n".join(lines)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    with contextlib.suppress(ConfigError):
        read_tables(tables, Path("/etc/node.toml"), _lines(text))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node as ``init`` makes it; its keys take longer than all that is asked of them here."""
    folder = tmp_path_factory.mktemp("template") / "node"
    init_node(folder, "88.118")
    return folder


@pytest.fixture
def sound(template: Path, tmp_path: Path) -> Config:
    return load_config(Path(shutil.copytree(template, tmp_path / "node")) / "node.toml")


def test_what_init_makes_can_work(sound: Config) -> None:
    assert [w for w in check_config(sound) if "trial" not in w] == []


def test_the_same_port_twice_is_refused(sound: Config) -> None:
    twice = replace(sound, http=replace(sound.http, port=sound.listen.port))
    with pytest.raises(ConfigError, match=r"http.port = 2641: already used by listen.port"):
        check_config(twice)


def test_all_workers_share_one_operations_port(sound: Config) -> None:
    four = replace(sound, node=replace(sound.node, workers=4))
    check_config(replace(four, http=replace(sound.http, port=8003)))
    with pytest.raises(ConfigError, match=r"operations.port = 8001: already used by http.port"):
        check_config(replace(four, http=replace(sound.http, port=8001)))


def test_reader_slots_suffice_for_a_reload(sound: Config) -> None:
    many = replace(sound, node=replace(sound.node, workers=64))
    with pytest.raises(
        ConfigError, match=r"store.max_readers = 126: .* nearest valid value is 136"
    ):
        check_config(many)
    check_config(replace(many, store=replace(sound.store, max_readers=136)))


def test_auto_workers_are_counted_when_the_file_is_read(tmp_path: Path) -> None:
    config = load(tmp_path, '[node]\nworkers = "auto"\n')
    assert config.node.workers == auto_workers()
    with pytest.raises(
        ConfigError, match=r'node.workers = "many": must be a whole number, or "auto"'
    ):
        load(tmp_path, '[node]\nworkers = "many"\n')


@pytest.mark.parametrize(
    ("published", "said"),
    [
        ("10.1.2.3", "is published, but the node listens on 127.0.0.1"),
        ("0.0.0.0", "cannot be reached by anybody"),
        ("224.0.0.1", "cannot be reached by anybody"),
    ],
)
def test_a_published_address_nobody_can_reach_is_refused(
    sound: Config, published: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_config(replace(sound, site=replace(sound.site, addresses=(published,))))


def test_a_key_file_that_others_can_read_is_refused_with_the_cure(sound: Config) -> None:
    sound.node.key_file.chmod(0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {sound.node.key_file}"):
        check_config(sound)


def test_a_key_inside_the_data_directory_is_refused(sound: Config) -> None:
    inside = replace(sound, node=replace(sound.node, key_file=sound.node.data_dir / "node.key"))
    with pytest.raises(ConfigError, match="must not lie in the data directory"):
        check_config(inside)


def test_a_missing_data_directory_is_refused(sound: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such directory"):
        check_config(replace(sound, node=replace(sound.node, data_dir=tmp_path / "absent")))


def test_half_a_certificate_is_refused(sound: Config, tmp_path: Path) -> None:
    half = replace(sound, http=replace(sound.http, tls_cert_file=tmp_path / "c.pem"))
    with pytest.raises(ConfigError, match="go together"):
        check_config(half)


def test_nothing_to_serve_is_refused(sound: Config) -> None:
    nothing = replace(
        sound,
        listen=replace(sound.listen, udp=False, tcp=False),
        http=replace(sound.http, enabled=False),
    )
    with pytest.raises(ConfigError, match="nothing would be served"):
        check_config(nothing)


def test_every_budget_of_the_memory_section_is_counted(sound: Config) -> None:
    before = sum(b.most_bytes for b in budgets(sound))
    for key in type(sound.memory).__dataclass_fields__:
        more = replace(sound.memory, **{key: getattr(sound.memory, key) + 1})
        assert sum(b.most_bytes for b in budgets(replace(sound, memory=more))) > before, key


def test_the_template_can_be_filled_and_read_back(tmp_path: Path) -> None:
    text = filled_template({"node.prefix": "88.118", "listen.port": 1, "site.addresses": ["::1"]})
    config = load(tmp_path, text)
    assert (config.node.prefix, config.listen.port, config.site.addresses) == (
        "88.118",
        1,
        ("::1",),
    )
    with pytest.raises(KeyError):
        filled_template({"node.nothing": 1})


@pytest.mark.parametrize(
    "server", ["tcp://127.0.0.1:2641", "udp://localhost:2641", "http://[::1]:8000"]
)
def test_an_upstream_that_is_this_node_itself_is_refused(sound: Config, server: str) -> None:
    looped = replace(sound, upstream=replace(sound.upstream, servers=(server,)))
    with pytest.raises(ConfigError, match=re.escape(f'"{server}" is this node itself')):
        check_config(looped)


def test_an_upstream_on_another_port_of_this_machine_is_fine(sound: Config) -> None:
    above = replace(sound, upstream=replace(sound.upstream, servers=("tcp://127.0.0.1:2642",)))
    assert not [warning for warning in check_config(above) if "upstream" in warning]


def test_a_wildcard_listener_is_found_at_loopback(sound: Config) -> None:
    everywhere = replace(sound, listen=replace(sound.listen, addresses=("0.0.0.0",)))
    looped = replace(
        everywhere, upstream=replace(sound.upstream, servers=("tcp://127.0.0.1:2641",))
    )
    with pytest.raises(ConfigError, match="is this node itself"):
        check_config(looped)


def test_answers_without_proof_are_believed_for_a_day_at_most_and_with_a_warning(
    sound: Config,
) -> None:
    now_s = int(read_clocks().wall_s)

    def trusting(until_s: int) -> Config:
        more = replace(
            sound.upstream,
            servers=("tcp://192.0.2.1:2641",),
            pinned_keys=("sha256:" + "0" * 64,),
            trust_unproved_until=format_date(until_s),
        )
        return replace(sound, upstream=more)

    with pytest.raises(ConfigError, match="more than 24 hours ahead"):
        check_config(trusting(now_s + 86_500))
    assert [w for w in check_config(trusting(now_s + 3600)) if "without a signature" in w]
    assert [w for w in check_config(trusting(now_s - 60)) if "is over" in w]
    idle = replace(trusting(now_s + 3600).upstream, pinned_keys=())
    told = check_config(replace(sound, upstream=idle))
    assert [w for w in told if "changes nothing without upstream.pinned_keys" in w]


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"no certificate", "no certificates in it")]
)
def test_a_file_without_certificates_is_refused_before_it_is_needed(
    sound: Config, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"upstream\.ca_file = .*ca\.pem: {said}"):
        check_config(replace(sound, upstream=replace(sound.upstream, ca_file=path)))


def test_pins_that_no_server_can_prove_are_refused(sound: Config) -> None:
    pinned = replace(
        sound.upstream, servers=("http://192.0.2.1:80",), pinned_keys=("sha256:" + "0" * 64,)
    )
    with pytest.raises(ConfigError, match=r"no server in upstream\.servers can prove a key"):
        check_config(replace(sound, upstream=pinned))
    both = replace(pinned, servers=("http://192.0.2.1:80", "tcp://192.0.2.1:2641"))
    assert [w for w in check_config(replace(sound, upstream=both)) if "is not asked" in w]


def test_asking_for_everybody_is_warned_of(sound: Config) -> None:
    open_to_all = replace(
        sound,
        upstream=replace(sound.upstream, servers=("tcp://192.0.2.1:2641",)),
        access=replace(sound.access, recursion_networks=("0.0.0.0/0",)),
    )
    assert [w for w in check_config(open_to_all) if "lets everybody ask others" in w]


def test_certificate_and_key_must_fit_each_other(sound, tmp_path):
    one, other = issue(tmp_path, "one"), issue(tmp_path, "other", stem="other")

    def with_files(certificate: Path, key: Path) -> Config:
        return replace(sound, http=replace(sound.http, tls_cert_file=certificate, tls_key_file=key))

    check_config(with_files(one.certificate, one.key))
    with pytest.raises(ConfigError, match="no certificate that fits"):
        check_config(with_files(one.certificate, other.key))
    one.key.write_text("nothing")
    with pytest.raises(ConfigError, match="no certificate that fits"):
        check_config(with_files(one.certificate, one.key))
    with pytest.raises(ConfigError, match="needs HTTPS"):
        check_config(replace(sound, http=replace(sound.http, client_certificates=True)))


def test_client_certificates_need_a_python_that_shows_handshakes(sound, tmp_path, monkeypatch):
    class Silent:
        def __init__(self, protocol: int) -> None: ...

        def load_cert_chain(self, *files: Path) -> None: ...

    files = issue(tmp_path, "one")
    http = replace(sound.http, tls_cert_file=files.certificate, tls_key_file=files.key)
    asking = replace(sound, http=replace(http, client_certificates=True))
    check_config(asking)
    monkeypatch.setattr(ssl, "SSLContext", Silent)
    check_config(replace(sound, http=http))
    with pytest.raises(ConfigError, match="does not show handshakes"):
        check_config(asking)
