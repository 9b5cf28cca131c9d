"""Small builders for tests of the resolver, and a table at which one forwarder is asked, answered and told the time."""

from protocols.identifier import Identifier, parse_identifier
from protocols.message import Answer, Outcome, Query
from protocols.record import Record
from protocols.values.site import TCP, Interface, Server, Site, encode_site
from protocols.values.value import Value
from protocols.values.value_list import encode_values
from resolver.acts import Allowance, Ask
from resolver.answering import answer_now
from resolver.asking import Cancel, Reply, Role, Send, Target, Tell, Trouble
from resolver.delegation import Delegated, NotHere, locate
from resolver.forwarding import Forwarder, Setup
from resolver.limits import Limits
from resolver.resolution import Resolution, World
from resolver.source import Now, Peer
from resolver.upstreams import Upstreams

WALL_S = 1_800_000_000.0
LIMITS = Limits()
NODE_ID = "00000000feedcafe"
TOP = Target(TCP, "192.0.2.1", 2641, Role.UPSTREAM)
TOP2 = Target(TCP, "192.0.2.2", 2641, Role.UPSTREAM)
CLIENT = Peer("10.0.0.9", 4711, "tcp", is_loopback=False)
UDP_CLIENT = CLIENT._replace(transport="udp")


def now(seconds: float) -> Now:
    return Now(seconds, WALL_S + seconds)


def site(*addresses, protocol=TCP, port=2641, **fields) -> Site:
    servers = (
        Server(number, address, (Interface(protocol, port),))
        for number, address in enumerate(addresses, 1)
    )
    return Site(tuple(servers), **fields)


def site_value(*sites: Site, ttl=86_400) -> tuple[Value, ...]:
    return tuple(
        Value(index, "HS_SITE", encode_site(one), ttl) for index, one in enumerate(sites, 1)
    )


def service(handle: str, ttl=86_400) -> tuple[Value, ...]:
    return (Value(1, "HS_SERV", handle.encode(), ttl),)


def url(text="https://example.org/1", ttl=86_400, index=1) -> Value:
    return Value(index, "URL", text.encode(), ttl)


def ident(text: str) -> Identifier:
    return parse_identifier(text)


def query(text: str, **fields) -> Query:
    return Query(ident(text), may_recurse=True, **fields)


def not_here(text: str) -> NotHere:
    return NotHere(ident(text).responsible_prefix, None)


def success(spelling: str, *values: Value, **fields) -> Reply:
    return Reply(Outcome.SUCCESS, spelling.encode(), values, **fields)


NOT_FOUND = Reply(Outcome.NOT_FOUND)


def referral(*sites: Site) -> Reply:
    return Reply(Outcome.REFERRAL, values=site_value(*sites))


class Records:
    """What this node holds; nothing unless told."""

    def __init__(self, hosted=(), delegated=None, records=None) -> None:
        self.hosted = set(hosted)
        self.delegated = dict(delegated or {})
        self.records = {ident(name).folded(): values for name, values in (records or {}).items()}

    def hosts(self, prefix):
        return prefix in self.hosted

    def lookup(self, identifier):
        values = self.records.get(identifier.folded())
        if values is None:
            return None
        key = identifier.folded()
        return Record(key, key, 1, 1, 0, 0, encode_values(values))

    def is_private(self, prefix):
        return False

    def delegation(self, prefix):
        return self.delegated.get(prefix)

    def nonpublic(self, record):
        return ()

    def may_read(self, principal, identifier):
        return Outcome.AUTHENTICATION_NEEDED


class Everybody:
    def __contains__(self, address: object) -> bool:
        return True


def world(*servers: Target, **fields) -> World:
    limits = fields.pop("limits", LIMITS)
    upstreams = fields.pop("upstreams", None) or Upstreams(limits)
    defaults = {"is_recursive": False, "own_places": (), "node_id": NODE_ID, "prefer_udp": False}
    return World(upstreams, servers or (TOP,), limits=limits, **(defaults | fields))


class Machine:
    """One resolution, stepped by hand. Time goes on by ``at``."""

    def __init__(self, text: str, place=None, the_world=None, allowance=None, **fields) -> None:
        self.world = the_world or world()
        self.allowance = allowance or Allowance(self.world.limits, 0.0)
        self.at = 0.0
        self.resolution = Resolution(
            query(text, **fields), place or not_here(text), self.world, self.allowance
        )
        self.asked: list[tuple[str, str]] = []
        self.last = 0

    def step(self):
        """The next act that is not an ``Ask``: those are sent at once, and written down."""
        while True:
            act = self.resolution.step(now(self.at))
            if not isinstance(act, Ask):
                return act
            self.last += 1
            self.asked.append((act.pick.target.name, act.question.spelling.decode()))
            self.question = act.question
            self.resolution.sent(self.last, act, now(self.at))

    def reply(self, reply: Reply, number: int | None = None, after_s=0.01):
        self.at += after_s
        return self.resolution.received(number or self.last, reply, now(self.at))

    def fail(self, trouble: Trouble, number: int | None = None, after_s=0.01):
        self.at += after_s
        self.resolution.failed(number or self.last, trouble, now(self.at))

    def told(self, *values: Value, outcome=Outcome.SUCCESS, reason=""):
        self.resolution.told(outcome, values, reason)

    def in_flight(self) -> int:
        return sum(state.in_flight for state in self.world.upstreams.states())


