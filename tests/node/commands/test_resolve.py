"""``biaojie resolve``: what it asks for with each wish, and how a way and a referral look."""

import json
import socket
import threading

import pytest
from click.testing import CliRunner

from node.cli import main
from protocols.handle.codec import decode, encode
from protocols.handle.codes import AUTH, RECU, ResponseCode
from protocols.handle.failures import ErrorAnswer
from protocols.handle.replies import error_reply, reply
from protocols.handle.resolution import Referral, ResolveAnswer
from protocols.handle.via import read_via, write_trail
from protocols.trail import Leg, Trail, Verdict
from protocols.values.site import TCP, UDP, Interface, Server, Site, encode_site
from protocols.values.value import Value

NAME = "88.200/x"
FUTURE_S = 2_000_000_000
TOP = Trail("88", Verdict.LOCAL)
SECONDARY = Trail(
    "88.118",
    Verdict.ASKED,
    (
        Leg("tcp://192.0.2.1:2641", "0.NA/88.200", 0.0021, "success", TOP),
        Leg("udp://192.0.2.9:2641", NAME, 0.4, "timeout"),
        Leg("tcp://192.0.2.1:2641", NAME, 0.0012, "success", Trail("88", Verdict.STALE)),
    ),
)
ENTERPRISE = Trail(
    "88.118.7", Verdict.ASKED, (Leg("tcp://192.0.2.5:2641", NAME, 0.41, "success", SECONDARY),)
)
SITE = encode_site(Site((Server(1, "192.0.2.7", (Interface(UDP, 2641), Interface(TCP, 2641))),)))


class Peer:
    """Answers one datagram and keeps it."""

    def __init__(self, code, body):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.asked = None
        threading.Thread(target=self.serve, args=(code, body), daemon=True).start()

    def serve(self, code, body):
        data, address = self.sock.recvfrom(2048)
        self.asked = decode(data)
        self.sock.sendto(
            encode(reply(self.asked, code, body, serial=1, expiration_s=FUTURE_S)), address
        )
        self.sock.close()


def values(trail=None):
    return ResolveAnswer(
        NAME.encode(),
        (Value(1, "URL", b"https://example.org/"),),
        write_trail(trail) if trail else b"",
    )


def resolve(peer, *words):
    return CliRunner().invoke(main, ["resolve", NAME, "--server", peer.name, *words])


def rows(output):
    """The cells of a table's rows."""
    lines = [line for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip(" ") for cell in line.strip("│").split("│")] for line in lines]


def test_without_wishes_the_question_is_that_of_any_client():
    peer = Peer(ResponseCode.SUCCESS, values())
    assert resolve(peer).exit_code == 0
    assert peer.asked.header.op_flags & (RECU | AUTH) == RECU
    assert peer.asked.body.surplus == b""


def test_every_wish_is_in_the_question():
    peer = Peer(ResponseCode.SUCCESS, values())
    assert resolve(peer, "--trace", "--no-recurse", "--authoritative").exit_code == 0
    assert peer.asked.header.op_flags & (RECU | AUTH) == AUTH
    assert read_via(peer.asked.body.surplus).wants_trail


def test_the_trace_shows_every_question_on_the_way_below_the_one_that_caused_it():
    peer = Peer(ResponseCode.SUCCESS, values(ENTERPRISE))
    told = rows(resolve(peer, "--udp", "--trace").stdout)
    top, leg, look_up, silent, last = told[:5]
    assert top[:3] == [f"udp://{peer.name}", "88.118.7", NAME]
    assert top[5:] == ["RC 1, success", "asked"]
    assert leg == [
        "└ tcp://192.0.2.5:2641", "88.118", NAME, "410.00 ms", "", "success", "asked",
    ]  # fmt: skip
    assert look_up[:4] == ["└ tcp://192.0.2.1:2641", "88", "0.NA/88.200", "2.10 ms"]
    assert look_up[6] == "its records"
    assert silent[5:] == ["timeout", ""]
    assert last[6] == "cache (stale)"


def test_deeper_questions_stand_further_to_the_right():
    peer = Peer(ResponseCode.SUCCESS, values(ENTERPRISE))
    shown = resolve(peer, "--udp", "--trace").stdout
    assert shown.index("│ └ tcp://192.0.2.5") < shown.index("│   └ tcp://192.0.2.1")


def test_the_json_has_the_tries_and_the_trail():
    peer = Peer(ResponseCode.SUCCESS, values(ENTERPRISE))
    told = json.loads(resolve(peer, "--udp", "--trace", "--json").stdout)
    assert [hop["note"] for hop in told["trace"]] == ["RC 1, success"]
    assert told["trail"]["node"] == "88.118.7"
    assert told["trail"]["legs"][0]["trail"]["legs"][2]["trail"] == {
        "node": "88", "verdict": "stale", "legs": [],
    }  # fmt: skip


