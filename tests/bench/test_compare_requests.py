"""What the load generators send: files that both read, real questions, and the headers of real clients."""

import pytest

from bench.compare.dnsperf import DnsperfFailed, read_report
from bench.compare.fallback import KINDS, whole_handle, whole_http
from bench.compare.headers import CLIENTS, HEADER_SETS
from bench.compare.requests import (
    Request,
    dns_requests,
    drawn,
    handle_requests,
    http_requests,
    identifier,
    read_requests,
    redis_requests,
    write_requests,
)
from bench.growth.stage import content_bytes
from bench.peers.dns import RECORD_HEAD_BYTES, txt_strings, write_zone
from protocols.handle.fast import plain_question


def test_a_file_of_requests_is_read_as_it_was_written(tmp_path):
    requests = [Request(b"", b"x"), Request(b"ask" * 1000), Request(b"\0\xff", b"must")]
    assert read_requests(write_requests(tmp_path / "requests", requests)) == requests


def test_native_questions_are_the_plain_ones_of_the_hot_path():
    for asked, number in zip(handle_requests([0, 99_999_999], 1.8e9), (0, 99_999_999), strict=True):
        question = plain_question(asked.data)
        assert question is not None
        assert question[0] == asked.must == identifier(number).encode()


def test_all_identifiers_are_equally_long():
    assert len(identifier(0)) == len(identifier(99_999_999))


def test_a_drawing_is_the_same_in_every_run_and_stays_below_its_bound():
    assert drawn(1000, 50) == drawn(1000, 50)
    assert set(drawn(1000, 50)) == set(range(50))


def test_dns_questions_are_those_of_rfc_1035():
    import dns.message

    asked = dns.message.from_wire(next(dns_requests([7])).data)
    (question,) = asked.question
    assert question.to_text() == "sn-00000007.bench. IN TXT"
    assert asked.edns == -1


def test_redis_asks_for_the_value_of_the_identifier():
    assert next(redis_requests([7])).data == b"*2\r\n$3\r\nGET\r\n$18\r\n88.118/SN-00000007\r\n"


def test_at_least_twenty_real_clients_take_turns():
    assert len(set(HEADER_SETS)) == len(CLIENTS) >= 20
    sent = [one.data for one in http_requests(range(len(CLIENTS)))]
    heads = {data.partition(b"\r\n")[2] for data in sent}
    assert len(heads) == len(CLIENTS)


@pytest.mark.parametrize("name", CLIENTS)
def test_every_header_set_is_a_request_head(name):
    fields = CLIENTS[name]
    names = [field.lower() for field, _ in fields]
    assert names.count("host") == 1
    assert len(set(names)) == len(names)
    assert all(value == value.strip() and value.isascii() for _, value in fields)


@pytest.mark.parametrize("size", [2, 100, 255, 256, 257, 258, 400])
def test_a_txt_record_has_exactly_the_bytes_that_were_asked_for(size, tmp_path):
    import dns.zone

    path = write_zone(tmp_path / "zone", "bench", ["sn-0"], size)
    zone = dns.zone.from_text(path.read_text(), "bench.", relativize=False)
    (record,) = zone.find_rdataset("sn-0.bench.", "TXT")
    assert len(record.to_wire()) == size
    assert txt_strings(size).count('"') % 2 == 0
    assert RECORD_HEAD_BYTES == 12


def test_an_http_answer_ends_where_its_length_says():
    answer = b"HTTP/1.1 200 OK\r\nDate: x\r\ncontent-LENGTH: 5\r\n\r\nhello"
    assert whole_http(answer) == len(answer)
    assert whole_http(answer + b"HTTP/1.1") == len(answer)
    assert whole_http(answer[:30]) == 0


def test_a_native_answer_ends_where_its_envelope_says():
    assert whole_handle(bytes(16) + (30).to_bytes(4)) == 50
    assert whole_handle(bytes(19)) == 0


def test_an_answer_with_another_response_code_is_not_right():
    answer = bytearray(60)
    answer[24:28] = (100).to_bytes(4)
    assert KINDS["handle-udp"].is_right(bytes(answer), 100)
    assert not KINDS["handle-udp"].is_right(bytes(answer), 1)


REPORT = """\
  Queries sent:         53601
  Queries completed:    53600 (100.00%)
  Queries lost:         1 (0.00%)

  Response codes:       NOERROR 53590 (99.98%), NXDOMAIN 10 (0.02%)
  Run time (s):         0.500000
"""


def test_of_dnsperf_only_right_answers_count():
    loaded = read_report(REPORT, 5)
    assert loaded == (53_590, 1, 10, 5, 500_000_000)


def test_a_dnsperf_that_says_nothing_is_told():
    with pytest.raises(DnsperfFailed, match="silence"):
        read_report("", 0)


def test_content_is_key_and_values_of_a_record():
    # 4 bytes of authority and "SN-00000000"; behind envelope, header and identifier: values; no credential.
    assert content_bytes(20 + 24 + 4 + 18 + 100 + 4) == 4 + 11 + 100
