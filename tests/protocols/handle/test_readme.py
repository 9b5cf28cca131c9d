"""The table of messages in the package's README is the one in the code."""

import re
from pathlib import Path

from protocols.handle import codec
from protocols.handle.codes import OpCode

README = Path(codec.__file__).with_name("README.md").read_text()
ROW = re.compile(r"^\| (\d+) \| ([\w ]+) \| `(\w+)` \| `(\w+)` \| `(\w+\.py)` \|$", re.MULTILINE)


def class_of(decoder: object) -> type:
    return decoder.__self__  # type: ignore[attr-defined]


def test_the_readme_lists_every_operation_with_its_bodies() -> None:
    rows = {
        int(number): (name, request, answer)
        for number, name, request, answer, _ in ROW.findall(README)
    }
    assert rows == {
        int(op): (
            op.name.lower().replace("_", " "),
            class_of(codec.REQUESTS[op]).__name__,
            class_of(codec.ANSWERS[op]).__name__,
        )
        for op in OpCode
    }


def test_the_readme_names_a_file_that_defines_one_of_the_two() -> None:
    for _, name, request, answer, file in ROW.findall(README):
        text = Path(codec.__file__).with_name(file).read_text()
        assert f"class {request}(" in text or f"class {answer}(" in text, name
