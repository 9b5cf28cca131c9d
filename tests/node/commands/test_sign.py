"""``biaojie sign`` and ``biaojie resolve --verify`` on a running node, below a test root of our own."""

import json

import pytest
from click.testing import CliRunner

from node.cli import main
from node.demo.node_process import NodeProcess
from node.trust.key_files import make_key, private_pem, public_pem
from protocols.trust.algorithms import public_key_of
from protocols.trust.jws import decode_jws

PREFIX, BELOW = "88.118", "88.118.7"
ROOT, FACTORY, STRANGER = f"301:{PREFIX}/ROOT", f"301:0.NA/{BELOW}", f"301:{PREFIX}/STRANGER"
UNDER = f"handlesUnderThisPrefix={BELOW}"
pytestmark = pytest.mark.process


class World:
    """A running node, the key files beside it, and the commands."""

    def __init__(self, folder, node):
        self.folder, self.node = folder, node
        self.settings = node.made.settings
        self.trust = folder / "trust.toml"
        self.count = 0

    def __call__(self, *words, code=0):
        words = [*map(str, words), "--config", str(self.settings)]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == code, result.output
        return result

    def key(self, name, kind="ed25519"):
        path = self.folder / f"{name}.pem"
        if not path.exists():
            key = make_key(kind)
            path.write_bytes(private_pem(key))
            path.chmod(0o600)
            path.with_suffix(".pub").write_text(public_pem(public_key_of(key)))
        return path

    def certify(self, subject, issuer, *perms, key, by, more=()):
        may = [word for perm in perms for word in ("--may", perm)]
        public = ("--public-key", self.key(key).with_suffix(".pub"))
        return self(
            "sign", "--cert", subject, *public, *may, "--key", self.key(by), "--as", issuer, *more
        )

    def record(self, *values):
        """A new identifier with these values."""
        self.count += 1
        name = f"{BELOW}/SN-{self.count}"
        texts = [
            word
            for value in values or ("URL=https://example.org/1",)
            for word in ("--value", value)
        ]
        self("put", name, *texts)
        return name

    def sign(self, name, *more, key="factory", by=FACTORY):
        return self("sign", name, "--key", self.key(key), "--as", by, *more)

    def verify(self, name, *more, code=0, trust=None):
        """The whole answer as JSON."""
        asked = ("resolve", name, "--verify", "--trust", trust or self.trust, "--json", *more)
        return json.loads(self(*asked, code=code).stdout)

    def verdict(self, name, *more, **others):
        return self.verify(name, *more, **others)["verification"]["verdict"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trust")
    node = NodeProcess(folder / "node", PREFIX)
    node.start()
    try:
        made = World(folder, node)
        made("prefix", "add", BELOW)
        for name in ("ROOT", "STRANGER"):
            made(
                "put",
                f"{PREFIX}/{name}",
                "--value",
                f"301:HS_PUBKEY={made.key(name).with_suffix('.pub').read_text()}",
            )
        made.trust.write_text(f'[trust]\nroots = ["{ROOT}=ROOT.pub"]\n')
        made.certify(ROOT, ROOT, "everything", key="ROOT", by="ROOT")
        made.certify(STRANGER, STRANGER, "everything", key="STRANGER", by="STRANGER")
        made.certify(FACTORY, ROOT, UNDER, key="factory", by="ROOT")
        yield made
    finally:
        node.stop()


@pytest.mark.parametrize("transport", [(), ("--tcp",), ("--http",)])  # too large for UDP alone
def test_a_signed_record_is_verified_by_every_transport(world, transport):
    name = world.record("URL=https://example.org/1")
    world.sign(name)
    told = world.verify(name, *transport)
    proof = told["verification"]
    assert (proof["verdict"], proof["verified"]) == ("verified", True)
    assert proof["values"] == [{"index": 1, "state": "verified"}]
    assert proof["signatures"][0]["issuers"] == [FACTORY, ROOT]
    assert proof["roots"] == ROOT


def test_people_see_the_verdict_beside_each_value_and_who_vouches(world):
    name = world.record()
    world.sign(name)
    shown = world("resolve", name, "--verify", "--trust", world.trust)
    assert "verified" in shown.stdout
    assert f"{FACTORY} ← {ROOT}" in shown.stderr


@pytest.mark.parametrize(("key", "is_warned"), [("ROOT", False), ("STRANGER", True)])
def test_who_signs_with_another_key_than_the_registered_one_is_warned(world, key, is_warned):
    told = world.sign(world.record(), key=key, by=ROOT).stderr
    assert (f"warning: another key stands at {ROOT}" in told) is is_warned


def test_an_altered_value_is_named_by_its_index(world):
    name = world.record("URL=https://example.org/1", "NAME=pump")
    world.sign(name)
    world("put", name, "--add", "--value", "2:NAME=turbine")
    proof = world.verify(name, code=1)["verification"]
    assert proof["verdict"] == "digest-mismatch"
    assert [row["state"] for row in proof["values"]] == ["verified", "digest-mismatch"]
    shown = world("resolve", name, "--verify", "--trust", world.trust, code=1)
    assert "digest-mismatch at index 2" in shown.stderr
    assert world.verdict(name, "--index", 1) == "verified"


def test_a_value_that_came_later_is_unsigned_until_it_is_signed_again(world):
    name = world.record()
    world.sign(name)
    world("put", name, "--add", "--value", "5:NOTE=new")
    assert world.verdict(name, code=1) == "partly-verified"
    before = world.verify(name, code=1)["verification"]["signatures"]
    world.sign(name)
    proof = world.verify(name)["verification"]
    assert proof["verdict"] == "verified"
    assert [one["index"] for one in proof["signatures"]] == [one["index"] for one in before]


def test_an_expired_signature_is_called_expired(world):
    name = world.record()
    world.sign(name, "--from", "2020-01-01T00:00:00Z", "--days", 30)
    assert world.verdict(name, code=1) == "expired"
    assert (
        "expired: the signature"
        in world("resolve", name, "--verify", "--trust", world.trust, code=1).stderr
    )


def test_a_signature_of_tomorrow_is_not_yet_valid(world):
    name = world.record()
    world.sign(name, "--from", "2090-01-01T00:00:00Z")
    assert world.verdict(name, code=1) == "not-yet-valid"


def test_a_forged_signature_is_called_forged(world):
    name = world.record()
    world.sign(name, key="STRANGER")
    assert world.verdict(name, code=1) == "forged-signature"
    assert (
        "do not rely on it"
        in world("resolve", name, "--verify", "--trust", world.trust, code=1).stderr
    )


def test_a_key_that_signs_beyond_its_certificate_is_out_of_scope(world):
    name = f"{PREFIX}/ELSEWHERE"
    world("put", name, "--value", "URL=https://example.org/2")
    world.sign(name)
    assert world.verdict(name, code=1) == "out-of-scope"


def test_a_key_that_nobody_certified_is_an_unknown_issuer(world):
    name = world.record()
    world.sign(name, by=f"302:0.NA/{BELOW}")
    assert world.verdict(name, code=1) == "unknown-issuer"


def test_a_root_that_is_not_ours_is_untrusted(world):
    name = world.record()
    world.sign(name, key="STRANGER", by=STRANGER)
    assert world.verdict(name, code=1) == "untrusted-root"
    theirs = world.folder / "theirs.toml"
    theirs.write_text(
        f'[trust]\nroots = ["{STRANGER}={world.key("STRANGER").with_suffix(".pub")}"]\n'
    )
    assert world.verdict(name, trust=theirs) == "verified"


def test_a_record_without_signature_is_unsigned(world):
    assert world.verdict(world.record(), code=1) == "unsigned"


def test_what_is_absent_stays_absent(world):
    assert world.verify(f"{BELOW}/NOTHING", code=1)["responseCode"] == 100


def test_longer_chains_are_followed_when_asked_for(world):
    above = ROOT
    by = "ROOT"
    for step in range(5):
        name = f"301:{PREFIX}/STEP-{step}"
        public = world.key(f"step-{step}").with_suffix(".pub").read_text()
        world("put", f"{PREFIX}/STEP-{step}", "--value", f"301:HS_PUBKEY={public}")
        world.certify(name, above, "everything", key=f"step-{step}", by=by)
        above, by = name, f"step-{step}"
    name = world.record()
    world.sign(name, key="step-4", by=above)
    assert world.verdict(name, code=1) in {"too-long", "too-costly"}
    assert world.verdict(name, "--max-links", 6) == "verified"


@pytest.mark.parametrize("kind", ["rsa", "ec", "sm2"])
def test_every_kind_of_key_signs(world, kind):
    signer = f"310:{BELOW}/{kind}"
    key = world.key(f"by-{kind}", kind)
    world(
        "put", f"{BELOW}/{kind}", "--value", f"310:HS_PUBKEY={key.with_suffix('.pub').read_text()}"
    )
    world("sign", "--cert", signer, "--may", UNDER, "--key", world.key("ROOT"), "--as", ROOT)
    name = world.record()
    world.sign(name, key=f"by-{kind}", by=signer)
    assert world.verdict(name) == "verified"


def test_printing_stores_nothing(world):
    name = world.record()
    done = world("sign", name, "--key", world.key("factory"), "--as", FACTORY, "--print", "--plain-subject", "--chain",
                 f"400:0.NA/{BELOW}")  # fmt: skip
    jws = decode_jws(done.stdout.strip().encode())
    assert jws.payload["iss"] == FACTORY
    assert jws.payload["sub"] == name
    assert jws.payload["chain"] == [f"400:0.NA/{BELOW}"]
    assert [row["index"] for row in jws.payload["digests"]["digests"]] == [1]
    assert world.verdict(name, code=1) == "unsigned"


def test_only_the_wanted_values_are_signed(world):
    name = world.record("URL=https://example.org/1", "COUNTER=1")
    world.sign(name, "--only", 1)
    states = {
        row["index"]: row["state"] for row in world.verify(name, code=1)["verification"]["values"]
    }
    assert states == {1: "verified", 2: "unsigned"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name records to sign"),
        (("88.118.7/NONE",), "no such record"),
        (("88.118.7/x", "--cert", "301:88.118/ROOT"), "name records to sign, or a key"),
        (("88.118.7/x", "--may", "everything"), "go with --cert"),
        (("--cert", "301:88.118/ROOT"), "lets sign nothing"),
        (("--cert", "301:88.118/ROOT", "--may", "all"), "is no permission"),
        (("--cert", "301:88.118/ROOT", "--may", "thisHandle"), "of which handle"),
        (("--cert", "ROOT", "--may", "everything"), "INDEX:HANDLE"),
        (("--cert", "1:88.118/ROOT", "--may", "everything"), "there is no HS_PUBKEY"),
        (("88.118.7/x", "--from", "today"), "date"),
    ],
)
def test_what_cannot_be_signed_is_refused_with_a_reason(world, words, said):
    result = CliRunner().invoke(
        main,
        [
            "sign",
            *words,
            "--key",
            str(world.key("factory")),
            "--as",
            FACTORY,
            "--config",
            str(world.settings),
        ],
    )
    assert result.exit_code in (1, 2)
    assert said in result.stderr


def test_without_a_root_nothing_can_be_proved_and_the_way_out_is_named(world):
    result = world("resolve", world.record(), "--verify", code=1)
    assert "--trust FILE" in result.stderr


def test_a_signing_key_that_others_can_read_is_refused(world):
    path = world.folder / "open.pem"
    path.write_bytes(world.key("factory").read_bytes())
    path.chmod(0o644)
    result = world("sign", world.record(), "--key", path, "--as", FACTORY, code=1)
    assert "chmod 600" in result.stderr
