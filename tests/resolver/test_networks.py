"""Which addresses lie in a network of a list."""

import pytest

from resolver.networks import MAX_REMEMBERED_VERDICTS, NetworkSet


def test_networks_know_their_addresses_in_every_dress() -> None:
    networks = NetworkSet(["10.0.0.0/8", "fe80::/10"])
    assert "10.1.2.3" in networks
    assert "::ffff:10.1.2.3" in networks
    assert "fe80::1%eth0" in networks
    assert "11.0.0.1" not in networks
    assert "nonsense" not in networks


def test_remembered_verdicts_are_bounded() -> None:
    networks = NetworkSet(["10.0.0.0/8"])
    for n in range(MAX_REMEMBERED_VERDICTS + 5):
        assert f"192.0.{n >> 8}.{n & 255}" not in networks
    assert len(networks._verdicts) <= MAX_REMEMBERED_VERDICTS


def test_a_set_without_networks_is_false_and_holds_nobody() -> None:
    assert not NetworkSet(())
    assert "127.0.0.1" not in NetworkSet(())
    assert NetworkSet(["0.0.0.0/0"])


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        NetworkSet(["10.1.2.3/8"])