def test_nobody_gets_a_trail_who_did_not_ask_for_one():
    peer = Peer(ResponseCode.SUCCESS, values(ENTERPRISE))
    told = json.loads(resolve(peer, "--udp", "--json").stdout)
    assert "trail" not in told
    assert "trace" not in told


def test_a_trace_shows_the_way_to_a_failure_too():
    class Failing(Peer):
        def serve(self, code, body):
            data, address = self.sock.recvfrom(2048)
            message = error_reply(
                decode(data), code, "nobody knows", serial=1, expiration_s=FUTURE_S
            )
            surplus = write_trail(SECONDARY)
            self.sock.sendto(
                encode(message._replace(body=message.body._replace(surplus=surplus))), address
            )
            self.sock.close()

    peer = Failing(ResponseCode.HANDLE_NOT_FOUND, None)
    failed = resolve(peer, "--udp", "--trace")
    assert failed.exit_code == 1
    assert len(rows(failed.stdout)) == 4
    assert "nobody knows" in failed.stderr


def test_a_referral_that_was_asked_for_is_shown_with_whom_to_ask_next():
    peer = Peer(ResponseCode.SERVICE_REFERRAL, Referral(b"", (Value(1, "HS_SITE", SITE),)))
    told = resolve(peer, "--udp", "--no-recurse")
    assert told.exit_code == 0
    assert rows(told.stdout) == [["udp://192.0.2.7:2641", "no"], ["tcp://192.0.2.7:2641", "no"]]
    assert f"biaojie resolve {NAME} --server 192.0.2.7:2641" in told.stderr


def test_a_referral_that_was_not_asked_for_is_a_failure_with_the_next_step():
    peer = Peer(ResponseCode.SERVICE_REFERRAL, Referral(b"", (Value(1, "HS_SITE", SITE),)))
    told = resolve(peer, "--udp")
    assert told.exit_code == 1
    assert "RC 302" in told.stderr
    assert f"biaojie resolve {NAME} --server 192.0.2.7:2641" in told.stderr


def test_a_referral_in_json_has_the_sites():
    peer = Peer(ResponseCode.SERVICE_REFERRAL, Referral(b"", (Value(1, "HS_SITE", SITE),)))
    told = resolve(peer, "--udp", "--no-recurse", "--json")
    document = json.loads(told.stdout)
    assert told.exit_code == 0
    assert document["responseCode"] == 302
    (site,) = document["values"]
    assert site["data"]["value"]["servers"][0]["address"] == "192.0.2.7"


def test_a_referral_to_a_service_handle_names_it():
    peer = Peer(ResponseCode.SERVICE_REFERRAL, Referral(b"0.NA/88.200"))
    told = resolve(peer, "--udp", "--no-recurse")
    assert rows(told.stdout) == [["0.NA/88.200"]]
    assert "biaojie resolve 0.NA/88.200" in told.stderr


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", "127.0.0.1:9"])
def test_over_http_there_are_no_referrals_to_ask_for(server):
    refused = CliRunner().invoke(
        main, ["resolve", NAME, "--http", "--server", server, "--no-recurse"]
    )
    assert refused.exit_code == 2
    assert "--udp or --tcp" in refused.stderr


def test_a_server_may_be_written_as_traces_show_it():
    peer = Peer(ResponseCode.SUCCESS, values())
    peer.name = f"udp://{peer.name}"
    assert resolve(peer, "--trace").exit_code == 0
    refused = CliRunner().invoke(main, ["resolve", NAME, "--server", "udp://192.0.2.1:1", "--tcp"])
    assert (refused.exit_code, "leave one out" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("code", "said", "words", "step"),
    [
        (ResponseCode.NOT_RESPONSIBLE, "tcp://192.0.2.1:2641: not hosted", (), '"recurse"'),
        (ResponseCode.ERROR, "tcp://192.0.2.1:2641: timeout", (), "--trace shows whom"),
        (ResponseCode.ERROR, "tcp://192.0.2.1:2641: timeout", ("--trace",), "/upstreams"),
        (ResponseCode.NOT_RESPONSIBLE, "not hosted by this node", (), "prefix list"),
        (ResponseCode.HANDLE_NOT_FOUND, "not registered", (), "biaojie put"),
    ],
)
def test_trouble_with_another_server_has_its_own_next_step(code, said, words, step):
    peer = Peer(code, ErrorAnswer(said.encode()))
    failed = resolve(peer, "--udp", *words)
    assert failed.exit_code == 1
    assert said in failed.stderr
    assert step in failed.stderr.partition("next:")[2]
