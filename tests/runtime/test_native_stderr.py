"""Standard error of native code is held back, on any thread, and wherever standard error leads."""

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.native_stderr import quiet, without

Tiny = Callable[[str], Path]
Capture = pytest.CaptureFixture[str]

DELEGATE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
CLASSIFY = """
import sys, numpy
from edge_digits_runtime import DigitClassifier
print(DigitClassifier(sys.argv[1]).classify(numpy.zeros((28, 28), numpy.uint8)).digit)
"""


def test_one_line_is_hidden_and_the_rest_shown(capfd: Capture) -> None:
    with without(DELEGATE):
        os.write(2, b"one\n" + DELEGATE + b"two\n")
    with pytest.raises(OSError, match="file descriptor"), without(DELEGATE):
        os.write(2, b"three\n") and os.close(-1)
    os.write(2, b"four\n")
    assert capfd.readouterr().err == "one\ntwo\nthree\nfour\n"


def test_more_than_a_pipe_holds_is_shown(capfd: Capture) -> None:
    with without(DELEGATE):
        for _ in range(30):
            os.write(2, b"x" * 9_999 + b"\n")
    assert len(capfd.readouterr().err) == 300_000


def test_quiet_hides_all_unless_an_exception_is_unexpected(capfd: Capture) -> None:
    with quiet():
        os.write(2, b"log\n")
        warnings.warn("a warning", stacklevel=1)
    with pytest.raises(ModelError):
        log_and_raise(ModelError("damaged"))
    assert capfd.readouterr().err == ""
    with pytest.raises(ZeroDivisionError):
        log_and_raise(ZeroDivisionError())
    assert capfd.readouterr().err == "log\n"


def log_and_raise(error: Exception) -> None:
    with quiet():
        os.write(2, b"log\n")
        raise error


@pytest.mark.parametrize(("inner", "outer", "shown"), [(without, quiet, ""), (quiet, without, "before\nafter\n")])
def test_blocks_may_be_nested(
    inner: Callable[..., object], outer: Callable[..., object], shown: str, capfd: Capture
) -> None:
    blocks = {without: lambda: without(DELEGATE), quiet: quiet}
    with blocks[outer]():
        os.write(2, b"before\n" + DELEGATE)
        with blocks[inner]():
            os.write(2, b"inside\n" * (inner is quiet) + DELEGATE)
        os.write(2, b"after\n")
    os.write(2, b"end\n")
    assert capfd.readouterr().err == shown + "end\n"


def test_blocks_that_overlap_on_two_threads_leave_standard_error_as_it_was(capfd: Capture) -> None:
    first_has_ended = threading.Event()
    second_has_begun = threading.Event()

    def second() -> None:
        with without(DELEGATE):
            second_has_begun.set()
            assert first_has_ended.wait(10)
            os.write(2, DELEGATE + b"second\n")

    thread = threading.Thread(target=second)
    with without(DELEGATE):
        thread.start()
        assert second_has_begun.wait(10)
        os.write(2, DELEGATE + b"first\n")
    first_has_ended.set()
    thread.join(10)
    os.write(2, b"end\n")
    assert capfd.readouterr().err == "first\nsecond\nend\n"


@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 2>&-", "0<&- 1>&- 2>&-"])
def test_a_process_without_standard_streams_still_answers(closed: str, tiny: Tiny, tmp_path: Path) -> None:
    code = f"{CLASSIFY}open(sys.argv[2], 'w').write('answered')"
    answer = tmp_path / "answer"
    shell = ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-c", code, str(tiny("int8")), str(answer)]
    assert subprocess.run(shell, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == 0
    assert answer.read_text() == "answered"


def test_a_file_under_the_number_of_standard_error_stays_as_it_is(tiny: Tiny, tmp_path: Path) -> None:
    report = tmp_path / "report"
    code = f"import sys\nfile = open(sys.argv[2], 'w')\nassert file.fileno() == 2\n{CLASSIFY}file.write('all')"
    shell = ["sh", "-c", '"$@" 2>&-', "sh", sys.executable, "-c", code, str(tiny("int8")), str(report)]
    assert subprocess.run(shell, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == 0
    assert report.read_text() == "all"


def test_a_standard_error_that_nobody_reads_is_no_reason_to_stop(tiny: Tiny) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    noisy = "from edge_digits_runtime import native_stderr\nnative_stderr._if_unexpected = lambda text, _: b'text'\n"
    code = f"{noisy}with native_stderr.quiet(): pass\n{CLASSIFY}"
    command = [sys.executable, "-c", code, str(tiny("int8"))]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writer, text=True)
    os.close(writer)
    assert (done.returncode, done.stdout.strip().isdigit()) == (0, True)
