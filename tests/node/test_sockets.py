"""Listening sockets: whose they are, how they are shared, and what happens to their queues."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from node.config_sections import Config
from node.sockets import HTTP, OPERATIONS, TCP, UDP, PortTaken, Sockets, make_sockets

Make = Callable[..., Sockets]


def settings(workers: int, *, port: int = 0, http: bool = False) -> Config:
    config = Config()
    return replace(
        config,
        node=replace(config.node, workers=workers),
        listen=replace(config.listen, addresses=("127.0.0.1",), port=port),
        http=replace(config.http, enabled=http, addresses=("127.0.0.1",), port=0),
        operations=replace(config.operations, port=0),
    )


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Sockets] = []

    def make_one(config: Config, old: Sockets | None = None) -> Sockets:
        made.append(make_sockets(config, old))
        return made[-1]

    yield make_one
    for one in made:
        one.close()


def port_of(sockets: Sockets) -> int:
    return sockets.by_slot[0][TCP][0].getsockname()[1]


def ask_all(port: int, count: int = 200) -> list[socket.socket]:
    """So many clients, connected and with a datagram sent."""
    clients = []
    for _ in range(count):
        clients.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagram.sendto(b"x", ("127.0.0.1", port))
        clients.append(datagram)
    return clients


def count_waiting(sockets: Sockets) -> list[tuple[int, int]]:
    """(connections, datagrams) that wait in each slot; they are taken."""
    return [(_take(mine[TCP][0], _accept), _take(mine[UDP][0], _read)) for mine in sockets.by_slot]


def _accept(sock: socket.socket) -> None:
    sock.accept()[0].close()


def _read(sock: socket.socket) -> None:
    sock.recv(1)


def _take(sock: socket.socket, take: Callable[[socket.socket], None]) -> int:
    count = 0
    while True:
        try:
            take(sock)
        except BlockingIOError:
            return count
        count += 1


def test_each_worker_has_its_own_on_the_same_ports(make: Make) -> None:
    made = make(settings(3, http=True))
    for use in (UDP, TCP, HTTP):
        own = [mine[use][0] for mine in made.by_slot]
        assert len({one.fileno() for one in own}) == 3
        assert len({one.getsockname() for one in own}) == 1
    assert set(made.descriptors(1)) == {UDP, TCP, HTTP}
    assert len(made.listening()[OPERATIONS]) == 1
    clients = ask_all(port_of(made))
    for connections, datagrams in count_waiting(made):
        assert connections > 20
        assert datagrams > 20
    for one in clients:
        one.close()


@pytest.mark.parametrize("workers", [1, 4])
def test_a_second_node_is_refused_however_many_workers_there_are(make: Make, workers: int) -> None:
    port = port_of(make(settings(workers)))
    with pytest.raises(
        PortTaken, match=f"port {port}: the port is taken .held by process {os.getpid()}"
    ):
        make(settings(workers, port=port))


def test_a_reload_keeps_what_is_the_same_and_adds_what_is_new(make: Make) -> None:
    first = make(settings(1))
    second = make(settings(3), first)
    assert second.by_slot[0][TCP][0] is first.by_slot[0][TCP][0]
    assert port_of(second) == port_of(first)
    clients = ask_all(port_of(second))
    assert count_waiting(second) == [(200, 200), (0, 0), (0, 0)], "nobody reads the others yet"
    second.spread_over(None)
    clients += ask_all(port_of(second))
    assert all(connections > 20 for connections, _ in count_waiting(second))
    for one in clients:
        one.close()


def test_a_lone_worker_can_be_led_to(make: Make) -> None:
    first = make(settings(1))
    second = make(settings(1), first)
    second.spread_over(1)
    clients = ask_all(port_of(second), 5)
    second.spread_over(None)
    clients += ask_all(port_of(second), 5)
    assert count_waiting(second) == [(10, 10)]
    for one in clients:
        one.close()


def test_new_clients_are_led_past_slots_that_are_given_up_and_nobody_is_reset(make: Make) -> None:
    four = make(settings(4))
    clients = ask_all(port_of(four), 40)  # some wait in slots 2 and 3
    four.spread_over(2)
    waiting = count_waiting(four)
    assert sum(connections for connections, _ in waiting) == 40
    clients += ask_all(port_of(four))
    waiting = count_waiting(four)
    assert waiting[2:] == [(0, 0), (0, 0)]
    assert sum(connections for connections, _ in waiting) == 200
    assert sum(datagrams for _, datagrams in waiting) == 200
    two = make(settings(2), four)
    four.close(but=two)
    two.spread_over(None)
    clients += ask_all(port_of(two))
    waiting = count_waiting(two)
    assert [sum(column) for column in zip(*waiting, strict=True)] == [200, 200]
    for one in clients:
        one.close()


def test_a_stopping_node_lets_nobody_in_and_keeps_those_who_wait(make: Make) -> None:
    made = make(settings(2))
    inside = [socket.create_connection(("127.0.0.1", port_of(made)), timeout=5) for _ in range(20)]
    for one in inside:
        one.sendall(b"question")
    made.let_nobody_in()
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port_of(made)), timeout=0.2)
    heard = 0
    for mine in made.by_slot:
        while True:
            try:
                accepted, _ = mine[TCP][0].accept()
            except BlockingIOError:
                break
            with accepted:
                heard += accepted.recv(100) == b"question"
    assert heard == 20
    for one in inside:
        one.close()
