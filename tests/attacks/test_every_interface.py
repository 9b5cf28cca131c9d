"""What may not be seen is seen nowhere: every interface, every asker, every combination of a value's four permissions.

``interfaces.py`` has the table. Each value has a mark of its own; an answer that contains the mark of a value that its
asker may not see is a leak, in whatever spelling. Below a private prefix a record without visible values must sound
exactly like one that is not there.
"""

import base64

import pytest

from node.asking.node import OwnNode
from node.config import load_config
from protocols.identifier import parse_identifier
from protocols.message import Command, Operation, Outcome
from protocols.values.admin import ADD_HANDLE, AUTHORIZED_READ, MODIFY_VALUE, Admin, encode_admin
from protocols.values.value import ADMIN_READ, PUBLIC_READ, SECRET_PERMISSIONS, Value
from tests.attacks.askers import ANYBODY, ASKERS, READER, STRANGER, WRITER, Asker
from tests.attacks.attacked_node import PREFIX, AttackedNode, attacked
from tests.attacks.http_askers import CERTIFIED, key_value
from tests.attacks.interfaces import INTERFACES, Interface
from tests.attacks.wire import ask_udp, question, udp_socket
from tests.node.http.certificates import issue

pytestmark = pytest.mark.process

PRIVATE = f"{PREFIX}.7"
ALL_PERMISSIONS = range(16)


def mark(place: str, permissions: int) -> str:
    """Unlike anything else, and unlike any other mark in all its bytes."""
    return f"mark-{place}-{permissions:02d}-{hash((place, permissions)) & 0xFFFFFFFF:08x}"


def marked(place: str, permissions: int, index: int) -> Value:
    return Value(index, "MARK", mark(place, permissions).encode(), permissions=permissions)


RECORDS: dict[str, list[Value]] = {}
for prefix in (PREFIX, PRIVATE):
    every = f"{prefix}/all"
    RECORDS[every] = [marked(every, one, one + 1) for one in ALL_PERMISSIONS]
    for number in ALL_PERMISSIONS:
        single = f"{prefix}/one-{number:02d}"
        RECORDS[single] = [marked(single, number, 1)]
