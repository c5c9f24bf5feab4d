"""A slice of each fuzzer: nothing damaged kills the process, ends in a traceback or prints more than a line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("name", "count", "outcomes"),
    [
        ("models", 300, {"runs": 30, "ModelError": 100}),
        ("pictures", 2000, {"classified": 300, "PictureError": 800, "read": 30}),
        ("records", 500, {"EvaluationError": 100, "RunError": 50, "ModelError": 20, "card.json is used": 5}),
        ("devices", 100, {"DeployError": 40}),
    ],
)
def test_a_slice_of_the_fuzzer_finds_nothing(name: str, count: int, outcomes: dict[str, int]) -> None:
    command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), "--count", str(count), "--seed", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    counts = json.loads(done.stdout)
    assert sum(counts[kind] for kind in counts if kind not in ("seed", "seconds")) == count
    # Each way is taken: a fuzzer that is refused at once would find nothing either.
    assert {kind: counts[kind] for kind in outcomes if counts[kind] < outcomes[kind]} == {}


def test_a_failure_is_found_whichever_way_it_shows(tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(
        "import os, sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import harness\n"
        "from edge_digits_runtime.errors import PictureError\n"
        "harness.SECONDS = 1\n"
        "class Faulty:\n"
        "    most_mb = 500\n"
        "    def mutant(self, rng):\n"
        "        return rng.choice(['dies', 'hangs', 'fails', 'says', 'prints', 'grows', 'runs']), b''\n"
        "    def run(self, mutant):\n"
        "        match mutant[0]:\n"
        "            case 'dies': os.abort()\n"
        "            case 'hangs': time.sleep(100)\n"
        "            case 'fails': [][0]\n"
        "            case 'says': raise PictureError('two\\nlines')\n"
        "            case 'prints': os.write(2, b'psst')\n"
        "            case 'grows': bytearray(600 << 20)\n"
        "        return 'runs'\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(harness.main(Faulty, ''))\n"
    )
    command = [sys.executable, str(tmp_path / "faulty.py"), "--count", "30", "--keep", str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    counts = json.loads(done.stdout)
    assert done.returncode == 1
    kinds = {"killed", "hangs", "traceback", "lines", "noise", "runs"} | (
        {"large"} if sys.platform == "linux" else set()
    )
    assert set(counts) - {"seed", "seconds"} == kinds
    assert len(list((tmp_path / "kept").iterdir())) == 30 - counts["runs"]
