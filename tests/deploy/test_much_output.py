"""However much a device prints, it takes little memory here and ends in one line."""

import sys

import pytest
from edge_digits_runtime.errors import DeployError

from edge_digits.deploy.ssh import Device, Target


def call(program: str) -> str:
    device = Device(Target("pi"), (), lambda _line: None)
    return device._call("checking", [sys.executable, "-c", program], "try again")


def test_what_a_step_prints_is_bounded() -> None:
    assert call("print('x' * 1_000_000)") == "x" * 1_000_000 + "\n"
    with pytest.raises(DeployError, match=r"^pi: checking printed more than 1 MB; try again$"):
        call("print('x' * 2_000_000)")


def test_of_a_long_message_the_end_is_shown() -> None:
    with pytest.raises(DeployError, match=r"^pi: checking failed \(exit status 3\): the end; try again$"):
        call("import sys; print('x\\n' * 3_000_000, 'the end', file=sys.stderr); sys.exit(3)")