MARKS = {
    (handle, value.permissions): value.data for handle, values in RECORDS.items() for value in values
}  # fmt: skip
HIDDEN = [f"{PRIVATE}/one-{one:02d}" for one in ALL_PERMISSIONS if not one & PUBLIC_READ]
ABSENT = f"{PRIVATE}/none-9"
FEW = [f"{PREFIX}/all", f"{PRIVATE}/all", f"{PREFIX}/one-08", f"{PRIVATE}/one-08"]
"""Where one record has values of all kinds, and where a record has one that only administrators may read."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory):
    directory = tmp_path_factory.mktemp("every")
    with attacked(directory, {"http.jsonp": True}, fill, level="debug") as node:
        yield node


@pytest.fixture(scope="module")
def tls_node(tmp_path_factory: pytest.TempPathFactory):
    """The same records behind TLS, where clients may show certificates."""
    directory = tmp_path_factory.mktemp("secured")
    shown = issue(directory, "node", stem="node")
    sections = {
        "http.tls_cert_file": str(shown.certificate),
        "http.tls_key_file": str(shown.key),
        "http.client_certificates": True,
    }
    with attacked(directory, sections, fill) as node:
        yield node


@pytest.fixture
def place(request: pytest.FixtureRequest, interface: Interface) -> AttackedNode:
    """Whom the interface is asked of."""
    found: AttackedNode = request.getfixturevalue("tls_node" if interface.over_tls else "node")
    return found


def fill(node: AttackedNode) -> None:
    own = OwnNode(load_config(node.made.settings))

    def send(operation: Operation, handle: str, *values: Value) -> Command:
        return Command(operation, parse_identifier(handle), values)

    grants = [
        Value(at + key, "HS_ADMIN", encode_admin(Admin(asker.handle, key, permissions)))
        for at, asker, permissions in (
            (1000, WRITER, ADD_HANDLE | MODIFY_VALUE),
            (2000, READER, AUTHORIZED_READ),
        )
        for key in (300, CERTIFIED)
    ]
    commands = [
        send(Operation.ADD, f"0.NA/{PREFIX}", *grants),
        send(Operation.HOST, f"0.NA/{PRIVATE}", *grants),
        send(Operation.HIDE, f"0.NA/{PRIVATE}"),
    ]
    for asker in (STRANGER, WRITER, READER):
        key = Value(300, "HS_SECKEY", asker.secret.encode(), permissions=SECRET_PERMISSIONS)
        commands.append(send(Operation.PUT, asker.handle, key, key_value(asker)))
    commands += [send(Operation.PUT, handle, *values) for handle, values in RECORDS.items()]
    receipts = own.send_many(commands)
    assert {receipt.outcome for receipt in receipts} == {Outcome.SUCCESS}, receipts


def may_see(interface: Interface, asker: Asker, permissions: int) -> bool:
    """The oracle: a value is for everybody, for who may read, or for the operator at the node itself."""
    if permissions & PUBLIC_READ:
        return True
    is_reader = interface.knows_askers and asker is READER and not interface.public_only
    return is_reader and bool(permissions & ADMIN_READ)


def asks_for_all(interface: Interface, asker: Asker) -> bool:
    """Whether the question is for more than public values: over HTTP, whoever logs in asks so unless he says else."""
    return not interface.public_only and (asker is not ANYBODY or "native" in interface.name)


def spellings(data: bytes) -> tuple[bytes, ...]:
    return data, data.hex().encode(), base64.b64encode(data)[:-4], data[: len(data) * 3 // 4]


def cases() -> list:
    return [
        pytest.param(interface, asker, id=f"{interface.name} - {asker.name}")
        for interface in INTERFACES
        for asker in (ASKERS if interface.knows_askers else (ANYBODY,))
    ]


@pytest.mark.parametrize(("interface", "asker"), cases())
def test_no_interface_shows_a_value_to_who_may_not_see_it(place, interface, asker):
    wanted = sorted(RECORDS) if interface.shows else FEW
    for handle in wanted:
        said = interface.ask(place, asker, handle)
        assert said
        for (owner, permissions), data in MARKS.items():
            if not may_see(interface, asker, permissions):
                for spelling in spellings(data):
                    assert spelling not in said, (interface.name, asker.name, handle, owner)


@pytest.mark.parametrize(
    "interface", [one for one in INTERFACES if one.shows], ids=lambda one: one.name
)
def test_what_may_be_seen_is_shown_so_that_these_tests_are_not_blind(place, interface):
    askers = ASKERS if interface.knows_askers else (ANYBODY,)
    for asker in askers:
        shown = (PUBLIC_READ, PUBLIC_READ | ADMIN_READ, 14)
        for number in shown:
            for prefix in (PREFIX, PRIVATE):
                handle = f"{prefix}/one-{number:02d}"
                if prefix == PRIVATE and asks_for_all(interface, asker) and asker is not READER:
                    continue  # refused there, whatever is asked for
                said = interface.ask(place, asker, handle)
                assert MARKS[handle, number] in said, (interface.name, asker.name, handle)
    if interface.knows_askers and not interface.public_only:
        for handle in (f"{PREFIX}/one-{ADMIN_READ:02d}", f"{PRIVATE}/one-{ADMIN_READ:02d}"):
            assert MARKS[handle, ADMIN_READ] in interface.ask(place, READER, handle)


def test_reverse_look_up_shows_what_is_public_so_that_its_rows_are_not_blind(node):
    shown = MARKS[f"{PREFIX}/one-{PUBLIC_READ:02d}", PUBLIC_READ]
    asks = {one.name: one.ask for one in INTERFACES}
    assert shown in asks["HTTP reverse look-up, records"](node, STRANGER, ABSENT)
    assert shown in asks["search index"](node, ANYBODY, ABSENT)


def test_a_right_proof_is_verified_so_that_its_row_is_not_blind(node):
    ask = next(one.ask for one in INTERFACES if one.name == "HTTP verification")
    assert b'"isValid":true' in ask(node, READER, READER.handle)
    assert b'"isValid":false' in ask(node, READER, STRANGER.handle)


def test_a_forged_certificate_is_refused_and_a_script_is_one_so_that_their_rows_are_what_they_say(
    node, tls_node
):
    asks = {one.name: one.ask for one in INTERFACES}
    handle = f"{PREFIX}/one-{PUBLIC_READ:02d}"
    assert b" 401 " in asks["HTTP record, by a forged certificate"](tls_node, ANYBODY, handle)
    assert b"\r\n\r\n/**/page.shown(" in asks["HTTP record, as a script"](node, ANYBODY, handle)


FOR_THE_OPERATOR = {"store file", "search index", "export", "log", "metrics", "feed"}


def may_be_told(interface: Interface, asker: Asker) -> bool:
    """Whoever may read, or make the change that is refused, is told what is there."""
    return asker is READER or (interface.writes and asker is WRITER)


SAME = [
    case
    for case in cases()
    if not may_be_told(*case.values) and case.values[0].name not in FOR_THE_OPERATOR
]


@pytest.mark.parametrize(("interface", "asker"), SAME)
def test_below_a_private_prefix_hidden_sounds_like_absent_on_every_interface(
    place, interface, asker
):
    absent = interface.ask(place, asker, ABSENT)
    for handle in HIDDEN:
        assert len(handle) == len(ABSENT)
        said = interface.ask(place, asker, handle)
        assert said.replace(handle.encode(), ABSENT.encode()) == absent, (interface, asker)


def test_an_ordinary_prefix_does_tell_hidden_from_absent(node):
    ask = next(one.ask for one in INTERFACES if one.name == "HTTP record")
    hidden, absent = (ask(node, ANYBODY, f"{PREFIX}/{name}") for name in ("one-08", "none-9"))
    assert hidden.replace(b"one-08", b"none-9") != absent


def test_guessing_numbers_is_stopped_told_once_in_the_log_and_counted(node):
    codes = []
    with udp_socket(node.native_port, "127.0.0.9") as udp:
        for number in range(150):
            reply = ask_udp(udp, question(f"{PRIVATE}/SN-{number:06}"))
            codes.append(reply.response_code if reply else 0)
    assert codes == [100] * 100 + [3] * 50
    told = [line for line in node.log.read_text().splitlines() if "are being guessed" in line]
    assert len(told) == 1
    assert "127.0.0.9" in told[0]
    assert PRIVATE in told[0]
    counted = node.metrics()
    assert 'biaojie_enumeration_total{event="alarm"} 1.0' in counted
    assert 'biaojie_enumeration_total{event="refused"} 50.0' in counted
