"""Two processes never train into one folder."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.records.run import CHECKPOINT
from edge_digits_train.engine.training import check_folder


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_another_process_trains_in_is_refused(
    resume: bool, tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    if resume:
        (folder / CHECKPOINT).touch()
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from edge_digits_runtime.records import files\n"
        "print(files.claim(Path(sys.argv[1])), flush=True)\n"
        "time.sleep(60)\n"
    )
    process = started([sys.executable, "-c", program, folder])
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(RunError, match=r"run: another process is training in it; wait until it is done"):
        check_folder(folder, resume)
    process.kill()
    process.wait()
    check_folder(folder, resume)