class Table:
    """A forwarder with records around it. What it does is sorted into ``open`` (number -> Send) and ``told``."""

    def __init__(self, records=None, limits=LIMITS, **setup) -> None:
        self.records = records or Records()
        setup.setdefault("upstreams", (TOP,))
        setup.setdefault("may_recurse", Everybody())
        setup.setdefault("is_free", Everybody())
        self.forwarder = Forwarder(Setup("88.118", NODE_ID, limits=limits, **setup), self.records)
        self.at = 1000.0
        self.open: dict[int, Send] = {}
        self.sent: list[Send] = []
        self.cancelled: list[int] = []
        self.told: dict[int, Answer | None] = {}
        self.waiting: set[int] = set()

    @property
    def now(self) -> Now:
        return now(self.at)

    @property
    def counts(self):
        return self.forwarder.counts

    def place(self, the_query: Query) -> Delegated | NotHere:
        place = locate(the_query.identifier, self.records)
        assert isinstance(place, (Delegated, NotHere))
        return place

    def lookup(self, text, peer=CLIENT, **fields) -> Answer | None:
        return answer_now(query(text, **fields), self.records, peer, self.now, (), self.forwarder)

    def ask(self, text, peer=CLIENT, step=True, **fields) -> Answer | int:
        """The answer if there is one at once, else a ticket; then what is to do is done."""
        answer: Answer | int | None = self.lookup(text, peer, **fields)
        if answer is None:
            the_query = query(text, **fields)
            answer = self.forwarder.ask(the_query, self.place(the_query), peer, self.now)
            if isinstance(answer, int):
                assert answer not in self.told
                assert answer not in self.waiting
                self.waiting.add(answer)
        if step:
            self.step()
        return answer

    def step(self) -> None:
        for action in self.forwarder.step(self.now):
            match action:
                case Send():
                    assert action.number not in self.open
                    self.open[action.number] = action
                    self.sent.append(action)
                case Cancel(number):
                    self.open.pop(number, None)
                    self.cancelled.append(number)
                case Tell(ticket, answer):
                    assert ticket in self.waiting, "told twice, or never asked"
                    self.waiting.discard(ticket)
                    self.told[ticket] = answer

    def forget(self, ticket: int) -> None:
        self.waiting.discard(ticket)
        self.forwarder.forget(ticket)

    def number_of(self, spelling: str) -> int:
        """The last open question for the identifier."""
        numbers = [n for n, s in self.open.items() if s.question.spelling == spelling.encode()]
        assert numbers, f"{spelling} is not being asked for, only {self.asking()}"
        return numbers[-1]

    def asking(self) -> list[str]:
        """Identifiers that are being asked for."""
        return [send.question.spelling.decode() for send in self.open.values()]

    def all_asked(self) -> list[str]:
        return [send.question.spelling.decode() for send in self.sent]

    def reply(self, reply: Reply, about: str, after_s=0.01) -> None:
        self.at += after_s
        number = self.number_of(about)
        del self.open[number]
        self.forwarder.received(number, reply, self.now)
        self.step()

    def fail(self, trouble: Trouble, about: str, after_s=0.01) -> None:
        self.at += after_s
        number = self.number_of(about)
        del self.open[number]
        self.forwarder.failed(number, trouble, self.now)
        self.step()

    def answer(self, spelling: str, *values: Value, after_s=0.01, **fields) -> None:
        """The server that is being asked says so."""
        self.reply(success(spelling, *values, **fields), spelling, after_s)

    def pass_s(self, seconds: float) -> None:
        """Time goes on, timer by timer."""
        until_s = self.at + seconds
        turns = 0
        while self.forwarder.next_s() <= until_s:
            turns += 1
            assert turns < 10_000, "wants to be called again and again"
            self.at = max(self.at, self.forwarder.next_s())
            self.step()
        self.at = until_s

    def in_flight(self) -> int:
        return sum(state.in_flight for state in self.forwarder.upstreams.states())

    def assert_idle(self) -> None:
        """Nothing is left of anything."""
        assert self.in_flight() == 0
        assert not self.open
        assert not self.waiting
        assert len(self.forwarder.questions) == 0
        assert self.forwarder.questions.crowd.count(CLIENT.address) == 0
