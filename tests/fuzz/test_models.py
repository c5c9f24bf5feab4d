"""A slice of ``tests/fuzz/models.py``: no damaged model kills the process or ends in a traceback."""

import json
import subprocess
import sys
from pathlib import Path


def test_damaged_models_end_in_an_answer_or_in_one_line() -> None:
    command = [sys.executable, str(Path(__file__).with_name("models.py")), "--count", "300", "--seed", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    counts = json.loads(done.stdout)
    assert counts["runs"] > 30
    assert counts["ModelError"] > 100
    assert sum(counts[kind] for kind in counts if kind not in ("seed", "seconds")) == 300
