"""Stand: a real node of ours, the node in between, and checks tried on what the two make together."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from conformance.check import Check, Need
from conformance.outcome import Result
from conformance.registering import Registering
from conformance.run import try_check
from conformance.target import Account, Target
from node.registrar_client import open_registrar
from protocols.handle.listing import NAMES_PER_MESSAGE
from protocols.identifier import parse_identifier
from protocols.message import OPERATOR, Command, Operation, Outcome
from protocols.values.admin import ALL_PERMISSIONS, Admin, encode_admin
from protocols.values.key_objects import key_from_object
from protocols.values.keys import encode_public_key
from protocols.values.value import Value
from registry.registrar import Submission
from tests.broken_nodes.between import Between, Ports
from tests.broken_nodes.breakage import SOUND, Breakage, Scene
from tests.node.processes import PREFIX, RunningNode, make_node

HOME = f"0.NA/{PREFIX}"
SECRET_INDEX, KEY_INDEX = 300, 301
PATIENCE_S = 10.0
"""For an answer that will come: the machine may be busy."""
SHORT_PATIENCE_S = 0.5
"""For one that will not."""
SOUND_SILENCE_S, BROKEN_SILENCE_S = 0.1, 1.0
"""For how long there must be silence. A sound node says nothing; a broken one speaks soon, on a busy machine later."""


class Stand:
    """``try_on`` as often as wanted; every try has a client address of its own."""

    def __init__(self, node: RunningNode, between: Between) -> None:
        self._between = between
        self._tries = 0
        secret = (node.config.node.data_dir.parent / "keys" / "admin.secret").read_bytes().strip()
        self._by_secret = Account(HOME.encode(), SECRET_INDEX, secret=secret)
        _fill(node)
        self._by_key = Account(HOME.encode(), KEY_INDEX, key=_give_key(node))
        sound = Ports(node.config.listen.port, node.config.http.port)
        # By key: PBKDF2, twice for each record, would be most of the time.
        self._registering = Registering(self._target(sound, self._by_key))
        self._scene_parts = (PREFIX, self._by_secret.reference, secret)

    def try_on(self, check: Check, breakage: Breakage) -> Result:
        """How the check ends on a node that breaks like this. Raises what the breakage raised."""
        self._tries += 1
        source = f"127.1.{self._tries // 250}.{self._tries % 250 + 1}"
        self._between.become(breakage, Scene(*self._scene_parts), source)
        who = self._by_key if Need.KEY in check.needs else self._by_secret
        patience_s = SHORT_PATIENCE_S if breakage.is_silent else PATIENCE_S
        silence_s = SOUND_SILENCE_S if breakage is SOUND else BROKEN_SILENCE_S
        target = self._target(self._between.ports, who, patience_s, silence_s)
        result = try_check(target, check, self._registering)
        if self._between.troubles:
            raise self._between.troubles.pop()
        return result

    def close(self) -> None:
        """Remove what all checks shared."""
        self._registering.finish()

    def _target(
        self,
        ports: Ports,
        who: Account,
        answer_s: float = PATIENCE_S,
        silence_s: float = SOUND_SILENCE_S,
    ) -> Target:
        http_url = f"http://127.0.0.1:{ports.http}"
        return Target(
            "127.0.0.1", ports.native, http_url, PREFIX, who, answer_s=answer_s, silence_s=silence_s
        )


def _fill(node: RunningNode) -> None:
    """More handles than one message of a list has; made at once, the checks would make them one by one."""
    url = (Value(1, "URL", b"https://example.org/"),)
    commands = [
        Command(Operation.PUT, parse_identifier(f"{PREFIX}/listed-{number}"), url)
        for number in range(NAMES_PER_MESSAGE + 1)
    ]
    with open_registrar(node.config) as registrar:
        receipts = registrar.submit([Submission(OPERATOR, each, "test") for each in commands])
    assert all(receipt.outcome is Outcome.SUCCESS for receipt in receipts), receipts


def _give_key(node: RunningNode) -> rsa.RSAPrivateKey:
    """A second administrator of the prefix, who has a key instead of a secret."""
    key = rsa.generate_private_key(65_537, 2048)
    values = (
        Value(KEY_INDEX, "HS_PUBKEY", encode_public_key(key_from_object(key.public_key()))),
        Value(101, "HS_ADMIN", encode_admin(Admin(HOME, KEY_INDEX, ALL_PERMISSIONS))),
    )
    command = Command(Operation.ADD, parse_identifier(HOME), values)
    with open_registrar(node.config) as registrar:
        (receipt,) = registrar.submit([Submission(OPERATOR, command, "test")])
    assert receipt.outcome is Outcome.SUCCESS, receipt
    return key


@contextlib.contextmanager
def standing(directory: Path) -> Iterator[Stand]:
    """One node for all tries."""
    with RunningNode(make_node(directory / "node"), directory / "log") as node:
        node.await_ready()
        with Between(Ports(node.config.listen.port, node.config.http.port)) as between:
            stand = Stand(node, between)
            try:
                yield stand
            finally:
                stand.close()
