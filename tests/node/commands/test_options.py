"""What every command says when a node, or its certificate, does not give what was asked for."""

import pytest

from node.asking.node import Refused
from node.asking.web import Untrusted, WebTrouble
from node.commands.options import plain_errors
from node.output import CommandError


@pytest.mark.parametrize(
    ("trouble", "step"),
    [
        (Refused({"responseCode": 402, "message": "log in"}), "--secret-file"),
        (Refused({"responseCode": 401, "message": "no right to read"}), "admin list"),
        (Refused({"responseCode": 400, "message": "no administrator"}), "admin list"),
        (Untrusted("https://node: self-signed certificate", 18), "--ca-file"),
        (Untrusted("https://node: certificate has expired", 10), "renews"),
        (Untrusted("https://node: not valid for 'n'", 62), "https://NAME:PORT"),
        (WebTrouble("http://node: Connection refused"), "is the node running"),
    ],
)
def test_a_refusal_names_the_step_that_helps_against_it(trouble, step):
    with pytest.raises(CommandError) as told, plain_errors():
        raise trouble
    assert step in told.value.next_step
    assert str(trouble) in told.value.message
