"""What a refusal says to do next, by its code and by what was asked for."""

import pytest

from node.commands.show import refuse_failure
from node.output import CommandError


@pytest.mark.parametrize(
    ("code", "handle", "step"),
    [
        (100, "88.118/SN-1", "biaojie put 88.118/SN-1 --value"),
        (100, "0.NA/88.118.9", "biaojie prefix add 88.118.9"),
        (101, "88.118/a b", "biaojie get '88.118/a b'"),
        (101, "0.NA/88.118.7", "biaojie prefix set 88.118.7"),
        (201, "88.118/SN-1", "biaojie get 88.118/SN-1 --all"),
        (400, "88.118/SN-1", "biaojie admin list 88.118/SN-1"),
        (401, "0.NA/88.118.7", "biaojie admin list 0.NA/88.118.7"),
        (402, "88.118/SN-1", "--user INDEX:HANDLE --secret-file FILE"),
    ],
)
def test_what_is_absent_or_there_already_names_the_command_that_helps(code, handle, step):
    with pytest.raises(CommandError) as told:
        refuse_failure({"responseCode": code, "handle": handle, "message": "no"})
    assert step in told.value.next_step
