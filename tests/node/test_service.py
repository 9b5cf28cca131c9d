"""What listeners may call: damage to one record stays with that record."""

from pathlib import Path
from types import SimpleNamespace

from node.service import Service
from protocols.identifier import parse_identifier
from protocols.message import Outcome, Query
from registry.holdings import Holdings
from registry.sealing import Sealer
from resolver.source import Now, Peer
from tests.registry.damage import damaged_store

STRANGER = Peer("192.0.2.1", 1, "udp", is_loopback=False)
NOW = Now(0.0, 0.0)


def test_a_damaged_record_is_an_error_of_its_own_and_the_others_are_answered(
    tmp_path: Path,
) -> None:
    names = ("88.118/WHOLE", "88.118/HURT")
    with damaged_store(tmp_path / "store", "88.118/HURT", *names) as desk:
        reader = desk.store.reader()
        service = Service(
            reader, Holdings(reader, Sealer(bytes(64))), None, None, SimpleNamespace(pool=None)
        )  # type: ignore[arg-type]
        hurt = service.resolve_now(Query(parse_identifier("88.118/hurt")), STRANGER, NOW)
        whole = service.resolve_now(Query(parse_identifier("88.118/whole")), STRANGER, NOW)
        reader.close()
    assert (hurt.outcome, hurt.values) == (Outcome.ERROR, ())
    assert "damaged" in hurt.reason
    assert whole.outcome is Outcome.SUCCESS
