"""Series of several documents on one page are told apart when, and only when, they are called the same."""

from bench.report.names import tell_apart
from tests.bench.report.results import result, series


def shown(*documents):
    labels = ["before", "after", "other"][: len(documents)]
    return [[each.name for each in one.series] for one in tell_apart(documents, labels)]


def test_names_that_two_documents_use_get_the_document_in_front():
    documents = result(series("udp"), series("tcp")), result(series("udp")), result(series("http"))
    assert shown(*documents) == [["before: udp", "tcp"], ["after: udp"], ["http"]]


def test_one_document_keeps_its_names():
    assert shown(result(series("udp"), series("udp, closed loop"))) == [["udp", "udp, closed loop"]]
