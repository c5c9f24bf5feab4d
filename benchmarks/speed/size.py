"""Measure the size of the device profile on disk, against its dependencies alone.

uv installs both into empty folders; the sizes of files are added up, whatever the block size of the disk.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from networks import ROOT
from turns import Row

DEPENDENCIES = ("numpy", "pillow", "ai-edge-litert")


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        alone = install(Path(folder) / "alone", *DEPENDENCIES)
        profile = install(Path(folder) / "profile", str(ROOT), str(ROOT / "runtime"))
    what, against = "installed size of the device profile", f"that of {', '.join(DEPENDENCIES)}"
    return [Row(what, against, f"{profile / 1e6:.1f} MB", f"{alone / 1e6:.1f} MB", profile / alone, 1.05)]


def install(target: Path, *packages: str) -> int:
    """Install into ``target`` and return the bytes of all files there."""
    command = ["uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", str(target), *packages]
    subprocess.run(command, cwd=ROOT, check=True)
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
